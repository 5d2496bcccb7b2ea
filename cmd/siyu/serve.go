package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/handler"
	"github.com/siyu-scrm/siyu/job"
)

// grace is how long requests in flight may take when siyu is told to stop.
const grace = 20 * time.Second

func serve(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := settings("serve", args, out, nil)
	if err != nil {
		return err
	}
	return withApp(ctx, cfg, func(a *app.App) error { return serveApp(ctx, a, out) })
}

// serveApp serves until ctx ends, then finishes what is in flight.
func serveApp(ctx context.Context, a *app.App, out io.Writer) error {
	password, err := a.Operators.EnsureDemo(ctx)
	if err != nil {
		return err
	}
	tokenPath := filepath.Join(a.Config.DataDir, "admin.token")
	if _, err := a.Operators.EnsureAdminToken(ctx, tokenPath); err != nil {
		return err
	}
	runner, err := automation.NewRunner(a.DB, a.Clock, a.Zone, a.Owner, job.Schedule(a))
	if err != nil {
		return err
	}
	if err := runner.Prepare(ctx); err != nil {
		return err
	}
	a.Seal()
	h, err := handler.New(a, handler.Options{Version: version, Follower: runner})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", a.Config.Addr)
	if err != nil {
		return fmt.Errorf("config: addr: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 16}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	base := "http://" + reachable(l.Addr())
	if err := join(ctx, a, runner, base); err != nil {
		return errors.Join(err, server.Close())
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	worked := make(chan error, 1)
	go func() { worked <- runner.Start(work) }()
	greet(out, a, base, password, tokenPath)
	debug.FreeOSMemory() // a first start hashes a password and makes a brand: an idle siyu is small

	select {
	case <-ctx.Done():
	case err = <-served:
	}
	slog.Info("stopping: finishing what is in flight")
	stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, server.Shutdown(drain), <-worked)
}

// join tells the sandbox where siyu is and lets siyu follow its clock.
func join(ctx context.Context, a *app.App, runner *automation.Runner, base string) error {
	switch sim := a.Simulation; {
	case sim == nil:
		return nil
	case sim.Embedded != nil:
		sim.Embedded.Follow(runner)
		sim.Embedded.SetCallbackBase(base)
		return nil
	default:
		if err := sim.Remote.Follow(ctx, base+handler.FollowerPath); err != nil {
			return err
		}
		return sim.Remote.SetCallbackBase(ctx, base)
	}
}

// reachable is the address under which this machine reaches a listener.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// greet prints what a newcomer needs.
func greet(out io.Writer, a *app.App, base, password, tokenPath string) {
	if password == "" {
		password = "(as printed at the first start)"
	}
	sim := a.Simulation
	if sim == nil {
		fmt.Fprintf(out, "siyu %s on %s\nconsole  %s/console\napi      %s/docs\ndata     %s\n", version, base, base, base, a.Config.DataDir)
		return
	}
	phone := base + "/sandbox"
	if sim.Remote != nil {
		phone = strings.TrimSuffix(a.Config.Sandbox.URL, "/") + "/sandbox"
	}
	mode := "ticking"
	if sim.Clock().Frozen() {
		mode = "frozen"
	}
	data := a.Config.DataDir
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	fmt.Fprintf(out, `siyu %s is running in the SANDBOX: a WeChat that runs here. No real account, no real people.
data     %s (%s)
clock    %s (%s)

phone    %s         the customer: follow, register, check in
console  %s/console         the operator: login demo, password %s
api      %s/docs            its token is in %s

fill it: go run ./cmd/siyu demo%s
`, version, data, a.DB.Dialect(), a.Zone.In(a.Clock.Now()).Format("2006-01-02 15:04:05 -0700 Mon"), mode,
		phone, base, password, base, tokenPath, demoFlags(base, a.Config.DataDir))
}

// demoFlags are what demo needs to find a siyu that is not where it looks by itself.
func demoFlags(base, data string) string {
	flags := ""
	if base != "http://127.0.0.1:8080" {
		flags += " --url " + base
	}
	if data != "data" {
		flags += fmt.Sprintf(" --data %q", data)
	}
	return flags
}

// runSandbox is the sandbox in a process of its own: it survives a killed siyu and serves several.
func runSandbox(ctx context.Context, args []string, out io.Writer) error {
	addr, dir, err := sandboxFlags(args, out)
	if err != nil {
		return err
	}
	s, err := sandbox.Open(sandbox.Options{Dir: dir, Log: slog.Default()})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	base := "http://" + reachable(l.Addr())
	fmt.Fprintf(out, "sandbox WeChat on %s\nphone    %s/sandbox (the mini-program in it needs siyu)\nstart siyu with it: SIYU_SANDBOX_URL=%s siyu serve\n", base, base, base)
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	return errors.Join(err, server.Close(), s.Close())
}
