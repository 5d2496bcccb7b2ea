package sop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Report is what a SOP has done.
type Report struct {
	Entered int64 // times that somebody came in
	Running int64
	Reached int64          // entries to whom something was sent
	Goal    int64          // of Reached, those who reached the goal within its days after something was sent
	Opened  int64          // entries in which a radar link of a message was opened
	Done    int64          // entries that came to the end
	Exited  int64          // entries that a way out ended, and those that will show it at their next step
	Skipped []reach.Reason // entries to whom something was not sent, without details
	Steps   []StepReport
}

// StepReport is what a step has done.
type StepReport struct {
	Key      string
	Standing int64            // who stand at it
	Passed   int64            // who have it behind them
	Outcomes map[string]int64 // of Passed
	Counts   reach.Counts     // of its message
	Skipped  []reach.Reason   // of Counts.Suppressed
	Goal     int64            // of the accepted, those who reached the goal within its days
	Granted  int64            // members who got something
	Amount   int64            // what they got in the account
	Coupons  int64
}

// Report counts, over all versions.
func (s *Service) Report(ctx context.Context, id int64) (*Report, error) {
	row, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := s.Version(ctx, row, 0)
	if err != nil {
		return nil, err
	}
	c := &counter{s: s, ctx: ctx, id: id, out: &Report{}, byKey: map[string]*StepReport{}}
	for i := range d.Steps {
		c.step(d.Steps[i].Key)
	}
	for _, count := range []func() error{c.standing, c.passes, c.counts, func() error { return c.goals(d) }} {
		if err := count(); err != nil {
			return nil, fmt.Errorf("sop: report on %d: %w", id, err)
		}
	}
	for _, key := range c.keys {
		c.out.Steps = append(c.out.Steps, *c.byKey[key])
	}
	return c.out, nil
}

type counter struct {
	s     *Service
	ctx   context.Context // lives as long as one call
	id    int64
	out   *Report
	keys  []string // those of older versions come last
	byKey map[string]*StepReport
}

func (c *counter) step(key string) *StepReport {
	if c.byKey[key] == nil {
		c.keys = append(c.keys, key)
		c.byKey[key] = &StepReport{Key: key, Outcomes: map[string]int64{}, Skipped: []reach.Reason{}}
	}
	return c.byKey[key]
}

func (c *counter) standing() error {
	var rows []struct {
		Step, State, Reason string
		N                   int64
	}
	err := c.s.DB.Reader(c.ctx).Model(&model.SOPEnrolment{}).Select("step, state, reason, COUNT(*) AS n").Where("sop_id = ?", c.id).Group("step, state, reason").Scan(&rows).Error
	for _, r := range rows {
		c.out.Entered += r.N
		switch {
		case r.State == model.EnrolmentRunning:
			c.out.Running += r.N
		case r.State == model.EnrolmentLeaving || r.Reason == model.EnrolmentExited:
			c.out.Exited += r.N
		case r.Reason == model.EnrolmentDone:
			c.out.Done += r.N
		}
		if r.State != model.EnrolmentEnded {
			c.step(r.Step).Standing += r.N
		}
	}
	return err
}

func (c *counter) passes() error {
	var rows []struct {
		Step, Outcome               string
		N, Granted, Amount, Coupons int64
	}
	err := c.s.DB.Reader(c.ctx).Model(&model.SOPPass{}).
		Select("step, outcome, COUNT(*) AS n, SUM(CASE WHEN granted > 0 OR member_coupon_id > 0 THEN 1 ELSE 0 END) AS granted, SUM(granted) AS amount, SUM(CASE WHEN member_coupon_id > 0 THEN 1 ELSE 0 END) AS coupons").
		Where("sop_id = ?", c.id).Group("step, outcome").Scan(&rows).Error
	for _, r := range rows {
		st := c.step(r.Step)
		st.Passed += r.N
		st.Outcomes[r.Outcome] += r.N
		st.Granted, st.Amount, st.Coupons = st.Granted+r.Granted, st.Amount+r.Amount, st.Coupons+r.Coupons
	}
	return err
}

// counts are those of reach, which change with its rows.
func (c *counter) counts() error {
	var rows []struct {
		Step    string
		Reasons model.JSON

		Pending, Deferred, Accepted, Rejected, Unknown, Suppressed, Cancelled int64
	}
	err := c.s.DB.Reader(c.ctx).Raw("SELECT f.step, r.reasons, r.pending, r.deferred_count AS deferred, r.accepted, r.rejected, r.unknown_count AS `unknown`, r.suppressed, r.cancelled "+
		"FROM sop_firings f JOIN ranges r ON r.run_id = f.run_id WHERE f.sop_id = ? AND f.run_id > 0", c.id).Scan(&rows).Error
	if err != nil {
		return err
	}
	why := map[string]map[string]int64{}
	for _, r := range rows {
		n := &c.step(r.Step).Counts
		n.Pending, n.Deferred, n.Accepted, n.Rejected = n.Pending+r.Pending, n.Deferred+r.Deferred, n.Accepted+r.Accepted, n.Rejected+r.Rejected
		n.Unknown, n.Suppressed, n.Cancelled = n.Unknown+r.Unknown, n.Suppressed+r.Suppressed, n.Cancelled+r.Cancelled
		n.Audience = n.Sum()
		one := map[string]int64{}
		if err := json.Unmarshal(r.Reasons, &one); err != nil {
			return err
		}
		if why[r.Step] == nil {
			why[r.Step] = map[string]int64{}
		}
		for k, v := range one {
			why[r.Step][k] += v
		}
	}
	for step, sum := range why {
		for k, n := range sum {
			if reason, detail, _ := strings.Cut(k, "/"); n != 0 {
				c.step(step).Skipped = append(c.step(step).Skipped, reach.Reason{Reason: reason, Detail: detail, Count: n})
			}
		}
		slices.SortFunc(c.step(step).Skipped, func(a, b reach.Reason) int { return strings.Compare(a.Reason+a.Detail, b.Reason+b.Detail) })
	}
	return nil
}

// delivered joins the passes of a SOP with their deliveries.
const delivered = "sop_passes p JOIN sop_firings f ON f.id = p.firing_id JOIN deliveries d ON d.run_id = f.run_id AND d.member_id = p.member_id"

// opened joins them with the radar links that their members opened in what they were sent.
const opened = "sop_passes p JOIN sop_firings f ON f.id = p.firing_id AND f.run_id > 0 JOIN radar_shares s ON s.run_id = f.run_id AND s.member_id = p.member_id " +
	"AND s.parent_id = 0 JOIN radar_views v ON v.share_id = s.id AND (v.member_id = s.member_id OR (v.member_id = 0 AND v.visitor_id = s.visitor_id))"

func (c *counter) goals(d *Definition) error {
	r := c.s.DB.Reader(c.ctx)
	if err := r.Raw("SELECT COUNT(DISTINCT p.enrolment_id) FROM "+delivered+" WHERE p.sop_id = ? AND d.state = 'accepted'", c.id).Scan(&c.out.Reached).Error; err != nil {
		return err
	}
	err := r.Raw("SELECT d.reason, COUNT(DISTINCT p.enrolment_id) AS count FROM "+delivered+" WHERE p.sop_id = ? AND d.state = 'suppressed' GROUP BY d.reason ORDER BY d.reason", c.id).
		Scan(&c.out.Skipped).Error
	if err != nil {
		return err
	}
	if err := r.Raw("SELECT COUNT(DISTINCT p.enrolment_id) FROM "+opened+" WHERE p.sop_id = ?", c.id).Scan(&c.out.Opened).Error; err != nil {
		return err
	}
	there := map[int64]bool{}
	err = goals(r, c.id, d, func(enrolment int64, _ uint32, step string) {
		there[enrolment] = true
		c.step(step).Goal++
	})
	c.out.Goal = int64(len(there))
	return err
}

// goals are the entries that reached the goal within its days after a step sent something.
func goals(r *gorm.DB, id int64, d *Definition, each func(enrolment int64, member uint32, step string)) error {
	rows, err := r.Raw("SELECT p.enrolment_id, e.member_id, p.step, d.at, e.goal_at FROM "+delivered+" JOIN sop_enrolments e ON e.id = p.enrolment_id "+
		"WHERE p.sop_id = ? AND d.state = 'accepted' AND e.goal_at IS NOT NULL", id).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var enrolment int64
		var member uint32
		var step string
		var at, goal time.Time
		if err := rows.Scan(&enrolment, &member, &step, &at, &goal); err != nil {
			return err
		}
		if !goal.Before(at) && goal.Before(at.AddDate(0, 0, d.goalDays())) {
			each(enrolment, member, step)
		}
	}
	return rows.Err()
}

// Way is one way of a member through a SOP.
type Way struct {
	model.SOPEnrolment
	Name   string
	Passes []Stood
	Steps  []string // of Passes
}

// Of are the ways of a member, newest first.
func (s *Service) Of(ctx context.Context, memberID int64) ([]Way, error) {
	r := s.DB.Reader(ctx)
	var in []model.SOPEnrolment
	if err := r.Where("member_id = ?", memberID).Order("entered_at DESC, id DESC").Limit(50).Find(&in).Error; err != nil {
		return nil, fmt.Errorf("sop: of member %d: %w", memberID, err)
	}
	if len(in) == 0 {
		return nil, nil
	}
	ids, sops := make([]int64, len(in)), []int64{}
	for i, e := range in {
		ids[i], sops = e.ID, append(sops, e.SOPID)
	}
	var names []model.SOP
	if err := r.Select("id", "name", "state").Find(&names, sops).Error; err != nil {
		return nil, fmt.Errorf("sop: names: %w", err)
	}
	var passed []struct {
		Stood
		Step string
	}
	err := r.Table("sop_passes p").Joins("LEFT JOIN sop_firings f ON f.id = p.firing_id").
		Joins("LEFT JOIN deliveries d ON d.run_id = f.run_id AND f.run_id > 0 AND d.member_id = p.member_id").
		Select("p.enrolment_id, p.step, p.outcome, COALESCE(d.state, '') AS state, COALESCE(d.channel, '') AS channel, COALESCE(d.reason, '') AS reason, "+
			"COALESCE(d.detail, '') AS detail, p.account, p.granted, p.member_coupon_id, p.at").
		Where("p.enrolment_id IN ?", ids).Order("p.at, p.firing_id").Scan(&passed).Error
	if err != nil {
		return nil, fmt.Errorf("sop: passes of member %d: %w", memberID, err)
	}
	out := make([]Way, len(in))
	for i, e := range in {
		w := Way{SOPEnrolment: e}
		for _, n := range names {
			if n.ID == e.SOPID {
				w.Name = n.Name
				if n.State == model.SOPEnded && e.State != model.EnrolmentEnded { // whoever is in an ended SOP is out
					w.State, w.DueAt = model.EnrolmentEnded, nil
				}
			}
		}
		for _, p := range passed {
			if p.EnrolmentID == e.ID {
				w.Passes, w.Steps = append(w.Passes, p.Stood), append(w.Steps, p.Step)
			}
		}
		out[i] = w
	}
	return out, nil
}

// Clash is a member at steps of several SOPs that are due on one day.
type Clash struct {
	Day      model.Day
	MemberID int64
	SOPs     []int64
}

// maxClashes bounds how many are listed of one day.
const maxClashes = 100

// Clashes are the days of [from, to) on which a member's next steps of several SOPs are due, with those whom it concerns.
func (s *Service) Clashes(ctx context.Context, from, to model.Day) (list []Clash, err error) {
	if n := to.Sub(from); n < 1 || n > 92 {
		return nil, errs.Field("to", "sop.rehearsal", "limit", 92)
	}
	r := s.DB.Reader(ctx)
	active := r.Model(&model.SOP{}).Select("id").Where("state = ?", model.SOPActive)
	for day := from; day < to; day = day.Add(1) {
		due := r.Model(&model.SOPEnrolment{}).Where("sop_id IN (?) AND due_at >= ? AND due_at < ? AND running = 1", active, s.Zone.Start(day), s.Zone.End(day))
		twice := due.Session(&gorm.Session{}).Select("member_id").Group("member_id").Having("COUNT(DISTINCT sop_id) > 1").Order("member_id").Limit(maxClashes)
		var ids []int64
		if err := twice.Scan(&ids).Error; err != nil {
			return nil, fmt.Errorf("sop: clashes: %w", err)
		}
		if len(ids) == 0 {
			continue
		}
		var rows []model.SOPEnrolment
		if err := due.Session(&gorm.Session{}).Select("member_id", "sop_id").Where("member_id IN ?", ids).Order("member_id, due_at, sop_id").Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("sop: clashes: %w", err)
		}
		for _, e := range rows {
			if n := len(list); n == 0 || list[n-1].MemberID != e.MemberID || list[n-1].Day != day {
				list = append(list, Clash{Day: day, MemberID: e.MemberID})
			}
			c := &list[len(list)-1]
			c.SOPs = append(c.SOPs, e.SOPID)
		}
	}
	return list, nil
}
