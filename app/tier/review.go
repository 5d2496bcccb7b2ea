package tier

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// RunDue ends what was set by hand until now, does the reviews whose day has come, and tells those who would fall, NoticeDays before. It
// reports how many it looked at.
func (s *Service) RunDue(ctx context.Context, now time.Time) (int, error) {
	n, err := s.endDue(ctx, now)
	if err != nil {
		return n, err
	}
	for _, part := range []struct {
		where string
		at    time.Time
		do    func(context.Context, *gorm.DB, *Ladder, *model.MemberTier) error
	}{
		{"review_at <= ?", now, s.review},
		{"noticed_at IS NULL AND review_at <= ?", now.Add(s.ahead(ctx)), s.notice},
	} {
		var rows []model.MemberTier
		if err := s.DB.Reader(ctx).Where("open = ?", true).Where(part.where, part.at).Order("review_at, id").Limit(100).Find(&rows).Error; err != nil {
			return n, fmt.Errorf("tier: due: %w", err)
		}
		for _, r := range rows {
			if err := s.dueOne(ctx, r, part.where, part.at, part.do); err != nil {
				return n, err
			}
		}
		n += len(rows)
	}
	return n, nil
}

// ahead is how long before a review its notice goes out.
func (s *Service) ahead(ctx context.Context) time.Duration {
	l, err := s.Ladder(ctx)
	if err != nil {
		return 0 // RunDue meets the same error
	}
	return time.Duration(l.Settings.NoticeDays) * 24 * time.Hour
}

func (s *Service) dueOne(ctx context.Context, r model.MemberTier, where string, at time.Time, do func(context.Context, *gorm.DB, *Ladder, *model.MemberTier) error) error {
	return s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, r.MemberID); errs.CodeOf(err) == errs.NotFound {
			return tx.Model(&r).Update("review_at", nil).Error
		} else if err != nil {
			return err
		}
		var rows []model.MemberTier // another process may have been faster
		if err := tx.Where("id = ? AND open = ?", r.ID, true).Where(where, at).Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		l, err := s.ladder(tx)
		if err != nil {
			return err
		}
		return do(ctx, tx, l, &rows[0])
	})
}

// review closes a period: he keeps the tier for another, or falls to where his value belongs. It is never opened again.
func (s *Service) review(ctx context.Context, tx *gorm.DB, l *Ladder, r *model.MemberTier) error {
	if l.Settings.Downgrade != model.TierReview {
		return tx.Model(r).Update("review_at", nil).Error
	}
	_, err := s.look(ctx, tx, l, r.MemberID, 0, model.TierByReview)
	return err
}

// notice tells a member, once before a review, that he would fall.
func (s *Service) notice(ctx context.Context, tx *gorm.DB, l *Ladder, r *model.MemberTier) error {
	if err := tx.Model(r).Update("noticed_at", s.Clock.Now()).Error; err != nil {
		return err
	}
	v, err := s.value(ctx, tx, l, r.MemberID)
	if err != nil {
		return err
	}
	at := l.place(r.TierID)
	floor, err := s.floor(tx, l, r.MemberID, *r.ReviewAt)
	if err != nil || floor >= at || l.Settings.Downgrade != model.TierReview || at < 0 || v >= l.Tiers[at].Threshold {
		return err
	}
	_, err = s.Events.RecordTx(ctx, tx, &model.Event{
		MemberID: r.MemberID, Kind: model.EventTierSoon, Source: source, Key: fmt.Sprintf("soon:%d:%d", r.ID, r.ReviewAt.Unix()), OccurredAt: s.Clock.Now(), Joined: true,
		Data: model.ToJSON(map[string]any{"tier": l.Tiers[at].Name, "review_at": s.Zone.In(*r.ReviewAt), "short_by": l.Tiers[at].Threshold - v}),
	})
	return err
}

// Due is when the next review or notice is, or what was set by hand ends.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var holds []model.TierHold
	if err := s.DB.Reader(ctx).Where("open = ? AND until_at IS NOT NULL", true).Order("until_at").Limit(1).Find(&holds).Error; err != nil {
		return time.Time{}, false, err
	}
	due, any, err := s.reviewDue(ctx)
	if err == nil && len(holds) > 0 && (!any || holds[0].UntilAt.Before(due)) {
		due, any = *holds[0].UntilAt, true
	}
	return due, any, err
}

func (s *Service) reviewDue(ctx context.Context) (time.Time, bool, error) {
	var rows []model.MemberTier
	if err := s.DB.Reader(ctx).Where("open = ? AND review_at IS NOT NULL", true).Order("review_at").Limit(1).Find(&rows).Error; err != nil {
		return time.Time{}, false, err
	}
	var soon []model.MemberTier
	if err := s.DB.Reader(ctx).Where("open = ? AND noticed_at IS NULL AND review_at IS NOT NULL", true).Order("review_at").Limit(1).Find(&soon).Error; err != nil {
		return time.Time{}, false, err
	}
	if len(rows) == 0 {
		return time.Time{}, false, nil
	}
	due := *rows[0].ReviewAt
	if len(soon) > 0 {
		if at := soon[0].ReviewAt.Add(-s.ahead(ctx)); at.Before(due) {
			due = at
		}
	}
	return due, true, nil
}
