package tier

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// source numbers the events by the row of the stretch.
const source = "tier"

// changed follows the ledger: whoever's value changed is looked at again.
func (s *Service) changed(ctx context.Context, tx *gorm.DB, changes []ledger.Change) error {
	l, err := s.ladder(tx)
	if err != nil || len(l.Tiers) == 0 {
		return err
	}
	for _, c := range changes {
		if c.Account != l.Settings.Account {
			continue
		}
		if _, err := s.look(ctx, tx, l, c.MemberID, c.EventID, model.TierByChange); err != nil {
			return err
		}
	}
	return nil
}

// look puts a member where his value belongs; it says whether he rose (1), fell (−1) or stayed. A fall waits for the review where the
// settings say so. The caller holds his lock.
func (s *Service) look(ctx context.Context, tx *gorm.DB, l *Ladder, memberID, eventID int64, cause string) (int, error) {
	cur, err := current(tx, memberID)
	if err != nil {
		return 0, fmt.Errorf("tier: of member %d: %w", memberID, err)
	}
	if cur == nil {
		var n int64
		if err := tx.Model(&model.Member{}).Where("id = ? AND joined_at IS NOT NULL AND merged_into IS NULL", memberID).Count(&n).Error; err != nil || n == 0 {
			return 0, err
		}
	}
	v, err := s.value(ctx, tx, l, memberID)
	if err != nil {
		return 0, err
	}
	floor, err := s.floor(tx, l, memberID, s.Clock.Now())
	if err != nil {
		return 0, err
	}
	from, to := -1, max(l.reached(v), floor)
	if cur != nil {
		from = l.place(cur.TierID)
	}
	switch {
	case to == from && (cur == nil || cur.TierID == 0 || from >= 0): // the third: his tier was removed
		if cause == model.TierByReview {
			return 0, s.keep(tx, l, cur)
		}
		return 0, nil
	case to < from && l.Settings.Downgrade == model.TierReview && cause != model.TierByReview && cause != model.TierByOperator:
		return 0, nil
	}
	return compare(to, from), s.move(ctx, tx, l, cur, memberID, from, to, eventID, cause)
}

func compare(to, from int) int {
	switch {
	case to > from:
		return 1
	case to < from:
		return -1
	}
	return 0
}

// keep begins another period of the same stretch.
func (s *Service) keep(tx *gorm.DB, l *Ladder, cur *model.MemberTier) error {
	if cur == nil {
		return nil
	}
	return tx.Model(cur).Updates(map[string]any{"review_at": s.reviewAt(l, s.Clock.Now(), cur.TierID), "noticed_at": nil}).Error
}

// reviewAt is the midnight ReviewDays after the day of t; nil for the lowest tier, and where nothing is reviewed.
func (s *Service) reviewAt(l *Ladder, t time.Time, tierID int64) *time.Time {
	if l.Settings.Downgrade != model.TierReview || l.place(tierID) < 0 || l.Tiers[l.place(tierID)].Threshold <= 0 {
		return nil
	}
	at := s.Zone.Start(s.Zone.DayOf(t).Add(l.Settings.ReviewDays))
	return &at
}

// move ends the stretch and begins the next. Times of orders have whole seconds: a tier counts from the second in which it was reached.
func (s *Service) move(ctx context.Context, tx *gorm.DB, l *Ladder, cur *model.MemberTier, memberID int64, from, to int, eventID int64, cause string) error {
	now := s.Clock.Now().Truncate(time.Second)
	yes := true
	row := &model.MemberTier{MemberID: memberID, Open: &yes, FromAt: now, EventID: eventID, Cause: cause}
	data := map[string]any{"from": "", "to": ""}
	if cur != nil {
		if cur.FromAt.After(now) {
			now = cur.FromAt
		}
		data["from"] = l.names[cur.TierID]
		if err := tx.Model(cur).Updates(map[string]any{"open": nil, "until_at": now}).Error; err != nil {
			return fmt.Errorf("tier: end: %w", err)
		}
	}
	if to >= 0 {
		row.TierID = l.Tiers[to].ID
		data["to"] = l.Tiers[to].Name
	}
	data["to_id"] = fmt.Sprint(row.TierID)
	row.FromAt, row.ReviewAt = now, s.reviewAt(l, now, row.TierID)
	if err := tx.Create(row).Error; err != nil { // the index holds that nobody is in two tiers
		return fmt.Errorf("tier: begin: %w", err)
	}
	if err := member.ChangedTx(tx, memberID); err != nil {
		return err
	}
	if cause == model.TierByJoining {
		return nil
	}
	ev := &model.Event{MemberID: memberID, Kind: model.EventTierUp, Source: source, Key: fmt.Sprint(row.ID), OccurredAt: s.Clock.Now(), Joined: true}
	d := moved{Crossed: l.ids(from+1, to+1), CauseID: eventID}
	if to < from {
		ev.Kind = model.EventTierDown
		d.Crossed, d.Lost = nil, l.ids(to+1, from+1)
	}
	data["crossed"], data["lost"], data["cause_id"] = texts(d.Crossed), texts(d.Lost), fmt.Sprint(d.CauseID)
	ev.Data = model.ToJSON(data)
	_, err := s.Events.RecordTx(ctx, tx, ev)
	return err
}

// moved is what a change of tier crossed.
type moved struct {
	Crossed, Lost []int64
	CauseID       int64
}

func texts(ids []int64) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprint(id)
	}
	return out
}

// Follow is the event follower: who registers begins in the lowest tier that he reaches; who rises gets the gifts of every tier that he
// crossed; of the gifts of tiers that a refund took, unused coupons go back.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	switch ev.Kind {
	case model.EventRegistered:
		return s.begin(ctx, tx, ev)
	case model.EventTierUp, model.EventTierDown:
		var d struct {
			Crossed, Lost []string
			CauseID       string `json:"cause_id"`
		}
		if err := ev.Data.Into(&d); err != nil {
			return nil, err
		}
		l, err := s.ladder(tx)
		if err != nil {
			return nil, err
		}
		if ev.Kind == model.EventTierUp {
			return s.give(ctx, tx, l, ev, d.Crossed)
		}
		if d.CauseID != "0" {
			return nil, s.takeBack(tx, ev, d.Lost)
		}
	}
	return nil, nil
}

func (s *Service) begin(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	l, err := s.ladder(tx)
	if err != nil || len(l.Tiers) == 0 {
		return nil, err
	}
	if _, err := s.look(ctx, tx, l, ev.MemberID, 0, model.TierByJoining); err != nil {
		return nil, err
	}
	cur, err := current(tx, ev.MemberID)
	if err != nil || cur == nil || cur.Cause != model.TierByJoining {
		return nil, err
	}
	return s.give(ctx, tx, l, ev, texts(l.ids(0, l.place(cur.TierID)+1)))
}

// within reports whether a tier is among ids.
func within(ids []string, id int64) bool { return slices.Contains(ids, fmt.Sprint(id)) }
