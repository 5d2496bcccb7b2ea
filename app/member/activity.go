package member

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// inactiveArgs is {"op":"gte","days":60}: calendar days since the last activity of any kind.
type inactiveArgs struct {
	Op   condition.Op `json:"op"`
	Days int64        `json:"days"`
}

func readInactive(raw json.RawMessage) (a inactiveArgs, err error) {
	if err = condition.DecodeArgs(raw, &a); err == nil {
		err = condition.CheckDays(a.Op, "days", a.Days)
	}
	return a, err
}

// Inactive is the leaf "inactive": so many calendar days since the person did something, whatever it was. His first contact counts.
func Inactive(z clock.Zone) condition.Leaf {
	return condition.Leaf{
		Name: "inactive",
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			_, err := readInactive(raw)
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, err := readInactive(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			last, next, err := lastAct(tx, z, s)
			if err != nil {
				return condition.Verdict{}, err
			}
			v := condition.DaysSince(z, z.DayOf(last), a.Op, a.Days, s.At)
			if !next.IsZero() && (v.FlipsAt.IsZero() || next.Before(v.FlipsAt)) {
				v.FlipsAt = next
			}
			return v, nil
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := readInactive(raw)
			if err != nil {
				return nil, err
			}
			return condition.LastSince(z, a.Op, a.Days, at, func() (*roaring.Bitmap, error) { return universe, nil }, func(t time.Time) (*roaring.Bitmap, error) {
				acted, err := condition.Bitmap(acts(tx, t, at).Distinct("member_id"))
				if err != nil {
					return nil, err
				}
				came, err := condition.Bitmap(tx.Model(&model.Member{}).Select("id").Where("created_at >= ?", t))
				if err != nil {
					return nil, err
				}
				return roaring.Or(acted, came), nil
			})
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := readInactive(raw)
			return templates.T(lang, "condition.inactive", map[string]any{"op": templates.T(lang, "condition.op."+string(a.Op), nil), "days": a.Days}), err
		},
		Warm:     warmActs,
		Triggers: func(json.RawMessage) []string { return event.ActTriggers() },
	}
}

// acts are those between two instants, both included.
func acts(tx *gorm.DB, from, to time.Time) *gorm.DB {
	return event.ActsOnly(tx.Model(&model.Event{})).Where("occurred_at >= ? AND occurred_at <= ?", from, to)
}

// lastActs are the answer of lastAct, as it stands in the cache of a subject.
type lastActs struct{ last, next time.Time }

const lastActKey = "member.last_act"

// warmActs is lastAct of many, who are asked about at one instant.
func warmActs(_ context.Context, tx *gorm.DB, subjects []*condition.Subject, _ json.RawMessage) error {
	at, found, ids := subjects[0].At, make(map[int64]*lastActs, len(subjects)), condition.IDs(subjects)
	var members []model.Member
	if err := tx.Select("id", "created_at").Where("id IN ?", ids).Find(&members).Error; err != nil {
		return fmt.Errorf("member: activity: %w", err)
	}
	for _, m := range members {
		found[m.ID] = &lastActs{last: m.CreatedAt}
	}
	var times []struct {
		MemberID   int64
		OccurredAt time.Time
	}
	for _, q := range []struct {
		where, pick string
	}{{"occurred_at <= ?", "MAX"}, {"occurred_at > ?", "MIN"}} {
		times = times[:0]
		err := event.ActsOnly(tx.Model(&model.Event{})).Where("member_id IN ?", ids).Where(q.where, at).
			Select("member_id, " + q.pick + "(occurred_at) AS occurred_at").Group("member_id").Scan(&times).Error
		if err != nil {
			return fmt.Errorf("member: activity: %w", err)
		}
		for _, t := range times {
			switch f := found[t.MemberID]; {
			case f == nil:
			case q.pick == "MIN":
				f.next = t.OccurredAt
			case t.OccurredAt.After(f.last):
				f.last = t.OccurredAt
			}
		}
	}
	for _, s := range subjects {
		if f := found[s.MemberID]; f != nil {
			s.Cache[lastActKey] = *f
		}
	}
	return nil
}

// lastAct is when the member last did something, and when an act that is known already lies ahead (zero: none does). Two leaves of a tree ask
// once. Who acts right now need not be looked up: that is what nearly every event is.
func lastAct(tx *gorm.DB, z clock.Zone, s *condition.Subject) (last, next time.Time, err error) {
	if ev := s.Event; ev != nil && event.Act(ev.Kind) && !ev.OccurredAt.After(s.At) && z.DayOf(ev.OccurredAt) == z.DayOf(s.At) {
		return ev.OccurredAt, time.Time{}, nil
	}
	if f, ok := s.Cache[lastActKey].(lastActs); ok {
		return f.last, f.next, nil
	}
	var m model.Member
	if err := tx.Select("created_at").Limit(1).Find(&m, s.MemberID).Error; err != nil {
		return last, next, fmt.Errorf("member: activity: %w", err)
	}
	var times []time.Time
	err = event.ActsOnly(tx.Model(&model.Event{})).Where("member_id = ?", s.MemberID).Order("occurred_at DESC").Limit(20).Pluck("occurred_at", &times).Error
	if err != nil {
		return last, next, fmt.Errorf("member: activity: %w", err)
	}
	f := lastActs{last: m.CreatedAt}
	for _, t := range times {
		if t.After(s.At) {
			f.next = t
		} else if t.After(f.last) {
			f.last = t
		}
	}
	if s.Cache != nil {
		s.Cache[lastActKey] = f
	}
	return f.last, f.next, nil
}

// activeArgs is {"op":"gte","count":4,"days":30}: of the last days, today among them, on how many the person did something.
type activeArgs struct {
	Op    condition.Op `json:"op"`
	Count int64        `json:"count"`
	Days  int64        `json:"days"`
}

// maxActiveDays bounds the days looked at.
const maxActiveDays = 366

func readActive(raw json.RawMessage) (a activeArgs, err error) {
	if err = condition.DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	if a.Days < 1 || a.Days > maxActiveDays {
		return a, errs.Field("days", "condition.arg_days", "limit", maxActiveDays)
	}
	return a, condition.CheckDays(a.Op, "count", a.Count)
}

// ActiveDays is the leaf "active_days": the days of late, in the zone, on which the person did something.
func ActiveDays(z clock.Zone) condition.Leaf {
	return condition.Leaf{
		Name: "active_days", ByActing: true,
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error { _, err := readActive(raw); return err },
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, err := readActive(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			return a.eval(tx, z, s)
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := readActive(raw)
			if err != nil {
				return nil, err
			}
			return a.members(tx, z, at, universe)
		},
		Moves: func(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := readActive(raw)
			if err != nil {
				return nil, err
			}
			from := z.Start(z.DayOf(at).Add(int(1 - a.Days)))
			return condition.Bitmap(event.ActsOnly(tx.Model(&model.Event{})).Where("occurred_at >= ?", from).Distinct("member_id"))
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := readActive(raw)
			return templates.T(lang, "condition.active_days", map[string]any{
				"op": templates.T(lang, "condition.op."+string(a.Op), nil), "count": a.Count, "days": a.Days,
			}), err
		},
		Warm: func(_ context.Context, tx *gorm.DB, subjects []*condition.Subject, raw json.RawMessage) error {
			a, err := readActive(raw)
			if err != nil {
				return err
			}
			of, err := a.times(tx, z, subjects[0].At, condition.IDs(subjects))
			for _, s := range subjects {
				s.Cache[a.key()] = of[s.MemberID]
			}
			return err
		},
		Triggers: func(json.RawMessage) []string { return event.ActTriggers() },
	}
}

// key is where Warm keeps the times.
func (a activeArgs) key() string { return fmt.Sprint("member.acts ", a.Days) }

// times are the acts of each of the members in the days, and after the instant.
func (a activeArgs) times(tx *gorm.DB, z clock.Zone, at time.Time, ids []int64) (map[int64][]time.Time, error) {
	var rows []model.Event
	err := event.ActsOnly(tx.Select("member_id", "occurred_at")).Where("member_id IN ? AND occurred_at >= ?", ids, z.Start(z.DayOf(at).Add(int(1-a.Days)))).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("member: active days: %w", err)
	}
	of := map[int64][]time.Time{}
	for _, e := range rows {
		of[e.MemberID] = append(of[e.MemberID], e.OccurredAt)
	}
	return of, nil
}

func (a activeArgs) eval(tx *gorm.DB, z clock.Zone, s *condition.Subject) (v condition.Verdict, err error) {
	today := z.DayOf(s.At)
	times, warm := s.Cache[a.key()].([]time.Time)
	if !warm {
		all, err := a.times(tx, z, s.At, []int64{s.MemberID})
		if err != nil {
			return v, err
		}
		times = all[s.MemberID]
	}
	if ev := s.Event; ev != nil && ev.ID == 0 && event.Act(ev.Kind) { // of a forecast
		times = append(times, ev.OccurredAt)
	}
	var days []time.Time // each day once, as its midnight in UTC: a day there has 24 hours
	var ahead time.Time
	for _, t := range times {
		d := z.DayOf(t).Time()
		if t.After(s.At) {
			if ahead.IsZero() || t.Before(ahead) {
				ahead = t
			}
		} else if !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	v = condition.CountWindow(days, a.Op, int(a.Count), time.Duration(a.Days)*24*time.Hour, today.Time())
	if !v.FlipsAt.IsZero() {
		v.FlipsAt = z.Start(model.DayOf(v.FlipsAt))
	}
	if !ahead.IsZero() && (v.FlipsAt.IsZero() || ahead.Before(v.FlipsAt)) {
		v.FlipsAt = ahead
	}
	return v, nil
}

func (a activeArgs) members(tx *gorm.DB, z clock.Zone, at time.Time, universe *roaring.Bitmap) (*roaring.Bitmap, error) {
	days := make([]*roaring.Bitmap, a.Days)
	starts := make([]time.Time, a.Days)
	for i := range days {
		days[i], starts[i] = roaring.New(), z.Start(z.DayOf(at).Add(i+1-int(a.Days)))
	}
	rows, err := acts(tx, starts[0], at).Select("member_id, occurred_at").Rows()
	if err != nil {
		return nil, fmt.Errorf("member: active days: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uint32
		var t time.Time
		if err := rows.Scan(&id, &t); err != nil {
			return nil, fmt.Errorf("member: active days: %w", err)
		}
		i, on := slices.BinarySearchFunc(starts, t, time.Time.Compare)
		if !on {
			i--
		}
		days[i].Add(id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("member: active days: %w", err)
	}
	counts := map[uint32]int64{}
	for _, found := range days {
		for it := found.Iterator(); it.HasNext(); {
			counts[it.Next()]++
		}
	}
	out := roaring.New()
	if a.Op.Holds(0, a.Count) {
		out.Or(universe)
	}
	for id, n := range counts {
		if a.Op.Holds(n, a.Count) {
			out.Add(id)
		} else {
			out.Remove(id)
		}
	}
	return out, nil
}
