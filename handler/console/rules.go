package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type rulesView struct {
	Frame
	Rows []ruleLine
}

type ruleLine struct {
	reward.Rule
	Paid   []paidIn // this month
	Budget string   // name of its account
}

type paidIn struct {
	Label  string
	Amount int64
}

func (con *Console) rules(c *gin.Context) error {
	ctx := c.Request.Context()
	rows, err := con.app.Rewards.List(ctx, web.Lang(ctx))
	if err != nil {
		return err
	}
	today := con.app.Zone.DayOf(con.app.Clock.Now())
	paid, err := con.app.Book.Granted(ctx, model.Day(today.Month()+"-01"), today)
	if err != nil {
		return err
	}
	labels, err := con.accountLabels(c)
	if err != nil {
		return err
	}
	v := rulesView{Frame: con.frame(c, "rules")}
	for _, r := range rows {
		line := ruleLine{Rule: r}
		for _, account := range slices.Sorted(maps.Keys(paid[r.ID])) {
			line.Paid = append(line.Paid, paidIn{labels[account], paid[r.ID][account]})
		}
		if r.Spent != nil {
			line.Budget = labels[r.Spent.Account]
		}
		v.Rows = append(v.Rows, line)
	}
	web.Page(c, http.StatusOK, "console/rules", v)
	return nil
}

type ruleView struct {
	Frame
	ID       int64
	Form     *Form
	Saved    *reward.Rule // nil: a new one
	Events   []choice
	Accounts []choice
	Tags     []tagGroup
	Coupons  []choice
	Others   []choice // codes of rules, for multipliers
	CapSets  []choice
	Kinds    []reward.Kind
	Periods  []reward.Period
	Budgets  []reward.Period // over which a budget may count
	Leaves   []string
	Grants   []grantRow
	Caps     []string // beginnings of the controls of each row
	Facts    factsView
	History  []ruleVersion
}

// grantRow is where a grant stands: the beginning of its controls, and the rows of its tables.
type grantRow struct {
	At              string
	Brackets, Steps []int
}

// Nth numbers the rows of what a form repeats, for who hears them.
func (ruleView) Nth(i int) int { return i + 1 }

// Shows are the kinds of grants that show a control, for the style sheet.
func (ruleView) Shows(control string) string {
	var kinds []string
	for _, k := range reward.Kinds {
		if slices.Contains(grantFields[k], control) {
			kinds = append(kinds, string(k))
		}
	}
	return strings.Join(kinds, " ")
}

func (con *Console) rule(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "shape": {shapeForm}, "facts": {anyGroup}, "grant.0.kind": {string(reward.Fixed)}}
	if id != 0 {
		r, err := con.app.Rewards.Get(c.Request.Context(), id, web.Lang(c.Request.Context()))
		if err != nil {
			return err
		}
		values = con.writeRule(r)
	}
	return con.showRule(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showRule(c *gin.Context, status int, id int64, f *Form) (err error) {
	ctx := c.Request.Context()
	if !f.Has("days") {
		f.Set("days", "30")
	}
	v := ruleView{Frame: con.frame(c, "rule"), ID: id, Form: f, Kinds: reward.Kinds, Periods: reward.Periods}
	v.Budgets, v.Leaves = []reward.Period{reward.Month, reward.Lifetime}, con.app.Conditions.Names()
	v.Here = ruleURL(id)
	v.Events = append([]choice{{reward.AnyOrder, event.KindName(web.Lang(ctx), reward.AnyOrder)}}, con.eventChoices(c)...)
	v.Events = append(v.Events, choice{reward.AnyEvent, event.KindName(web.Lang(ctx), reward.AnyEvent)})
	if trigger := f.Get("trigger"); trigger != "" && !known(v.Events, trigger) { // a behaviour of another system
		v.Events = append(v.Events, choice{trigger, event.KindName(web.Lang(ctx), trigger)})
	}
	for _, i := range filled(f, "grant.%d.kind", 4, maxGrants) {
		at := fmt.Sprintf("grant.%d.", i)
		v.Grants = append(v.Grants, grantRow{at, rows(f, at+"from", 4), rows(f, at+"days", 5)})
	}
	for _, i := range filled(f, "cap.%d.limit", 2, maxCaps) {
		v.Caps = append(v.Caps, fmt.Sprintf("cap.%d.", i))
	}
	if id != 0 {
		if v.Saved, err = con.app.Rewards.Get(ctx, id, web.Lang(ctx)); err != nil {
			return err
		}
		if v.History, err = con.ruleHistory(c, id); err != nil {
			return err
		}
	}
	for _, fill := range []func(*gin.Context, *ruleView) error{con.fillChoices, con.fillSets} {
		if err := fill(c, &v); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/rule", v)
	return nil
}

func ruleURL(id int64) string {
	if id == 0 {
		return root + "/rules/new"
	}
	return fmt.Sprintf("%s/rules/%d", root, id)
}

// filled are the rows that a form shows of what it repeats: up to the last one filled in and two more, at least least.
func filled(f *Form, control string, least, most int) (out []int) {
	n := least
	for i := range most {
		if f.Get(fmt.Sprintf(control, i)) != "" {
			n = max(n, min(i+3, most))
		}
	}
	for i := range n {
		out = append(out, i)
	}
	return out
}

func (con *Console) fillChoices(c *gin.Context, v *ruleView) (err error) {
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Facts, err = con.factsOf(c, v.Form); err != nil {
		return err
	}
	coupons, err := con.app.Coupons.List(c.Request.Context())
	for _, d := range coupons {
		v.Coupons = append(v.Coupons, choice{strconv.FormatInt(d.ID, 10), d.Name})
	}
	return err
}

// fillSets lists the cap sets and the other rules; what the rule names already comes first, in its order.
func (con *Console) fillSets(c *gin.Context, v *ruleView) error {
	ctx := c.Request.Context()
	sets, err := con.app.Rewards.CapSets(ctx)
	if err != nil {
		return err
	}
	for _, s := range sets {
		words, err := con.capWords(c, s.CapSet)
		if err != nil {
			return err
		}
		v.CapSets = append(v.CapSets, choice{s.Code, s.Name + " · " + words})
	}
	others, err := con.app.Rewards.List(ctx, web.Lang(ctx))
	for _, r := range others {
		if r.ID != v.ID {
			v.Others = append(v.Others, choice{r.Code, r.Name})
		}
	}
	v.CapSets = chosenFirst(v.CapSets, v.Form.Values["cap_sets"])
	return err
}

// Rules are the other rules, with those first that the multiplier of a row names.
func (v ruleView) Rules(at string) []choice { return chosenFirst(v.Others, v.Form.Values[at+"rules"]) }

// chosenFirst puts what is chosen before the rest, so that a browser sends it in its order.
func chosenFirst(all []choice, chosen []string) []choice {
	out := make([]choice, 0, len(all))
	for _, v := range chosen {
		i := slices.IndexFunc(all, func(ch choice) bool { return ch.Value == v })
		if i < 0 {
			out = append(out, choice{v, v})
		} else {
			out = append(out, all[i])
		}
	}
	for _, ch := range all {
		if !slices.Contains(chosen, ch.Value) {
			out = append(out, ch)
		}
	}
	return out
}

func (con *Console) accountChoices(c *gin.Context) (out []choice, err error) {
	accounts, err := con.app.Book.Accounts(c.Request.Context())
	for _, a := range accounts {
		out = append(out, choice{a.Code, ledger.NameOf(web.Lang(c.Request.Context()), a.Code, a.Name)})
	}
	return out, err
}

// rows counts the rows that a repeated field shows: up to the last one filled in and one more, at least least.
func rows(f *Form, field string, least int) []int {
	n := least
	for i, v := range f.Values[field] {
		if strings.TrimSpace(v) != "" {
			n = max(n, i+2)
		}
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func known(choices []choice, value string) bool {
	for _, ch := range choices {
		if ch.Value == value {
			return true
		}
	}
	return false
}

func (con *Console) saveRule(c *gin.Context) error {
	return save(con, c, saving[reward.Rule]{
		kind: "rule",
		get: func(id int64) (any, error) {
			old, err := con.app.Rewards.Get(c.Request.Context(), id, web.Lang(c.Request.Context()))
			if err != nil {
				return nil, err
			}
			return ruleFacts(*old), nil
		},
		facts: func(r reward.Rule) (int64, any) { return r.ID, ruleFacts(r) },
		do: func(f *Form, id int64) (string, error) {
			in, err := con.readInput(f, id)
			if err != nil {
				return "", err
			}
			_, err = con.app.Rewards.Save(c.Request.Context(), in, web.Lang(c.Request.Context()))
			return done(root+"/rules", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showRule(c, status, id, f) },
	})
}

// readInput is the rule as the form says it.
func (con *Console) readInput(f *Form, id int64) (in reward.Input, err error) {
	d, err := con.readRule(f)
	if err != nil {
		return in, err
	}
	return reward.Input{ID: id, Code: f.Get("code"), Name: f.Get("name"), Enabled: f.On("enabled"), Trigger: trigger(f), Definition: *d}, nil
}

// trigger is the event that the form names: a behaviour of another system is typed.
func trigger(f *Form) string {
	if action := f.Get("action"); action != "" {
		return "behavior." + action
	}
	return f.Get("trigger")
}

func ruleFacts(r reward.Rule) map[string]any {
	return map[string]any{"code": r.Code, "name": r.Name, "enabled": r.Enabled, "version": r.Version, "trigger": r.Trigger, "definition": r.Definition}
}

// ruleVersion is a version with who made it.
type ruleVersion struct {
	reward.Rule
	By string
}

// shownVersions is how many versions the page of a rule shows.
const shownVersions = 20

// ruleHistory is the newest versions of a rule; who made them is for who may read the audit log.
func (con *Console) ruleHistory(c *gin.Context, id int64) (out []ruleVersion, err error) {
	ctx := c.Request.Context()
	by := map[int]string{}
	if con.frame(c, "rule").May(string(operator.AuditRead)) {
		names, err := con.report.Actors(ctx)
		if err != nil {
			return nil, err
		}
		lines, err := con.app.Operators.Audits(ctx, operator.AuditQuery{Object: fmt.Sprintf("rule:%d", id), Action: "rule", Limit: 2 * shownVersions})
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			var made struct{ Version int }
			if l.After.Into(&made) == nil && made.Version > 0 {
				by[made.Version] = cmp.Or(names[l.Actor], l.Actor)
			}
		}
	}
	list, err := con.app.Rewards.History(ctx, id, shownVersions, web.Lang(ctx))
	for _, r := range list {
		out = append(out, ruleVersion{r, by[r.Version]})
	}
	return out, err
}
