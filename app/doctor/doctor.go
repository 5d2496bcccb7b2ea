// Package doctor examines the accounts of the settings at WeChat and says what to do. It changes nothing there but for a QR code that
// nobody sees, and prints no secret.
package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat"
)

// Level is what a check found.
type Level string

// The levels, as they are printed.
const (
	OK    Level = "✓"
	Wrong Level = "✗" // to be mended
	Note  Level = "–" // could not be checked, or may stay as it is
)

// Check is what one look found, and what to do about it.
type Check struct {
	Account, Name string
	Level         Level
	Says          string
}

// Doctor examines accounts.
type Doctor struct {
	WeChat   *wechat.Client
	Accounts []wechat.Account
	Public   string // the address that WeChat's console was given, without the path; "" leaves the callback unchecked
	Sandbox  bool   // any port will do
	Clock    clock.Clock
	HTTP     *http.Client // to Public; no redirects
}

// Examine looks at every account and tells each check as it comes. It returns how many found something wrong.
func (d *Doctor) Examine(ctx context.Context, report func(Check)) (wrong int) {
	for _, a := range d.Accounts {
		e := &examination{Doctor: d, account: a, report: func(c Check) {
			if c.Level == Wrong {
				wrong++
			}
			report(c)
		}}
		e.callback(ctx)
		if !e.access(ctx) {
			continue
		}
		if a.Kind == wechat.KindOA {
			e.official(ctx)
		} else {
			e.mini(ctx)
		}
		e.quotas(ctx)
	}
	return wrong
}

// examination is one account being examined.
type examination struct {
	*Doctor
	account wechat.Account
	report  func(Check)
}

func (e *examination) say(name string, l Level, format string, args ...any) {
	e.report(Check{e.account.Name, name, l, fmt.Sprintf(format, args...)})
}

// access learns whether WeChat lets us in at all: everything else needs that.
func (e *examination) access(ctx context.Context) bool {
	ips, err := e.WeChat.CallbackIPs(ctx, e.account.Name)
	if err != nil {
		e.say("access", Wrong, "%s", e.advice(err))
		e.say("the rest", Note, "not looked at: WeChat does not let this server in")
		return false
	}
	e.say("access", OK, "WeChat accepts the appid, the secret and this server's address")
	if len(ips) == 0 {
		e.say("IP list", Note, "WeChat names no address that it pushes from")
	} else {
		e.say("IP list", OK, "WeChat pushes from %s (%d in all): a firewall must let them in", some(ips, 3), len(ips))
	}
	return true
}

func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + ", …"
}

// paths are those whose quota siyu lives on.
var paths = map[string][]string{
	wechat.KindOA: {
		"/cgi-bin/message/custom/send", "/cgi-bin/message/mass/send", "/cgi-bin/user/info/batchget", "/cgi-bin/user/get", "/cgi-bin/qrcode/create",
		"/cgi-bin/media/upload",
	},
	wechat.KindMP: {"/cgi-bin/message/subscribe/send", "/wxa/business/getuserphonenumber"},
}

// quotas says what is left of the day.
func (e *examination) quotas(ctx context.Context) {
	var left []string
	for _, path := range paths[e.account.Kind] {
		q, err := e.WeChat.Quota(ctx, e.account.Name, path)
		switch short := strings.TrimPrefix(path, "/cgi-bin/"); {
		case err != nil && (wechat.CodeOf(err) == 76021 || wechat.CodeOf(err) == 76022 || wechat.CodeOf(err) == 76003):
			continue // WeChat does not count this one for this account
		case err != nil:
			e.say("quota", Note, "of %s not learned: %s", short, e.advice(err))
			return
		case q.Daily > 0 && q.Left == 0:
			e.say("quota", Wrong, "%s: all %d calls of today are used up. It goes on after midnight in Beijing; clearing the quota in WeChat's console is possible ten times a month",
				short, q.Daily)
		default:
			left = append(left, fmt.Sprintf("%s %d of %d", short, q.Left, q.Daily))
		}
	}
	if len(left) > 0 {
		e.say("quota", OK, "left today: %s", strings.Join(left, ", "))
	}
}
