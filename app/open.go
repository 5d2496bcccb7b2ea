package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/model"
)

// Simulation is the WeChat that runs here: embedded, or of its own process.
type Simulation struct {
	Embedded *sandbox.Sandbox
	Remote   *sandbox.Remote
	server   *http.Server // of the embedded one's API
	base     string       // of the API
}

// Clock is the one that every process of the sandbox shares.
func (s *Simulation) Clock() *clock.Movable {
	if s.Embedded != nil {
		return s.Embedded.Clock()
	}
	return s.Remote.Clock()
}

// Open opens everything that the settings name and brings the database up to date. Close undoes it.
// sim changes how an embedded sandbox starts.
func Open(ctx context.Context, cfg *config.Config, sim ...func(*sandbox.Options)) (a *App, err error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("config: data_dir: %w", err)
	}
	zone, err := clock.LoadZone(cfg.Timezone)
	if err != nil {
		return nil, err
	}
	key, err := config.LoadKey(cfg)
	if err != nil {
		return nil, err
	}
	d := Deps{Config: cfg, Clock: clock.System{}, Zone: zone, Box: config.NewBox(key)}
	d.DB, err = db.Open(ctx, database(cfg))
	if err != nil {
		return nil, err
	}
	undo := func() error { return d.DB.Close() }
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	hosts := map[string]string(nil)
	if cfg.SandboxOn() {
		var base string
		if d.Simulation, base, err = simulate(ctx, cfg, sim); err != nil {
			return nil, err
		}
		d.Simulation.base = base
		undo = func() error { return errors.Join(d.Simulation.close(), d.DB.Close()) }
		hosts = map[string]string{"api.weixin.qq.com": base, "mp.weixin.qq.com": base, "open.weixin.qq.com": base}
		d.Clock, d.Accounts, d.Account = d.Simulation.Clock(), d.Simulation.accounts(), d.Simulation.account
	} else {
		d.Accounts = realAccounts(cfg)
	}
	d.WeChat, err = wechat.NewClient(wechat.Options{Accounts: d.Accounts, Hosts: hosts, Tokens: operator.NewTokens(d.DB, d.Box), Clock: d.Clock})
	if err != nil {
		return nil, err
	}
	a = New(d)
	if err := a.Prepare(ctx); err != nil {
		return nil, err
	}
	if a.Simulation == nil {
		return a, nil
	}
	return a, a.ensureSandbox(ctx)
}

// Close closes what Open opened. Nothing may be using the app any more.
func (a *App) Close() error {
	a.WeChat.Close()
	err := a.DB.Close()
	if a.Simulation != nil {
		err = errors.Join(err, a.Simulation.close())
	}
	return err
}

// simulate starts the sandbox, or connects to it, and says where its API is.
func simulate(ctx context.Context, cfg *config.Config, set []func(*sandbox.Options)) (*Simulation, string, error) {
	if cfg.Sandbox.URL != "" {
		r, err := sandbox.Connect(ctx, cfg.Sandbox.URL)
		if err != nil {
			return nil, "", fmt.Errorf("config: sandbox.url: %w", err)
		}
		return &Simulation{Remote: r}, cfg.Sandbox.URL, nil
	}
	o := sandbox.Options{Dir: filepath.Join(cfg.DataDir, "sandbox"), Log: slog.Default()}
	for _, f := range set {
		f(&o)
	}
	s, err := sandbox.Open(o)
	if err != nil {
		return nil, "", err
	}
	// The API has a listener of its own: siyu calls it as it would call WeChat.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", errors.Join(err, s.Close())
	}
	server := &http.Server{Handler: s.APIHandler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	return &Simulation{Embedded: s, server: server}, "http://" + l.Addr().String(), nil
}

func (s *Simulation) close() error {
	if s.Embedded == nil {
		return nil
	}
	return errors.Join(s.server.Close(), s.Embedded.Close())
}

func (s *Simulation) accounts() []wechat.Account {
	var list []sandbox.Account
	if s.Embedded != nil {
		list = s.Embedded.Accounts()
	} else {
		list = s.Remote.Accounts()
	}
	accounts := make([]wechat.Account, 0, len(list))
	for _, a := range list {
		kind := model.KindOA
		if a.Kind == sandbox.KindMiniProgram {
			kind = model.KindMP
		}
		accounts = append(accounts, wechat.Account{
			Name: a.Name, Kind: kind, AppID: a.AppID, Secret: a.Secret, Token: a.Token, EncodingAESKey: a.EncodingAESKey, Mode: a.Mode,
			WebLogin: a.Kind == sandbox.KindService,
		})
	}
	return accounts
}

// account reads the account as the sandbox has it now: its mode may be changed while siyu runs.
func (s *Simulation) account(name string) (wechat.Account, bool) {
	for _, a := range s.accounts() {
		if a.Name == name {
			return a, true
		}
	}
	return wechat.Account{}, false
}

func realAccounts(cfg *config.Config) []wechat.Account {
	accounts := make([]wechat.Account, 0, len(cfg.WeChat.Accounts))
	for _, a := range cfg.WeChat.Accounts {
		accounts = append(accounts, wechat.Account{
			Name: a.Name, Kind: a.Kind, AppID: a.AppID, Secret: string(a.Secret), Token: string(a.Token),
			EncodingAESKey: string(a.EncodingAESKey), OriginalID: a.OriginalID, Mode: a.Mode, WebLogin: a.WebLogin,
		})
	}
	return accounts
}

func database(cfg *config.Config) db.Config {
	c := db.Config{Driver: cfg.Database.Driver, DSN: string(cfg.Database.DSN), MaxOpen: cfg.Database.MaxOpen}
	if c.Driver == db.SQLite {
		if c.Path = c.DSN; c.Path == "" {
			c.Path = filepath.Join(cfg.DataDir, "siyu.db")
		}
		c.MaxOpen = 0
	}
	return c
}
