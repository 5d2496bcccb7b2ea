package tag

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// reviewed is the ReviewAfter of a rule for which nobody waits.
const reviewed = -1

// ReviewDue is since when members wait to be re-evaluated because a rule was saved; false if none does.
func (s *Service) ReviewDue(ctx context.Context) (time.Time, bool, error) {
	rule, err := waiting(s.db.Reader(ctx))
	return rule.UpdatedAt, rule.ID != 0, err
}

func waiting(tx *gorm.DB) (rule model.AutoTag, err error) {
	err = tx.Where("review_after > ?", reviewed).Order("review_after").Limit(1).Find(&rule).Error
	return rule, err
}

// Review re-evaluates a saved rule for the next members in the order of their ids; it returns how many there were. Where the
// walk stands is stored with what it did: any number of processes may call it, and one that dies loses nothing.
func (s *Service) Review(ctx context.Context, now time.Time) (n int, err error) {
	row, err := waiting(s.db.Reader(ctx))
	if err != nil || row.ID == 0 {
		return 0, err
	}
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		n, err = s.review(ctx, tx, row, now)
		return err
	})
	return n, err
}

// reviewChunk is how many members one transaction re-evaluates at most, and reviewTime how long it does: others wait for the writer meanwhile.
const (
	reviewChunk = 500
	reviewTime  = 8 * time.Millisecond // real time
)

func (s *Service) review(ctx context.Context, tx *gorm.DB, row model.AutoTag, now time.Time) (int, error) {
	rules, err := s.enabled(tx)
	if err != nil {
		return 0, err
	}
	u := rules.of(row.ID)
	ids, err := people(tx.Where("id > ?", row.ReviewAfter).Order("id").Limit(reviewChunk))
	if err != nil {
		return 0, err
	}
	next, began, n := int64(reviewed), clock.Real(), 0
	for i := 0; u != nil && i < len(ids); i++ {
		if i > 0 && clock.Real().Sub(began) > reviewTime || i == len(ids)-1 && len(ids) == reviewChunk {
			next = ids[i-1]
			break
		}
		err := member.LockTx(tx, ids[i])
		if errs.CodeOf(err) == errs.NotFound { // erased since
			continue
		}
		if err != nil {
			return 0, err
		}
		alive, err := people(tx.Where("id = ?", ids[i])) // under the lock: a merged one has nothing to hold
		if err != nil {
			return 0, err
		}
		if len(alive) == 0 {
			continue
		}
		if err := s.apply(ctx, tx, u, &condition.Subject{MemberID: ids[i], At: now, Cache: map[string]any{}}); err != nil {
			return 0, err
		}
		n++
	}
	// Another process may have gone on from here, or the rule was saved anew: what was done here is right all the same.
	moved := tx.Model(&model.AutoTag{}).Where("id = ? AND review_after = ?", row.ID, row.ReviewAfter).UpdateColumn("review_after", next)
	return max(n, 1), moved.Error
}

func people(q *gorm.DB) (ids []int64, err error) {
	if err := q.Model(&model.Member{}).Where("merged_into IS NULL AND erased_at IS NULL").Pluck("id", &ids).Error; err != nil {
		return nil, fmt.Errorf("tag: review: %w", err)
	}
	return ids, nil
}
