package tag

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Cause is who or what sets a tag, and why.
type Cause struct {
	Kind    string // model.CauseManual, …
	ID      int64  // operator, rule, channel code, quiz, form
	EventID int64
	Reason  string

	Version  int        // of the rule
	Evidence model.JSON // what it saw
}

// SetTx gives the member the tag for a cause; it reports whether he did not hold it before. In an exclusive group
// the siblings go in the same transaction; but what an operator set by hand stays, and then the new tag does not come.
// The caller holds the member's lock.
func (s *Service) SetTx(ctx context.Context, tx *gorm.DB, memberID, tagID int64, c Cause, at time.Time) (bool, error) {
	var holds []model.TagHold
	if err := tx.Where("member_id = ? AND tag_id = ?", memberID, tagID).Find(&holds).Error; err != nil {
		return false, fmt.Errorf("tag: read holds: %w", err)
	}
	for _, h := range holds {
		if h.Cause == c.Kind && h.CauseID == c.ID {
			return false, nil
		}
	}
	from := int64(0)
	if len(holds) == 0 {
		free, replaced, err := s.makeRoom(ctx, tx, memberID, tagID, c, at)
		if err != nil || !free {
			return false, err
		}
		from = replaced
	}
	if c.Evidence == nil {
		c.Evidence = model.JSON("[]")
	}
	row := model.TagHold{TagID: tagID, MemberID: memberID, Cause: c.Kind, CauseID: c.ID, EventID: c.EventID, Version: c.Version, Evidence: c.Evidence, At: at}
	if dup, err := db.Insert(tx, &row); err != nil || dup {
		return false, err
	}
	if len(holds) > 0 {
		return false, nil
	}
	return true, s.changed(ctx, tx, memberID, tagID, from, true, c, at)
}

// UnsetTx takes the cause away; it reports whether the member lost the tag with it.
// A manual removal takes every manual cause, whoever set it.
func (s *Service) UnsetTx(ctx context.Context, tx *gorm.DB, memberID, tagID int64, c Cause, at time.Time) (bool, error) {
	q := tx.Where("member_id = ? AND tag_id = ? AND cause = ?", memberID, tagID, c.Kind)
	if c.Kind != model.CauseManual {
		q = q.Where("cause_id = ?", c.ID)
	}
	res := q.Delete(&model.TagHold{})
	if res.Error != nil || res.RowsAffected == 0 {
		return false, res.Error
	}
	var left int64
	if err := tx.Model(&model.TagHold{}).Where("member_id = ? AND tag_id = ?", memberID, tagID).Count(&left).Error; err != nil || left > 0 {
		return false, err
	}
	return true, s.changed(ctx, tx, memberID, tagID, 0, false, c, at)
}

// ForgetTx takes the tags away so far as the cause gives them, without a word: at a merge, where the cause is found to be none. Whom the
// merge leaves never had them. It is called before the tags move.
func ForgetTx(tx *gorm.DB, memberID int64, cause string, causeID int64, tags []int64) error {
	if len(tags) == 0 {
		return nil
	}
	err := tx.Where("member_id = ? AND cause = ? AND cause_id = ? AND tag_id IN ?", memberID, cause, causeID, tags).Delete(&model.TagHold{}).Error
	if err != nil {
		return fmt.Errorf("tag: forget: %w", err)
	}
	return nil
}

// makeRoom removes the siblings of an exclusive group; false where one was set by hand and the cause is not. The tag that is replaced goes
// without an event of its own: the one of the tag that comes names it.
func (s *Service) makeRoom(ctx context.Context, tx *gorm.DB, memberID, tagID int64, c Cause, at time.Time) (free bool, replaced int64, err error) {
	siblings, err := siblings(tx, memberID, tagID)
	if err != nil || len(siblings) == 0 {
		return err == nil, 0, err
	}
	for _, h := range siblings {
		if h.Cause == model.CauseManual && c.Kind != model.CauseManual {
			return false, 0, nil
		}
	}
	replaced = siblings[0].TagID
	return true, replaced, s.drop(ctx, tx, memberID, siblings, replaced, c, at)
}

// siblings are what the member holds of the other tags in the tag's group, if the group is exclusive.
func siblings(tx *gorm.DB, memberID, tagID int64) (rows []model.TagHold, err error) {
	err = tx.Where("member_id = ? AND tag_id IN (SELECT b.id FROM tags a JOIN tag_groups g ON g.id = a.group_id AND g.exclusive "+
		"JOIN tags b ON b.group_id = a.group_id AND b.id <> a.id WHERE a.id = ?)", memberID, tagID).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("tag: siblings: %w", err)
	}
	return rows, nil
}

// drop takes all holds of tags away; the one that another replaces without an event.
func (s *Service) drop(ctx context.Context, tx *gorm.DB, memberID int64, holds []model.TagHold, replaced int64, c Cause, at time.Time) error {
	gone := map[int64]bool{}
	for _, h := range holds {
		if err := tx.Delete(&model.TagHold{}, h.ID).Error; err != nil {
			return fmt.Errorf("tag: replace: %w", err)
		}
		if gone[h.TagID] {
			continue
		}
		gone[h.TagID] = true
		if h.TagID == replaced {
			if _, err := history(tx, memberID, h.TagID, 0, false, c, at); err != nil {
				return err
			}
			continue
		}
		if err := s.changed(ctx, tx, memberID, h.TagID, 0, false, c, at); err != nil {
			return err
		}
	}
	return nil
}

func history(tx *gorm.DB, memberID, tagID, from int64, set bool, c Cause, at time.Time) (int64, error) {
	row := model.TagChange{
		MemberID: memberID, TagID: tagID, FromTag: from, Set: set, Cause: c.Kind, CauseID: c.ID, EventID: c.EventID, Version: c.Version, Reason: c.Reason, At: at,
	}
	if err := tx.Create(&row).Error; err != nil {
		return 0, fmt.Errorf("tag: history: %w", err)
	}
	return row.ID, member.ChangedTx(tx, memberID)
}

// changed writes the history and records the event, so that rules on tags see it.
func (s *Service) changed(ctx context.Context, tx *gorm.DB, memberID, tagID, from int64, set bool, c Cause, at time.Time) error {
	id, err := history(tx, memberID, tagID, from, set, c, at)
	if err != nil {
		return err
	}
	data := map[string]any{"tag_id": fmt.Sprint(tagID), "set": set, "cause": c.Kind}
	if from != 0 {
		data["from"] = fmt.Sprint(from)
	}
	_, err = s.events.RecordTx(ctx, tx, &model.Event{
		MemberID: memberID, Kind: model.EventTag, Source: "tag", Key: fmt.Sprint(id), OccurredAt: at, Data: model.ToJSON(data),
	})
	return err
}

const tagName = "(SELECT name FROM tags WHERE id = tag_id) AS tag"

// Part says what a merge does with tags: the winner holds what either held, for every cause of both.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "tag",
		Tables: []member.Table{
			{Row: &model.TagHold{}, Export: []string{tagName, "cause", "at"}, Erase: member.Delete},
			{Row: &model.TagChange{}, Undo: member.Return, Export: []string{tagName, "is_set", "cause", "reason", "at"}, Erase: member.Delete},
			{Row: &model.TagFlip{}, Undo: member.Own, Hidden: "when siyu looks at a rule again", Erase: member.Delete},
		},
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			var holds []model.TagHold
			if err := tx.Where("member_id = ?", m.Loser).Order("id").Find(&holds).Error; err != nil {
				return err
			}
			if err := tx.Where("member_id = ?", m.Loser).Delete(&model.TagHold{}).Error; err != nil {
				return err
			}
			for _, h := range holds {
				if err := s.takeOver(ctx, tx, m, h); err != nil {
					return err
				}
			}
			if err := tx.Where("member_id = ?", m.Loser).Delete(&model.TagFlip{}).Error; err != nil {
				return err
			}
			if err := member.Move(tx, "tag_changes", m); err != nil {
				return err
			}
			return s.reviewAll(ctx, tx, m.Winner, m.At)
		},
		Undo: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			now := s.clock.Now()
			if err := s.reviewAll(ctx, tx, m.Loser, now); err != nil {
				return err
			}
			return s.reviewAll(ctx, tx, m.Winner, now)
		},
	}
}

// takeOver gives the winner a hold of the loser. It is no news, so no event: what a rule gave for the tag it gave then. In an exclusive
// group what was set by hand stays, and else what was set later.
func (s *Service) takeOver(ctx context.Context, tx *gorm.DB, m member.MergeOf, h model.TagHold) error {
	siblings, err := siblings(tx, m.Winner, h.TagID)
	if err != nil {
		return err
	}
	for _, o := range siblings {
		if byHand := o.Cause == model.CauseManual; byHand != (h.Cause == model.CauseManual) {
			if byHand {
				return nil
			}
		} else if o.At.After(h.At) {
			return nil
		}
	}
	if err := s.drop(ctx, tx, m.Winner, siblings, 0, Cause{Kind: h.Cause, ID: h.CauseID, EventID: h.EventID, Reason: "merge"}, m.At); err != nil {
		return err
	}
	h.ID, h.MemberID = 0, m.Winner
	_, err = db.Insert(tx, &h) // a duplicate is the same cause on both sides
	return err
}
