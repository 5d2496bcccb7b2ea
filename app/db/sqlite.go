package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"

	"github.com/libtnb/sqlite"
	"gorm.io/gorm"
)

const pragmas = "?_timezone=UTC&_time_format=sqlite&_texttotime=1&_inttotime=1" +
	"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=temp_store(2)"

// writerDSN lets the log grow to 8,000 pages (32 MB) before they are copied into the database: a page that many transactions change, as those of an
// index are, is copied once. With SQLite's 1,000 the copying took as long as the commits of a large import.
func writerDSN(path string) string {
	return fileURI(path) + pragmas + "&_txlock=immediate&_pragma=wal_autocheckpoint(8000)"
}

func readerDSN(path string) string { return fileURI(path) + pragmas + "&_pragma=query_only(1)" }

func fileURI(path string) string {
	if runtime.GOOS == "windows" {
		return "file:" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}

// openWriter locks the file against other processes and opens the one connection that writes.
func (d *DB) openWriter(ctx context.Context) (err error) {
	if d.unlock, err = lockFile(d.cfg.Path); err != nil {
		return err
	}
	if d.writer, err = openWriter(ctx, d.cfg.Path, &d.stats); err != nil {
		d.unlock()
	}
	return err
}

func (d *DB) closeWriter() error {
	if d.writer == nil {
		return nil
	}
	defer d.unlock()
	return d.writer.close()
}

func (d *DB) openSQLite(ctx context.Context) (err error) {
	if d.cfg.Path == "" {
		return errPathless
	}
	if d.cfg.ReadOnly {
		if _, err := os.Stat(d.cfg.Path); err != nil {
			return fmt.Errorf("db: %w", err)
		}
	} else if err := d.openWriter(ctx); err != nil {
		return err
	}
	if d.pool, err = sql.Open(sqlite.DriverName, readerDSN(d.cfg.Path)); err != nil {
		return errors.Join(err, d.closeWriter())
	}
	n := d.cfg.MaxOpen
	if n <= 0 || n > 8 {
		n = 8
	}
	d.pool.SetMaxOpenConns(n)
	d.pool.SetMaxIdleConns(n)
	d.reader, err = gorm.Open(sqliteOver(readers{d.pool}), gormConfig())
	if err != nil {
		return errors.Join(fmt.Errorf("db: open %s: %w", d.cfg.Path, err), d.pool.Close(), d.closeWriter())
	}
	return nil
}

// lockFile keeps a second process from the data file: two writers' caches would contradict each other.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("db: lock the data file: %w", err)
	}
	if err := flock(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("db: %s is in use by another siyu process (it holds %s.lock): stop it first, or use another data directory", path, path)
	}
	return func() { _ = f.Close() }, nil
}

// sqliteFatal tells the errors after which SQLite may have rolled the transaction back by itself.
func sqliteFatal(err error) bool {
	var e interface{ Code() int }
	if !errors.As(err, &e) {
		return errors.Is(err, errLost) || errors.Is(err, sql.ErrConnDone)
	}
	switch e.Code() & 0xff {
	case 4, 5, 7, 9, 10, 11, 13, 21, 26: // ABORT BUSY NOMEM INTERRUPT IOERR CORRUPT FULL MISUSE NOTADB
		return true
	}
	return false
}
