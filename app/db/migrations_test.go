package db_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/libtnb/sqlite"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/model"
)

// Until the first release, a changed model rewrites the first migration of both dialects:
//
//	SIYU_TEST_MYSQL_DSN='root@tcp(127.0.0.1:3306)/' go test ./app/db -run TestMigrations -update
//
// After it, 00001_init.sql is never touched again. Write migrations/sqlite/00002_<what>.sql and migrations/mysql/00002_<what>.sql by hand,
// each beginning with "-- +goose Up" (on MySQL one ALTER TABLE per changed table; on SQLite ALTER TABLE … ADD COLUMN, CREATE INDEX, or a
// new table that the old one is copied into). TestMigrations/EqualModels fails until they lead to what the models say.
var update = flag.Bool("update", false, "write 00001_init.sql from the models")

func TestMigrations(t *testing.T) {
	if *update {
		writeInit(t)
		return
	}
	t.Run("EqualModels", func(t *testing.T) {
		t.Parallel()
		d := dbtest.OpenConfig(t, dbtest.Config(t))
		require.NoError(t, d.Migrate(t.Context()))
		want, got := shape(t, autoMigrated(t)), shape(t, d.Reader(t.Context()))
		require.NotEmpty(t, want)
		missing, extra := without(want, got), without(got, want)
		require.Empty(t, append(missing, extra...), "a model changed without a migration: the migrations lack the first %d and have the others", len(missing))
	})
	t.Run("ARepeatChangesNothing", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		before := shape(t, d.Reader(t.Context()))
		require.NoError(t, d.Migrate(t.Context()))
		require.Equal(t, before, shape(t, d.Reader(t.Context())))
	})
	t.Run("ManyAtOnceTakeTurns", func(t *testing.T) {
		t.Parallel()
		cfg := dbtest.Config(t)
		d := dbtest.OpenConfig(t, cfg)
		failed := make(chan error, 6)
		for range cap(failed) {
			go func() {
				if d.Dialect() == db.SQLite { // a second process cannot open the file at all
					failed <- d.Migrate(t.Context())
					return
				}
				other, err := db.Open(t.Context(), cfg)
				if err == nil {
					err = errors.Join(other.Migrate(t.Context()), other.Close())
				}
				failed <- err
			}()
		}
		for range cap(failed) {
			require.NoError(t, <-failed)
		}
	})
}

// without is the lines of a that are not in b.
func without(a, b []string) (rest []string) {
	for _, line := range a {
		if !slices.Contains(b, line) {
			rest = append(rest, line)
		}
	}
	return rest
}

// autoMigrated is an empty database that gorm made from the models.
func autoMigrated(t *testing.T) *gorm.DB {
	cfg := dbtest.Config(t)
	var g *gorm.DB
	if cfg.Driver == db.SQLite {
		var err error
		g, err = gorm.Open(sqlite.Open(cfg.Path), &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true, Logger: logger.Discard})
		require.NoError(t, err)
		pool, err := g.DB()
		require.NoError(t, err)
		t.Cleanup(func() { _ = pool.Close() })
	} else {
		g = dbtest.OpenConfig(t, cfg).Reader(t.Context()).Set("gorm:table_options", db.TableOptions)
	}
	for _, m := range model.All() {
		require.NoError(t, g.AutoMigrate(m), "%T", m)
	}
	return g
}

// shape describes every table: columns with type, nullability, default; indexes with uniqueness and columns. Sorted.
func shape(t *testing.T, g *gorm.DB) []string {
	queries := []string{
		`SELECT m.name || '.' || c.name || ' ' || lower(c.type) || ' null=' || (1 - c."notnull") || ' default=' || coalesce(c.dflt_value, '-') || ' pk=' || c.pk
		   FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`,
		`SELECT m.name || ' index ' || i.name || ' unique=' || i."unique" || ' where=' || i.partial || ' (' ||
		   (SELECT group_concat(x.name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) x) || ')'
		   FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND m.name <> 'goose_db_version'`,
	}
	if g.Name() == db.MySQL {
		queries = []string{
			`SELECT concat(table_name, '.', column_name, ' ', column_type, ' null=', is_nullable, ' default=', coalesce(column_default, '-'), ' ',
			   coalesce(collation_name, ''), ' ', extra) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name <> 'goose_db_version'`,
			`SELECT concat(table_name, ' index ', index_name, ' unique=', 1 - max(non_unique), ' (', group_concat(column_name, coalesce(sub_part, '')
			   ORDER BY seq_in_index), ')') FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name <> 'goose_db_version'
			   GROUP BY table_name, index_name`,
		}
	}
	var all []string
	for _, q := range queries {
		var lines []string
		require.NoError(t, g.Raw(q).Scan(&lines).Error)
		all = append(all, lines...)
	}
	slices.Sort(all)
	return all
}

// writeInit writes the first migration of both dialects. The binary that runs has the old ones embedded: run the test again afterwards.
func writeInit(t *testing.T) {
	require.NotEmpty(t, os.Getenv(dbtest.EnvMySQL), "-update writes both dialects: it needs a MySQL server")
	write(t, db.MySQL, mysqlDump(t, autoMigrated(t)))
	t.Setenv(dbtest.EnvMySQL, "")
	write(t, db.SQLite, sqliteDump(t, autoMigrated(t)))
}

func write(t *testing.T, dialect string, statements []string) {
	text := "-- Generated from the models by: go test ./app/db -run TestMigrations -update\n-- +goose Up\n" +
		strings.Join(statements, ";\n") + ";\n"
	require.NoError(t, os.WriteFile(filepath.Join("migrations", dialect, "00001_init.sql"), []byte(text), 0o600))
}

func sqliteDump(t *testing.T, g *gorm.DB) (statements []string) {
	require.NoError(t, g.Raw("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid").
		Scan(&statements).Error)
	return statements
}

// mysqlDump can be repeated after a failure half-way, since MySQL commits each statement by itself.
func mysqlDump(t *testing.T, g *gorm.DB) (statements []string) {
	noise := regexp.MustCompile(` AUTO_INCREMENT=\d+| ENGINE=.*$`)
	width := regexp.MustCompile(`\b((?:big|small|medium)?int)\(\d+\)`) // deprecated on MySQL 8; tinyint(1) stays, it means bool
	for _, m := range model.All() {
		s := &gorm.Statement{DB: g}
		require.NoError(t, s.Parse(m))
		var name, create string
		require.NoError(t, g.Raw("SHOW CREATE TABLE `"+s.Schema.Table+"`").Row().Scan(&name, &create))
		create = strings.Replace(noise.ReplaceAllString(create, ""), "CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
		create = strings.ReplaceAll(create, " COLLATE utf8mb4_bin", "")
		statements = append(statements, width.ReplaceAllString(create, "$1")+" "+db.TableOptions)
	}
	return statements
}
