package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

const maxAttempts = 20

// retried runs fn on MySQL, whole, until it commits, refuses or is out of attempts. It never runs again once COMMIT was sent.
func (d *DB) retried(ctx context.Context, fn Func) error {
	for n := 1; ; n++ {
		err, again := d.once(ctx, fn)
		if !again {
			return err
		}
		if n == maxAttempts {
			return fmt.Errorf("db: given up after %d attempts: %w: %w", n, errs.New(errs.Unavailable, "db.busy"), err)
		}
		d.stats.retries.Add(1)
		pause := min(time.Millisecond<<n, 100*time.Millisecond)
		if !clock.Sleep(ctx, time.Duration(rand.Int64N(int64(pause)))) {
			return fmt.Errorf("db: %w", ctx.Err())
		}
	}
}

// once runs fn in one transaction. again means that nothing of it was kept and that it may be run again.
func (d *DB) once(ctx context.Context, fn Func) (err error, again bool) {
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("db: connect: %w", err), false
	}
	defer func() { _ = conn.Close() }()
	ctx = inner(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("db: begin: %w", err), mysqlFatal(err)
	}
	d.stats.transactions.Add(1)
	s := newSession(tx, mysqlFatal)
	done := false
	defer func() {
		s.over.Store(true)
		if !done { // an error, a panic or runtime.Goexit
			rollback(conn, tx)
		}
	}()
	err = fn(ctx, over(d.reader, ctx, s))
	switch {
	case s.broken != nil:
		return s.broken, true
	case err != nil:
		return err, mysqlFatal(err)
	}
	if err := s.late(); err != nil {
		return err, false
	}
	done = true
	if err := tx.Commit(); err != nil {
		d.stats.unknown.Add(1)
		return fmt.Errorf("db: commit: %w: %w", errs.New(errs.OutcomeUnknown, "db.outcome_unknown"), err), false
	}
	return nil, false
}

// rollback undoes tx; a connection on which that fails is closed, and the server undoes it.
func rollback(conn *sql.Conn, tx *sql.Tx) {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}
