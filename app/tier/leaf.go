package tier

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// leafArgs is {"at_least":"3"} or {"in":["1","2"]}.
type leafArgs struct {
	AtLeast string   `json:"at_least,omitempty"`
	In      []string `json:"in,omitempty"`
}

// read is the ids of the tiers that the leaf names: with at_least those from it upwards, as the ladder is now.
func (s *Service) read(tx *gorm.DB, raw json.RawMessage) (a leafArgs, ids []int64, l *Ladder, err error) {
	if err = condition.DecodeArgs(raw, &a); err != nil {
		return a, nil, nil, err
	}
	if (a.AtLeast == "") == (len(a.In) == 0) {
		return a, nil, nil, errs.Field("at_least", "condition.tier.args")
	}
	if l, err = s.ladder(tx); err != nil {
		return a, nil, nil, err
	}
	if a.AtLeast != "" {
		id, err := condition.ID("at_least", a.AtLeast)
		if err != nil {
			return a, nil, nil, err
		}
		if at := l.place(id); at >= 0 {
			return a, l.ids(at, len(l.Tiers)), l, nil
		}
		return a, []int64{id}, l, nil
	}
	for _, text := range a.In {
		id, err := condition.ID("in", text)
		if err != nil {
			return a, nil, nil, err
		}
		ids = append(ids, id)
	}
	return a, ids, l, nil
}

// At is the tier of a member at an instant, by the history; 0 = none. What an event did itself, or later ones did, does not count for it.
func At(tx *gorm.DB, memberID int64, at time.Time, ev *model.Event) (int64, error) {
	q := tx.Model(&model.MemberTier{}).Where("member_id = ? AND from_at <= ?", memberID, at)
	if ev != nil && ev.ID != 0 {
		q = q.Where("event_id < ?", ev.ID)
	}
	var ids []int64
	if err := q.Order("id DESC").Limit(1).Pluck("tier_id", &ids).Error; err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}

// cacheKey holds the answer of At in a Subject.
const cacheKey = "tier"

// Leaf is the leaf "tier": the member is in one of the tiers, or in one that is at least so high, at the moment asked about.
func (s *Service) Leaf() condition.Leaf {
	return condition.Leaf{
		Name: "tier",
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			a, ids, l, err := s.read(tx, raw)
			for i := 0; i < len(ids) && err == nil; i++ {
				field := "in"
				if a.AtLeast != "" {
					field = "at_least"
				}
				if l.place(ids[i]) < 0 {
					err = errs.Field(field, "tier.not_found")
				}
			}
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, sub *condition.Subject, raw json.RawMessage) (v condition.Verdict, err error) {
			_, ids, l, err := s.read(tx, raw)
			if err != nil {
				return v, err
			}
			id, known := sub.Cache[cacheKey].(int64)
			if !known {
				if id, err = At(tx, sub.MemberID, sub.At, sub.Event); err != nil {
					return v, err
				}
				sub.Cache[cacheKey] = id
			}
			for _, want := range ids {
				v.Holds = v.Holds || want == id
			}
			v.Saw = l.names[id]
			return v, nil
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			_, ids, _, err := s.read(tx, raw)
			if err != nil {
				return nil, err
			}
			// Several stretches may begin in one second: the last one counts.
			return condition.Bitmap(tx.Table("member_tiers t").Select("t.member_id").
				Where("t.tier_id IN ? AND t.from_at <= ? AND (t.until_at IS NULL OR t.until_at > ?)", ids, at, at))
		},
		Moves: condition.Still,
		Sentence: func(_ context.Context, tx *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, ids, l, err := s.read(tx, raw)
			if err != nil {
				return "", err
			}
			key := "condition.tier.in"
			if a.AtLeast != "" {
				key, ids = "condition.tier.at_least", ids[:1]
			}
			names := make([]string, len(ids))
			for i, id := range ids {
				if names[i] = l.names[id]; names[i] == "" {
					names[i] = fmt.Sprint("#", id)
				}
			}
			return templates.T(lang, key, map[string]any{"tier": strings.Join(names, templates.T(lang, "condition.tier.or", nil))}), nil
		},
		Triggers: func(json.RawMessage) []string { return []string{model.EventTierUp, model.EventTierDown} },
		Index:    s.index(),
	}
}
