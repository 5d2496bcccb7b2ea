package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// ChangesKept is how long a change is told, in real time: whoever follows the changes and was away for longer starts anew.
const ChangesKept = time.Hour

// ChangedTx tells those who keep sets of members in memory, in every process, that what stands in tags, tiers, identities or the rows of
// members is not what it was. It is called in the transaction of the change; several changes may share a call.
func ChangedTx(tx *gorm.DB, ids ...int64) error {
	if len(ids) == 0 {
		return nil
	}
	now := clock.Real()
	for some := range slices.Chunk(ids, changesPerRow) {
		var text []byte
		for _, id := range some {
			text = append(strconv.AppendInt(text, id, 10), ',')
		}
		if err := tx.Create(&model.MemberChange{Members: string(text[:len(text)-1]), At: now}).Error; err != nil {
			return fmt.Errorf("member: note a change: %w", err)
		}
	}
	return nil
}

// changesPerRow bounds the text of a row.
const changesPerRow = 1000

// Changes runs do on each row of a query of the id and the members of changes, with the members.
func Changes(q *gorm.DB, do func(id int64, members []uint32)) error {
	rows, err := q.Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		var members []uint32
		for s := range strings.SplitSeq(text, ",") {
			m, err := strconv.ParseUint(s, 10, 32)
			if err != nil {
				return fmt.Errorf("member: change %d: %w", id, err)
			}
			members = append(members, uint32(m))
		}
		do(id, members)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// ForgetChanges drops changes that nobody waits for any more; it reports how many. The newest stays.
func (s *Service) ForgetChanges(ctx context.Context) (n int64, err error) {
	err = s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var old []model.MemberChange
		if err := tx.Order("id").Limit(500).Find(&old).Error; err != nil {
			return err
		}
		last := int64(0)
		for _, c := range old {
			if c.At.Before(clock.Real().Add(-ChangesKept)) {
				last = c.ID
			}
		}
		res := tx.Where("id <= ? AND id < (SELECT MAX(newest.id) FROM (SELECT id FROM member_changes) newest)", last).Delete(&model.MemberChange{})
		n = res.RowsAffected
		return res.Error
	})
	if err != nil {
		err = fmt.Errorf("member: forget changes: %w", err)
	}
	return n, err
}
