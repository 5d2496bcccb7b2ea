package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Task is one event whose work after the transaction is due.
type Task struct {
	Event model.Event
	// Died reports that an earlier attempt called outside, or may have, and what came of it was not kept.
	Died bool
}

// Handler does the work that follows an event: calls to the outside first, then its effect by the returned
// function in the transaction that marks the work done. An error is retried later.
type Handler func(ctx context.Context, t Task) (effect func(ctx context.Context, tx *gorm.DB) error, err error)

const (
	outboxLease    = 30 * time.Second // real time
	outboxAttempts = 8                // then the row is parked
	outageAttempts = 80               // the same while what it calls is out of reach: more than two days
	outboxDelay    = time.Hour        // the longest between two attempts
	diedMark       = "died before; "  // begins the error of a row once an attempt of it died: Died stays true
)

// Later registers the handler of a kind of event. Only events that have one get an outbox row.
func (l *Log) Later(kind string, h Handler) {
	l.open("handler of " + kind)
	if l.later[kind] != nil {
		panic("event: two handlers for " + kind)
	}
	l.later[kind] = h
}

// Wake tells the workers of this process that a transaction with events was committed, so that they need not wait
// for their next look.
func (l *Log) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Woken receives after Wake.
func (l *Log) Woken() <-chan struct{} { return l.wake }

// Work runs the oldest due task of one member; it reports whether there was one.
func (l *Log) Work(ctx context.Context, owner string) (bool, error) {
	row, died, err := l.claim(ctx, owner)
	if err != nil || row == nil {
		return false, err
	}
	if row.Attempts > outboxAttempts && (row.Error == "" || row.Error == diedMark) { // the last attempt died too: it takes its worker with it
		return true, l.fail(ctx, row, errors.New("no attempt came to an end"), died)
	}
	effect, err := l.attempt(ctx, row.EventID, died)
	if err != nil {
		return true, l.fail(ctx, row, err, died)
	}
	err = l.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return l.finish(ctx, tx, row, effect) })
	if err != nil {
		return true, l.fail(ctx, row, err, true) // the handler's calls are made: they must not be made again
	}
	return true, nil
}

// attempt runs the handler of the event; a panic is an error.
func (l *Log) attempt(ctx context.Context, eventID int64, died bool) (effect func(context.Context, *gorm.DB) error, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	t := Task{Died: died}
	if err := l.db.Reader(ctx).Take(&t.Event, eventID).Error; err != nil {
		return nil, fmt.Errorf("event: outbox: read event %d: %w", eventID, err)
	}
	handler := l.later[t.Event.Kind]
	if handler == nil {
		return nil, fmt.Errorf("event: outbox: nothing follows %s", t.Event.Kind)
	}
	return handler(ctx, t)
}

// heads are the waiting rows that no earlier one of the same member blocks.
func (l *Log) heads(ctx context.Context) *gorm.DB {
	return l.db.Reader(ctx).Where("state = ?", model.OutboxPending).
		Where("NOT EXISTS (SELECT 1 FROM outboxes o WHERE o.member_id = outboxes.member_id AND o.state = ? AND o.id < outboxes.id)", model.OutboxPending)
}

// claim leases the oldest due row that no earlier one of the same member blocks, by compare-and-set.
func (l *Log) claim(ctx context.Context, owner string) (*model.Outbox, bool, error) {
	now := clock.Real()
	var rows []model.Outbox
	err := l.heads(ctx).Where("due_at <= ? AND lease_till <= ?", l.clock.Now(), now).Order("id").Limit(8).Find(&rows).Error
	if err != nil {
		return nil, false, fmt.Errorf("event: outbox: %w", err)
	}
	for i := range rows {
		row := &rows[i]
		died := row.Attempts > 0 && row.Error == "" || strings.HasPrefix(row.Error, diedMark)
		running := "" // an attempt that ends says how
		if died {
			running = diedMark
		}
		won := false
		err := l.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			res := tx.Model(&model.Outbox{}).Where("id = ? AND attempts = ? AND state = ?", row.ID, row.Attempts, model.OutboxPending).
				Updates(map[string]any{"owner": owner, "lease_till": now.Add(outboxLease), "attempts": row.Attempts + 1, "error": running})
			won = res.RowsAffected == 1
			return res.Error
		})
		if err != nil {
			return nil, false, fmt.Errorf("event: outbox: claim: %w", err)
		}
		if won {
			row.Attempts++
			return row, died, nil
		}
	}
	return nil, false, nil
}

// finish applies the effect and marks the row done, if the lease still holds.
func (l *Log) finish(ctx context.Context, tx *gorm.DB, row *model.Outbox, effect func(context.Context, *gorm.DB) error) error {
	res := tx.Model(&model.Outbox{}).Where("id = ? AND attempts = ? AND state = ?", row.ID, row.Attempts, model.OutboxPending).
		Update("state", model.OutboxDone)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected == 0 || effect == nil {
		return nil // another worker took over, or there is nothing to do
	}
	return effect(ctx, tx)
}

// fail puts the row back with a growing delay, or parks it for an operator.
func (l *Log) fail(ctx context.Context, row *model.Outbox, cause error, died bool) error {
	state, note := model.OutboxPending, cause.Error()
	if died {
		note = diedMark + note
	}
	limit := outboxAttempts
	if errs.CodeOf(cause) == errs.Unavailable {
		limit = outageAttempts
	}
	if row.Attempts >= limit {
		state = model.OutboxParked
		slog.ErrorContext(ctx, "outbox row parked", "id", row.ID, "event", row.EventID, "error", cause)
	}
	return l.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Outbox{}).Where("id = ? AND attempts = ?", row.ID, row.Attempts).Updates(map[string]any{
			"state": state, "due_at": l.clock.Now().Add(delay(row.Attempts)), "lease_till": clock.Real(), "error": model.Cut(note, 500),
		}).Error
	})
}

// delay doubles from two seconds to an hour.
func delay(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 16), outboxDelay)
}

// Due is when the next outbox row wants to run; false if none waits. One behind another of its member waits for that.
func (l *Log) Due(ctx context.Context) (time.Time, bool, error) {
	var row model.Outbox
	res := l.heads(ctx).Order("due_at").Limit(1).Find(&row)
	return row.DueAt, res.RowsAffected > 0, res.Error
}
