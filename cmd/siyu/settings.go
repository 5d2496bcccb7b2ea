package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/handler/web"
)

// settings reads the flags that every command on a database has, and the settings behind them.
func settings(name string, args []string, out io.Writer, more func(*flag.FlagSet)) (*config.Config, error) {
	fs := flag.NewFlagSet("siyu "+name, flag.ContinueOnError)
	fs.SetOutput(out)
	file := fs.String("config", "", "file of settings (default config.yaml, if there is one)")
	addr := fs.String("addr", "", "host:port to listen on; :0 takes a free port")
	data := fs.String("data", "", "directory of the data")
	if more != nil {
		more(fs)
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	cfg, err := config.Load(*file, os.Environ(), func(c *config.Config) {
		if *addr != "" {
			c.Addr = *addr
		}
		if *data != "" {
			c.DataDir = *data
		}
	})
	if err != nil {
		return nil, err
	}
	slog.SetDefault(slog.New(web.LogHandler(logHandler(cfg.Log))))
	return cfg, nil
}

func logHandler(l config.Log) slog.Handler {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // was checked
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.NewJSONHandler(os.Stderr, o)
	}
	return slog.NewTextHandler(os.Stderr, o)
}

// withApp opens the app of the settings for one command.
func withApp(ctx context.Context, cfg *config.Config, fn func(a *app.App) error) (err error) {
	a, err := app.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		if e := a.Close(); err == nil {
			err = e
		}
	}()
	return fn(a)
}
