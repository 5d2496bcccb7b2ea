package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/libtnb/sqlite"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema up to date. Processes that start together take turns.
func (d *DB) Migrate(ctx context.Context) error {
	if inside(ctx) {
		return errNested
	}
	d.migrating.Lock()
	defer d.migrating.Unlock()
	if d.dialect == MySQL {
		return d.migrateMySQL(ctx)
	}
	pool, err := sql.Open(sqlite.DriverName, writerDSN(d.cfg.Path)) // the data file is locked since Open
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	defer func() { _ = pool.Close() }()
	return up(ctx, goose.DialectSQLite3, pool, d.dialect)
}

// migrateMySQL holds a lock of the server meanwhile. On Galera it guards one node only: start one siyu first after an upgrade.
func (d *DB) migrateMySQL(ctx context.Context) (err error) {
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	defer func() { _ = conn.Close() }()
	var name string
	if err := conn.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name); err != nil {
		return fmt.Errorf("db: migrate: the DSN names no database: %w", err)
	}
	lock := fmt.Sprintf("siyu-%x", sha256.Sum256([]byte(name)))[:32]
	for got := 0; got != 1; { // each try below the read time-out of the connection
		if err := conn.QueryRowContext(ctx, "SELECT COALESCE(GET_LOCK(?, 20), 0)", lock).Scan(&got); err != nil {
			return fmt.Errorf("db: migrate: wait for the others: %w", err)
		}
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK(?)", lock)
		err = errors.Join(err, e)
	}()
	return up(ctx, goose.DialectMySQL, d.pool, d.dialect)
}

func up(ctx context.Context, dialect goose.Dialect, pool *sql.DB, folder string) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, pool, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	return nil
}
