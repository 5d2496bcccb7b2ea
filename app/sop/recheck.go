package sop

import (
	"context"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// recheck says right before they are sent to who has left since, and for whom the step is not. Whoever leaves by it is out.
func (s *Service) recheck(ctx context.Context, tx *gorm.DB, run *model.Run, ids []int64) (map[int64]reach.Now, error) {
	id, err := strconv.ParseInt(run.Slot, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("sop: slot of run %d: %w", run.ID, err)
	}
	f, err := s.frozen(tx, id)
	if err != nil {
		return nil, err
	}
	row, err := get(tx, f.SOPID)
	if err != nil {
		return nil, err
	}
	d, err := s.def(tx, f.SOPID, f.Version)
	if err != nil {
		return nil, err
	}
	c := &checker{Service: s, ctx: ctx, tx: tx, f: f, d: d, st: d.step(f.Step), ended: row.State == model.SOPEnded}
	return c.all(ids)
}

// def is a version as it is known in memory, else as it stands.
func (s *Service) def(tx *gorm.DB, id int64, version int) (*Definition, error) {
	set, err := s.load(tx)
	if err != nil {
		return nil, err
	}
	if p := set.byID[id]; p != nil && p.defs[version] != nil {
		return p.defs[version], nil
	}
	return definition(tx, id, version)
}

// checker is one call of recheck.
type checker struct {
	*Service
	ctx   context.Context // lives as long as one call
	tx    *gorm.DB
	f     *firing
	d     *Definition
	st    *Step
	ended bool
}

func (c *checker) all(ids []int64) (map[int64]reach.Now, error) {
	in, err := c.enrolments(ids)
	if err != nil {
		return nil, err
	}
	decided, err := c.decided(in)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]reach.Now, len(ids))
	for _, id := range ids {
		e := in[id]
		if e == nil || c.ended || e.Reason == model.EnrolmentMerged || e.Reason == model.EnrolmentErased {
			out[id] = reach.Now{Gone: true, Reason: reach.Exited}
			continue
		}
		reason, err := c.reason(e, decided[e.ID])
		if err != nil {
			return nil, err
		}
		if reason == reach.Exited {
			if err := c.out(e); err != nil {
				return nil, err
			}
		}
		out[id] = reach.Now{Gone: reason != "", Reason: reason}
	}
	return out, nil
}

// enrolments are those of the firing by member. Of one who is in it twice, as after he left and came back, the one that runs.
func (c *checker) enrolments(ids []int64) (map[int64]*model.SOPEnrolment, error) {
	var rows []model.SOPEnrolment
	if err := c.tx.Where("member_id IN ? AND sop_id = ?", ids, c.f.SOPID).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: recheck: %w", err)
	}
	in := map[int64]*model.SOPEnrolment{}
	for i := range rows {
		e := &rows[i]
		if !c.f.set.Contains(uint32(e.ID)) { //nolint:gosec // the set's are looked at
			continue
		}
		if old := in[e.MemberID]; old == nil || old.ExitedAt != nil || old.Reason == model.EnrolmentMerged {
			in[e.MemberID] = e
		}
	}
	return in, nil
}

// decided are the outcomes of a step that gives something: one decision holds for the gift and the message.
func (c *checker) decided(in map[int64]*model.SOPEnrolment) (map[int64]string, error) {
	if c.st.Send.Grants == nil || len(in) == 0 {
		return nil, nil
	}
	var ids []int64
	for _, e := range in {
		ids = append(ids, e.ID)
	}
	var rows []model.SOPPass
	if err := c.tx.Select("enrolment_id", "outcome").Where("enrolment_id IN ? AND step = ?", ids, c.f.Step).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: recheck: %w", err)
	}
	out := map[int64]string{}
	for _, r := range rows {
		out[r.EnrolmentID] = r.Outcome
	}
	return out, nil
}

// reason is why one is not sent to; "" = he is.
func (c *checker) reason(e *model.SOPEnrolment, outcome string) (string, error) {
	if e.ExitedAt != nil || outcome == model.PassExited {
		return reach.Exited, nil
	}
	sub := &condition.Subject{MemberID: e.MemberID, At: c.Clock.Now(), Cache: map[string]any{}}
	if over, err := c.over(c.ctx, c.tx, c.d, sub); err != nil || over {
		return reach.Exited, err
	}
	switch outcome {
	case model.PassCondition:
		return reach.Condition, nil
	case model.PassRun:
		return "", nil
	}
	v, _, err := c.Conditions.Eval(c.ctx, c.tx, sub, c.st.Send.Condition)
	if err != nil || v.Holds {
		return "", err
	}
	return reach.Condition, nil
}

// out ends the way of one who left, once a line has shown it. Who stands at the step still is ended by the mover.
func (c *checker) out(e *model.SOPEnrolment) error {
	now := c.Clock.Now()
	if e.ExitedAt == nil {
		e.ExitedAt = &now
	}
	switch {
	case e.State == model.EnrolmentEnded:
	case e.Step == c.f.Step && e.Version == c.f.Version:
		e.State, e.Reason, e.Running = model.EnrolmentLeaving, model.EnrolmentExited, nil
	default:
		c.end(c.d, e, model.EnrolmentExited, now)
	}
	if err := update(c.tx, e); err != nil {
		return fmt.Errorf("sop: recheck: %w", err)
	}
	return nil
}
