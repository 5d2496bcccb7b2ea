// Package db opens the database and holds the only doors to writing: Tx, BulkTx and Do.
//
// A closure gets tx, a cheap gorm session, and a ctx that cannot be cancelled. Inside: only tx; no HTTP, no WeChat, no sleep, no
// goroutine; it is bounded at 10 s and may run twice, so it resets its results first. tx.Transaction(fn) inside is a savepoint.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

// The names of the two dialects.
const (
	SQLite = "sqlite"
	MySQL  = "mysql"
)

// maxInside bounds a closure: its next statement after that fails, and nothing of it is kept.
const maxInside = 10 * time.Second

// Config says which database to open.
type Config struct {
	Driver  string // sqlite | mysql
	DSN     string // MySQL: user:password@tcp(host:port)/database
	Path    string // SQLite: the data file; its directory must exist
	MaxOpen int    // connections: MySQL all (default 32), SQLite readers (default and most 8)
	// ReadOnly opens beside a running siyu: no lock on the file, and every transaction is refused.
	ReadOnly bool
}

// DB is an open database. Safe for concurrent use.
type DB struct {
	dialect string
	cfg     Config
	pool    *sql.DB  // MySQL: all; SQLite: readers
	reader  *gorm.DB // over pool
	writer  *writer  // SQLite
	unlock  func()   // SQLite
	stats   counters

	migrating sync.Mutex

	gate   sync.RWMutex // held for reading by every transaction, for writing by Close
	closed bool
}

// Func is the body of a transaction.
type Func = func(ctx context.Context, tx *gorm.DB) error

var (
	errNested   = errors.New("db: a transaction inside a transaction: use the tx that you were given")
	errOutside  = errors.New("db: Reader inside a transaction: use the tx that you were given")
	errOver     = errors.New("db: tx used after its transaction ended")
	errControl  = errors.New("db: a closure must not begin, commit or roll back: return an error instead")
	errPathless = errors.New("db: sqlite needs a path")
	errReadOnly = errors.New("db: opened for reading only")
)

// Open opens the database. It changes no schema: see Migrate.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	d := &DB{dialect: cfg.Driver, cfg: cfg}
	switch cfg.Driver {
	case SQLite:
		return d, d.openSQLite(ctx)
	case MySQL:
		return d, d.openMySQL(ctx)
	}
	return nil, fmt.Errorf("db: driver %q is unknown: give sqlite or mysql", cfg.Driver)
}

// Close waits for the transactions in flight, refuses later ones and closes the database.
func (d *DB) Close() error {
	d.gate.Lock()
	defer d.gate.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return errors.Join(d.pool.Close(), d.closeWriter())
}

// Dialect is "sqlite" or "mysql".
func (d *DB) Dialect() string { return d.dialect }

// Tx runs fn in a transaction: all of it is kept, or nothing. ctx counts only until fn starts. It returns after COMMIT, so that the
// caller's next read sees what it wrote. errs.OutcomeUnknown means that COMMIT was not answered: repeat with the same key.
func (d *DB) Tx(ctx context.Context, fn Func) error { return d.tx(ctx, false, fn) }

// BulkTx is Tx for background work in chunks under 20 ms: on SQLite it queues behind the interactive ones.
func (d *DB) BulkTx(ctx context.Context, fn Func) error { return d.tx(ctx, true, fn) }

func (d *DB) tx(ctx context.Context, bulk bool, fn Func) error {
	if inside(ctx) {
		return errNested
	}
	if d.cfg.ReadOnly {
		return errReadOnly
	}
	d.gate.RLock()
	defer d.gate.RUnlock()
	if d.closed {
		return errs.New(errs.Unavailable, "db.closed")
	}
	if d.writer != nil {
		return d.writer.run(ctx, bulk, fn)
	}
	return d.retried(ctx, fn)
}

// Reader is a session for reading outside transactions. On SQLite it refuses to write.
func (d *DB) Reader(ctx context.Context) *gorm.DB {
	r := d.reader.Session(&gorm.Session{NewDB: true, Context: ctx})
	if inside(ctx) {
		_ = r.AddError(errOutside)
	}
	return r
}

// inner is ctx for a closure: uncancellable, and marked.
func inner(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), revisionsKey{}, &revisions{inside: true})
}

func inside(ctx context.Context) bool {
	r, ok := ctx.Value(revisionsKey{}).(*revisions)
	return ok && r.inside
}

func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction:                   true,
		TranslateError:                           true,
		DisableForeignKeyConstraintWhenMigrating: true,
		Logger:                                   logger.Discard,
		NowFunc:                                  clock.Real,
	}
}

// over returns a gorm session whose statements go through pool.
func over(base *gorm.DB, ctx context.Context, pool gorm.ConnPool) *gorm.DB {
	tx := base.Session(&gorm.Session{NewDB: true, Context: ctx})
	tx.Statement.ConnPool = pool
	return tx
}
