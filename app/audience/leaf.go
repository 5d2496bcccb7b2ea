package audience

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

const (
	leafName = "audience"
	argID    = "audience_id"
)

type leafArgs struct {
	AudienceID string `json:"audience_id"`
}

func leafID(raw json.RawMessage) (int64, error) {
	var a leafArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return 0, err
	}
	return condition.ID(argID, a.AudienceID)
}

// Leaf is the condition to be in an audience.
func Leaf(id int64) condition.Tree {
	return condition.Is(leafName, map[string]any{argID: strconv.FormatInt(id, 10)})
}

// Leaf is the leaf "audience": the member is in a saved audience now, or in a frozen one. One that is not there any more holds nobody.
func (s *Service) Leaf() condition.Leaf {
	return condition.Leaf{
		Name: leafName,
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			id, err := leafID(raw)
			if err != nil {
				return err
			}
			a, err := get(tx, id)
			if err == nil {
				err = ready(a)
			}
			return errs.AtField(err, argID)
		},
		Eval: s.eval,
		Members: func(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			c, ok := ctx.Value(callKey{}).(*call)
			if !ok {
				c = &call{found: map[int64]*roaring.Bitmap{}, all: universe}
				ctx = context.WithValue(ctx, callKey{}, c)
			}
			return s.members(ctx, tx, at, c, raw)
		},
		Moves: s.moves,
		Sentence: func(_ context.Context, tx *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			id, err := leafID(raw)
			if err != nil {
				return "", err
			}
			a, err := get(tx, id)
			if errs.CodeOf(err) == errs.NotFound {
				a, err = &model.Audience{Name: fmt.Sprint("#", id)}, nil
			}
			if err != nil {
				return "", err
			}
			return templates.T(lang, "condition.audience", map[string]any{"name": a.Name}), nil
		},
		Triggers: func(json.RawMessage) []string { return []string{condition.AnyEvent} },
	}
}

// eval asks once for each subject: an audience that stands in several conditions, or by a mistake in its own, is no more work.
func (s *Service) eval(ctx context.Context, tx *gorm.DB, sub *condition.Subject, raw json.RawMessage) (v condition.Verdict, err error) {
	id, err := leafID(raw)
	if err != nil {
		return v, err
	}
	key := leafName + strconv.FormatInt(id, 10)
	if known, ok := sub.Cache[key].(condition.Verdict); ok {
		return known, nil
	}
	sub.Cache[key] = condition.Verdict{}
	a, err := get(tx, id)
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		return v, nil
	case err != nil:
		return v, err
	case a.Frozen():
		v.Holds, err = s.holds(tx, id, sub.MemberID)
		v.Saw = v.Holds
	case !a.List():
		var t condition.Tree
		if t, err = treeOf(a); err == nil {
			v, _, err = s.conditions.Eval(ctx, tx, sub, t)
			v.Saw = v.Holds
		}
	}
	sub.Cache[key] = v
	return v, err
}

// moves are those of its condition; a list and a frozen one stay as they are.
func (s *Service) moves(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
	id, err := leafID(raw)
	if err != nil {
		return nil, err
	}
	a, err := get(tx, id)
	if errs.CodeOf(err) == errs.NotFound || err == nil && (a.Frozen() || a.List()) {
		return roaring.New(), nil
	}
	if err != nil {
		return nil, err
	}
	t, err := treeOf(a)
	if err != nil {
		return nil, err
	}
	return s.conditions.Moves(ctx, tx, at, universe, t)
}

// holds reports whether the frozen audience holds the member, or somebody who was merged into him.
func (s *Service) holds(tx *gorm.DB, id, memberID int64) (bool, error) {
	set, err := s.frozen(tx, id)
	if err != nil {
		return false, err
	}
	for ids := []int64{memberID}; len(ids) > 0; {
		for _, m := range ids {
			if set.Contains(uint32(m)) { //nolint:gosec // ids fit 32 bits
				return true, nil
			}
		}
		var merged []int64
		if err := tx.Model(&model.Member{}).Where("merged_into IN ?", ids).Pluck("id", &merged).Error; err != nil {
			return false, fmt.Errorf("audience: merged: %w", err)
		}
		ids = merged
	}
	return false, nil
}

// call is one question about audiences, which may stand on one another.
type call struct {
	found map[int64]*roaring.Bitmap
	all   *roaring.Bitmap
	sets  condition.Sets // nil: the tables are asked
}

type callKey struct{}

// members are everybody in an audience, each asked once; the answer is shared.
func (s *Service) members(ctx context.Context, tx *gorm.DB, at time.Time, c *call, raw json.RawMessage) (*roaring.Bitmap, error) {
	id, err := leafID(raw)
	if err != nil {
		return nil, err
	}
	if found := c.found[id]; found != nil {
		return found, nil
	}
	found := roaring.New()
	c.found[id] = found
	a, err := get(tx, id)
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		return found, nil
	case err != nil:
		return nil, err
	case a.Frozen():
		found, err = s.survivors(tx, id, c.all)
	case !a.List():
		var t condition.Tree
		if t, err = treeOf(a); err == nil && c.sets != nil {
			found, err = s.conditions.MembersIn(ctx, tx, at, c.all, t, c.sets)
		} else if err == nil {
			found, err = s.conditions.Members(ctx, tx, at, c.all, t)
		}
	}
	c.found[id] = found
	return found, err
}

// survivors are those of all whom a frozen audience holds; of those who were merged since, whoever they were merged into.
func (s *Service) survivors(tx *gorm.DB, id int64, all *roaring.Bitmap) (*roaring.Bitmap, error) {
	set, err := s.frozen(tx, id)
	if err != nil {
		return nil, err
	}
	found := roaring.And(set, all)
	for gone := roaring.AndNot(set, all); !gone.IsEmpty(); {
		next := roaring.New()
		for ids := range chunks(gone) {
			in, args := condition.Placed(ids)
			err := condition.Pairs(tx.Statement.Context, tx, func(into int64, _ uint32) { next.Add(uint32(into)) }, //nolint:gosec // ids fit 32 bits
				"SELECT "+condition.Pair("merged_into", "id")+" FROM members WHERE merged_into IS NOT NULL AND id IN "+in, args...)
			if err != nil {
				return nil, errors.Join(errors.New("audience: survivors"), err)
			}
		}
		found.Or(roaring.And(next, all))
		gone = roaring.AndNot(next, all)
	}
	return found, nil
}
