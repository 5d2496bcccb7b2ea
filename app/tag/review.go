package tag

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
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

func (s *Service) review(ctx context.Context, tx *gorm.DB, row model.AutoTag, now time.Time) (int, error) {
	ids, err := people(tx.Where("id > ?", row.ReviewAfter).Order("id").Limit(flipChunk))
	if err != nil {
		return 0, err
	}
	next := int64(reviewed)
	if len(ids) == flipChunk {
		next = ids[len(ids)-1]
	}
	moved := tx.Model(&model.AutoTag{}).Where("id = ? AND review_after = ?", row.ID, row.ReviewAfter).UpdateColumn("review_after", next)
	if moved.Error != nil || moved.RowsAffected == 0 { // another process went on from here, or the rule was saved anew
		return 1, moved.Error
	}
	if err := member.LockTx(tx, ids...); err != nil {
		return 0, err
	}
	rules, err := s.enabled(tx)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(rules, func(r *rule) bool { return r.ID == row.ID })
	if i < 0 || len(ids) == 0 {
		return 1, nil
	}
	if ids, err = people(tx.Where("id IN ?", ids)); err != nil { // under the lock: a merged one has nothing to hold
		return 0, err
	}
	for _, id := range ids {
		if err := s.apply(ctx, tx, rules[i], &condition.Subject{MemberID: id, At: now, Cache: map[string]any{}}); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func people(q *gorm.DB) (ids []int64, err error) {
	if err := q.Model(&model.Member{}).Where("merged_into IS NULL AND erased_at IS NULL").Pluck("id", &ids).Error; err != nil {
		return nil, fmt.Errorf("tag: review: %w", err)
	}
	return ids, nil
}
