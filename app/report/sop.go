package report

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// SOP is what a SOP sent, in all or by one step. Who did something counts once: he did it within the days after any message that WeChat took, each
// time of it once, however many messages came before it.
type SOP struct {
	s    *Service
	r    *reach.Service
	id   int64
	step string // "": all
	days int
}

// SOP looks at what a SOP sent, and so many days from each message on; errs.Field ("days") beyond 1 to MaxDays.
func (s *Service) SOP(r *reach.Service, id int64, step string, days int) (*SOP, error) {
	if days < 1 || days > MaxDays {
		return nil, errs.Field("days", "report.days", "limit", MaxDays)
	}
	return &SOP{s: s, r: r, id: id, step: step, days: days}, nil
}

// sopSent are the deliveries of a SOP, with the entries: these say who a member is after a merge.
const sopSent = " FROM sop_passes p JOIN sop_enrolments e ON e.id = p.enrolment_id JOIN sop_firings f ON f.id = p.firing_id AND f.run_id > 0 " +
	"JOIN deliveries d ON d.run_id = f.run_id AND d.member_id = p.member_id WHERE p.sop_id = ? AND (? = '' OR p.step = ?)"

// sopOpened are the entries whose members opened a radar link of what they were sent.
const sopOpened = "SELECT DISTINCT e.member_id FROM sop_passes p JOIN sop_enrolments e ON e.id = p.enrolment_id JOIN sop_firings f ON f.id = p.firing_id AND f.run_id > 0 " +
	"JOIN radar_shares s ON s.run_id = f.run_id AND s.member_id = p.member_id AND s.parent_id = 0 " +
	"JOIN radar_views v ON v.share_id = s.id AND (v.member_id = s.member_id OR (v.member_id = 0 AND v.visitor_id = s.visitor_id)) " +
	"WHERE p.sop_id = ? AND (? = '' OR p.step = ?)"

func (p *SOP) of(more ...any) []any { return append([]any{p.id, p.step, p.step}, more...) }

// Results counts: one group, of everybody who was to be sent something.
func (p *SOP) Results(ctx context.Context) (*Results, error) {
	g := Result{Group: GroupAll, Reasons: []reach.Reason{}}
	for what, people := range map[string]*int64{DidBelong: &g.People, DidGet: &g.Sent, DidSkip: &g.Skipped, DidOpen: &g.Opened} {
		who, err := p.Who(ctx, GroupAll, what)
		if err != nil {
			return nil, err
		}
		*people = int64(who.GetCardinality()) //nolint:gosec // ids fit 32 bits
	}
	did := map[string]func(id, n int64){}
	for what := range acts {
		did[what] = g.counter(what)
	}
	err := p.visit(ctx, did)
	if err != nil {
		return nil, err
	}
	err = scan(ctx, p.s, func(r *sql.Rows) error {
		var why reach.Reason
		err := r.Scan(&why.Reason, &why.Count)
		g.Reasons = append(g.Reasons, why)
		return err
	}, "SELECT d.reason, COUNT(DISTINCT e.member_id)"+sopSent+" AND d.state = ? GROUP BY d.reason ORDER BY d.reason", p.of(model.DeliverySuppressed)...)
	if err != nil {
		return nil, err
	}
	g.CostFen, err = p.r.CostFen(ctx, "SELECT f.run_id FROM sop_firings f WHERE f.sop_id = ? AND f.run_id > 0 AND (? = '' OR f.step = ?)", p.of()...)
	return &Results{Days: p.days, Groups: []Result{g}}, err
}

// Who are the people behind a figure.
func (p *SOP) Who(ctx context.Context, group, what string) (*roaring.Bitmap, error) {
	if group != GroupAll {
		return nil, errs.Field("group", "report.group")
	}
	if !slices.Contains(Dids, what) {
		return nil, errs.Field("what", "report.what")
	}
	who := roaring.New()
	add := func(r *sql.Rows) error {
		var id uint32
		err := r.Scan(&id)
		who.Add(id)
		return err
	}
	switch what {
	case DidBelong:
		return who, scan(ctx, p.s, add, "SELECT DISTINCT e.member_id"+sopSent, p.of()...)
	case DidGet:
		return who, scan(ctx, p.s, add, "SELECT DISTINCT e.member_id"+sopSent+" AND d.state = ?", p.of(model.DeliveryAccepted)...)
	case DidSkip:
		return who, scan(ctx, p.s, add, "SELECT DISTINCT e.member_id"+sopSent+" AND d.state = ?", p.of(model.DeliverySuppressed)...)
	case DidOpen:
		return who, scan(ctx, p.s, add, sopOpened, p.of()...)
	}
	err := p.visit(ctx, map[string]func(id, n int64){what: func(id, _ int64) { who.Add(uint32(id)) }}) //nolint:gosec // ids fit 32 bits
	return who, err
}

// visit runs each of what on everybody who did it within the days after a message, once.
func (p *SOP) visit(ctx context.Context, each map[string]func(id, n int64)) error {
	sent, err := p.Who(ctx, GroupAll, DidGet)
	if err != nil {
		return err
	}
	for ids := range reach.Chunks(sent, visitChunk) {
		got, from, to := map[int64][]time.Time{}, time.Time{}, time.Time{}
		err := scan(ctx, p.s, func(r *sql.Rows) error {
			var id int64
			var at time.Time
			err := r.Scan(&id, &at)
			if got[id] = append(got[id], at); from.IsZero() || at.Before(from) {
				from = at
			}
			if till := at.AddDate(0, 0, p.days); till.After(to) {
				to = till
			}
			return err
		}, "SELECT e.member_id, d.at"+sopSent+" AND d.state = ? AND e.member_id IN ?", p.of(model.DeliveryAccepted, ids)...)
		if err != nil {
			return err
		}
		for what, did := range each {
			sums := map[int64]int64{}
			err := scan(ctx, p.s, func(r *sql.Rows) error {
				var id, n int64
				var at time.Time
				err := r.Scan(&id, &n, &at)
				if slices.ContainsFunc(got[id], func(s time.Time) bool { return !at.Before(s) && at.Before(s.AddDate(0, 0, p.days)) }) {
					sums[id] += n
				}
				return err
			}, acts[what].rows(), ids, from, to)
			if err != nil {
				return err
			}
			for id, n := range sums {
				did(id, n)
			}
		}
	}
	return nil
}
