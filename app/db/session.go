package db

import (
	"context"
	"database/sql"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

// session is the connection as one closure sees it: without cancellation, bounded in time, dead after the first error that ends the
// database's own transaction (later statements would be committed one by one), and after the closure's end.
type session struct {
	conn   gorm.ConnPool
	fatal  func(error) bool
	until  time.Time
	broken error
	over   atomic.Bool
}

func newSession(conn gorm.ConnPool, fatal func(error) bool) *session {
	return &session{conn: conn, fatal: fatal, until: clock.Real().Add(maxInside)}
}

func (s *session) late() error {
	if clock.Real().After(s.until) {
		return errs.New(errs.Unavailable, "db.too_slow")
	}
	return nil
}

func (s *session) enter(query string) error {
	switch {
	case s.over.Load():
		return errOver
	case s.broken != nil:
		return s.broken
	case controls(query):
		return errControl
	}
	return s.late()
}

func (s *session) leave(query string, err error) {
	if err != nil && s.broken == nil && (s.fatal(err) || strings.HasPrefix(query, "ROLLBACK TO") || strings.HasPrefix(query, "SAVEPOINT")) {
		s.broken = err
	}
}

// PrepareContext implements gorm.ConnPool.
func (s *session) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := s.enter(query); err != nil {
		return nil, err
	}
	stmt, err := s.conn.PrepareContext(uncancelled(ctx), query)
	s.leave(query, err)
	return stmt, err
}

// ExecContext implements gorm.ConnPool.
func (s *session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.enter(query); err != nil {
		return nil, err
	}
	res, err := s.conn.ExecContext(uncancelled(ctx), query, args...)
	s.leave(query, err)
	return res, err
}

// QueryContext implements gorm.ConnPool.
func (s *session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := s.enter(query); err != nil {
		return nil, err
	}
	rows, err := s.conn.QueryContext(uncancelled(ctx), query, args...)
	s.leave(query, err)
	return rows, err
}

// QueryRowContext implements gorm.ConnPool. A *sql.Row cannot be made to hold an error of ours: a refusal shows as context.Canceled.
func (s *session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s.enter(query) != nil {
		return s.conn.QueryRowContext(cancelled, query, args...)
	}
	row := s.conn.QueryRowContext(uncancelled(ctx), query, args...)
	s.leave(query, row.Err())
	return row
}

// Commit and Rollback make gorm take the session for a transaction, so that tx.Transaction is a savepoint.
func (s *session) Commit() error { return errControl }

// Rollback is refused: see Commit.
func (s *session) Rollback() error { return errControl }

var cancelled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func uncancelled(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// controls reports whether query would end or begin the transaction itself.
func controls(query string) bool {
	if query == "" {
		return false
	}
	switch query[0] {
	case 'B', 'b', 'C', 'c', 'E', 'e', 'R', 'r', ' ', '\n', '\t', ';':
	default:
		if !strings.HasPrefix(query, "START") {
			return false
		}
	}
	f := strings.Fields(strings.ToUpper(strings.TrimLeft(query, "; \n\t")))
	if len(f) == 0 {
		return false
	}
	switch strings.TrimRight(f[0], ";") {
	case "BEGIN", "COMMIT", "END", "START":
		return true
	case "ROLLBACK":
		return len(f) < 2 || f[1] != "TO"
	}
	return false
}
