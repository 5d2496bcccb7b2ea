package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/model"
)

// BenchmarkTx is a closure with two small inserts under 64 goroutines; "alone" is one goroutine, so that each commit is its own.
func BenchmarkTx(b *testing.B) {
	for _, goroutines := range []int{64, 1} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			d := benchDB(b)
			var next atomic.Int64
			before := d.Stats()
			b.SetParallelism(max(1, goroutines/2)) // times GOMAXPROCS
			if goroutines == 1 {
				for b.Loop() {
					require.NoError(b, d.Tx(b.Context(), twoInserts(next.Add(1))))
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := d.Tx(b.Context(), twoInserts(next.Add(1))); err != nil {
							b.Error(err)
						}
					}
				})
			}
			after := d.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
			if groups := after.Groups - before.Groups; groups > 0 {
				b.ReportMetric(float64(after.Transactions-before.Transactions)/float64(groups), "tx/group")
			}
		})
	}
}

func twoInserts(n int64) db.Func {
	at := clock.Real()
	return func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Create(&model.Checkin{MemberID: n, Day: "2026-11-23", Streak: 1, At: at, Via: "api"}).Error; err != nil {
			return err
		}
		return tx.Create(&model.Revision{Name: strconv.FormatInt(n, 10)}).Error
	}
}

// BenchmarkFloor is the same two inserts by hand on SQLite: one goroutine, prepared statements, 50 to a commit. No Go code does better.
func BenchmarkFloor(b *testing.B) {
	path := filepath.Join(b.TempDir(), "floor.db")
	d := dbtest.OpenConfig(b, db.Config{Driver: db.SQLite, Path: path})
	require.NoError(b, d.Migrate(b.Context()))
	require.NoError(b, d.Close())
	pool, err := sql.Open("sqlite", "file:"+path+"?_timezone=UTC&_time_format=sqlite&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	require.NoError(b, err)
	pool.SetMaxOpenConns(1)
	first, err := pool.Prepare("INSERT INTO checkins (member_id, day, streak, at, via) VALUES (?, ?, ?, ?, ?)")
	require.NoError(b, err)
	second, err := pool.Prepare("INSERT INTO revisions (name, n) VALUES (?, ?)")
	require.NoError(b, err)
	exec := func(_ sql.Result, err error) { require.NoError(b, err) }
	n := 0
	for b.Loop() {
		if n%50 == 0 {
			exec(pool.Exec("BEGIN IMMEDIATE"))
		}
		exec(first.Exec(n, "2026-11-23", 1, clock.Real(), "api"))
		exec(second.Exec(strconv.Itoa(n), 0))
		if n++; n%50 == 0 {
			exec(pool.Exec("COMMIT"))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
	require.NoError(b, pool.Close())
}

func benchDB(b *testing.B) *db.DB {
	cfg := dbtest.Config(b)
	cfg.MaxOpen = 0 // as in production
	if cfg.Driver == db.SQLite {
		cfg.Path = filepath.Join(b.TempDir(), "bench.db")
	}
	d := dbtest.OpenConfig(b, cfg)
	require.NoError(b, d.Migrate(b.Context()))
	return d
}
