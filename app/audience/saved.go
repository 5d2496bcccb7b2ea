package audience

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Set is people, by their ids.
type Set = roaring.Bitmap

const (
	maxName = 64
	// revision makes the changes of audiences go one after another: none is deleted while another comes to stand on it, and two that are
	// saved at once make no circle.
	revision = "audiences"
)

// Input is an audience as an operator writes it.
type Input struct {
	ID        int64 // 0 makes a new one
	Name      string
	Condition condition.Tree
	Actor     string
}

// Save makes or changes an audience that lives by a condition. A condition that leads back to the audience itself is refused, as is one
// that needs an event; a frozen audience keeps whom it holds, and only its name changes.
func (s *Service) Save(ctx context.Context, in Input) (*model.Audience, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (row model.Audience, err error) {
		if err := db.Bump(tx, revision); err != nil {
			return row, err
		}
		row.CreatedAt = s.clock.Now()
		if in.ID != 0 {
			old, err := get(tx, in.ID)
			if err != nil {
				return row, err
			}
			row = *old
		}
		if !row.Frozen() && !row.List() {
			if err := s.check(ctx, tx, in.ID, in.Condition); err != nil {
				return row, err
			}
			row.Condition = model.ToJSON(in.Condition)
		} else if !in.Condition.Empty() && string(model.ToJSON(in.Condition)) != string(row.Condition) {
			return row, errs.New(errs.Conflict, "audience.frozen")
		}
		row.Name, row.Actor, row.UpdatedAt = in.Name, in.Actor, s.clock.Now()
		return row, write(tx, &row)
	})
	return &out, wrap("save", err)
}

// check refuses a condition that cannot select people, and one in which the audience with the id takes part itself.
func (s *Service) check(ctx context.Context, tx *gorm.DB, id int64, t condition.Tree) error {
	if err := s.conditions.Check(ctx, tx, t); err != nil {
		return err
	}
	if s.conditions.EventScoped(t) {
		return errs.Field("condition", "broadcast.event_scoped")
	}
	for seen, todo := map[int64]bool{}, named(t); id != 0 && len(todo) > 0; {
		next := todo[0]
		if todo = todo[1:]; seen[next] {
			continue
		}
		seen[next] = true
		if next == id {
			return errs.Field("condition", "audience.circle")
		}
		other, err := get(tx, next)
		if err != nil {
			return err
		}
		tree, err := treeOf(other)
		if err != nil {
			return err
		}
		todo = append(todo, named(tree)...)
	}
	return nil
}

// named are the audiences in a condition.
func named(t condition.Tree) (ids []int64) {
	for _, args := range t.ArgsOf(leafName) {
		if id, err := leafID(args); err == nil { // was checked
			ids = append(ids, id)
		}
	}
	return ids
}

func treeOf(a *model.Audience) (t condition.Tree, err error) {
	if a.Frozen() || a.List() {
		return t, nil
	}
	if err := a.Condition.Into(&t); err != nil {
		return t, fmt.Errorf("audience: condition of %d: %w", a.ID, err)
	}
	return t, nil
}

// write inserts or updates the row, but for whom it holds.
func write(tx *gorm.DB, row *model.Audience) error {
	if err := checkName(row); err != nil {
		return err
	}
	if row.ID == 0 {
		dup, err := db.Insert(tx, row)
		if dup {
			err = errTaken()
		}
		return err
	}
	err := tx.Model(row).Select("Name", "Condition", "Actor", "UpdatedAt").Updates(row).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		err = errTaken()
	}
	return err
}

// checkName trims the name and refuses one that is none.
func checkName(row *model.Audience) error {
	row.Name = strings.TrimSpace(row.Name)
	if n := utf8.RuneCountInString(row.Name); n == 0 || n > maxName {
		return errs.Field("name", "audience.name", "limit", maxName)
	}
	return nil
}

func errTaken() error { return errs.New(errs.Conflict, "audience.exists", "field", "name") }

// Freeze makes another audience of those who are in this one now, exactly and for ever.
func (s *Service) Freeze(ctx context.Context, id int64, name, actor string) (*model.Audience, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Audience, error) {
		if err := db.Bump(tx, revision); err != nil {
			return model.Audience{}, err
		}
		from, err := get(tx, id)
		if err != nil {
			return model.Audience{}, err
		}
		if err := ready(from); err != nil {
			return model.Audience{}, err
		}
		now := s.clock.Now()
		found, _, err := s.Members(ctx, tx, now, Leaf(id))
		if err != nil {
			return model.Audience{}, err
		}
		raw, n, err := packed(found)
		if err != nil {
			return model.Audience{}, err
		}
		row := model.Audience{
			Name: name, Condition: model.ToJSON(Leaf(id)), FrozenAt: &now, Members: raw, Count: n, Actor: actor, CreatedAt: now, UpdatedAt: now,
		}
		err = write(tx, &row)
		row.Members = nil
		return row, err
	})
	return &out, wrap("freeze", err)
}

// Keep saves people as a frozen audience.
func (s *Service) Keep(ctx context.Context, name, actor string, people *roaring.Bitmap) (*model.Audience, error) {
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Audience, error) {
		if err := db.Bump(tx, revision); err != nil {
			return model.Audience{}, err
		}
		raw, n, err := packed(people)
		if err != nil {
			return model.Audience{}, err
		}
		now := s.clock.Now()
		row := model.Audience{
			Name: name, Condition: model.JSON("{}"), FrozenAt: &now, Members: raw, Count: n, Actor: actor, CreatedAt: now, UpdatedAt: now,
		}
		err = write(tx, &row)
		row.Members = nil
		return row, err
	})
	return &out, wrap("keep", err)
}

func packed(set *roaring.Bitmap) (raw []byte, n int64, err error) {
	set = set.Clone()
	set.RunOptimize()
	raw, err = set.ToBytes()
	return raw, int64(set.GetCardinality()), err //nolint:gosec // ids fit 32 bits
}

// ready refuses a list that is still being read.
func ready(a *model.Audience) error {
	if a.List() && !a.Frozen() {
		return errs.New(errs.Conflict, "audience.reading")
	}
	return nil
}

// Delete removes an audience that nothing stands on: otherwise errs.Conflict ("audience.used"), which names what does.
func (s *Service) Delete(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (none struct{}, err error) {
		if err := db.Bump(tx, revision); err != nil {
			return none, err
		}
		if _, err := get(tx, id); err != nil {
			return none, err
		}
		uses, err := s.uses(tx, id)
		if err != nil {
			return none, err
		}
		if len(uses) > 0 {
			return none, errs.New(errs.Conflict, "audience.used", "kind", uses[0].Kind, "name", uses[0].Name)
		}
		return none, tx.Delete(&model.Audience{}, id).Error
	})
	return wrap("delete", err)
}

// Holder is a table whose rows hold conditions.
type Holder struct {
	Kind   string // as the locale names it: audience.used.<kind>
	Table  string // or a query in brackets with a name; it has an id and a name
	Column string // with the JSON
}

// Use is something that names an audience.
type Use struct {
	Kind string `json:"kind" example:"broadcast"`
	ID   int64  `json:"id,string"`
	Name string `json:"name"`
}

// HeldBy adds a table that Uses looks through: while the app is built.
func (s *Service) HeldBy(h Holder) { s.holders = append(s.holders, h) }

// Uses says what names the audience.
func (s *Service) Uses(ctx context.Context, id int64) ([]Use, error) {
	uses, err := s.uses(s.db.Reader(ctx), id)
	return uses, wrap("uses", err)
}

func (s *Service) uses(tx *gorm.DB, id int64) (all []Use, err error) {
	own := Holder{leafName, "audiences", "condition"}
	for _, h := range append([]Holder{own}, s.holders...) {
		var some []Use
		// Conditions are stored without spaces: see condition.Tree.MarshalJSON.
		q := tx.Table(h.Table).Select("id", "name").Where("`"+h.Column+"` LIKE ?", `%"`+argID+`":"`+strconv.FormatInt(id, 10)+`"%`)
		if h.Kind == leafName {
			q = q.Where("frozen_at IS NULL") // what it was frozen from is history
		}
		if err := q.Order("id").Limit(20).Scan(&some).Error; err != nil {
			return nil, err
		}
		for i := range some {
			some[i].Kind = h.Kind
		}
		all = append(all, some...)
	}
	return all, nil
}

// Get reads one without its members; errs.NotFound ("audience.not_found").
func (s *Service) Get(ctx context.Context, id int64) (*model.Audience, error) {
	return get(s.db.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*model.Audience, error) {
	return db.ByID[model.Audience](tx.Omit("members"), id, "audience.not_found", "audience_id", strconv.FormatInt(id, 10))
}

// Who says whom the audience holds.
func (s *Service) Who(ctx context.Context, lang string, a *model.Audience) (string, error) {
	if a.List() || a.Frozen() && string(a.Condition) == "{}" { // see Keep
		return templates.T(lang, "audience.list_who", nil), nil
	}
	t, err := s.conditions.Parse(a.Condition)
	if err != nil {
		return "", wrap("who", err)
	}
	return s.conditions.Sentence(ctx, s.db.Reader(ctx), lang, t)
}

// List reads audiences without their members, newest first, below beforeID (0 = from the newest).
func (s *Service) List(ctx context.Context, beforeID int64, limit int) (rows []model.Audience, err error) {
	q := s.db.Reader(ctx).Omit("members").Order("id DESC").Limit(limit)
	if beforeID > 0 {
		q = q.Where("id < ?", beforeID)
	}
	return rows, wrap("list", q.Find(&rows).Error)
}

// Overlap is how many people several audiences have in common.
type Overlap struct {
	Counts []int64   // of each
	Pairs  [][]int64 // of each two; Pairs[i][i] is Counts[i]
	Every  int64     // in all of them
	Some   int64     // in at least one
}

// maxOverlap bounds how many audiences are compared at once.
const maxOverlap = 8

// Overlap compares audiences as they are now.
func (s *Service) Overlap(ctx context.Context, ids []int64) (*Overlap, error) {
	if len(ids) < 2 || len(ids) > maxOverlap {
		return nil, errs.Field("ids", "audience.overlap", "limit", maxOverlap)
	}
	sets := make([]*roaring.Bitmap, len(ids))
	for i, id := range ids {
		_, err := s.Get(ctx, id)
		if err == nil {
			sets[i], _, err = s.Now(ctx, Leaf(id))
		}
		if err != nil {
			return nil, err
		}
	}
	size := func(b *roaring.Bitmap) int64 { return int64(b.GetCardinality()) } //nolint:gosec // ids fit 32 bits
	o := &Overlap{Every: size(roaring.FastAnd(sets...)), Some: size(roaring.FastOr(sets...))}
	for _, a := range sets {
		row := make([]int64, len(sets))
		for k, b := range sets {
			row[k] = size(roaring.And(a, b))
		}
		o.Counts, o.Pairs = append(o.Counts, size(a)), append(o.Pairs, row)
	}
	return o, nil
}

// frozen is whom a frozen audience holds, as it was frozen. The result is shared: nobody changes it.
func (s *Service) frozen(tx *gorm.DB, id int64) (*roaring.Bitmap, error) {
	return s.sets.Get(id, maxSets, func() (*roaring.Bitmap, error) {
		var row model.Audience
		if err := tx.Select("members").Take(&row, id).Error; err != nil {
			return nil, err
		}
		set := roaring.New()
		if _, err := set.ReadFrom(bytes.NewReader(row.Members)); err != nil {
			return nil, fmt.Errorf("audience: members of %d: %w", id, err)
		}
		return set, nil
	})
}

// maxSets is how many frozen audiences stay in memory.
const maxSets = 16

// Why says why somebody is in an audience or out of it: the condition with what each part of it saw.
func (s *Service) Why(ctx context.Context, t condition.Tree, memberID int64, at time.Time) (condition.Verdict, condition.Trace, error) {
	r := s.db.Reader(ctx)
	if err := s.check(ctx, r, 0, t); err != nil {
		return condition.Verdict{}, condition.Trace{}, err
	}
	return s.conditions.Explain(ctx, r, &condition.Subject{MemberID: memberID, At: at}, t)
}

// wrap adds where an error comes from, unless a caller must know it.
func wrap(what string, err error) error {
	if err == nil || errs.CodeOf(err) != "" {
		return err
	}
	return fmt.Errorf("audience: %s: %w", what, err)
}
