package sop

import (
	"fmt"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Definition is one version of a SOP.
type Definition struct {
	Name    string    `json:"name"`
	Class   string    `json:"class,omitempty"` // of its messages: model.ClassMarketing (default) or model.ClassService
	Entry   Entry     `json:"entry"`
	Reentry Reentry   `json:"reentry,omitzero"`
	Exit    []Trigger `json:"exit,omitempty"` // any of them takes a member out
	Goal    *Goal     `json:"goal,omitempty"`
	Steps   []Step    `json:"steps"`
}

// Trigger is something that happens to a member: an event that fits a condition, or a condition that comes to hold.
type Trigger struct {
	Event     string         `json:"event,omitempty"`
	Condition condition.Tree `json:"condition,omitzero"`
}

// Entry is how members come in: by an event, by the clock again and again, or once. Exactly one is given.
type Entry struct {
	Event     string         `json:"event,omitempty"`
	Cron      string         `json:"cron,omitempty"` // minute hour day month weekday, in the programme's zone
	At        *time.Time     `json:"at,omitempty"`
	Condition condition.Tree `json:"condition,omitzero"`
}

// Ways to come in again; never twice at once.
const (
	Never  = "never"
	After  = "after" // so many calendar days after the last entry
	Always = "always"
)

// Reentry says whether who was in a SOP may come in again.
type Reentry struct {
	Mode string `json:"mode,omitempty"` // Never is the default
	Days int    `json:"days,omitempty"` // of After
}

// Goal is what a SOP is for.
type Goal struct {
	Trigger
	Days int `json:"days,omitempty"` // after a step: whoever gets there within so many times 24 hours counts for it; 0 = 7
}

// goalDays is the default of Goal.Days.
const goalDays = 7

func (d *Definition) goalDays() int {
	switch {
	case d.Goal == nil:
		return 0
	case d.Goal.Days == 0:
		return goalDays
	}
	return d.Goal.Days
}

// End as a next step is none.
const End = "end"

// Step does one thing: exactly one of Send, Branch and Wait is given.
type Step struct {
	Key       string  `json:"key"`
	When      *When   `json:"when,omitempty"` // absent: as soon as it is reached
	Send      *Send   `json:"send,omitempty"`
	Branch    *Branch `json:"branch,omitempty"`
	Wait      *Wait   `json:"wait,omitempty"`
	Next      string  `json:"next,omitempty"`      // key of a later step, or End; empty: the following one
	Otherwise string  `json:"otherwise,omitempty"` // where a branch does not hold, or a wait is over; likewise
}

// When is the time of a step. Exactly one of Day, After, At and Cron is given.
type When struct {
	Day   *int       `json:"day,omitempty"` // calendar days since the day of entry, at Time
	Time  string     `json:"time,omitempty"`
	After string     `json:"after,omitempty"` // since the step before: "48h"
	At    *time.Time `json:"at,omitempty"`
	Cron  string     `json:"cron,omitempty"` // its next firing
}

// Send sends a message, and may give something.
type Send struct {
	Message   reach.Message  `json:"message"`
	Class     string         `json:"class,omitempty"`    // "" = that of the SOP
	Condition condition.Tree `json:"condition,omitzero"` // for whom it does not hold, the step is skipped
	Grants    *Grants        `json:"grants,omitempty"`
}

// Grants are what a step gives: each member once.
type Grants struct {
	Account  string `json:"account,omitempty"` // "" = points
	Amount   int64  `json:"amount,omitempty"`
	Memo     string `json:"memo,omitempty"` // "" = the name of the SOP
	CouponID int64  `json:"coupon_id,string,omitempty"`
}

// Branch goes to Next where the condition holds, else to Otherwise.
type Branch struct {
	Condition condition.Tree `json:"condition"`
}

// Wait goes to Next when it happens, and to Otherwise after Timeout.
type Wait struct {
	Event     string         `json:"event"`
	Condition condition.Tree `json:"condition,omitzero"`
	Timeout   string         `json:"timeout"` // "72h"
}

// read is the definition that was stored.
func read(raw model.JSON) (*Definition, error) {
	d := &Definition{}
	if err := raw.Into(d); err != nil {
		return nil, fmt.Errorf("sop: definition: %w", err)
	}
	return d, nil
}

// index is the place of a step; len(Steps) for none.
func (d *Definition) index(key string) int {
	for i := range d.Steps {
		if d.Steps[i].Key == key {
			return i
		}
	}
	return len(d.Steps)
}

// step finds a step; nil for none.
func (d *Definition) step(key string) *Step {
	if i := d.index(key); i < len(d.Steps) {
		return &d.Steps[i]
	}
	return nil
}

// after is where a key leads from the i-th step.
func (d *Definition) after(i int, key string) int {
	switch key {
	case "":
		return i + 1
	case End:
		return len(d.Steps)
	}
	return d.index(key)
}

// class is that of a step's message.
func (d *Definition) class(st *Step) string {
	switch {
	case st.Send.Class != "":
		return st.Send.Class
	case d.Class != "":
		return d.Class
	}
	return model.ClassMarketing
}

// due is when a step that was reached at an instant is due; zero = never.
func (st *Step) due(z clock.Zone, entered, reached time.Time) time.Time {
	w := st.When
	switch {
	case st.Wait != nil:
		d, _ := time.ParseDuration(st.Wait.Timeout) // was checked
		return reached.Add(d)
	case w == nil:
		return reached
	case w.Day != nil:
		minutes, _ := clock.Minutes(w.Time) // was checked
		return z.At(z.DayOf(entered).Add(*w.Day), 0, minutes)
	case w.At != nil:
		return w.At.UTC()
	case w.Cron != "":
		line, err := clock.ParseCron(w.Cron, z)
		if err != nil { // was checked
			return time.Time{}
		}
		return line.Next(reached)
	}
	d, _ := time.ParseDuration(w.After) // was checked
	return reached.Add(d)
}

// place is where a member stands: at a step, when it is due. No step: he is through.
type place struct {
	step    string
	reached time.Time
	due     time.Time
	missed  []string // steps whose time was over when he came to them
}

// arrive is where a member stands who entered and reached the i-th step at these instants. He does not come to a step twice.
func (d *Definition) arrive(z clock.Zone, i int, entered, reached time.Time, passed map[string]bool) place {
	p := place{reached: reached}
	for i < len(d.Steps) {
		st := &d.Steps[i]
		if passed[st.Key] {
			i = d.after(i, st.Next)
			continue
		}
		due := st.due(z, entered, reached)
		over := due.IsZero() || due.Before(reached)
		if over && st.Send != nil {
			p.missed = append(p.missed, st.Key)
			i = d.after(i, st.Next)
			continue
		}
		if over {
			due = reached
		}
		p.step, p.due = st.Key, due
		return p
	}
	return p
}
