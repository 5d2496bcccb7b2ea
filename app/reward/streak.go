package reward

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// place is where a streak of n days stands in the table: with a cycle of 7 the eighth day is the first again.
func (s *Spec) place(n int64) int64 {
	if s.Cycle > 0 && n > 0 {
		return (n-1)%int64(s.Cycle) + 1
	}
	return n
}

// reached is what the table gives on the n-th day in a row.
func (s *Spec) reached(n int64) int64 {
	for _, step := range s.Table {
		if int64(step.Days) == s.place(n) {
			return step.Amount
		}
	}
	return 0
}

// nextStep is the first line of a streak table in points that a streak of at least n days reaches, with the days of the streak then.
func nextStep(s Spec, n int64) *Step {
	if s.Kind != Streak || s.Account != model.AccountPoints || len(s.Table) == 0 {
		return nil
	}
	at := s.place(n)
	for _, step := range s.Table {
		if int64(step.Days) >= at {
			return &Step{Days: int(n-at) + step.Days, Amount: step.Amount}
		}
	}
	if s.Cycle == 0 {
		return nil
	}
	return &Step{Days: int(n-at) + s.Cycle + s.Table[0].Days, Amount: s.Table[0].Amount}
}

// StreakDay is one day of an unbroken run of check-ins.
type StreakDay struct {
	Key    string // of its event
	Streak int    // its place in the run, as it is known now
	Grew   bool   // what that place earns was not asked yet
}

// grownKey is the key of a line that a streak earned after its event, with the length.
var grownKey = regexp.MustCompile(`^event:\d+:rule:\d+:(\d+)(?::streak:(\d+))?$`)

// grown reports such a line: its event was counted before, or is none that caps count.
func grown(key string) bool {
	m := grownKey.FindStringSubmatch(key)
	return m != nil && m[2] != ""
}

// line of a streak table, of one rule.
type tableLine struct {
	rule  int64
	index int // of the grant
	place int64
}

// StreaksGrewTx grants what streak tables give for the days of a run that grew because a missing day came late or was made up. run is the
// whole run, oldest day first; its events have one source. Over the run a line of a table pays once, with a cycle once a round: what
// the parts of the run earned by it before counts, and stays. Caps on times do not count these days again.
func (s *Service) StreaksGrewTx(ctx context.Context, tx *gorm.DB, source string, run []StreakDay) ([]event.Grant, error) {
	events, err := eventsOf(tx, source, run)
	if err != nil {
		return nil, err
	}
	p, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	earned, err := earnedByStreaks(tx, p.rules, events)
	if err != nil {
		return nil, err
	}
	var grants []event.Grant
	want := map[tableLine]int{}
	for _, day := range run {
		ev := events[day.Key]
		if ev == nil {
			return nil, fmt.Errorf("reward: event %s %s is not there", source, day.Key)
		}
		open := map[tableLine]bool{} // lines that this day reaches and that its round has not earned
		for _, l := range linesAt(p.rules, ev, int64(day.Streak)) {
			want[l]++
			open[l] = earned[l] < want[l]
		}
		if !day.Grew || len(open) == 0 {
			continue
		}
		got, err := s.streakGrewTx(ctx, tx, p, *ev, day.Streak, func(l tableLine) bool { return open[l] })
		if err != nil {
			return nil, err
		}
		for l, is := range open {
			if is {
				earned[l]++
			}
		}
		grants = append(grants, got...)
	}
	return grants, nil
}

// eventsOf reads the events of a run by key, as check-ins.
func eventsOf(tx *gorm.DB, source string, run []StreakDay) (map[string]*model.Event, error) {
	keys := make([]string, len(run))
	for i, d := range run {
		keys[i] = d.Key
	}
	found := make(map[string]*model.Event, len(run))
	for some := range slices.Chunk(keys, 500) {
		var rows []model.Event
		if err := tx.Where("source = ? AND `key` IN ?", source, some).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("reward: events of a run: %w", err)
		}
		for i := range rows {
			rows[i].Kind = model.EventCheckin // of a made-up day too
			found[rows[i].Key] = &rows[i]
		}
	}
	return found, nil
}

// linesAt are the lines of streak tables that the n-th day in a row reaches.
func linesAt(rules []*rule, ev *model.Event, n int64) (lines []tableLine) {
	for _, r := range rules {
		v := r.at(ev.OccurredAt)
		if v == nil || !v.Enabled || v.Trigger != ev.Kind {
			continue
		}
		for i := range v.def.Grants {
			if g := &v.def.Grants[i]; g.Kind == Streak && g.reached(n) > 0 {
				lines = append(lines, tableLine{r.id, i, g.place(n)})
			}
		}
	}
	return lines
}

// earnedByStreaks counts, by line of a table, what the days earned and kept.
func earnedByStreaks(tx *gorm.DB, rules []*rule, events map[string]*model.Event) (map[tableLine]int, error) {
	byID := make(map[int64]*model.Event, len(events))
	ids := make([]int64, 0, len(events))
	for _, ev := range events {
		byID[ev.ID] = ev
		ids = append(ids, ev.ID)
	}
	earned := map[tableLine]int{}
	for some := range slices.Chunk(ids, 500) {
		var rows []model.Entry
		if err := unreversed(tx).Select("event_id", "rule_id", "key").Where("event_id IN ? AND bonus = ?", some, true).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("reward: what a run earned: %w", err)
		}
		for _, e := range rows {
			m := grownKey.FindStringSubmatch(e.Key)
			ev := byID[e.EventID]
			if m == nil || ev == nil {
				continue
			}
			index, _ := strconv.Atoi(m[1])
			n, _ := strconv.ParseInt(m[2], 10, 64)
			if m[2] == "" {
				n = number(condition.DataFields(ev.Data), "streak")
			}
			if g := grantAt(rules, e.RuleID, index, ev); g != nil {
				earned[tableLine{e.RuleID, index, g.place(n)}]++
			}
		}
	}
	return earned, nil
}

// grantAt is the grant of a rule in the version in force at the event.
func grantAt(rules []*rule, id int64, index int, ev *model.Event) *Spec {
	for _, r := range rules {
		if r.id != id {
			continue
		}
		if v := r.at(ev.OccurredAt); v != nil && index < len(v.def.Grants) {
			return &v.def.Grants[index]
		}
	}
	return nil
}

// streakGrewTx grants what the open lines of streak tables give for an event whose streak is longer than was known.
func (s *Service) streakGrewTx(ctx context.Context, tx *gorm.DB, p *programme, ev model.Event, streak int, open func(tableLine) bool) ([]event.Grant, error) {
	data := condition.DataFields(ev.Data)
	data["streak"] = streak
	ev.Data = model.ToJSON(data)
	hits, err := s.match(ctx, tx, p, &ev)
	if err != nil {
		return nil, err
	}
	for i := range hits {
		v := *hits[i].v
		v.def.Caps = slices.DeleteFunc(slices.Clone(v.def.Caps), func(c Cap) bool { return c.Times > 0 })
		v.def.CapSets = slices.DeleteFunc(slices.Clone(v.def.CapSets), func(code string) bool { return p.sets[code].Times > 0 })
		v.def.Grants = slices.Clone(v.def.Grants)
		for j := range v.def.Grants {
			if g := &v.def.Grants[j]; g.Kind != Streak || !open(tableLine{hits[i].rule.id, j, g.place(int64(streak))}) {
				*g = Spec{} // gives nothing
			}
		}
		hits[i].v = &v
	}
	grants, err := s.grantTx(ctx, tx, p, &ev, hits, fmt.Sprint(":streak:", streak)) // a shorter streak of that day may have earned before
	return slices.DeleteFunc(grants, func(g event.Grant) bool { return g.Amount == 0 }), err
}
