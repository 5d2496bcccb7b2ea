package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/report"
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
	Sends     []string // keys of the steps that send, as they are saved
	Report    *sop.Report
	Totals    []sopTotal // of Report
	Look      *sopLook
	Steps     []stepView
	Events    []choice
	Entry     factsView
	Exits     []triggerView
	Goal      triggerView
	Message   messageView
	Accounts  []choice
	Coupons   []choice

	why func(reach.Reason) string

	Classes, Entries, Reentries, Kinds, Whens []string
}

// sopTotal is a number of a whole SOP: how many times somebody came in, and of these.
type sopTotal struct {
	Outcome string
	N       int64
}

// rowAt is a part of a form that it repeats: its controls carry I, people count from one.
type rowAt struct{ I, N int }

// Why says a reason of the report.
func (v sopView) Why(r reach.Reason) string { return v.why(r) }

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

// showSavedSOP is the SOP as it is saved, with another form of its page as it was sent.
func (con *Console) showSavedSOP(c *gin.Context, status int, id int64, f *Form) error {
	ctx := c.Request.Context()
	row, err := con.app.SOPs.Get(ctx, id)
	if err != nil {
		return err
	}
	d, err := con.app.SOPs.Version(ctx, row, 0)
	if err != nil {
		return err
	}
	typed := f.Values
	f.Values = con.writeSOP(d)
	maps.Copy(f.Values, typed)
	return con.showSOP(c, status, id, f)
}

func (con *Console) showSOP(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := sopView{
		Frame: con.frame(c, "sop"), ID: id, Form: f, Events: con.eventChoices(c),
		Classes: []string{"", model.ClassMarketing, model.ClassService}, Entries: []string{entryEvent, entryCron, entryOnce}, Reentries: []string{sop.Never, sop.After, sop.Always},
		why:   func(r reach.Reason) string { return con.reasonName(c, r.Reason, r.Detail) },
		Kinds: []string{stepSend, stepBranch, stepWait}, Whens: []string{"", "day", "after", "at", "cron"},
	}
	list, err := con.facts(c)
	if err != nil {
		return err
	}
	con.fillSOP(&v, list, choice{sop.End, con.t(c, "console.sop_end")})
	for name := range f.Values {
		if kind := f.Get(name); strings.HasSuffix(name, ".event") && kind != "" && !known(v.Events, kind) && event.Known(kind) { // a behaviour of another system
			v.Events = append(v.Events, choice{kind, event.KindName(web.Lang(c.Request.Context()), kind)})
		}
	}
	if v.Message, err = con.messageView(c, reach.Channels...); err != nil {
		return err
	}
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	if v.Coupons, err = con.couponChoices(c); err != nil {
		return err
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
		v.Sends = sending(d)
		if v.Report, err = con.app.SOPs.Report(ctx, id); err != nil {
			return err
		}
		r := v.Report
		v.Totals = []sopTotal{{"entered", r.Entered}, {"running", r.Running}, {"sent", r.Reached}, {"opened", r.Opened}, {sop.Reached, r.Goal}, {"done", r.Done}, {"exited", r.Exited}}
	}
	if v.Look, err = con.lookAtSOP(c, id, f); err != nil {
		return err
	}
	web.Page(c, status, "console/sop", v)
	return nil
}

// sending are the keys of the steps that send.
func sending(d *sop.Definition) (keys []string) {
	for i := range d.Steps {
		if d.Steps[i].Send != nil {
			keys = append(keys, d.Steps[i].Key)
		}
	}
	return keys
}

// sopPeopleView lists who stands behind a number of a SOP.
type sopPeopleView struct {
	Frame
	Saved  *model.SOP
	Who    sop.Who
	Why    string // of Who.Reason
	Rows   []stoodLine
	People map[int64]report.Person
	Next   string
	Form   *Form
}

type stoodLine struct {
	sop.Stood
	Why string // the delivery was skipped
}

// numberOf is the number of a report that an address or a form names.
func numberOf(get func(name string) string) sop.Who {
	return sop.Who{Step: get("step"), Outcome: get("outcome"), State: get("state"), Reason: get("reason")}
}

func (con *Console) sopPeople(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	w := numberOf(c.Query)
	if w.Step == "" && w.Outcome == "" {
		w.Outcome = "entered"
	}
	return con.showSOPPeople(c, http.StatusOK, id, w, newForm(nil))
}

func (con *Console) showSOPPeople(c *gin.Context, status int, id int64, w sop.Who, f *Form) (err error) {
	ctx := c.Request.Context()
	v := sopPeopleView{Frame: con.frame(c, "sop"), Who: w, Form: f}
	if w.Reason != "" {
		v.Why = con.reasonName(c, w.Reason, "")
	}
	if v.Saved, err = con.app.SOPs.Get(ctx, id); err != nil {
		return err
	}
	rows, err := con.app.SOPs.Members(ctx, id, w, after(c), perPage+1)
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].EnrolmentID)
	}
	var ids []int64
	for _, s := range rows {
		line := stoodLine{Stood: s}
		if s.Reason != "" {
			line.Why = con.reasonName(c, s.Reason, s.Detail)
		}
		v.Rows, ids = append(v.Rows, line), append(ids, s.MemberID)
	}
	if v.People, err = con.report.People(ctx, ids); err != nil {
		return err
	}
	web.Page(c, status, "console/sop_people", v)
	return nil
}

// keepSOPPeople saves the people behind a number as an audience.
func (con *Console) keepSOPPeople(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	w := numberOf(f.Get)
	return con.keep(c, f, fmt.Sprintf("sop:%d", id), func(ctx context.Context) (*audience.Set, error) { return con.app.SOPs.People(ctx, id, w) },
		func(status int, f *Form) error { return con.showSOPPeople(c, status, id, w, f) })
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
	f, id, err := typedIn(c)
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
		again: func(status int, f *Form) error { return con.showSavedSOP(c, status, id, f) },
	})
}

func (con *Console) testSOP(c *gin.Context) error {
	return con.testSend(c, "sop", "step", con.app.SOPs.Test, func(status int, id int64, f *Form) error { return con.showSavedSOP(c, status, id, f) })
}
