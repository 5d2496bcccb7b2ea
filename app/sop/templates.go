package sop

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Template is a SOP that an operator can begin with: all of it is his to change.
type Template struct {
	Code       string
	Definition Definition
}

// Layer is a layer of the value pyramid: its SOP is entered and left by its tag.
type Layer struct {
	Name  string
	TagID int64
}

// Templates are the ready-made SOPs in a language; those of the pyramid's layers where there is a pyramid.
func (s *Service) Templates(_ context.Context, lang string, layers []Layer) []Template {
	t := &templating{lang}
	all := []Template{
		t.newcomer(), t.important(), t.silent(), t.churned(), t.memberDay(), t.spend(), t.coupon(), t.birthday(),
	}
	for i, l := range layers {
		all = append(all, t.layer(i, len(layers), l))
	}
	return all
}

type templating struct{ lang string }

func (t *templating) say(key string, args map[string]any) string {
	return templates.T(t.lang, "sop.template."+key, args)
}

// send is a message of official-account channels: to one alone as a customer message, to many as a mass send.
func (t *templating) send(key, text string, when *When) Step {
	return Step{Key: key, When: when, Send: &Send{Message: reach.Message{Text: t.say(text, nil), Channels: []string{reach.Customer, reach.Mass}}}}
}

func (t *templating) made(code string, d Definition) Template {
	d.Name = t.say(code, nil)
	return Template{code, d}
}

// day is a day of the plan, at ten.
func day(n int) *When { return &When{Day: &n, Time: "10:00"} }

func orders(measure string, op condition.Op, value int, window string) condition.Tree {
	args := map[string]any{"measure": measure, "op": op, "value": value}
	if window != "" {
		args["window"] = window
	}
	return condition.Is("orders", args)
}

func inactive(op condition.Op, days int) condition.Tree {
	return condition.Is("inactive", map[string]any{"op": op, "days": days})
}

func points(atLeast int) condition.Tree {
	return condition.Is("account", map[string]any{"account": model.AccountPoints, "op": condition.Gte, "value": atLeast})
}

var (
	joinedOnly = condition.Is("member", map[string]any{"field": "joined", "value": true})
	bought     = Trigger{Event: model.EventOrderPaid}
)

func (t *templating) newcomer() Template {
	hello := t.send("hello", "new_hello", nil)
	hello.Send.Class, hello.Send.Grants = model.ClassService, &Grants{Amount: 50}
	return t.made("new", Definition{
		Entry: Entry{Event: model.EventRegistered}, Exit: []Trigger{bought}, Goal: &Goal{Trigger: bought, Days: 7},
		Steps: []Step{hello, t.send("day3", "new_day3", day(3)), t.send("day7", "new_day7", day(7))},
	})
}

func (t *templating) important() Template {
	thanks := t.send("thanks", "important_thanks", nil)
	thanks.Send.Grants = &Grants{Amount: 100}
	return t.made("important", Definition{
		Entry:   Entry{Cron: "0 10 1 * *", Condition: condition.And(joinedOnly, orders("amount", condition.Gte, 100_000, "365d"))},
		Reentry: Reentry{Mode: Always}, Goal: &Goal{Trigger: bought, Days: 14}, Steps: []Step{thanks},
	})
}

func (t *templating) silent() Template {
	rich := points(100)
	first, second := t.send("points", "silent_points", nil), t.send("again", "silent_again", day(3))
	first.Send.Condition, second.Send.Condition = rich, rich
	back := Trigger{Condition: inactive(condition.Lte, 30)}
	return t.made("silent", Definition{
		Entry:   Entry{Cron: "0 10 * * *", Condition: condition.And(joinedOnly, inactive(condition.Gte, 31), inactive(condition.Lte, 90))},
		Reentry: Reentry{Mode: After, Days: 60}, Exit: []Trigger{back}, Goal: &Goal{Trigger: back, Days: 7}, Steps: []Step{first, second},
	})
}

func (t *templating) churned() Template {
	return t.made("churned", Definition{
		Entry: Entry{Cron: "0 10 1 * *", Condition: condition.And(joinedOnly, orders("days", condition.Gte, 181, ""))}, Reentry: Reentry{Mode: After, Days: 90},
		Exit: []Trigger{bought}, Goal: &Goal{Trigger: bought, Days: 14}, Steps: []Step{t.send("call", "churned_call", nil), t.send("last", "churned_last", day(7))},
	})
}

func (t *templating) memberDay() Template {
	return t.made("member_day", Definition{
		Entry: Entry{Cron: "0 10 * * 3", Condition: joinedOnly}, Reentry: Reentry{Mode: Always}, Steps: []Step{t.send("today", "member_day_today", nil)},
	})
}

func (t *templating) spend() Template {
	return t.made("spend", Definition{
		Entry: Entry{Cron: "0 10 25 * *", Condition: condition.And(joinedOnly, points(100))}, Reentry: Reentry{Mode: Always},
		Goal: &Goal{Trigger: Trigger{Event: model.EventRedeemed}, Days: 7}, Steps: []Step{t.send("points", "spend_points", nil)},
	})
}

func (t *templating) coupon() Template {
	used := Trigger{Event: model.EventCouponUsed}
	return t.made("coupon", Definition{
		Entry: Entry{Event: model.EventCoupon}, Reentry: Reentry{Mode: Always}, Exit: []Trigger{used}, Goal: &Goal{Trigger: used, Days: 7},
		Steps: []Step{t.send("soon", "coupon_soon", day(3))},
	})
}

func (t *templating) birthday() Template {
	gift := t.send("gift", "birthday_gift", nil)
	gift.Send.Grants = &Grants{Amount: 100}
	return t.made("birthday", Definition{
		Entry:   Entry{Cron: "0 10 * * *", Condition: condition.And(joinedOnly, condition.Is("birthday", map[string]any{"scope": "day"}))},
		Reentry: Reentry{Mode: After, Days: 300}, Steps: []Step{gift},
	})
}

// layer is the SOP of the n-th of so many layers, the highest first; five have texts of their own.
func (t *templating) layer(n, of int, l Layer) Template {
	text := "layer"
	if of == 5 {
		text = [...]string{"layer_fan", "layer_paying", "layer_active", "layer_new", "layer_ordinary"}[n]
	}
	tag := condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(l.TagID)})
	set := condition.And(
		condition.Is("event.field", map[string]any{"field": "tag_id", "op": condition.Eq, "value": fmt.Sprint(l.TagID)}),
		condition.Is("event.field", map[string]any{"field": "set", "op": condition.Eq, "value": true}),
	)
	first := t.send("first", text, &When{After: "1h"})
	return Template{fmt.Sprint("layer", n+1), Definition{
		Name: t.say("layer_name", map[string]any{"layer": l.Name}), Entry: Entry{Event: model.EventTag, Condition: set}, Reentry: Reentry{Mode: After, Days: 30},
		Exit: []Trigger{{Condition: condition.Tree{Not: &tag}}}, Goal: &Goal{Trigger: bought, Days: 7}, Steps: []Step{first, t.send("week", text+"_week", day(7))},
	}}
}
