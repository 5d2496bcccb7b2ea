// Package dbtest gives a test an empty, migrated database of its own. For tests only.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/db"
)

// EnvMySQL names the server on which tests make their databases, as root@tcp(127.0.0.1:3306)/. Unset: SQLite.
const EnvMySQL = "SIYU_TEST_MYSQL_DSN"

// Open returns an empty, migrated database: on MySQL if EnvMySQL is set, else on SQLite. It is closed and removed with the test.
func Open(t testing.TB) *db.DB {
	t.Helper()
	return OpenConfig(t, Prepared(t))
}

// Prepared is the place of an empty, migrated database that is not open.
func Prepared(t testing.TB) db.Config {
	t.Helper()
	cfg := Config(t)
	if cfg.Driver == db.SQLite {
		file, err := template()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(cfg.Path, file, 0o600))
	} else {
		createTables(t, cfg)
	}
	return cfg
}

// Config is the place of a database that is still empty, without tables.
func Config(t testing.TB) db.Config {
	t.Helper()
	if dsn := os.Getenv(EnvMySQL); dsn != "" {
		return db.Config{Driver: db.MySQL, DSN: createDatabase(t, dsn), MaxOpen: 12}
	}
	return db.Config{Driver: db.SQLite, Path: filepath.Join(t.TempDir(), "siyu.db")}
}

// OpenConfig is db.Open for a test, closed with it.
func OpenConfig(t testing.TB, cfg db.Config) *db.DB {
	t.Helper()
	d, err := db.Open(context.WithoutCancel(t.Context()), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// template is a migrated SQLite file, made once per process.
var template = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "siyu-template")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "siyu.db")
	d, err := db.Open(context.Background(), db.Config{Driver: db.SQLite, Path: path})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(d.Migrate(context.Background()), d.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func createDatabase(t testing.TB, dsn string) string {
	cfg, err := driver.ParseDSN(dsn)
	require.NoError(t, err)
	name := "siyu_test_" + strings.ToLower(rand.Text())[:16]
	run(t, cfg, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	t.Cleanup(func() { run(t, cfg, "DROP DATABASE "+name) })
	cfg = cfg.Clone()
	cfg.DBName = name
	return cfg.FormatDSN()
}

// run executes statements on a connection of its own.
func run(t testing.TB, cfg *driver.Config, statements string) {
	t.Helper()
	cfg = cfg.Clone()
	cfg.MultiStatements = true
	c, err := driver.NewConnector(cfg)
	require.NoError(t, err)
	pool := sql.OpenDB(c)
	defer func() { _ = pool.Close() }()
	_, err = pool.ExecContext(context.Background(), statements)
	require.NoError(t, err)
}

// ddl is every CREATE statement of a migrated MySQL database; running them at once is faster than migrating.
var (
	ddlOnce sync.Once
	ddl     string
)

func createTables(t testing.TB, cfg db.Config) {
	t.Helper()
	parsed, err := driver.ParseDSN(cfg.DSN)
	require.NoError(t, err)
	ddlOnce.Do(func() { ddl = dump(t) })
	require.NotEmpty(t, ddl, "the first test of this process could not migrate")
	run(t, parsed, ddl)
}

func dump(t testing.TB) string {
	d := OpenConfig(t, Config(t))
	require.NoError(t, d.Migrate(t.Context()))
	r := d.Reader(t.Context())
	var tables []string
	require.NoError(t, r.Raw("SHOW TABLES").Scan(&tables).Error)
	var b strings.Builder
	for _, table := range tables {
		var name, create string
		require.NoError(t, r.Raw("SHOW CREATE TABLE `"+table+"`").Row().Scan(&name, &create))
		fmt.Fprintf(&b, "%s;\n", create)
	}
	var version int64 // goose counts as done what is not above the newest
	require.NoError(t, r.Raw("SELECT max(version_id) FROM goose_db_version").Scan(&version).Error)
	for v := range version + 1 {
		fmt.Fprintf(&b, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1);\n", v)
	}
	return b.String()
}
