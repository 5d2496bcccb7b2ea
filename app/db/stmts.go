package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	driver "modernc.org/sqlite"
)

const (
	maxStatements = 400  // kept prepared
	maxLength     = 2000 // of a statement that is kept: long ones are batches and IN lists, rarely the same twice
)

// stmts is the writer's connection with its prepared statements, which SQLite otherwise compiles anew each time.
// It is used by one goroutine at a time.
type stmts struct {
	conn       *sql.Conn
	kept       map[string]*sql.Stmt
	committing bool // only then may SQLite commit
	lost       bool // SQLite rolled the transaction back since begin
}

var errLost = errors.New("db: SQLite rolled the transaction back")

// watch asks SQLite to tell when it rolls back by itself (disk full, I/O error, interrupt), and to refuse every commit that is not ours:
// the statements after such a rollback would be committed one by one.
func (c *stmts) watch() error {
	return c.hooks(func() int32 {
		if c.committing {
			return 0
		}
		return 1 // SQLite rolls back instead
	}, func() { c.lost = true })
}

func (c *stmts) hooks(commit driver.CommitHookFn, rollback driver.RollbackHookFn) error {
	return c.conn.Raw(func(conn any) error {
		h, ok := conn.(driver.HookRegisterer)
		if !ok {
			return errors.New("db: the SQLite driver has no hooks")
		}
		h.RegisterCommitHook(commit)
		h.RegisterRollbackHook(rollback)
		return nil
	})
}

// begin opens a transaction.
func (c *stmts) begin() error {
	c.lost = false
	return c.exec("BEGIN IMMEDIATE")
}

// commit ends it.
func (c *stmts) commit() error {
	c.committing = true
	defer func() { c.committing = false }()
	return c.exec("COMMIT")
}

func (c *stmts) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.kept[query]; ok {
		return s, nil
	}
	if len(query) > maxLength || !worthKeeping(query) {
		return nil, nil
	}
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(c.kept) >= maxStatements {
		for q, old := range c.kept { // any: the order of a map is random
			delete(c.kept, q)
			_ = old.Close()
			break
		}
	}
	c.kept[query] = s
	return s, nil
}

func worthKeeping(query string) bool {
	switch query[0] {
	case 'S', 'I', 'U', 'D', 'R', 'B', 'C':
		return len(query) < 10 || query[:10] != "SAVEPOINT " || query == savepoint // gorm's savepoints have a name each
	}
	return false
}

// PrepareContext implements gorm.ConnPool.
func (c *stmts) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if c.lost {
		return nil, errLost
	}
	return c.conn.PrepareContext(ctx, query)
}

// ExecContext implements gorm.ConnPool.
func (c *stmts) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if c.lost {
		return nil, errLost
	}
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.conn.ExecContext(ctx, query, utc(args)...)
	}
	return s.ExecContext(ctx, utc(args)...)
}

// QueryContext implements gorm.ConnPool.
func (c *stmts) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if c.lost {
		return nil, errLost
	}
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.conn.QueryContext(ctx, query, utc(args)...)
	}
	return s.QueryContext(ctx, utc(args)...)
}

// QueryRowContext implements gorm.ConnPool.
func (c *stmts) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if c.lost {
		ctx = cancelled
	}
	return c.conn.QueryRowContext(ctx, query, utc(args)...)
}

// exec runs a statement of our own.
func (c *stmts) exec(query string) error {
	_, err := c.ExecContext(context.Background(), query)
	return err
}

// utc makes times what MySQL keeps, so that both databases store and compare the same: UTC, to the microsecond.
func utc(args []any) []any {
	for i, a := range args {
		switch t := a.(type) {
		case time.Time:
			args[i] = t.UTC().Truncate(time.Microsecond)
		case *time.Time:
			if t != nil {
				args[i] = t.UTC().Truncate(time.Microsecond)
			}
		}
	}
	return args
}

// readers is the pool of SQLite's readers.
type readers struct{ *sql.DB }

// QueryContext implements gorm.ConnPool.
func (r readers) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.DB.QueryContext(ctx, query, utc(args)...)
}

// QueryRowContext implements gorm.ConnPool.
func (r readers) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return r.DB.QueryRowContext(ctx, query, utc(args)...)
}
