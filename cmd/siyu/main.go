// Command siyu is the whole product: one binary that serves, simulates WeChat, proves its ledger and measures itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = "dev"

type command struct {
	name, args, about string
	run               func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"serve", "[--config FILE] [--addr HOST:PORT] [--data DIR]", "run siyu; without settings: the sandbox WeChat and a demo brand", serve},
		{"demo", "[--url URL] [--data DIR] [--people N]", "drive a running siyu through one day of a brand", demo},
		{"sandbox", "[--addr HOST:PORT] [--data DIR]", "run the sandbox WeChat alone", runSandbox},
		{"migrate", "[--config FILE] [--data DIR]", "bring the database up to date, and stop", migrate},
		{"verify", "[--config FILE] [--data DIR]", "prove every balance from the entries of the ledger", verify},
		{"doctor", "[--config FILE]", "examine the WeChat accounts of the settings and say what to do", runDoctor},
		{"bench", "checkin|callback|broadcast|followers [--data DIR]", "measure siyu against a hand-written floor", bench},
		{"version", "", "print the version", func(_ context.Context, _ []string, out io.Writer) error {
			_, err := fmt.Fprintln(out, "siyu", version)
			return err
		}},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "siyu:", err)
	os.Exit(1)
}

// run carries out one command line; what people read goes to out, logs to standard error.
func run(ctx context.Context, args []string, out io.Writer) error {
	if os.Getenv(benchEnv) != "" {
		return serveBenchWeChat(out)
	}
	all := commands()
	if len(args) > 0 {
		if i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] }); i >= 0 {
			return all[i].run(ctx, args[1:], out)
		}
	}
	fmt.Fprintln(out, "Usage: siyu COMMAND")
	for _, c := range all {
		fmt.Fprintf(out, "  %-8s %-50s %s\n", c.name, c.args, c.about)
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return nil
	}
	return fmt.Errorf("there is no command %q", args[0])
}
