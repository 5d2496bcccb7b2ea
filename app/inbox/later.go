package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// lease is how long a worker may hold a pending push, in real time.
const lease = 30 * time.Second

// Work runs the oldest push that was stored alone; it reports whether there was one.
func (s *Service) Work(ctx context.Context, owner string) (bool, error) {
	now := clock.Real()
	var row model.Inbox
	res := s.DB.Reader(ctx).Where("state = ? AND lease_till <= ?", model.InboxPending, now).Order("received_at, id").Limit(1).Find(&row)
	if res.Error != nil || res.RowsAffected == 0 {
		return false, res.Error
	}
	won := false
	err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Inbox{}).Where("id = ? AND state = ? AND lease_till = ?", row.ID, model.InboxPending, row.LeaseTill).
			Updates(map[string]any{"owner": owner, "lease_till": now.Add(lease)})
		won = res.RowsAffected == 1
		return res.Error
	})
	if err != nil || !won {
		return err == nil, err
	}
	return true, s.rerun(ctx, row.ID, model.InboxPending)
}

// Replay runs a push again that failed. One in another state is errs.Conflict: nothing is done twice.
func (s *Service) Replay(ctx context.Context, id int64) (*model.Inbox, error) {
	if err := s.rerun(ctx, id, model.InboxFailed); err != nil {
		return nil, err
	}
	var row model.Inbox
	return &row, s.DB.Reader(ctx).Take(&row, id).Error
}

func (s *Service) rerun(ctx context.Context, id int64, state string) error {
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.rerunTx(ctx, tx, id, state) })
	var failed *bug
	if !errors.As(err, &failed) {
		return err
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Inbox{}).Where("id = ? AND state = ?", id, state).
			Updates(map[string]any{"state": model.InboxFailed, "error": model.Cut(failed.Error(), 500), "attempts": gorm.Expr("attempts + 1")}).Error
	})
}

func (s *Service) rerunTx(ctx context.Context, tx *gorm.DB, id int64, state string) error {
	// The update takes the row's lock, so that two workers do not run it both.
	res := tx.Model(&model.Inbox{}).Where("id = ? AND state = ?", id, state).Update("attempts", gorm.Expr("attempts + 1"))
	if res.Error != nil {
		return fmt.Errorf("inbox: rerun: %w", res.Error)
	}
	var row model.Inbox
	if err := tx.Take(&row, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return errs.New(errs.NotFound, "inbox.not_found")
	} else if err != nil {
		return fmt.Errorf("inbox: rerun: %w", err)
	}
	if res.RowsAffected == 0 {
		return errs.New(errs.Conflict, "inbox.not_failed", "state", row.State)
	}
	if row.Raw == nil {
		return errs.New(errs.Conflict, "inbox.gone")
	}
	acc, ok := s.Account(row.Account)
	p, err := wechat.Parse(acc, row.Raw)
	if !ok || err != nil { // of no use now: it waits for an operator, not in the way of others
		row.State, row.Error = model.InboxFailed, model.Cut(fmt.Sprintf("account %q known: %t; parse: %v", row.Account, ok, err), 500)
		return save(tx, &row)
	}
	if err := s.run(ctx, tx, acc, p, &row, nil); err != nil {
		slog.ErrorContext(ctx, "push failed", "account", acc.Name, "kind", row.Kind, "error", err)
		return err
	}
	return save(tx, &row)
}

// Query filters the list of pushes.
type Query struct {
	State   string
	AfterID int64 // keyset, newest first; 0 = from the newest
	Limit   int
}

// List reads one page of pushes, newest first, without their bodies.
func (s *Service) List(ctx context.Context, q Query) ([]model.Inbox, error) {
	tx := s.DB.Reader(ctx).Omit("raw").Order("id DESC").Limit(min(max(q.Limit, 1), 200))
	if q.State != "" {
		tx = tx.Where("state = ?", q.State)
	}
	if q.AfterID > 0 {
		tx = tx.Where("id < ?", q.AfterID)
	}
	var rows []model.Inbox
	return rows, tx.Find(&rows).Error
}

// Forget drops the bodies of pushes older than before; their keys stay, so that a replay is still known. It
// returns how many it dropped.
func (s *Service) Forget(ctx context.Context, before time.Time) (int, error) {
	n := 0
	err := s.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var ids []int64
		err := tx.Model(&model.Inbox{}).Where("raw IS NOT NULL AND received_at < ? AND state <> ?", before, model.InboxPending).Limit(200).Pluck("id", &ids).Error
		n = len(ids)
		if err != nil || n == 0 {
			return err
		}
		return tx.Model(&model.Inbox{}).Where("id IN ?", ids).Update("raw", nil).Error
	})
	return n, err
}
