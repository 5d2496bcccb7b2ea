package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
)

// Rows that a SOP may have.
const (
	maxSOPSteps = 30
	maxSOPExits = 10
)

// Kinds of steps.
const (
	stepSend   = "send"
	stepBranch = "branch"
	stepWait   = "wait"
)

// Ways in which members enter.
const (
	entryEvent = "event"
	entryCron  = "cron"
	entryOnce  = "once"
)

// stepAt is how the names of the controls of a step begin, exitAt of a way out.
func stepAt(i int) string { return fmt.Sprintf("s%d.", i) }

func exitAt(i int) string { return fmt.Sprintf("exit.%d.", i) }

// writeSOP puts a definition into the form.
func (con *Console) writeSOP(d *sop.Definition) url.Values {
	v := url.Values{
		"name": {d.Name}, "class": {d.Class}, "reentry": {d.Reentry.Mode}, "reentry.days": {some(int64(d.Reentry.Days))}, "steps": {strconv.Itoa(len(d.Steps))},
		"entry": {entryEvent}, "entry.event": {d.Entry.Event}, "entry.cron": {d.Entry.Cron}, "entry.at": {written(d.Entry.At, con.app.Zone)},
	}
	switch {
	case d.Entry.Cron != "":
		v.Set("entry", entryCron)
	case d.Entry.At != nil:
		v.Set("entry", entryOnce)
	}
	con.writeFacts(v, "entry.", d.Entry.Condition)
	for i, t := range d.Exit {
		v.Set(exitAt(i)+"event", t.Event)
		con.writeFacts(v, exitAt(i), t.Condition)
	}
	if g := d.Goal; g != nil {
		v.Set("goal.event", g.Event)
		v.Set("goal.days", some(int64(g.Days)))
		con.writeFacts(v, "goal.", g.Condition)
	}
	for i := range d.Steps {
		con.writeStep(v, stepAt(i), &d.Steps[i])
	}
	return v
}

func (con *Console) writeStep(v url.Values, at string, st *sop.Step) {
	set := func(name, value string) { v.Set(at+name, value) }
	set("key", st.Key)
	set("next", st.Next)
	set("otherwise", st.Otherwise)
	if w := st.When; w != nil {
		set("time", w.Time)
		set("after", w.After)
		set("at", written(w.At, con.app.Zone))
		set("cron", w.Cron)
		switch {
		case w.Day != nil:
			set("when", "day")
			set("day", strconv.Itoa(*w.Day))
		case w.At != nil:
			set("when", "at")
		case w.Cron != "":
			set("when", "cron")
		default:
			set("when", "after")
		}
	}
	switch {
	case st.Branch != nil:
		set("kind", stepBranch)
		con.writeFacts(v, at, st.Branch.Condition)
	case st.Wait != nil:
		set("kind", stepWait)
		set("event", st.Wait.Event)
		set("timeout", st.Wait.Timeout)
		con.writeFacts(v, at, st.Wait.Condition)
	default:
		set("kind", stepSend)
		set("class", st.Send.Class)
		writeMessage(v, at, st.Send.Message)
		con.writeFacts(v, at, st.Send.Condition)
		if g := st.Send.Grants; g != nil {
			set("grants.account", g.Account)
			set("grants.amount", some(g.Amount))
			set("grants.memo", g.Memo)
			set("grants.coupon", some(g.CouponID))
		}
	}
}

// readSOP makes a definition from the form.
func (con *Console) readSOP(f *Form) (d sop.Definition, err error) {
	r := &reader{f: f, zone: con.app.Zone}
	d = sop.Definition{Name: f.Get("name"), Class: f.Get("class"), Reentry: sop.Reentry{Mode: f.Get("reentry")}}
	f.from("reentry.mode", "reentry")
	if d.Reentry.Mode == sop.After {
		d.Reentry.Days = small(r.number("reentry.days"))
	}
	how := f.Get("entry")
	f.from("entry", "entry.event")
	for _, name := range []string{"event", "cron", "at"} {
		f.from("entry."+name, "entry."+name)
	}
	switch how {
	case entryCron:
		d.Entry.Cron = f.Get("entry.cron")
		f.from("entry", "entry.cron")
	case entryOnce:
		d.Entry.At = r.time("entry.at")
		f.from("entry", "entry.at")
	default:
		d.Entry.Event = f.Get("entry.event")
	}
	if r.err != nil {
		return d, r.err
	}
	if d.Entry.Condition, err = con.readFacts(f, "entry.", "entry.condition"); err != nil {
		return d, err
	}
	for i := range maxSOPExits {
		t, err := con.readTrigger(f, exitAt(i), fmt.Sprintf("exit[%d]", len(d.Exit)))
		if err != nil {
			return d, err
		}
		if t.Event != "" || !t.Condition.Empty() {
			d.Exit = append(d.Exit, t)
		}
	}
	goal, err := con.readTrigger(f, "goal.", "goal")
	if goal.Event != "" || !goal.Condition.Empty() {
		d.Goal = &sop.Goal{Trigger: goal, Days: small(r.count("goal.days"))}
	}
	if err := errors.Join(err, r.err); err != nil {
		return d, err
	}
	for i := range stepsOf(f) {
		st, err := con.readStep(f, stepAt(i), fmt.Sprintf("steps[%d]", i))
		if err != nil {
			return d, err
		}
		d.Steps = append(d.Steps, st)
	}
	return d, nil
}

// small is a number that no int is too short for: what is too large stays too large.
func small(n int64) int { return int(min(max(n, -1), 1<<30)) }

// stepsOf is how many steps the form has.
func stepsOf(f *Form) int {
	n, _ := strconv.Atoi(f.Get("steps"))
	return min(max(n, 0), maxSOPSteps)
}

func (con *Console) readTrigger(f *Form, at, path string) (t sop.Trigger, err error) {
	t.Event = f.Get(at + "event")
	f.from(path, at+"event")
	t.Condition, err = con.readFacts(f, at, path+".condition")
	return t, err
}

func (con *Console) readStep(f *Form, at, path string) (st sop.Step, err error) {
	get := func(name string) string { return f.Get(at + name) }
	f.from(path, at+"key")
	for _, name := range []string{"next", "otherwise"} {
		f.from(path+"."+name, at+name)
	}
	st = sop.Step{Key: get("key"), Next: get("next")}
	kind := cmp.Or(get("kind"), stepSend)
	where := path + "." + kind
	tree, err := con.readFacts(f, at, where+".condition")
	if err != nil {
		return st, err
	}
	if kind != stepWait {
		if st.When, err = con.readWhen(f, at, path+".when"); err != nil {
			return st, err
		}
	}
	switch kind {
	case stepBranch:
		st.Branch, st.Otherwise = &sop.Branch{Condition: tree}, get("otherwise")
	case stepWait:
		f.from(where+".event", at+"event")
		f.from(where+".timeout", at+"timeout")
		st.Wait, st.Otherwise = &sop.Wait{Event: get("event"), Condition: tree, Timeout: get("timeout")}, get("otherwise")
	default:
		st.Send = &sop.Send{Class: get("class"), Condition: tree}
		f.from(where+".class", at+"class")
		if st.Send.Message, err = con.readMessage(f, at, where+".message"); err != nil {
			return st, err
		}
		st.Send.Grants, err = readGiven(f, at, where+".grants")
	}
	return st, err
}

// readGiven reads what a step gives; nil for nothing.
func readGiven(f *Form, at, path string) (*sop.Grants, error) {
	r := &reader{f: f}
	g := &sop.Grants{Amount: r.count(at + "grants.amount"), CouponID: r.count(at + "grants.coupon")}
	for name, control := range map[string]string{"": "amount", ".amount": "amount", ".account": "account", ".memo": "memo", ".coupon_id": "coupon"} {
		f.from(path+name, at+"grants."+control)
	}
	if g.Amount == 0 && g.CouponID == 0 {
		return nil, r.err
	}
	g.Memo = f.Get(at + "grants.memo")
	if g.Amount != 0 {
		g.Account = f.Get(at + "grants.account")
	}
	return g, r.err
}

func (con *Console) readWhen(f *Form, at, path string) (*sop.When, error) {
	for _, name := range []string{"day", "time", "after", "at", "cron"} {
		f.from(path+"."+name, at+name)
	}
	f.from(path, at+"when")
	switch how := f.Get(at + "when"); how {
	case "":
		return nil, nil
	case "day":
		n, err := f.Number(at + "day")
		day := small(n)
		return &sop.When{Day: &day, Time: f.Get(at + "time")}, err
	case "at":
		t, err := f.Time(at+"at", con.app.Zone)
		if err == nil && t == nil {
			err = errs.Field(at+"at", "console.required")
		}
		return &sop.When{At: t}, err
	default:
		if f.Get(at+how) == "" {
			return nil, errs.Field(at+how, "console.required")
		}
		if how == "cron" {
			return &sop.When{Cron: f.Get(at + how)}, nil
		}
		return &sop.When{After: f.Get(at + how)}, nil
	}
}

// shift does to the steps of the form what a button says, without saving: remove:2, up:2, down:2; send, branch and wait add one; more only
// shows the form again, with a row to spare in each condition.
func shift(f *Form, do string) {
	n := stepsOf(f)
	word, which, _ := strings.Cut(do, ":")
	i, _ := strconv.Atoi(which)
	swap := func(a, b int) {
		if a < 0 || b >= n {
			return
		}
		for name := range stepFields(f.Values, a, b) {
			x, y := f.Values[stepAt(a)+name], f.Values[stepAt(b)+name]
			f.Values[stepAt(a)+name], f.Values[stepAt(b)+name] = y, x
		}
	}
	switch word {
	case "up":
		swap(i-1, i)
	case "down":
		swap(i, i+1)
	case "remove":
		if i < 0 || i >= n {
			return
		}
		for ; i < n-1; i++ {
			swap(i, i+1)
		}
		n--
		for name := range stepFields(f.Values, n, n) {
			f.Del(stepAt(n) + name)
		}
	case stepSend, stepBranch, stepWait:
		if n == maxSOPSteps {
			return
		}
		f.Set(stepAt(n)+"key", newKey(f, n))
		f.Set(stepAt(n)+"kind", word)
		f.Values[stepAt(n)+"channel"] = []string{reach.Customer, reach.Mass}
		n++
	}
	f.Set("steps", strconv.Itoa(n))
}

// newKey is one that no step of the form has.
func newKey(f *Form, n int) string {
	for k := n + 1; ; k++ {
		key, used := fmt.Sprint("step", k), false
		for i := range n {
			used = used || f.Get(stepAt(i)+"key") == key
		}
		if !used {
			return key
		}
	}
}

// stepFields are the names of the controls of two steps.
func stepFields(v url.Values, a, b int) map[string]bool {
	names := map[string]bool{}
	for key := range v {
		for _, i := range []int{a, b} {
			if name, ok := strings.CutPrefix(key, stepAt(i)); ok {
				names[name] = true
			}
		}
	}
	return names
}

// given reports that there is something in a trigger of the form.
func given(f *Form, at string) bool {
	return f.Get(at+"event") != "" || factsAt(f, nil, at, 0, 0).Rows != nil
}

// stepView is a step of the form.
type stepView struct {
	rowAt
	At    string // how the names of its controls begin
	Facts factsView
	Nexts []choice // where it may lead
}

// triggerView is a way out, or the goal.
type triggerView struct {
	At    string
	Facts factsView
}

// fillSOP says what the rows of the form are.
func (con *Console) fillSOP(v *sopView, list []fact, end choice) {
	f := v.Form
	rows := func(at string) factsView { return factsAt(f, list, at, 1, 1) }
	v.Entry, v.Goal = rows("entry."), triggerView{"goal.", rows("goal.")}
	last := 0
	for i := range maxSOPExits {
		if given(f, exitAt(i)) {
			last = i + 1
		}
	}
	for i := range min(last+1, maxSOPExits) {
		v.Exits = append(v.Exits, triggerView{exitAt(i), rows(exitAt(i))})
	}
	n := stepsOf(f)
	for i := range n {
		st := stepView{rowAt{i, i + 1}, stepAt(i), rows(stepAt(i)), nil}
		for k := i + 1; k < n; k++ {
			key := f.Get(stepAt(k) + "key")
			st.Nexts = append(st.Nexts, choice{key, key})
		}
		st.Nexts = append(st.Nexts, end)
		for _, name := range []string{"next", "otherwise"} {
			if key := f.Get(st.At + name); key != "" && !known(st.Nexts, key) {
				st.Nexts = append(st.Nexts, choice{key, key})
			}
		}
		v.Steps = append(v.Steps, st)
	}
}
