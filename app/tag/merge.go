package tag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// MergeWork is the kind of the long job that merges one tag into another.
const MergeWork = "tag.merge"

// Use is a column that names tags, which a merge of tags carries over: of ids, or of documents in which tag_id stands.
type Use struct {
	Table, Column string
	Document      bool
	Revision      string // of those who cache it; "" = nobody does
}

// uses are all of them; a test finds the ones that are missing. A menu for who holds a tag is not among them: it stands at WeChat, and must be
// changed first.
func uses() []Use {
	return []Use{
		{"auto_tags", "condition", true, revision},
		{"point_rule_versions", "definition", true, "point_rules"},
		{"broadcasts", "condition", true, ""},
		{"audiences", "condition", true, ""},
		{"reminders", "condition", true, ""},
		{"gifts", "condition", true, ""},
		{"coupons", "terms", true, ""},
		{"mall_items", "terms", true, ""},
		{"customers", "tags", true, ""},
		{"channel_codes", "tag_id", false, ""},
		{"quiz_options", "tag_id", false, "quizzes"},
		{"forms", "condition", true, ""},
		{"form_options", "tag_id", false, ""},
		{"recalls", "tag_id", false, ""},
		{"sop_versions", "definition", true, "sops"},
	}
}

type mergeArgs struct {
	From int64  `json:"from,string"`
	Into int64  `json:"into,string"`
	Name string `json:"name"` // of the tag that goes
}

type mergeCursor struct {
	After    int64 `json:"after"`
	Switched bool  `json:"switched"` // nothing names the old tag any more
}

// Merge makes one tag of two, in the background: whoever holds from holds into, whatever named from names into, and from is gone.
func (s *Service) Merge(ctx context.Context, from, into int64, actor string) (*model.Work, error) {
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Work, error) {
		if err := db.Bump(tx, revision); err != nil { // holds off who saves a rule
			return model.Work{}, err
		}
		if _, err := Get(tx, from); err != nil {
			return model.Work{}, err
		}
		name, err := Name(tx, from)
		if err != nil {
			return model.Work{}, err
		}
		if _, err := Get(tx, into); err != nil {
			return model.Work{}, errs.AtField(err, "into")
		}
		if err := s.mayMerge(tx, from, into); err != nil {
			return model.Work{}, err
		}
		var n int64
		if err := tx.Model(&model.TagHold{}).Where("tag_id = ?", from).Distinct("member_id").Count(&n).Error; err != nil {
			return model.Work{}, err
		}
		w, err := s.works.StartTx(tx, MergeWork, mergeArgs{from, into, name}, n, actor)
		if err != nil {
			return model.Work{}, err
		}
		return *w, nil
	})
	return &out, err
}

// mayMerge refuses what would leave something broken.
func (s *Service) mayMerge(tx *gorm.DB, from, into int64) error {
	var rules []model.AutoTag
	if err := tx.Where("enabled = ?", true).Find(&rules).Error; err != nil {
		return fmt.Errorf("tag: merge: %w", err)
	}
	var menus, steps, grades int64
	err := errors.Join(tx.Table("menus").Where("tag_id = ?", from).Count(&menus).Error,
		tx.Model(&model.AutoTag{}).Where("owner <> '' AND tag_id = ?", from).Count(&steps).Error,
		tx.Table("radar_links").Where("? IN (high_tag, medium_tag, low_tag)", from).Count(&grades).Error)
	switch {
	case err != nil:
		return fmt.Errorf("tag: merge: %w", err)
	case from == into:
		return errs.Field("into", "tag.merge_itself")
	case menus > 0:
		return errs.New(errs.Conflict, "tag.merge_menu")
	case grades > 0:
		return errs.New(errs.Conflict, "tag.merge_radar")
	case steps > 0:
		return errs.New(errs.Conflict, "tag.merge_ladder")
	}
	as := func(id int64) int64 {
		if id == from {
			return into
		}
		return id
	}
	readers := map[int64][]int64{}
	for _, r := range rules {
		t, err := s.conditions.Parse(r.Condition)
		if err != nil {
			return fmt.Errorf("tag: rule %d: %w", r.ID, err)
		}
		if s.conditions.EventScoped(t) {
			continue
		}
		for _, id := range reads(t) {
			readers[as(id)] = append(readers[as(id)], as(r.TagID))
		}
	}
	depths := map[int64]int{}
	for id := range readers {
		if _, err := depthFrom(readers, id, depths); err != nil {
			return errs.Field("into", "tag.merge_circle")
		}
	}
	return nil
}

// mergeChunk is how many members one transaction moves.
const mergeChunk = 25

// MergeSlice does the next piece of a merge. First everybody gets the other tag, so that what asks about it is right when it is asked; then in one
// transaction all that names the old tag names the other; at last the old one is taken away.
func (s *Service) MergeSlice(ctx context.Context, w *model.Work) (done bool, err error) {
	var a mergeArgs
	var at mergeCursor
	if err := errors.Join(w.Args.Into(&a), w.Cursor.Into(&at)); err != nil {
		return false, err
	}
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		next, n := at, w.Done
		var ids []int64
		q := tx.Model(&model.TagHold{}).Where("tag_id = ? AND member_id > ?", a.From, at.After).Distinct("member_id").Order("member_id").Limit(mergeChunk)
		if err := q.Pluck("member_id", &ids).Error; err != nil {
			return fmt.Errorf("tag: merge: %w", err)
		}
		done = false
		switch {
		case len(ids) > 0:
			for _, id := range ids {
				if err := s.moveHolds(ctx, tx, a, id, at.Switched); err != nil {
					return err
				}
			}
			if next.After = ids[len(ids)-1]; !at.Switched {
				n += int64(len(ids))
			}
		case !at.Switched:
			next = mergeCursor{Switched: true}
			if err := s.carryOver(tx, a); err != nil {
				return err
			}
		default:
			if done, err = bury(tx, a); err != nil {
				return err
			}
		}
		return s.works.ProgressTx(tx, w, next, n, map[string]any{})
	})
	return done, err
}

// moveHolds gives a member the other tag for all causes of the old one; once nothing names that any more it goes.
func (s *Service) moveHolds(ctx context.Context, tx *gorm.DB, a mergeArgs, memberID int64, last bool) error {
	if err := member.LockTx(tx, memberID); err != nil {
		if errs.CodeOf(err) == errs.NotFound { // erased since
			return nil
		}
		return err
	}
	var holds []model.TagHold
	if err := tx.Where("tag_id = ? AND member_id = ?", a.From, memberID).Find(&holds).Error; err != nil {
		return fmt.Errorf("tag: merge: %w", err)
	}
	for _, h := range holds {
		c := Cause{Kind: h.Cause, ID: h.CauseID, EventID: h.EventID, Version: h.Version, Evidence: h.Evidence, Reason: "merge: " + a.Name}
		if _, err := s.SetTx(ctx, tx, memberID, a.Into, c, h.At); err != nil {
			return err
		}
		if !last {
			continue
		}
		if _, err := s.UnsetTx(ctx, tx, memberID, a.From, c, s.clock.Now()); err != nil {
			return err
		}
	}
	return nil
}

// carryOver lets everything that names the old tag name the other.
func (s *Service) carryOver(tx *gorm.DB, a mergeArgs) error {
	if err := tx.Model(&model.AutoTag{}).Where("tag_id = ?", a.From).UpdateColumn("tag_id", a.Into).Error; err != nil {
		return fmt.Errorf("tag: merge: %w", err)
	}
	for _, u := range uses() {
		if !u.Document {
			if err := tx.Table(u.Table).Where(u.Column+" = ?", a.From).UpdateColumn(u.Column, a.Into).Error; err != nil {
				return fmt.Errorf("tag: merge: %s: %w", u.Table, err)
			}
		} else if err := carryDocuments(tx, u, a); err != nil {
			return err
		}
		if u.Revision != "" {
			if err := db.Bump(tx, u.Revision); err != nil {
				return err
			}
		}
	}
	return nil
}

func carryDocuments(tx *gorm.DB, u Use, a mergeArgs) error {
	var docs []model.JSON
	column := "`" + u.Column + "`" // condition is a word of MySQL's
	err := tx.Raw("SELECT DISTINCT "+column+" FROM "+u.Table+" WHERE "+column+" LIKE ?", fmt.Sprintf("%%tag_id%%%d%%", a.From)).Scan(&docs).Error
	if err != nil {
		return fmt.Errorf("tag: merge: %s: %w", u.Table, err)
	}
	for _, old := range docs {
		doc, changed, err := renamed(old, a)
		if err == nil && changed {
			err = tx.Table(u.Table).Where(column+" = ?", old).UpdateColumn(u.Column, doc).Error
		}
		if err != nil {
			return fmt.Errorf("tag: merge: %s: %w", u.Table, err)
		}
	}
	return nil
}

// renamed is a document in which every tag_id of the old tag is the other's.
func renamed(doc []byte, a mergeArgs) (out model.JSON, changed bool, err error) {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case json.Unmarshal(doc, &object) == nil && object != nil:
		for key, value := range object {
			if key == "tag_id" && slices.Contains([]string{strconv.FormatInt(a.From, 10), strconv.Quote(strconv.FormatInt(a.From, 10))}, string(value)) {
				text := strconv.FormatInt(a.Into, 10)
				if value[0] == '"' {
					text = strconv.Quote(text)
				}
				object[key], changed = json.RawMessage(text), true
				continue
			}
			inner, did, err := renamed(value, a)
			if err != nil {
				return nil, false, err
			}
			if did {
				object[key], changed = json.RawMessage(inner), true
			}
		}
		out, err = json.Marshal(object)
	case json.Unmarshal(doc, &list) == nil && list != nil:
		for i, value := range list {
			inner, did, err := renamed(value, a)
			if err != nil {
				return nil, false, err
			}
			if did {
				list[i], changed = json.RawMessage(inner), true
			}
		}
		out, err = json.Marshal(list)
	default:
		return doc, false, nil
	}
	if !changed {
		return doc, false, nil
	}
	return out, true, err
}

// bury lets the history of the old tag be that of the other, some lines at a time, and then deletes it; it reports whether that is done.
func bury(tx *gorm.DB, a mergeArgs) (bool, error) {
	var ids []int64
	if err := tx.Model(&model.TagChange{}).Where("tag_id = ? OR from_tag = ?", a.From, a.From).Limit(500).Pluck("id", &ids).Error; err != nil {
		return false, fmt.Errorf("tag: merge: %w", err)
	}
	if len(ids) == 0 {
		return true, tx.Delete(&model.Tag{}, a.From).Error
	}
	for _, column := range []string{"tag_id", "from_tag"} {
		if err := tx.Model(&model.TagChange{}).Where("id IN ? AND "+column+" = ?", ids, a.From).UpdateColumn(column, a.Into).Error; err != nil {
			return false, fmt.Errorf("tag: merge: %w", err)
		}
	}
	return false, nil
}
