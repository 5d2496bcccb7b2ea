package reach

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Retry gives those of a run another try whom WeChat rejected for what may have passed: the account, a limit. The same rows are sent again,
// so that nobody who was accepted or is unknown gets a second message; who cannot be reached at all and a refused content stay rejected.
// A run that is paused goes on. It refuses, as errs.Conflict, a cancelled run ("reach.over") and one without rejected people
// ("reach.nothing_rejected").
func (s *Service) Retry(ctx context.Context, runID int64) error {
	return s.turn(ctx, runID, func(ctx context.Context, tx *gorm.DB) error {
		if _, err := exec(ctx, tx, "UPDATE runs SET step = step + 1 WHERE id = ?", runID); err != nil {
			return fmt.Errorf("reach: retry: %w", err)
		}
		run, err := get(tx, runID)
		if err != nil {
			return err
		}
		switch run.State {
		case model.RunDone:
			run.State = model.RunSending
		case model.RunSending, model.RunMassing:
		default:
			return errs.New(errs.Conflict, "reach.over")
		}
		n, err := exec(ctx, tx, "UPDATE ranges SET again = ?, due_at = ?, state = ?, step = step + 1 WHERE run_id = ? AND rejected > 0",
			true, s.clock.Now(), model.RangeOpen, runID)
		if err != nil {
			return fmt.Errorf("reach: retry: %w", err)
		}
		if n == 0 {
			return errs.New(errs.Conflict, "reach.nothing_rejected")
		}
		return tx.Model(&model.Run{}).Where("id = ?", runID).
			Updates(map[string]any{"state": run.State, "done_at": nil, "paused": false, "paused_for": ""}).Error
	})
}

// again makes the rejected of a leased range pending who may be sent to again.
func (s *Service) again(ctx context.Context, tx *gorm.DB, l *lease) error {
	if _, err := exec(ctx, tx, "UPDATE ranges SET again = ?, cursor_seq = from_seq, step = step + 1 WHERE run_id = ? AND no = ?", false, l.run.ID, l.no); err != nil {
		return err
	}
	if l.cursor = l.from; l.run.State == model.RunCancelling {
		return nil
	}
	w := newWriter(l.run.ID, s.clock.Now())
	var d delta
	err := each(ctx, tx, func(r *sql.Rows) error {
		var seq int64
		var detail string
		err := r.Scan(&seq, &detail)
		if err == nil && mayPass(detail) {
			w.set("state = 'pending', channel = '', identity_id = 0, batch_no = 0, no_mass = ?, detail = ''", seq, false)
			d.move(model.DeliveryRejected, model.DeliveryPending, 1)
		}
		return err
	}, "SELECT seq, detail FROM deliveries WHERE run_id = ? AND seq >= ? AND seq < ? AND state = 'rejected'", l.run.ID, l.from, l.to)
	if err != nil {
		return err
	}
	if err := w.flush(ctx, tx); err != nil {
		return err
	}
	return bump(ctx, tx, l.run.ID, l.no, &d)
}

// mayPass reports whether a rejection says nothing about the person or the content. detail begins with WeChat's code, if there was one.
func mayPass(detail string) bool {
	word, _, _ := strings.Cut(detail, " ")
	code, err := strconv.Atoi(word)
	if err != nil {
		return word != refused
	}
	switch (&wechat.APIError{Code: code}).Class() {
	case wechat.ClassRecipient, wechat.ClassContent, wechat.ClassWindow:
		return false
	}
	return true
}
