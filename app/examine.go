package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/doctor"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
)

// Examine looks at the accounts of the settings, without the database: it may run beside a serving siyu, whose tokens stay good. In
// sandbox mode it needs one that serves. It returns how many checks found something wrong.
func Examine(ctx context.Context, cfg *config.Config, report func(doctor.Check)) (wrong int, err error) {
	d := &doctor.Doctor{Accounts: realAccounts(cfg), Public: cfg.Server.PublicURL, Sandbox: cfg.SandboxOn(), Clock: clock.System{}, HTTP: visitor()}
	o := wechat.Options{Accounts: d.Accounts}
	if d.Sandbox {
		if o.Hosts, err = visit(ctx, cfg, d); err != nil {
			return 0, err
		}
		o.Accounts, o.Clock = d.Accounts, d.Clock
	}
	if d.WeChat, err = wechat.NewClient(o); err != nil {
		return 0, err
	}
	defer d.WeChat.Close()
	return d.Examine(ctx, report), nil
}

// visitor calls siyu as WeChat does: five seconds, no redirects.
func visitor() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// visit learns from a sandbox that runs who its accounts are, and returns where its API is.
func visit(ctx context.Context, cfg *config.Config, d *doctor.Doctor) (map[string]string, error) {
	at, api := cfg.Sandbox.URL, cfg.Sandbox.URL
	if at == "" {
		at = "http://" + cfg.Addr
		api = at + "/sandbox/wechat"
	}
	r, err := sandbox.Connect(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("doctor: the sandbox at %s is not there, start siyu serve first: %w", at, err)
	}
	d.Accounts, d.Clock = (&Simulation{Remote: r}).accounts(), r.Clock()
	for _, a := range r.Accounts() {
		if d.Public == "" {
			d.Public = strings.TrimSuffix(a.CallbackURL, "/wechat/"+a.Name)
		}
	}
	return map[string]string{"api.weixin.qq.com": api, "mp.weixin.qq.com": api}, nil
}
