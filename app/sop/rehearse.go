package sop

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Rehearsed is a message that a member has got, would get, or would not.
type Rehearsed struct {
	At       time.Time
	Source   string // Source or broadcast.Source
	SourceID int64
	Name     string
	Step     string
	State    string // of a delivery: accepted or suppressed, of what is past any
	Channel  string
	Reason   string
	Detail   string
	Past     bool
	Clash    bool // on a day on which another SOP would send to him too
}

// maxRehearsal bounds what a rehearsal looks at.
const (
	maxRehearsal = 100 * 24 * time.Hour
	maxItems     = 2000
	maxOthers    = 200 // who are asked whether a mass send has a second one
)

// Rehearse says what a member gets of SOPs and broadcasts in [from, to): what he has got, and what he would get if nothing else happened:
// by the decisions of the live send, with caps, quotas and quiet hours. Tags that begin or end with time alone are foreseen, and so is what
// steps give; a tier that changes with it, and a SOP that he enters by an event of siyu's own, are not.
func (s *Service) Rehearse(ctx context.Context, memberID int64, from, to time.Time) ([]Rehearsed, error) {
	return s.rehearse(ctx, memberID, from, to, nil)
}

// RehearseDraft is Rehearse as if the SOP (0: a new one) had been saved as d, and ran. Where members enter it by an event, it happens to
// this one at the beginning; who is in the SOP already stays on his version.
func (s *Service) RehearseDraft(ctx context.Context, memberID int64, from, to time.Time, id int64, d Definition) ([]Rehearsed, error) {
	if err := s.check(ctx, s.DB.Reader(ctx), &d); err != nil {
		return nil, err
	}
	draft := &plan{SOP: model.SOP{ID: id, Name: d.Name, State: model.SOPActive, Version: 1}, defs: map[int]*Definition{}}
	if id != 0 {
		row, err := s.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		draft.Version = row.Version + 1
	}
	draft.defs[draft.Version] = &d
	var err error
	if draft.NextAt, err = s.next(&d, s.Clock.Now()); err != nil {
		return nil, err
	}
	return s.rehearse(ctx, memberID, from, to, draft)
}

func (s *Service) rehearse(ctx context.Context, memberID int64, from, to time.Time, draft *plan) ([]Rehearsed, error) {
	if !from.Before(to) || to.Sub(from) > maxRehearsal {
		return nil, errs.Field("to", "sop.rehearsal", "limit", int(maxRehearsal/(24*time.Hour)))
	}
	r := &rehearsal{Service: s, ctx: ctx, tx: s.DB.Reader(ctx), member: memberID, now: s.Clock.Now(), to: to, earned: map[string]int64{}}
	r.reach = s.Reach.Rehearse(ctx, r.tx, memberID)
	if err := r.begin(from, draft); err != nil {
		return nil, err
	}
	for n := 0; len(r.queue) > 0 && n < maxItems; n++ {
		it := r.queue[0]
		r.queue = r.queue[1:]
		if err := it.do(it.at); err != nil {
			return nil, fmt.Errorf("sop: rehearse: %w", err)
		}
	}
	r.out = slices.DeleteFunc(r.out, func(l Rehearsed) bool { return l.At.Before(from) || !l.At.Before(to) })
	slices.SortStableFunc(r.out, func(a, b Rehearsed) int { return a.At.Compare(b.At) })
	r.clashes()
	return r.out, nil
}

// item is something that falls due. What falls due at one instant runs as the schedule runs it: broadcasts, then SOPs by their ids.
type item struct {
	at    time.Time
	order int64
	do    func(at time.Time) error
}

type rehearsal struct {
	*Service
	ctx    context.Context // lives as long as one call
	tx     *gorm.DB
	reach  *reach.Rehearsal
	member int64
	now    time.Time
	to     time.Time
	queue  []item
	out    []Rehearsed
	earned map[string]int64 // of steps, by account
}

func (r *rehearsal) push(at time.Time, order int64, do func(time.Time) error) {
	if at.Before(r.now) {
		at = r.now
	}
	if !at.Before(r.to) {
		return
	}
	i, _ := slices.BinarySearchFunc(r.queue, item{at: at, order: order}, func(a, b item) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order), -1)
	})
	r.queue = slices.Insert(r.queue, i, item{at, order, do})
}

func (r *rehearsal) subject(memberID int64, at time.Time) *condition.Subject {
	sub := &condition.Subject{MemberID: memberID, At: at, Cache: map[string]any{}, Ahead: &condition.Ahead{Tag: r.Tags.Ahead}}
	if memberID == r.member {
		sub.Ahead.Earned = r.earned
	}
	return sub
}

func (r *rehearsal) holds(memberID int64, at time.Time, t condition.Tree) (bool, error) {
	v, _, err := r.Conditions.Eval(r.ctx, r.tx, r.subject(memberID, at), t)
	return v.Holds, err
}

// begin fills the queue with where things stand.
func (r *rehearsal) begin(from time.Time, draft *plan) error {
	set, err := r.load(r.tx)
	if err != nil {
		return err
	}
	if draft != nil {
		set = set.with(draft)
	}
	if err := r.past(set, from); err != nil {
		return err
	}
	ahead, err := r.Broadcasts.Ahead(r.ctx, r.to)
	if err != nil {
		return err
	}
	for i := range ahead {
		for _, at := range ahead[i].At {
			r.push(at, 0, func(at time.Time) error { return r.broadcast(&ahead[i], at) })
		}
	}
	for _, p := range set.list {
		if p.State != model.SOPActive {
			continue
		}
		enter, err := r.sop(p)
		if err != nil {
			return err
		}
		if p == draft && p.def().Entry.Event != "" {
			r.push(from, p.ID, enter)
		}
	}
	return nil
}

// with is the set in which the draft stands for the SOP that it changes.
func (set *planSet) with(draft *plan) *planSet {
	out := &planSet{byID: maps.Clone(set.byID)}
	if out.byID == nil {
		out.byID = map[int64]*plan{}
	}
	for _, p := range set.list {
		if p.ID != draft.ID {
			out.list = append(out.list, p)
			continue
		}
		maps.Copy(draft.defs, p.defs)
	}
	out.list, out.byID[draft.ID] = append(out.list, draft), draft
	return out
}

// past are the messages that he has got or not, and those of them that wait.
func (r *rehearsal) past(set *planSet, from time.Time) error {
	sent, err := r.Reach.OfMember(r.ctx, r.member, 0, 200)
	if err != nil {
		return err
	}
	slices.Reverse(sent)
	for _, d := range sent {
		if d.Run.Source != Source && d.Run.Source != broadcast.Source {
			continue
		}
		line := Rehearsed{Source: d.Run.Source, SourceID: d.Run.SourceID, State: d.State, Channel: d.Channel, Reason: d.Reason, Detail: d.Detail, Past: true}
		var f *firing
		if d.Run.Source == Source {
			id, _ := strconv.ParseInt(d.Run.Slot, 10, 64)
			if f, err = r.frozen(r.tx, id); err != nil {
				return err
			}
			line.Step = f.Step
		}
		if err := r.name(&line); err != nil {
			return err
		}
		waits := d.State == model.DeliveryPending || d.State == model.DeliveryDeferred
		if !waits {
			if line.At = d.Run.CreatedAt; d.At != nil {
				line.At = *d.At
			}
			if !line.At.Before(from) {
				r.out = append(r.out, line)
			}
			continue
		}
		var m reach.Message
		if err := d.Run.Message.Into(&m); err != nil {
			return err
		}
		due := r.now
		if d.DueAt != nil {
			due = *d.DueAt
		}
		now := func(time.Time) (reach.Now, error) { return reach.Now{}, nil }
		if f != nil {
			now = r.nowOf(set, f)
		}
		line.Past = false
		spec := reach.RunSpec{Class: d.Run.Class, Message: m}
		r.push(due, line.SourceID, func(at time.Time) error { return r.send(line, at, d.Run.CreatedAt, spec, now, r.alone) })
	}
	return nil
}

// alone is the answer where it is not known who else is there.
func (r *rehearsal) alone() (bool, error) { return false, nil }

func (r *rehearsal) nowOf(set *planSet, f *firing) func(time.Time) (reach.Now, error) {
	return func(at time.Time) (reach.Now, error) {
		var d *Definition
		if p := set.byID[f.SOPID]; p != nil {
			d = p.defs[f.Version]
		}
		if d == nil {
			return reach.Now{Gone: true, Reason: reach.Exited}, nil
		}
		return r.at(d, d.step(f.Step), at)
	}
}

// at is what the recheck would say of the member.
func (r *rehearsal) at(d *Definition, st *Step, at time.Time) (reach.Now, error) {
	over, err := r.over(r.ctx, r.tx, d, r.subject(r.member, at))
	if err != nil || over {
		return reach.Now{Gone: true, Reason: reach.Exited}, err
	}
	yes, err := r.holds(r.member, at, st.Send.Condition)
	return reach.Now{Gone: !yes}, err
}

func (r *rehearsal) name(l *Rehearsed) error {
	table := "sops"
	if l.Source == broadcast.Source {
		table = "broadcasts"
	}
	var names []string
	err := r.tx.Table(table).Where("id = ?", l.SourceID).Pluck("name", &names).Error
	if len(names) > 0 {
		l.Name = names[0]
	}
	return err
}

// send decides about a message, and again when it is no longer put off.
func (r *rehearsal) send(l Rehearsed, at, began time.Time, spec reach.RunSpec, now func(time.Time) (reach.Now, error), alone func() (bool, error)) error {
	n, err := now(at)
	if err != nil {
		return err
	}
	v, err := r.reach.Send(at, began, spec, n, alone)
	if err != nil {
		return err
	}
	l.At, l.State, l.Channel, l.Reason, l.Detail = at, model.DeliveryAccepted, v.Channel, v.Reason, v.Detail
	if !v.Until.IsZero() {
		r.push(v.Until, l.SourceID, func(at time.Time) error { return r.send(l, at, began, spec, now, alone) })
		return nil
	}
	if v.Reason != "" {
		l.State = model.DeliverySuppressed
	}
	r.out = append(r.out, l)
	return nil
}

func (r *rehearsal) broadcast(b *broadcast.Ahead, at time.Time) error {
	yes, err := r.holds(r.member, at, b.Who)
	if err != nil || !yes {
		return err
	}
	spec, held, err := b.For(r.member)
	if err != nil || held {
		return err
	}
	line := Rehearsed{Source: broadcast.Source, SourceID: b.ID, Name: b.Name}
	now := func(time.Time) (reach.Now, error) { return reach.Now{}, nil }
	return r.send(line, at, at, spec, now, func() (bool, error) {
		others, err := r.meet(at, b.Who)
		if err != nil {
			return false, err
		}
		some, err := r.Reach.Masses(r.ctx, r.tx, at, spec, others)
		return !some, err
	})
}

// meet are others who meet a condition at the instant, at most maxOthers.
func (r *rehearsal) meet(at time.Time, t condition.Tree) (ids []int64, err error) {
	found, _, err := r.Audience.Members(r.ctx, r.tx, at, t)
	if err != nil {
		return nil, err
	}
	for it := found.Iterator(); it.HasNext() && len(ids) < maxOthers; {
		if id := int64(it.Next()); id != r.member {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// sop is what a SOP has in store for the member; enter lets him in, where he may.
func (r *rehearsal) sop(p *plan) (enter func(at time.Time) error, err error) {
	var in []model.SOPEnrolment
	if err := r.tx.Where("sop_id = ? AND member_id = ? AND due_at IS NOT NULL", p.ID, r.member).Order("id").Find(&in).Error; err != nil {
		return nil, err
	}
	for i := range in {
		r.stand(p, &in[i])
	}
	last, err := r.last(r.tx, p.ID, []int64{r.member})
	if err != nil {
		return nil, err
	}
	before := last[r.member]
	enter = func(at time.Time) error {
		if who := p.def().Entry.Condition; !r.Conditions.EventScoped(who) { // of an event that has not happened nothing is known
			yes, err := r.holds(r.member, at, who)
			if err != nil || !yes {
				return err
			}
		}
		e, _ := r.enrol(p, r.member, at, before)
		if e == nil {
			return nil
		}
		before = e
		if e.DueAt != nil {
			r.stand(p, e)
		}
		return nil
	}
	if p.NextAt == nil {
		return enter, nil
	}
	r.push(*p.NextAt, p.ID, enter)
	if p.def().Entry.Cron == "" {
		return enter, nil
	}
	line, err := clock.ParseCron(p.def().Entry.Cron, r.Zone)
	if err != nil {
		return nil, err
	}
	for t, n := line.Next(*p.NextAt), 0; !t.IsZero() && t.Before(r.to) && n < 400; t, n = line.Next(t), n+1 {
		r.push(t, p.ID, enter)
	}
	return enter, nil
}

// stand queues the step at which the enrolment stands.
func (r *rehearsal) stand(p *plan, e *model.SOPEnrolment) {
	r.push(*e.DueAt, p.ID, func(at time.Time) error { return r.pass(p, e, at) })
}

// pass takes the member past a step, as the mover does.
func (r *rehearsal) pass(p *plan, e *model.SOPEnrolment, at time.Time) error {
	d := p.defs[e.Version]
	i := d.index(e.Step)
	st := &d.Steps[i]
	line := Rehearsed{Source: Source, SourceID: p.ID, Name: p.Name, Step: st.Key}
	if e.State == model.EnrolmentLeaving {
		gone := func(time.Time) (reach.Now, error) { return reach.Now{Gone: true, Reason: reach.Exited}, nil }
		r.end(d, e, model.EnrolmentExited, at)
		return r.send(line, at, at, specOf(d, st), gone, r.alone)
	}
	to, over, err := r.way(d, i, e.MemberID, at)
	if err != nil {
		return err
	}
	if st.Send != nil {
		now, err := r.given(d, st, at, over)
		if err != nil {
			return err
		}
		here := *e
		alone := func() (bool, error) { return r.aloneAt(p, &here, st) }
		if err := r.send(line, at, at, specOf(d, st), now, alone); err != nil {
			return err
		}
	}
	if over {
		r.end(d, e, model.EnrolmentExited, at)
		return nil
	}
	passed, err := r.passed(r.tx, e)
	if err != nil {
		return err
	}
	r.advance(d, e, to, *e.DueAt, at, passed[e.ID])
	if e.DueAt != nil {
		r.stand(p, e)
	}
	return nil
}

// given gives what the step gives, and answers what its message is asked later. One decision holds for both: what he got does not undo it.
func (r *rehearsal) given(d *Definition, st *Step, at time.Time, over bool) (func(time.Time) (reach.Now, error), error) {
	if st.Send.Grants == nil || over {
		return func(at time.Time) (reach.Now, error) { return r.at(d, st, at) }, nil
	}
	yes, err := r.holds(r.member, at, st.Send.Condition)
	if err != nil {
		return nil, err
	}
	if g := st.Send.Grants; yes && g.Amount > 0 {
		r.earned[cmp.Or(g.Account, model.AccountPoints)] += g.Amount
	}
	return func(at time.Time) (reach.Now, error) {
		over, err := r.over(r.ctx, r.tx, d, r.subject(r.member, at))
		if err != nil || over {
			return reach.Now{Gone: true, Reason: reach.Exited}, err
		}
		return reach.Now{Gone: !yes}, nil
	}, nil
}

func specOf(d *Definition, st *Step) reach.RunSpec {
	return reach.RunSpec{Class: d.class(st), Message: st.Send.Message}
}

// way is where the i-th step leads a member at the instant, or that he is out.
func (r *rehearsal) way(d *Definition, i int, memberID int64, at time.Time) (to int, over bool, err error) {
	st := &d.Steps[i]
	if st.Wait != nil {
		return d.after(i, st.Otherwise), false, nil
	}
	if over, err = r.over(r.ctx, r.tx, d, r.subject(memberID, at)); err != nil || over {
		return 0, over, err
	}
	if st.Branch != nil {
		yes, err := r.holds(memberID, at, st.Branch.Condition)
		if err != nil || !yes {
			return d.after(i, st.Otherwise), false, err
		}
	}
	return d.after(i, st.Next), false, nil
}

// aloneAt reports whether nobody else would get the mass send of the step with him: those who stand in the SOP too, and those who would
// come in with him.
func (r *rehearsal) aloneAt(p *plan, e *model.SOPEnrolment, st *Step) (bool, error) {
	due := *e.DueAt
	d := p.defs[e.Version]
	var others []model.SOPEnrolment
	err := r.tx.Where("sop_id = ? AND due_at <= ? AND version = ? AND state = ? AND member_id <> ?", p.ID, due, e.Version, model.EnrolmentRunning, r.member).
		Order("due_at DESC").Limit(maxOthers).Find(&others).Error
	if err != nil {
		return false, err
	}
	if e.ID == 0 && d.Entry.Event == "" { // he would come in by the clock
		ids, err := r.meet(e.EnteredAt, d.Entry.Condition)
		if err != nil {
			return false, err
		}
		for _, id := range ids {
			if o, _ := r.enrol(p, id, e.EnteredAt, nil); o != nil && o.DueAt != nil {
				others = append(others, *o)
			}
		}
	}
	var ids []int64
	for i := range others {
		there, err := r.comes(d, &others[i], st, due)
		if err != nil {
			return false, err
		}
		if there {
			ids = append(ids, others[i].MemberID)
		}
	}
	slices.Sort(ids)
	at, err := r.awake(d, st, due)
	if err != nil {
		return false, err
	}
	some, err := r.Reach.Masses(r.ctx, r.tx, at, specOf(d, st), slices.Compact(ids))
	return !some, err
}

// awake is when a message that is due at the moment goes: marketing waits for the end of quiet hours.
func (r *rehearsal) awake(d *Definition, st *Step, due time.Time) (time.Time, error) {
	if d.class(st) == model.ClassMarketing {
		return r.Reach.Awake(r.tx, due)
	}
	return due, nil
}

// comes reports whether another one would be sent the step's message at the instant.
func (r *rehearsal) comes(d *Definition, o *model.SOPEnrolment, st *Step, due time.Time) (bool, error) {
	for o.DueAt != nil && !o.DueAt.After(due) {
		i := d.index(o.Step)
		to, over, err := r.way(d, i, o.MemberID, *o.DueAt)
		if err != nil || over {
			return false, err
		}
		if o.Step == st.Key {
			if !o.DueAt.Equal(due) {
				return false, nil
			}
			return r.holds(o.MemberID, due, st.Send.Condition)
		}
		r.advance(d, o, to, *o.DueAt, due, nil)
	}
	return false, nil
}

// clashes marks the days on which several SOPs would send to him.
func (r *rehearsal) clashes() {
	byDay := map[model.Day]map[int64]bool{}
	for _, l := range r.out {
		if l.Source == Source {
			day := r.Zone.DayOf(l.At)
			if byDay[day] == nil {
				byDay[day] = map[int64]bool{}
			}
			byDay[day][l.SourceID] = true
		}
	}
	for i := range r.out {
		l := &r.out[i]
		l.Clash = l.Source == Source && len(byDay[r.Zone.DayOf(l.At)]) > 1
	}
}
