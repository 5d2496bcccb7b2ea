package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/ledger"
)

func sandboxFlags(args []string, out io.Writer) (addr, dir string, err error) {
	fs := flag.NewFlagSet("siyu sandbox", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&addr, "addr", "127.0.0.1:9090", "host:port to listen on; :0 takes a free port")
	fs.StringVar(&dir, "data", "data/sandbox", "directory of the data")
	if err := fs.Parse(args); err != nil {
		return "", "", err
	}
	return addr, dir, os.MkdirAll(dir, 0o700)
}

func migrate(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := settings("migrate", args, out, nil)
	if err != nil {
		return err
	}
	return withApp(ctx, cfg, func(a *app.App) error {
		_, err := fmt.Fprintln(out, "the database is up to date:", a.DB.Dialect())
		return err
	})
}

// scanGC is the GC's percentage of a process that only reads a ledger through: its heap is some MiB, and collecting it at every doubling costs
// a tenth of the time.
const scanGC = 400

// verify prints each row of the ledger that does not agree with the entries, then the totals. A mismatch is an error.
// It only reads, and may run beside a serving siyu.
func verify(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := settings("verify", args, out, nil)
	if err != nil {
		return err
	}
	debug.SetGCPercent(scanGC)
	bad := 0
	totals, err := app.Verify(ctx, cfg, func(m ledger.Mismatch) {
		bad++
		fmt.Fprintln(out, m)
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, totals)
	if bad > 0 {
		return fmt.Errorf("verify: %d mismatches", bad)
	}
	return nil
}
