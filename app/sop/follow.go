package sop

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// past is how long after it happened an event that comes late still lets somebody in: imported history does not.
const past = 7 * 24 * time.Hour

// forever is until when events concern somebody who is in a SOP.
var forever = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// linger is how long after his last step what waits to be sent can still be stopped: quiet hours, and the retries of a mass send.
const linger = 48 * time.Hour

// Follow is the event follower: who does what a SOP waits for goes on, out, or in. For a kind that no SOP knows it asks nothing, and
// whoever is in none costs one look.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	set, err := s.load(tx)
	if err != nil || len(set.list) == 0 {
		return nil, err
	}
	now := s.Clock.Now()
	sub := &condition.Subject{MemberID: ev.MemberID, At: now, Event: ev, Cache: map[string]any{}}
	if set.concerns(ev.Kind) {
		var in []model.SOPEnrolment
		if err := tx.Where("member_id = ? AND watch_till > ?", ev.MemberID, now).Order("id").Find(&in).Error; err != nil {
			return nil, fmt.Errorf("sop: of member %d: %w", ev.MemberID, err)
		}
		for i := range in {
			if p := set.byID[in[i].SOPID]; p != nil {
				if err := s.react(ctx, tx, p, &in[i], sub); err != nil {
					return nil, fmt.Errorf("sop: %d: %w", p.ID, err)
				}
			}
		}
	}
	if ev.OccurredAt.Before(now.Add(-past)) {
		return nil, nil
	}
	for _, p := range set.enters[ev.Kind] {
		v, _, err := s.Conditions.Eval(ctx, tx, sub, p.def().Entry.Condition)
		if err == nil && v.Holds {
			err = s.enter(tx, p, ev.MemberID, ev.OccurredAt)
		}
		if err != nil {
			return nil, fmt.Errorf("sop: %d: %w", p.ID, err)
		}
	}
	return nil, nil
}

func (set *planSet) concerns(kind string) bool {
	return set.hears[kind] || set.hears[condition.AnyEvent] || strings.HasPrefix(kind, model.EventBehavior+".") && set.hears[event.AnyBehavior]
}

// fires reports whether the event is what the trigger waits for.
func (s *Service) fires(ctx context.Context, tx *gorm.DB, t *Trigger, sub *condition.Subject) (bool, error) {
	if t.Event != "" && t.Event != sub.Event.Kind {
		return false, nil
	}
	v, _, err := s.Conditions.Eval(ctx, tx, sub, t.Condition)
	return v.Holds, err
}

// react is what an event does to one who is in a SOP, or was lately.
func (s *Service) react(ctx context.Context, tx *gorm.DB, p *plan, e *model.SOPEnrolment, sub *condition.Subject) error {
	d, ev, before := p.defs[e.Version], sub.Event, *e
	if d.Goal != nil && e.GoalAt == nil && !ev.OccurredAt.Before(e.EnteredAt) {
		there, err := s.fires(ctx, tx, &d.Goal.Trigger, sub)
		if err != nil {
			return err
		}
		if there {
			at := ev.OccurredAt
			e.GoalAt = &at
		}
	}
	var passes []model.SOPPass
	if e.ExitedAt == nil && p.State != model.SOPEnded {
		exits, err := s.exits(ctx, tx, d, sub)
		if err != nil {
			return err
		}
		if exits {
			passes = s.leave(d, e, sub.At)
		} else if passes, err = s.happens(ctx, tx, d, e, sub); err != nil {
			return err
		}
	}
	if *e == before {
		return nil
	}
	if len(passes) > 0 {
		if err := tx.Create(&passes).Error; err != nil {
			return fmt.Errorf("pass: %w", err)
		}
	}
	return update(tx, e)
}

// update writes an enrolment as it is now.
func update(tx *gorm.DB, e *model.SOPEnrolment) error {
	return tx.Model(e).Select("*").Updates(e).Error
}

func (s *Service) exits(ctx context.Context, tx *gorm.DB, d *Definition, sub *condition.Subject) (bool, error) {
	for i := range d.Exit {
		if yes, err := s.fires(ctx, tx, &d.Exit[i], sub); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

// leave takes a member out. Where he stands before a message, that step shows it when it is due, and ends his way.
func (s *Service) leave(d *Definition, e *model.SOPEnrolment, now time.Time) []model.SOPPass {
	e.ExitedAt = &now
	if e.State != model.EnrolmentRunning {
		return nil
	}
	e.Reason, e.Running = model.EnrolmentExited, nil
	if st := d.step(e.Step); st != nil && st.Send != nil {
		e.State = model.EnrolmentLeaving
		return nil
	}
	pass := passOf(e, model.PassExited, now)
	s.end(d, e, model.EnrolmentExited, now)
	return []model.SOPPass{pass}
}

// end closes an enrolment; its events concern it for a while.
func (s *Service) end(d *Definition, e *model.SOPEnrolment, reason string, now time.Time) {
	e.State, e.Reason, e.Running, e.DueAt, e.EndedAt = model.EnrolmentEnded, reason, nil, nil, &now
	e.WatchTill = now.Add(time.Duration(d.goalDays())*24*time.Hour + linger)
}

func passOf(e *model.SOPEnrolment, outcome string, now time.Time) model.SOPPass {
	return model.SOPPass{EnrolmentID: e.ID, Step: e.Step, SOPID: e.SOPID, MemberID: e.MemberID, Outcome: outcome, At: now}
}

// happens moves one on who stands at a step that waits for the event.
func (s *Service) happens(ctx context.Context, tx *gorm.DB, d *Definition, e *model.SOPEnrolment, sub *condition.Subject) ([]model.SOPPass, error) {
	i := d.index(e.Step)
	if e.State != model.EnrolmentRunning || i == len(d.Steps) || d.Steps[i].Wait == nil || sub.Event.OccurredAt.Before(e.ReachedAt) {
		return nil, nil
	}
	w := d.Steps[i].Wait
	yes, err := s.fires(ctx, tx, &Trigger{w.Event, w.Condition}, sub)
	if err != nil || !yes {
		return nil, err
	}
	passed, err := s.passed(tx, e)
	if err != nil {
		return nil, err
	}
	pass := passOf(e, model.PassHappened, sub.At)
	missed := s.advance(d, e, d.after(i, d.Steps[i].Next), sub.Event.OccurredAt, sub.At, passed[e.ID])
	return append([]model.SOPPass{pass}, missed...), nil
}

// advance puts a member at the i-th step, which he reaches at the instant, and returns the steps that he is too late for.
func (s *Service) advance(d *Definition, e *model.SOPEnrolment, i int, reached, now time.Time, passed map[string]bool) (missed []model.SOPPass) {
	at := d.arrive(s.Zone, i, e.EnteredAt, reached, passed)
	for _, key := range at.missed {
		e.Step = key
		missed = append(missed, passOf(e, model.PassMissed, now))
	}
	if at.step == "" {
		s.end(d, e, model.EnrolmentDone, now)
		return missed
	}
	e.Step, e.ReachedAt, e.DueAt = at.step, at.reached, &at.due
	return missed
}

// passed are the steps behind those of the enrolments that were moved to another version: they do not come to one twice.
func (s *Service) passed(tx *gorm.DB, es ...*model.SOPEnrolment) (map[int64]map[string]bool, error) {
	var ids []int64
	for _, e := range es {
		if e.Moved {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []model.SOPPass
	if err := tx.Select("enrolment_id", "step").Where("enrolment_id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: passed: %w", err)
	}
	out := map[int64]map[string]bool{}
	for _, r := range rows {
		if out[r.EnrolmentID] == nil {
			out[r.EnrolmentID] = map[string]bool{}
		}
		out[r.EnrolmentID][r.Step] = true
	}
	return out, nil
}

// enter lets a member in, unless he is in it, or was too lately.
func (s *Service) enter(tx *gorm.DB, p *plan, memberID int64, at time.Time) error {
	last, err := s.last(tx, p.ID, []int64{memberID})
	if err != nil {
		return err
	}
	e, passes := s.enrol(p, memberID, at, last[memberID])
	if e == nil {
		return nil
	}
	if dup, err := db.Insert(tx, e); err != nil || dup {
		return err // it is another's, who was quicker
	}
	for i := range passes {
		passes[i].EnrolmentID = e.ID
	}
	if len(passes) > 0 {
		return tx.Create(&passes).Error
	}
	return nil
}

// last are the last enrolments of members in a SOP.
func (s *Service) last(tx *gorm.DB, sopID int64, members []int64) (map[int64]*model.SOPEnrolment, error) {
	var rows []model.SOPEnrolment
	err := tx.Select("id", "member_id", "no", "running", "entered_at").Where("sop_id = ? AND member_id IN ?", sopID, members).Order("entered_at, id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("sop: last of members: %w", err)
	}
	out := map[int64]*model.SOPEnrolment{}
	for i := range rows {
		e := &rows[i]
		if old := out[e.MemberID]; old != nil {
			e.No = max(e.No, old.No)
			if old.Running != nil {
				e.Running = old.Running
			}
		}
		out[e.MemberID] = e
	}
	return out, nil
}

// mayEnter reports whether a member whose last enrolment this is may come in.
func (s *Service) mayEnter(d *Definition, last *model.SOPEnrolment, at time.Time) bool {
	switch {
	case last == nil:
		return true
	case last.Running != nil:
		return false
	case d.Reentry.Mode == After:
		return s.Zone.DayOf(at).Sub(s.Zone.DayOf(last.EnteredAt)) >= d.Reentry.Days
	}
	return d.Reentry.Mode == Always
}

// enrol is the enrolment of one who comes in at the instant, with the steps that he is too late for; nil where he may not.
func (s *Service) enrol(p *plan, memberID int64, at time.Time, last *model.SOPEnrolment) (*model.SOPEnrolment, []model.SOPPass) {
	d := p.def()
	if !s.mayEnter(d, last, at) {
		return nil, nil
	}
	one, no := 1, 1
	if last != nil {
		no = last.No + 1
	}
	at = at.UTC().Truncate(time.Microsecond)
	e := &model.SOPEnrolment{
		SOPID: p.ID, MemberID: memberID, Running: &one, No: no, Version: p.Version, State: model.EnrolmentRunning, EnteredAt: at, WatchTill: forever,
	}
	return e, s.advance(d, e, 0, at, s.Clock.Now(), nil)
}
