package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
)

// benchOptions are the flags of a bench.
type benchOptions struct {
	requests   int
	workers    int
	recipients int
	members    int
	sop        int
	seconds    int
	profile    string
}

// bench measures one path against its floor: hand-written code for the same job, in the same run, on the same
// database, at the same durability. The last line is for machines.
func bench(ctx context.Context, args []string, out io.Writer) error {
	benches := map[string]func(context.Context, *config.Config, benchOptions, io.Writer) error{
		"checkin": benchCheckin, "callback": benchCallback, "broadcast": benchBroadcast, "home": benchHome, "followers": benchFollowers,
		"import": benchImport, "earn": benchEarn, "posting": benchPosting, "expire": benchExpire, "verify": benchVerify,
		"audience": benchCounts, "backfill": benchBackfill, "sop": benchSOP, "console": benchConsole,
	}
	if len(args) == 0 || benches[args[0]] == nil {
		return errors.New("bench: name one of checkin, callback, broadcast, home, followers, import, earn, posting, expire, verify, audience, backfill, sop, console")
	}
	var o benchOptions
	cfg, err := settings("bench "+args[0], args[1:], out, func(fs *flag.FlagSet) {
		fs.IntVar(&o.requests, "requests", 20_000, "requests on each side (checkin, callback, earn), or in all (home, audience); lines (import)")
		fs.IntVar(&o.workers, "workers", 64, "requests at once")
		fs.IntVar(&o.recipients, "recipients", 1_000_000, "people (broadcast, followers), members (home), lots (expire), entries (verify)")
		fs.IntVar(&o.members, "members", 1_000_000, "people (audience, backfill, console)")
		fs.IntVar(&o.sop, "due", 100_000, "members of a SOP who are due in the same minute (sop)")
		fs.IntVar(&o.seconds, "seconds", 60, "how long a broadcast or a synchronisation is measured; 0: to its end")
		fs.StringVar(&o.profile, "profile", "", "a file for a CPU profile of the run")
	})
	if err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	dir, err := os.MkdirTemp("", "siyu-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if cfg.DataDir == "data" { // not the data of a siyu that somebody uses
		cfg.DataDir = dir
	}
	drop, err := benchDatabase(cfg)
	if err != nil {
		return err
	}
	defer drop()
	cfg.Addr = "127.0.0.1:0"
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer func() { pprof.StopCPUProfile(); _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	return benches[args[0]](ctx, cfg, o, out)
}

// benchDatabase names a database for this run alone: a file, or one made on the server and dropped afterwards.
func benchDatabase(cfg *config.Config) (drop func(), err error) {
	if cfg.Database.Driver == db.SQLite {
		cfg.Database.DSN = config.Secret(filepath.Join(cfg.DataDir, "siyu.db"))
		return func() {}, nil
	}
	c, err := db.ParseMySQL(string(cfg.Database.DSN))
	if err != nil {
		return nil, err
	}
	name := "siyu_bench_" + strings.ToLower(rand.Text())[:12]
	c.DBName = ""
	server, err := sql.Open("mysql", c.FormatDSN())
	if err != nil {
		return nil, err
	}
	if _, err := server.Exec("CREATE DATABASE " + name); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	c.DBName = name
	cfg.Database.DSN = config.Secret(c.FormatDSN())
	return func() {
		_, _ = server.Exec("DROP DATABASE " + name) // the name is in the server's list if this fails
		_ = server.Close()
	}, nil
}

// openBench opens the app on the settings' database, with the sandbox's clock standing still or ticking.
func openBench(ctx context.Context, cfg *config.Config, frozen bool) (*app.App, error) {
	return app.Open(ctx, cfg, func(o *sandbox.Options) {
		o.Dir, o.Start, o.Frozen = "", time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), frozen
	})
}

// result is one side of a bench.
type result struct {
	done int
	took time.Duration
}

func (r result) rate() float64 { return float64(r.done) / r.took.Seconds() }

// load runs do for every i in [from, to), workers at once, and stops at the first error.
func load(from, to, workers int, do func(i int) error) (result, error) {
	var next, failed atomic.Int64
	next.Store(int64(from))
	errs := make(chan error, workers)
	start := clock.Real()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for failed.Load() == 0 {
				i := int(next.Add(1)) - 1
				if i >= to {
					return
				}
				if err := do(i); err != nil {
					failed.Add(1)
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	r := result{to - from, clock.Real().Sub(start)}
	select {
	case err := <-errs:
		return r, err
	default:
		return r, nil
	}
}

// rounds is how often the two sides take turns, so that what changes during a run changes for both.
const rounds = 5

// compare lets ours and the floor take turns over n pieces of work each and prints the outcome.
func compare(out io.Writer, name, dialect string, n, workers int, ours, floor func(i int) error) error {
	var a, b result
	step := n / rounds
	for r := range rounds {
		for _, side := range []struct {
			name string
			do   func(int) error
			sum  *result
		}{{"floor", floor, &b}, {"ours", ours, &a}} {
			res, err := load(r*step, (r+1)*step, workers, side.do)
			if err != nil {
				return fmt.Errorf("bench %s: %s: %w", name, side.name, err)
			}
			side.sum.done += res.done
			side.sum.took += res.took
			fmt.Fprintf(out, "round %d  %-5s  %8.0f/s\n", r+1, side.name, res.rate())
		}
	}
	verdict(out, name, dialect, a.rate(), b.rate())
	return nil
}

func verdict(out io.Writer, name, dialect string, ours, floor float64) {
	fmt.Fprintf(out, "bench %s db=%s ours=%.0f/s floor=%.0f/s ratio=%.2f rss=%dMiB\n", name, dialect, ours, floor, ours/floor, peakMiB())
}

// peakMiB is the largest resident size of this process so far; 0 where the system does not tell.
func peakMiB() int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb / 1024
		}
	}
	return 0
}
