package tier

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Hold is what an operator sets: a tier below which a member does not fall.
type Hold struct {
	TierID int64
	Until  *time.Time // nil = until an operator ends it
	Reason string
	Actor  string
}

// Held is a line of the history of holds.
type Held struct {
	model.TierHold
	Name string // of the tier
}

const (
	maxReason = 100
	maxHold   = 10 * 366 * 24 * time.Hour
)

// Set puts a member into a tier by hand, in place of what was set before. He rises at once, with the gifts of the tiers that he crosses,
// and what he earns lifts him further; his value stays. Who has not registered yet begins there.
func (s *Service) Set(ctx context.Context, memberID int64, in Hold) (*Held, error) {
	in.Reason = strings.TrimSpace(in.Reason)
	if in.Reason == "" || utf8.RuneCountInString(in.Reason) > maxReason {
		return nil, errs.Field("reason", "tier.reason", "limit", maxReason)
	}
	now := s.Clock.Now()
	if in.Until != nil && (!in.Until.After(now) || in.Until.After(now.Add(maxHold))) {
		return nil, errs.Field("until", "tier.hold_until")
	}
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (h Held, err error) {
		m, err := member.SurvivorTx(tx, memberID)
		if err != nil {
			return h, err
		}
		return s.setTx(ctx, tx, m.ID, in)
	})
	return &out, err
}

// BringTx puts a member, who is locked, into the tier that he brings from elsewhere, unless an operator has set one by hand. source is the actor
// of what is brought: a later one takes the place of an earlier one.
func (s *Service) BringTx(ctx context.Context, tx *gorm.DB, memberID, tierID int64, source, reason string) error {
	old, err := s.held(tx, memberID)
	if err != nil || old != nil && (!strings.HasPrefix(old.Actor, source) || old.TierID == tierID) {
		return err
	}
	_, err = s.setTx(ctx, tx, memberID, Hold{TierID: tierID, Reason: model.Cut(reason, maxReason), Actor: source})
	if errs.CodeOf(err) == errs.NotFound { // the tier was removed since
		return nil
	}
	return err
}

func (s *Service) setTx(ctx context.Context, tx *gorm.DB, memberID int64, in Hold) (h Held, err error) {
	l, err := s.ladder(tx)
	if err != nil {
		return h, err
	}
	if l.place(in.TierID) < 0 {
		return h, errs.New(errs.NotFound, "tier.not_found")
	}
	old, err := s.held(tx, memberID)
	if err != nil {
		return h, err
	}
	if old != nil {
		if err := s.close(tx, old, in.Actor); err != nil {
			return h, err
		}
	}
	yes := true
	row := model.TierHold{MemberID: memberID, Open: &yes, TierID: in.TierID, UntilAt: in.Until, Reason: in.Reason, Actor: in.Actor, At: s.Clock.Now()}
	if err := tx.Create(&row).Error; err != nil { // the index holds that there is one
		return h, fmt.Errorf("tier: hold: %w", err)
	}
	return Held{row, l.names[in.TierID]}, s.placeHeld(ctx, tx, l, memberID, old)
}

// End ends what was set by hand: the member goes where his value belongs. It is errs.Conflict where nothing is set.
func (s *Service) End(ctx context.Context, memberID int64, actor string) (*Held, error) {
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (h Held, err error) {
		m, err := member.SurvivorTx(tx, memberID)
		if err != nil {
			return h, err
		}
		old, err := s.held(tx, m.ID)
		if err != nil {
			return h, err
		}
		if old == nil {
			return h, errs.New(errs.Conflict, "tier.not_held")
		}
		l, err := s.ladder(tx)
		if err != nil {
			return h, err
		}
		return Held{*old, l.names[old.TierID]}, s.endTx(ctx, tx, l, old, actor)
	})
	return &out, err
}

func (s *Service) endTx(ctx context.Context, tx *gorm.DB, l *Ladder, h *model.TierHold, actor string) error {
	if err := s.close(tx, h, actor); err != nil {
		return err
	}
	return s.placeHeld(ctx, tx, l, h.MemberID, h)
}

func (s *Service) close(tx *gorm.DB, h *model.TierHold, actor string) error {
	now := s.Clock.Now()
	if actor == "" && h.UntilAt != nil && h.UntilAt.Before(now) {
		now = *h.UntilAt
	}
	h.Open, h.EndedAt, h.EndedBy = nil, &now, actor
	if err := tx.Model(h).Select("open", "ended_at", "ended_by").Updates(h).Error; err != nil {
		return fmt.Errorf("tier: end of hold: %w", err)
	}
	return nil
}

// placeHeld puts the member where he belongs after a hold began or ended. What he reached without the one that ended waits for its review,
// where the settings say so.
func (s *Service) placeHeld(ctx context.Context, tx *gorm.DB, l *Ladder, memberID int64, ended *model.TierHold) error {
	floor, err := s.floor(tx, l, memberID, s.Clock.Now())
	if err != nil {
		return err
	}
	cur, err := current(tx, memberID)
	if err != nil {
		return err
	}
	if cur != nil && floor <= l.place(cur.TierID) && (ended == nil || l.place(ended.TierID) < l.place(cur.TierID)) {
		return nil
	}
	_, err = s.look(ctx, tx, l, memberID, 0, model.TierByOperator)
	return err
}

// held is what is set by hand for a member, also where it has ended by the clock alone; nil = nothing.
func (s *Service) held(tx *gorm.DB, memberID int64) (*model.TierHold, error) {
	var rows []model.TierHold
	if err := tx.Where("member_id = ? AND open = ?", memberID, true).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// floor is the place below which a member does not fall at an instant; −1 = none.
func (s *Service) floor(tx *gorm.DB, l *Ladder, memberID int64, at time.Time) (int, error) {
	h, err := s.held(tx, memberID)
	if err != nil || h == nil || h.UntilAt != nil && !at.Before(*h.UntilAt) {
		return -1, err
	}
	return l.place(h.TierID), nil
}

// Holds is what was set by hand for a member, the newest first, at most 100.
func (s *Service) Holds(ctx context.Context, memberID int64) ([]Held, error) {
	l, err := s.Ladder(ctx)
	if err != nil {
		return nil, err
	}
	var rows []model.TierHold
	if err := s.DB.Reader(ctx).Where("member_id = ?", memberID).Order("id DESC").Limit(100).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("tier: holds: %w", err)
	}
	out := make([]Held, len(rows))
	for i, r := range rows {
		out[i] = Held{r, l.names[r.TierID]}
	}
	return out, nil
}

// endDue ends the holds whose time is over.
func (s *Service) endDue(ctx context.Context, now time.Time) (int, error) {
	var due []model.TierHold
	if err := s.DB.Reader(ctx).Where("open = ? AND until_at <= ?", true, now).Order("until_at, id").Limit(100).Find(&due).Error; err != nil {
		return 0, fmt.Errorf("tier: holds due: %w", err)
	}
	for _, h := range due {
		err := s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			if err := member.LockTx(tx, h.MemberID); err != nil {
				return err // an erasure ends the hold: nobody is not found here
			}
			cur, err := s.held(tx, h.MemberID)
			if err != nil || cur == nil || cur.ID != h.ID { // another process was faster
				return err
			}
			l, err := s.ladder(tx)
			if err != nil {
				return err
			}
			return s.endTx(ctx, tx, l, cur, "")
		})
		if err != nil && errs.CodeOf(err) != errs.NotFound {
			return 0, err
		}
	}
	return len(due), nil
}

// mergeHolds gives the survivor the higher of what was set for both; gifts had moved before.
func (s *Service) mergeHolds(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	theirs, err := s.held(tx, m.Loser)
	if err != nil || theirs == nil {
		return err
	}
	l, err := s.ladder(tx)
	if err != nil {
		return err
	}
	mine, err := s.floor(tx, l, m.Winner, m.At)
	if err != nil {
		return err
	}
	other, err := s.floor(tx, l, m.Loser, m.At)
	if err != nil {
		return err
	}
	if err := s.close(tx, theirs, ""); err != nil || other <= mine {
		return err
	}
	old, err := s.held(tx, m.Winner)
	if err != nil {
		return err
	}
	if old != nil {
		if err := s.close(tx, old, ""); err != nil {
			return err
		}
	}
	yes := true
	row := *theirs
	row.ID, row.MemberID, row.Open, row.EndedAt, row.EndedBy = 0, m.Winner, &yes, nil, ""
	if err := tx.Create(&row).Error; err != nil {
		return fmt.Errorf("tier: hold: %w", err)
	}
	return s.placeHeld(ctx, tx, l, m.Winner, old)
}
