package sop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Who narrows the members behind a number of a report. Empty fields do not.
type Who struct {
	Step    string // "": of the whole SOP
	Outcome string // of a step: or "standing": who stand at it, or "granted", or "goal"; of the SOP: one of Outcomes
	State   string // of the delivery
	Reason  string
}

// Stood is a member at a step.
type Stood struct {
	EnrolmentID int64
	MemberID    int64
	Outcome     string
	State       string // of the delivery
	Channel     string
	Reason      string
	Detail      string
	Account     string
	Granted     int64
	Coupon      int64 `gorm:"column:member_coupon_id"`
	At          time.Time
	GoalAt      *time.Time
}

// Standing is Who.Outcome of those who stand at the step.
const Standing = "standing"

// Reached is Who.Outcome of those who reached the goal within its days after something was sent.
const Reached = "goal"

// Outcomes are the numbers of the whole SOP: of its entries.
var Outcomes = []string{"entered", model.EnrolmentRunning, "sent", "skipped", "opened", Reached, model.EnrolmentDone, model.EnrolmentExited}

// Members lists who stands behind a number, newest first, below beforeID of their enrolments.
func (s *Service) Members(ctx context.Context, id int64, w Who, beforeID int64, limit int) (rows []Stood, err error) {
	r := s.DB.Reader(ctx)
	q, d, err := s.behind(ctx, r, id, w)
	if err != nil {
		return nil, err
	}
	if beforeID > 0 {
		q = q.Where("e.id < ?", beforeID)
	}
	if w.Outcome == Reached {
		there, err := reached(r, id, d, w.Step)
		if err != nil {
			return nil, err
		}
		ids := slices.Sorted(maps.Keys(there))
		if i, _ := slices.BinarySearch(ids, beforeID); beforeID > 0 {
			ids = ids[:i]
		}
		q = q.Where("e.id IN ?", ids[max(0, len(ids)-limit):])
	}
	stands := w.Step == "" || w.Outcome == Standing
	if stands {
		q = q.Select("e.id AS enrolment_id, e.member_id, e.entered_at AS at, e.goal_at")
	} else {
		q = q.Select("e.id AS enrolment_id, e.member_id, p.outcome, COALESCE(d.state, '') AS state, COALESCE(d.channel, '') AS channel, COALESCE(d.reason, '') AS reason, " +
			"COALESCE(d.detail, '') AS detail, p.account, p.granted, p.member_coupon_id, p.at, e.goal_at")
	}
	if err := q.Order("e.id DESC").Limit(limit).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: members of %d: %w", id, err)
	}
	for i := range rows {
		if stands {
			rows[i].Outcome = w.Outcome
		}
	}
	return rows, nil
}

// People are those behind a number, each once.
func (s *Service) People(ctx context.Context, id int64, w Who) (*roaring.Bitmap, error) {
	r, who := s.DB.Reader(ctx), roaring.New()
	q, d, err := s.behind(ctx, r, id, w)
	if err != nil {
		return nil, err
	}
	if w.Outcome == Reached {
		there, err := reached(r, id, d, w.Step)
		for _, member := range there {
			who.Add(member)
		}
		return who, err
	}
	rows, err := q.Select("DISTINCT e.member_id").Rows()
	if err != nil {
		return nil, fmt.Errorf("sop: people of %d: %w", id, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var member uint32
		if err := rows.Scan(&member); err != nil {
			return nil, fmt.Errorf("sop: people of %d: %w", id, err)
		}
		who.Add(member)
	}
	return who, rows.Err()
}

// behind are the rows behind a number: the enrolments e, and of a step also its passes p with their deliveries d. Those of Reached are not narrowed.
func (s *Service) behind(ctx context.Context, r *gorm.DB, id int64, w Who) (*gorm.DB, *Definition, error) {
	row, err := s.Get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.Version(ctx, row, 0)
	if err != nil {
		return nil, nil, err
	}
	q := r.Table("sop_enrolments e").Where("e.sop_id = ?", id)
	if w.Step == "" {
		q, err = ofAll(q, id, w)
		return q, d, err
	}
	if d.step(w.Step) == nil && w.Outcome == "" {
		return nil, nil, errs.New(errs.NotFound, "sop.no_such_step")
	}
	if w.Outcome == Standing {
		return q.Where("e.step = ? AND e.state <> ?", w.Step, model.EnrolmentEnded), d, nil
	}
	q = q.Joins("JOIN sop_passes p ON p.enrolment_id = e.id AND p.step = ?", w.Step).Joins("LEFT JOIN sop_firings f ON f.id = p.firing_id").
		Joins("LEFT JOIN deliveries d ON d.run_id = f.run_id AND f.run_id > 0 AND d.member_id = p.member_id")
	switch w.Outcome {
	case "", Reached:
	case "granted":
		q = q.Where("p.granted > 0 OR p.member_coupon_id > 0")
	default:
		q = q.Where("p.outcome = ?", w.Outcome)
	}
	if w.State != "" {
		q = q.Where("d.state = ?", w.State)
	}
	if w.Reason != "" {
		q = q.Where("d.reason = ?", w.Reason)
	}
	return q, d, nil
}

// ofAll narrows the entries to those behind a number of the whole SOP.
func ofAll(q *gorm.DB, id int64, w Who) (*gorm.DB, error) {
	const sent = "e.id IN (SELECT p.enrolment_id FROM " + delivered + " WHERE p.sop_id = ? AND d.state = ?"
	if !slices.Contains(Outcomes, w.Outcome) {
		return nil, errs.New(errs.NotFound, "sop.no_such_number")
	}
	switch w.Outcome {
	case model.EnrolmentRunning:
		q = q.Where("e.state = ?", model.EnrolmentRunning)
	case model.EnrolmentDone:
		q = q.Where("e.state = ? AND e.reason = ?", model.EnrolmentEnded, model.EnrolmentDone)
	case model.EnrolmentExited:
		q = q.Where("e.state = ? OR e.reason = ?", model.EnrolmentLeaving, model.EnrolmentExited)
	case "sent":
		q = q.Where(sent+")", id, model.DeliveryAccepted)
	case "skipped":
		if w.Reason == "" {
			q = q.Where(sent+")", id, model.DeliverySuppressed)
		} else {
			q = q.Where(sent+" AND d.reason = ?)", id, model.DeliverySuppressed, w.Reason)
		}
	case "opened":
		q = q.Where("e.id IN (SELECT p.enrolment_id FROM "+opened+" WHERE p.sop_id = ?)", id)
	}
	return q, nil
}

// reached are the entries that reached the goal after the step, or after any, with their members.
func reached(r *gorm.DB, id int64, d *Definition, step string) (map[int64]uint32, error) {
	there := map[int64]uint32{}
	err := goals(r, id, d, func(enrolment int64, member uint32, at string) {
		if step == "" || at == step {
			there[enrolment] = member
		}
	})
	if err != nil {
		return nil, fmt.Errorf("sop: goals of %d: %w", id, err)
	}
	return there, nil
}
