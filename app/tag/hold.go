package tag

import (
	"context"
	"fmt"
	"slices"
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
	done, err := s.editTx(ctx, tx, []edit{{memberID, tagID, true, c}}, at)
	return done > 0, err
}

// UnsetTx takes the cause away; it reports whether the member lost the tag with it.
// A manual removal takes every manual cause, whoever set it.
func (s *Service) UnsetTx(ctx context.Context, tx *gorm.DB, memberID, tagID int64, c Cause, at time.Time) (bool, error) {
	done, err := s.editTx(ctx, tx, []edit{{memberID, tagID, false, c}}, at)
	return done > 0, err
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

// edit is a cause that comes to a member with a tag, or goes.
type edit struct {
	memberID, tagID int64
	set             bool
	cause           Cause
}

// held is a cause for which a member holds a tag.
type held struct {
	ID, MemberID, TagID, CauseID, GroupID int64
	Cause                                 string
	At                                    time.Time
	Exclusive                             bool // the group's
}

// sibling reports whether the hold is one of another tag in the exclusive group of a tag.
func (h held) sibling(tagID, group int64) bool {
	return h.Exclusive && h.GroupID == group && h.TagID != tagID
}

// heldOf are what the members hold in the groups of the tags, and the groups of the tags.
func heldOf(tx *gorm.DB, members, tags []int64) (of map[int64][]held, group map[int64]int64, err error) {
	var groups []struct{ ID, GroupID int64 }
	if err := tx.Model(&model.Tag{}).Select("id", "group_id").Where("id IN ?", tags).Scan(&groups).Error; err != nil {
		return nil, nil, fmt.Errorf("tag: groups: %w", err)
	}
	group, within := map[int64]int64{}, make([]int64, len(groups))
	for i, g := range groups {
		group[g.ID], within[i] = g.GroupID, g.GroupID
	}
	var rows []held
	err = tx.Table("tag_holds AS h").Joins("JOIN tags AS t ON t.id = h.tag_id JOIN tag_groups AS g ON g.id = t.group_id").Where("h.member_id IN ? AND t.group_id IN ?", members, within).
		Select("h.id, h.member_id, h.tag_id, h.cause, h.cause_id, h.at, t.group_id, g.exclusive").Order("h.id").Scan(&rows).Error
	if err != nil {
		return nil, nil, fmt.Errorf("tag: read holds: %w", err)
	}
	of = map[int64][]held{}
	for _, h := range rows {
		of[h.MemberID] = append(of[h.MemberID], h)
	}
	return of, group, nil
}

// edits collects what is written for many members at once.
type edits struct {
	drop    []int64 // holds
	add     []model.TagHold
	changes []model.TagChange
	events  []int // of changes, which have an event
	at      time.Time
}

// editTx does all edits, one after the other, in a few statements; it returns how many tags came or went with them. The caller holds the locks of
// the members.
func (s *Service) editTx(ctx context.Context, tx *gorm.DB, list []edit, at time.Time) (int, error) {
	if len(list) == 0 {
		return 0, nil
	}
	members, tags := make([]int64, len(list)), make([]int64, len(list))
	for i, e := range list {
		members[i], tags[i] = e.memberID, e.tagID
	}
	of, group, err := heldOf(tx, members, tags)
	if err != nil {
		return 0, err
	}
	w, done := edits{at: at}, 0
	for _, e := range list {
		do := w.unset
		if e.set {
			do = w.set
		}
		left, changed := do(e, of[e.memberID], group[e.tagID])
		of[e.memberID] = left
		if changed {
			done++
		}
	}
	return done, s.writeTx(ctx, tx, &w)
}

// set is one edit of a member who holds some tags; it returns what he holds then, and whether the tag came.
func (w *edits) set(e edit, holds []held, group int64) (left []held, came bool) {
	c := e.cause
	has := false
	for _, h := range holds {
		if h.TagID == e.tagID {
			has = true
			if h.Cause == c.Kind && h.CauseID == c.ID {
				return holds, false
			}
		}
	}
	from := int64(0)
	if !has {
		var free bool
		if holds, from, free = w.makeRoom(e, holds, group); !free {
			return holds, false
		}
	}
	if c.Evidence == nil {
		c.Evidence = model.JSON("[]")
	}
	w.add = append(w.add, model.TagHold{
		TagID: e.tagID, MemberID: e.memberID, Cause: c.Kind, CauseID: c.ID, EventID: c.EventID, Version: c.Version, Evidence: c.Evidence, At: w.at,
	})
	if !has {
		w.changed(e, e.tagID, from, true)
	}
	return append(holds, held{MemberID: e.memberID, TagID: e.tagID, Cause: c.Kind, CauseID: c.ID, GroupID: group}), !has
}

// unset is one edit of a member who holds some tags; it returns what he holds then, and whether the tag went.
func (w *edits) unset(e edit, holds []held, _ int64) (left []held, went bool) {
	stays := false
	for _, h := range holds {
		switch {
		case h.TagID != e.tagID:
			left = append(left, h)
		case h.Cause == e.cause.Kind && (h.CauseID == e.cause.ID || h.Cause == model.CauseManual):
			w.drop = append(w.drop, h.ID)
			went = true
		default:
			left, stays = append(left, h), true
		}
	}
	if went = went && !stays; went {
		w.changed(e, e.tagID, 0, false)
	}
	return left, went
}

// makeRoom removes the siblings of an exclusive group; free is false where one was set by hand and the cause is not. The tag that is replaced goes
// without an event of its own: the one of the tag that comes names it.
func (w *edits) makeRoom(e edit, holds []held, group int64) (left []held, replaced int64, free bool) {
	for _, h := range holds {
		switch {
		case !h.sibling(e.tagID, group):
			left = append(left, h)
		case h.Cause == model.CauseManual && e.cause.Kind != model.CauseManual:
			return holds, 0, false
		case replaced == 0:
			replaced = h.TagID
		}
	}
	w.evict(e, holds, group, replaced)
	return left, replaced, true
}

// evict takes all siblings away; the one that is replaced without an event.
func (w *edits) evict(e edit, holds []held, group, replaced int64) {
	gone := map[int64]bool{replaced: true}
	for _, h := range holds {
		if !h.sibling(e.tagID, group) {
			continue
		}
		w.drop = append(w.drop, h.ID)
		if !gone[h.TagID] {
			gone[h.TagID] = true
			w.changed(e, h.TagID, 0, false)
		}
	}
	if replaced != 0 {
		w.history(e, replaced, 0, false)
	}
}

// changed notes a line of the history, with an event so that rules on tags see it.
func (w *edits) changed(e edit, tagID, from int64, set bool) {
	w.events = append(w.events, len(w.changes))
	w.history(e, tagID, from, set)
}

func (w *edits) history(e edit, tagID, from int64, set bool) {
	c := e.cause
	w.changes = append(w.changes, model.TagChange{
		MemberID: e.memberID, TagID: tagID, FromTag: from, Set: set, Cause: c.Kind, CauseID: c.ID, EventID: c.EventID, Version: c.Version, Reason: c.Reason, At: w.at,
	})
}

// editRows is how many rows one statement writes.
const editRows = 500

func (s *Service) writeTx(ctx context.Context, tx *gorm.DB, w *edits) error {
	if len(w.drop) > 0 {
		if err := tx.Delete(&model.TagHold{}, w.drop).Error; err != nil {
			return fmt.Errorf("tag: replace: %w", err)
		}
	}
	if len(w.add) > 0 {
		if err := tx.CreateInBatches(w.add, editRows).Error; err != nil {
			return fmt.Errorf("tag: hold: %w", err)
		}
	}
	if len(w.changes) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(w.changes, editRows).Error; err != nil {
		return fmt.Errorf("tag: history: %w", err)
	}
	ids := make([]int64, len(w.changes))
	for i, c := range w.changes {
		ids[i] = c.MemberID
	}
	if err := member.ChangedTx(tx, slices.Compact(ids)...); err != nil {
		return err
	}
	events := make([]*model.Event, len(w.events))
	for i, n := range w.events {
		c := w.changes[n]
		data := map[string]any{"tag_id": fmt.Sprint(c.TagID), "set": c.Set, "cause": c.Cause}
		if c.FromTag != 0 {
			data["from"] = fmt.Sprint(c.FromTag)
		}
		events[i] = &model.Event{MemberID: c.MemberID, Kind: model.EventTag, Source: "tag", Key: fmt.Sprint(c.ID), OccurredAt: w.at, Data: model.ToJSON(data)}
	}
	return s.events.RecordNewTx(ctx, tx, events)
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
	of, group, err := heldOf(tx, []int64{m.Winner}, []int64{h.TagID})
	if err != nil {
		return err
	}
	for _, o := range of[m.Winner] {
		if !o.sibling(h.TagID, group[h.TagID]) {
			continue
		}
		if byHand := o.Cause == model.CauseManual; byHand != (h.Cause == model.CauseManual) {
			if byHand {
				return nil
			}
		} else if o.At.After(h.At) {
			return nil
		}
	}
	w := edits{at: m.At}
	e := edit{memberID: m.Winner, tagID: h.TagID, cause: Cause{Kind: h.Cause, ID: h.CauseID, EventID: h.EventID, Reason: "merge"}}
	w.evict(e, of[m.Winner], group[h.TagID], 0)
	if err := s.writeTx(ctx, tx, &w); err != nil {
		return err
	}
	h.ID, h.MemberID = 0, m.Winner
	_, err = db.Insert(tx, &h) // a duplicate is the same cause on both sides
	return err
}
