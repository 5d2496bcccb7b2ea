// Package admin is the admin API under /admin/v1: everything that an operator does, for scripts. Each change writes the audit log in
// its own transaction, with before and after.
package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

type handler struct{ *app.App }

// Routes registers the admin API.
func Routes(s *web.Server, a *app.App) {
	h := &handler{a}
	auth := web.KeyAuth(a.Operators)
	for _, part := range []struct {
		tag, about string
		routes     func(*web.API)
	}{
		{"members", "Who people are, what they hold and did, and what was sent to them.", h.members},
		{"tags", "Tag groups, tags, and the rules that set them by themselves.", h.tags},
		{"ladders", "RFM and the value pyramid: bands and layers of which everybody is in one at most.", h.ladders},
		{"rules", "What an act earns.", h.rules},
		{"mall", "What points are exchanged for, and what was.", h.mall},
		{"tiers", "What members reach, and what reaching it gives.", h.tiers},
		{"coupons", "What is defined once and given out many times.", h.coupons},
		{"conditions", "Who and when: checked, said in words, counted.", h.conditions},
		{"audiences", "Groups of people by name: saved, frozen, compared, taken out.", h.audiences},
		{"channels", "QR codes whose picture stays while the welcome behind them changes.", h.channels},
		{"menus", "What stands below the chat of the official account.", h.menus},
		{"replies", "What the brand answers at the official account, and the pictures that it sends.", h.replies},
		{"media", "Pictures that outlive WeChat's three days.", h.media},
		{"followers", "Those whom an account had before siyu.", h.followers},
		{"quizzes", "Questions with a window.", h.quizzes},
		{"forms", "Questions that a member answers once: surveys, rankings, prizes.", h.forms},
		{"tasks", "The list of every way to earn.", h.tasks},
		{"checkins", "How missed days are made up.", h.checkins},
		{"gifts", "Amounts given to everybody who meets a condition: a campaign once, a benefit by the clock.", h.gifts},
		{"reminders", "What members are told by the clock: a streak about to be lost, points to spend, points about to expire.", h.reminders},
		{"community", "Groups: topic and word of each day, members, rankings.", h.community},
		{"content", "What members read and watch.", h.content},
		{"radar", "Tracked links: who opened, looked and forwarded, and how interested that shows him to be.", h.radar},
		{"customers", "People whom the brand knew before siyu.", h.customers},
		{"recalls", "Bringing back past customers, by SMS and calls.", h.recalls},
		{"orders", "What was bought, on every platform, and whose it is.", h.orders},
		{"risks", "What operators should look at.", h.risks},
		{"broadcasts", "Messages to whoever meets a condition, by hand, once or by a cron line.", h.broadcasts},
		{"sops", "Plans of steps per member: who enters when, and what he gets from there.", h.sops},
		{"wechat", "Accounts, templates, and the pushes that came in.", h.wechat},
		{"works", "Long jobs: imports, backtests, gifts to many. They survive a restart.", h.works},
		{"jobs", "What siyu does by itself: each with its last and next run.", h.jobs},
		{"webhooks", "Addresses of yours that are told of events, signed by the conventions of Standard Webhooks.", h.webhooks},
		{"system", "Keys, the audit log and the proof of the ledger.", h.system},
	} {
		part.routes(s.API("/admin/v1", part.tag, part.about, auth))
	}
}

// op describes an operation with the right that it asks for and the refusals that it may answer.
func op(right operator.Right, method, path, summary string, more ...int) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, Summary: summary, Security: web.Needs(right),
		Errors: append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}, more...),
	}
}

// post is op for a POST that makes something.
func post(right operator.Right, path, summary string, more ...int) huma.Operation {
	o := op(right, http.MethodPost, path, summary, more...)
	o.DefaultStatus = http.StatusCreated
	return o
}

// example gives the operation a body that works as it stands, where one made of the fields' own examples would not.
func example(o huma.Operation, body map[string]any) huma.Operation {
	o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: body}}}
	return o
}

// OptionalID is an id that may be absent.
type OptionalID string

// Schema implements huma.SchemaProvider.
func (OptionalID) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{0,19}$"}
	s.PrecomputeMessages()
	return s
}

func optionalID(id int64) OptionalID {
	if id == 0 {
		return ""
	}
	return OptionalID(web.IDOf(id))
}

// byID is the input of operations on one thing.
type byID struct {
	ID web.ID `path:"id"`
}

// after reads the cursor of a list that is ordered by descending id.
func after(p web.Paging) (id int64, err error) {
	_, err = p.Position(&id)
	return id, err
}

// ref reads an id that may be absent. One that is no id at all names nothing, which must not be taken for absent.
func ref(field string, id OptionalID) (int64, error) {
	n := web.ID(id).Int()
	if n == 0 && id != "" && id != "0" {
		return 0, errs.Field(field, "web.invalid")
	}
	return n, nil
}

// instant refuses times that no programme knows; nil stays nil.
func instant(field string, t *web.Time) (*time.Time, error) {
	if t == nil {
		return nil, nil
	}
	if y := t.UTC().Year(); y < 2000 || y > 2199 {
		return nil, errs.Field(field, "handlers.time")
	}
	return &t.Time, nil
}

// below puts the place of a part before the field that a refusal of the part names, where that is one of its own.
func below(place string, err error, own ...string) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err
	}
	field, _ := e.Args["field"].(string)
	for _, name := range own {
		if field == name || strings.HasPrefix(field, name+".") || strings.HasPrefix(field, name+"[") {
			moved := errs.New(e.Code, e.Key)
			moved.Args = make(map[string]any, len(e.Args))
			for k, v := range e.Args {
				moved.Args[k] = v
			}
			moved.Args["field"] = place + "." + field
			return moved
		}
	}
	return err
}

// on reads a switch that is on where it is absent.
func on(b *bool) bool { return b == nil || *b }

// audited gives the ctx for one use case, which writes the audit log in its own transaction. of names the object and says what it is
// now, from the answer of the use case.
func audited[T any](ctx context.Context, h *handler, action string, before any, of func(T) (object string, after any)) context.Context {
	return h.Operators.Audited(ctx, web.Actor(ctx), action, func(answer any) operator.Change {
		t, _ := answer.(T)
		object, after := of(t)
		return operator.Change{Object: object, Before: before, After: after}
	})
}

// audit writes the audit log after a change that has no answer of its own.
func (h *handler) audit(ctx context.Context, action, object string, before, after any) error {
	return h.Operators.Note(ctx, web.Actor(ctx), action, object, before, after)
}

// notFound is the refusal of an id that names nothing.
func notFound(key string) error { return errs.New(errs.NotFound, key) }

func object(kind string, id int64) string { return kind + ":" + string(web.IDOf(id)) }

// accountNamed is the first account of a kind, where no name is given.
func (h *handler) accountNamed(name, kind string) string {
	if name != "" {
		return name
	}
	for _, a := range h.Accounts {
		if a.Kind == kind {
			return a.Name
		}
	}
	return ""
}
