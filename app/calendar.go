package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// Sending is what the clock sends on a day.
type Sending struct {
	Day    model.Day
	At     time.Time // of the first
	Times  int
	Source string // broadcast | sop | reminder | recall
	ID     int64
	Name   string
	People int64 // of a SOP: who is due at a step that day, as they stand now; else 0, it is counted when it begins
}

// Calendar is what the clock will send on the days of [from, to), in its order: broadcasts, SOPs, reminders and the calls of recalls.
func (a *App) Calendar(ctx context.Context, from, to model.Day) ([]Sending, error) {
	type key struct {
		day    model.Day
		source string
		id     int64
	}
	days, until := map[key]*Sending{}, a.Zone.Start(to)
	add := func(source string, id int64, name string, people int64, at ...time.Time) {
		for _, t := range at {
			k := key{a.Zone.DayOf(t), source, id}
			if k.day < from || k.day >= to {
				continue
			}
			if days[k] == nil {
				days[k] = &Sending{Day: k.day, At: t, Source: source, ID: id, Name: name}
			}
			d := days[k]
			d.Times, d.People = d.Times+1, d.People+people
			if t.Before(d.At) {
				d.At = t
			}
		}
	}
	broadcasts, err := a.Broadcasts.Ahead(ctx, until)
	if err != nil {
		return nil, err
	}
	for _, b := range broadcasts {
		add(broadcast.Source, b.ID, b.Name, 0, b.At...)
	}
	sops, err := a.SOPs.Ahead(ctx, from, to)
	if err != nil {
		return nil, err
	}
	for _, s := range sops {
		add(sop.Source, s.SOP.ID, s.SOP.Name, s.People, s.At)
	}
	reminders, err := a.Reminders.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range reminders {
		if r.Enabled && r.NextAt != nil {
			add(reminder.Source, r.ID, r.Name, 0, clock.Firings(r.Cron, a.Zone, *r.NextAt, until, 366)...)
		}
	}
	calls, err := a.Recalls.Calls(ctx, until)
	if err != nil {
		return nil, err
	}
	for _, r := range calls {
		add(recall.Source, r.ID, r.Name, 0, *r.CallAt)
	}
	all := make([]Sending, 0, len(days))
	for _, d := range days {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Sending) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}
