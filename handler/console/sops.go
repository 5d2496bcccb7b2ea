package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type sopsView struct {
	Frame
	Rows      []model.SOP
	Next      string
	Templates []sop.Template
}

func (con *Console) sops(c *gin.Context) (err error) {
	v := sopsView{Frame: con.frame(c, "sops")}
	ctx := c.Request.Context()
	if v.Rows, err = con.app.SOPs.List(ctx, after(c), perPage+1); err != nil {
		return err
	}
	if len(v.Rows) > perPage {
		v.Rows = v.Rows[:perPage]
		v.Next = nextPage(c, v.Rows[perPage-1].ID)
	}
	if v.Templates, err = con.app.SOPTemplates(ctx, web.Lang(ctx)); err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/sops", v)
	return nil
}

type sopView struct {
	Frame
	ID        int64
	Form      *Form
	Saved     *model.SOP
	Sentences []string
	Report    *sop.Report
	Steps     []stepAt // of the form
	Events    []choice

	Classes, Reentries, Kinds, Whens []string
}

// stepAt is a step of the form: its controls carry I, people count from one.
type stepAt struct{ I, N int }

func (con *Console) sop(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	d := &sop.Definition{Entry: sop.Entry{Event: model.EventRegistered}, Steps: []sop.Step{{Key: "first", Send: &sop.Send{Message: reach.Message{Channels: []string{reach.Customer, reach.Mass}}}}}}
	switch code := c.Query("template"); {
	case id != 0:
		row, err := con.app.SOPs.Get(ctx, id)
		if err != nil {
			return err
		}
		if d, err = con.app.SOPs.Version(ctx, row, 0); err != nil {
			return err
		}
	case code != "":
		all, err := con.app.SOPTemplates(ctx, web.Lang(ctx))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(t sop.Template) bool { return t.Code == code }); i >= 0 {
			d = &all[i].Definition
		}
	}
	return con.showSOP(c, http.StatusOK, id, newForm(con.writeSOP(d)))
}

func (con *Console) showSOP(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := sopView{
		Frame: con.frame(c, "sop"), ID: id, Form: f, Events: con.eventChoices(c),
		Classes: []string{"", model.ClassMarketing, model.ClassService}, Reentries: []string{sop.Never, sop.After, sop.Always},
		Kinds: []string{"send", "branch", "wait"}, Whens: []string{"", "day", "after", "at", "cron"},
	}
	n, _ := strconv.Atoi(f.Get("steps"))
	for i := range min(max(n, 0), maxSOPSteps) {
		v.Steps = append(v.Steps, stepAt{i, i + 1})
	}
	if id != 0 {
		ctx := c.Request.Context()
		if v.Saved, err = con.app.SOPs.Get(ctx, id); err != nil {
			return err
		}
		d, err := con.app.SOPs.Version(ctx, v.Saved, 0)
		if err != nil {
			return err
		}
		if v.Sentences, err = con.app.SOPs.Sentences(ctx, web.Lang(ctx), d); err != nil {
			return err
		}
		if v.Report, err = con.app.SOPs.Report(ctx, id); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/sop", v)
	return nil
}

const maxSOPSteps = 30

// asJSON is a part of a SOP as the JSON that an operator types; "" for none.
func asJSON(v any) string {
	if raw := string(model.ToJSON(v)); raw != "{}" && raw != "null" {
		return pretty([]byte(raw))
	}
	return ""
}

// writeSOP puts a definition into the form.
func (con *Console) writeSOP(d *sop.Definition) url.Values {
	v := url.Values{"name": {d.Name}, "class": {d.Class}, "reentry": {d.Reentry.Mode}, "steps": {strconv.Itoa(len(d.Steps))}}
	v.Set("entry.event", d.Entry.Event)
	v.Set("entry.cron", d.Entry.Cron)
	v.Set("entry.at", written(d.Entry.At, con.app.Zone))
	v.Set("entry.condition", asJSON(d.Entry.Condition))
	if d.Reentry.Days > 0 {
		v.Set("reentry.days", strconv.Itoa(d.Reentry.Days))
	}
	if len(d.Exit) > 0 {
		v.Set("exit", asJSON(d.Exit))
	}
	if d.Goal != nil {
		v.Set("goal", asJSON(d.Goal))
	}
	for i := range d.Steps {
		con.writeStep(v, i, &d.Steps[i])
	}
	return v
}

func stepField(i int, name string) string { return fmt.Sprintf("s%d.%s", i, name) }

func (con *Console) writeStep(v url.Values, i int, st *sop.Step) {
	set := func(name, value string) { v.Set(stepField(i, name), value) }
	set("key", st.Key)
	set("next", st.Next)
	set("otherwise", st.Otherwise)
	if w := st.When; w != nil {
		switch {
		case w.Day != nil:
			set("when", "day")
			set("value", fmt.Sprint(*w.Day, " ", w.Time))
		case w.After != "":
			set("when", "after")
			set("value", w.After)
		case w.At != nil:
			set("when", "at")
			set("value", written(w.At, con.app.Zone))
		default:
			set("when", "cron")
			set("value", w.Cron)
		}
	}
	switch {
	case st.Branch != nil:
		set("kind", "branch")
		set("condition", asJSON(st.Branch.Condition))
	case st.Wait != nil:
		set("kind", "wait")
		set("event", st.Wait.Event)
		set("timeout", st.Wait.Timeout)
		set("condition", asJSON(st.Wait.Condition))
	default:
		set("kind", "send")
		set("class", st.Send.Class)
		set("condition", asJSON(st.Send.Condition))
		set("text", st.Send.Message.Text)
		m := st.Send.Message
		m.Text = ""
		set("message", asJSON(m))
		if g := st.Send.Grants; g != nil {
			set("grants", asJSON(g))
		}
	}
}

// readPart reads JSON that an operator typed; nothing leaves into as it is.
func readPart(f *Form, name string, into any) error {
	raw := f.Get(name)
	if raw == "" {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return errs.Field(name, "condition.malformed")
	}
	return nil
}

func (con *Console) readSOP(f *Form) (d sop.Definition, err error) {
	d = sop.Definition{Name: f.Get("name"), Class: f.Get("class"), Reentry: sop.Reentry{Mode: f.Get("reentry")}}
	d.Entry.Event, d.Entry.Cron = f.Get("entry.event"), f.Get("entry.cron")
	if d.Entry.Cron != "" || f.Get("entry.at") != "" {
		d.Entry.Event = ""
	}
	if d.Entry.At, err = f.Time("entry.at", con.app.Zone); err != nil {
		return d, err
	}
	if f.Get("reentry.days") != "" {
		n, err := f.Number("reentry.days")
		if err != nil {
			return d, err
		}
		d.Reentry.Days = int(min(max(n, 0), 1<<20))
	}
	if f.Get("goal") != "" {
		d.Goal = &sop.Goal{}
	}
	for name, into := range map[string]any{"entry.condition": &d.Entry.Condition, "exit": &d.Exit, "goal": d.Goal} {
		if err := readPart(f, name, into); err != nil {
			return d, err
		}
	}
	n, _ := strconv.Atoi(f.Get("steps"))
	for i := range min(max(n, 0), maxSOPSteps) {
		st, err := con.readStep(f, i)
		if err != nil {
			return d, err
		}
		d.Steps = append(d.Steps, st)
	}
	return d, nil
}

func (con *Console) readStep(f *Form, i int) (st sop.Step, err error) {
	get := func(name string) string { return f.Get(stepField(i, name)) }
	f.from(fmt.Sprintf("steps[%d]", i), stepField(i, "key"))
	st = sop.Step{Key: get("key"), Next: get("next"), Otherwise: get("otherwise")}
	if st.When, err = con.readWhen(f, i); err != nil {
		return st, err
	}
	var t condition.Tree
	if err := readPart(f, stepField(i, "condition"), &t); err != nil {
		return st, err
	}
	switch get("kind") {
	case "branch":
		st.Branch = &sop.Branch{Condition: t}
	case "wait":
		st.Wait = &sop.Wait{Event: get("event"), Condition: t, Timeout: get("timeout")}
	default:
		st.Send = &sop.Send{Class: get("class"), Condition: t}
		if err := readPart(f, stepField(i, "message"), &st.Send.Message); err != nil {
			return st, err
		}
		st.Send.Message.Text = get("text")
		if get("grants") != "" {
			st.Send.Grants = &sop.Grants{}
			err = readPart(f, stepField(i, "grants"), st.Send.Grants)
		}
	}
	return st, err
}

func (con *Console) readWhen(f *Form, i int) (*sop.When, error) {
	value := f.Get(stepField(i, "value"))
	switch f.Get(stepField(i, "when")) {
	case "day":
		day, clock, _ := strings.Cut(value, " ")
		n, err := strconv.Atoi(day)
		if err != nil {
			return nil, errs.Field(stepField(i, "value"), "console.number")
		}
		return &sop.When{Day: &n, Time: strings.TrimSpace(clock)}, nil
	case "after":
		return &sop.When{After: value}, nil
	case "at":
		t, err := f.Time(stepField(i, "value"), con.app.Zone)
		if err == nil && t == nil {
			err = errs.Field(stepField(i, "value"), "console.required")
		}
		return &sop.When{At: t}, err
	case "cron":
		return &sop.When{Cron: value}, nil
	}
	return nil, nil
}

// shift does to the steps of the form what a button beside one says, without saving: add, remove:2, up:2, down:2.
func shift(f *Form, do string) {
	n, _ := strconv.Atoi(f.Get("steps"))
	word, which, _ := strings.Cut(do, ":")
	i, _ := strconv.Atoi(which)
	swap := func(a, b int) {
		if a < 0 || b >= n {
			return
		}
		for name := range stepFields(f.Values, a, b) {
			x, y := f.Values[stepField(a, name)], f.Values[stepField(b, name)]
			f.Values[stepField(a, name)], f.Values[stepField(b, name)] = y, x
		}
	}
	switch word {
	case "up":
		swap(i-1, i)
	case "down":
		swap(i, i+1)
	case "remove":
		for ; i < n-1; i++ {
			swap(i, i+1)
		}
		n--
		for name := range stepFields(f.Values, n, n) {
			f.Del(stepField(n, name))
		}
	default:
		f.Set(stepField(n, "key"), fmt.Sprint("step", n+1))
		f.Set(stepField(n, "kind"), word)
		f.Set(stepField(n, "message"), asJSON(reach.Message{Channels: []string{reach.Customer, reach.Mass}}))
		n++
	}
	f.Set("steps", strconv.Itoa(max(n, 0)))
}

// stepFields are the names of the controls of two steps.
func stepFields(v url.Values, a, b int) map[string]bool {
	names := map[string]bool{}
	for key := range v {
		for _, i := range []int{a, b} {
			if name, ok := strings.CutPrefix(key, stepField(i, "")); ok {
				names[name] = true
			}
		}
	}
	return names
}

func (con *Console) saveSOP(c *gin.Context) error {
	ctx := c.Request.Context()
	return save(con, c, saving[model.SOP]{
		kind:  "sop",
		get:   func(id int64) (any, error) { return con.app.SOPs.Get(ctx, id) },
		facts: func(row model.SOP) (int64, any) { return row.ID, row },
		do: func(f *Form, id int64) (string, error) {
			d, err := con.readSOP(f)
			if err != nil {
				return "", err
			}
			row, err := con.app.SOPs.Save(c.Request.Context(), sop.Input{ID: id, Definition: d, Move: f.On("move"), Actor: web.Actor(ctx)})
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/sops/%d", root, row.ID), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showSOP(c, status, id, f) },
	})
}

// shiftSOP adds, removes and moves steps of the form; nothing is saved.
func (con *Console) shiftSOP(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	f, err := readForm(c)
	if err != nil {
		return err
	}
	shift(f, f.Get("do"))
	return con.showSOP(c, http.StatusOK, id, f)
}

func (con *Console) turnSOP(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.SOPs.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	do := f.Get("do")
	turn := map[string]func(context.Context, int64) (*model.SOP, error){
		"enable": con.app.SOPs.Enable, "pause": con.app.SOPs.Pause, "resume": con.app.SOPs.Resume, "end": con.app.SOPs.Stop,
	}[do]
	if turn == nil {
		return errs.Field("do", "web.invalid")
	}
	return con.write(c, f, change{
		action: "sop." + do,
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("sop:%d", id), Before: map[string]any{"state": old.State}, After: map[string]any{"state": answer.(model.SOP).State}}
		},
		do: func() (string, error) {
			_, err := turn(c.Request.Context(), id)
			return done(fmt.Sprintf("%s/sops/%d", root, id), "saved"), err
		},
		again: func(status int, f *Form) error { return con.showSOP(c, status, id, f) },
	})
}
