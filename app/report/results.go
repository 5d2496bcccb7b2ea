package report

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// What people of a firing did, or what became of them. All but the first three are counted within the days after the firing.
const (
	DidGet     = "sent"    // WeChat took the message
	DidSkip    = "skipped" // they were not sent to, for a reason
	DidOpen    = "opened"  // a radar link of the message
	DidOrder   = "ordered"
	DidCheckIn = "checked_in"
	DidSpend   = "spent"   // points
	DidEarn    = "earned"  // points
	DidCoupon  = "coupons" // got some
	DidBelong  = "people"  // all of the group
)

// Dids are all of them.
var Dids = []string{DidBelong, DidGet, DidSkip, DidOpen, DidOrder, DidCheckIn, DidSpend, DidEarn, DidCoupon}

// Groups of a firing beside its contents A, B and C.
const (
	GroupAll  = "all"  // everybody who was to be sent to
	GroupHeld = "held" // held back
)

// MaxDays bounds how long after a firing is looked at.
const MaxDays = 90

// Result is what one group of a firing did: people, and how often or how much in all.
type Result struct {
	Group                                                               string
	People, Sent, Skipped, Opened                                       int64
	Ordered, CheckedIn, Spent, Earned, Coupons                          int64 // people
	Orders, CheckIns, PointsSpent, PointsEarned, CouponsIssued, CostFen int64
	Reasons                                                             []reach.Reason
	spent                                                               broadcast.Sums
}

// Lift is how much more a group did than another, by what they were to get: who was skipped counts in his group, as nobody knows who of the
// held back would have been skipped.
type Lift struct {
	What           string // DidOrder and DidCheckIn: the difference of shares; DidSpend: of points per person
	Group, Against string
	broadcast.Interval
}

// Results are those of a firing: its contents together, each of them, and the held back.
type Results struct {
	Days     int
	From, To time.Time
	Over     bool // the days are over: nothing is added any more
	Groups   []Result
	Lifts    []Lift
}

// Firing is a send with all its runs.
type Firing struct {
	s    *Service
	r    *reach.Service
	runs []model.Run
	sets []*roaring.Bitmap // by run
	held *roaring.Bitmap
	from time.Time
	to   time.Time
	days int
}

// Firing reads the firing that a run belongs to, to be looked at for so many days from its start; errs.Field ("days") beyond 1 to MaxDays.
func (s *Service) Firing(ctx context.Context, r *reach.Service, runID int64, days int) (*Firing, error) {
	if days < 1 || days > MaxDays {
		return nil, errs.Field("days", "report.days", "limit", MaxDays)
	}
	run, err := r.Run(ctx, runID)
	if err != nil {
		return nil, err
	}
	slot, _, _ := strings.Cut(run.Slot, "#")
	f := &Firing{s: s, r: r, held: roaring.New(), from: run.CreatedAt, to: run.CreatedAt.AddDate(0, 0, days), days: days}
	tx := s.db.Reader(ctx)
	err = tx.Omit("members").Where("source = ? AND source_id = ? AND slot IN ?", run.Source, run.SourceID, []string{slot, slot + "#B", slot + "#C"}).
		Order("slot").Find(&f.runs).Error
	if err != nil {
		return nil, fmt.Errorf("report: runs of a firing: %w", err)
	}
	for i := range f.runs {
		members, held, err := r.MembersOf(s.db.Reader(ctx), &f.runs[i])
		if err != nil {
			return nil, err
		}
		f.sets = append(f.sets, members)
		f.held.Or(held)
	}
	return f, nil
}

// Names are the groups.
func (f *Firing) Names() []string {
	names := []string{GroupAll}
	if len(f.runs) > 1 {
		for _, r := range f.runs {
			names = append(names, r.Variant)
		}
	}
	if !f.held.IsEmpty() {
		names = append(names, GroupHeld)
	}
	return names
}

// group are the runs and the people of a group.
func (f *Firing) group(name string) (runs []model.Run, set *roaring.Bitmap, err error) {
	if !slices.Contains(f.Names(), name) {
		return nil, nil, errs.Field("group", "report.group")
	}
	if name == GroupHeld {
		return nil, f.held, nil
	}
	set = roaring.New()
	for i := range f.runs {
		if name == GroupAll || name == f.runs[i].Variant {
			runs = append(runs, f.runs[i])
			set.Or(f.sets[i])
		}
	}
	return runs, set, nil
}

// Results counts.
func (f *Firing) Results(ctx context.Context) (*Results, error) {
	out := &Results{Days: f.days, From: f.from, To: f.to, Over: !f.s.clock.Now().Before(f.to)}
	for _, name := range f.Names() {
		g, err := f.result(ctx, name)
		if err != nil {
			return nil, err
		}
		out.Groups = append(out.Groups, *g)
	}
	last := out.Groups[len(out.Groups)-1]
	for i, g := range out.Groups {
		if last.Group == GroupHeld && g.Group != GroupHeld {
			out.Lifts = append(out.Lifts, lifts(g, last)...)
		}
		if i > 1 && g.Group != GroupHeld { // B and C against A
			out.Lifts = append(out.Lifts, lifts(g, out.Groups[1])...)
		}
	}
	return out, nil
}

func lifts(g, against Result) []Lift {
	return []Lift{
		{DidOrder, g.Group, against.Group, broadcast.Proportions(g.Ordered, g.People, against.Ordered, against.People)},
		{DidCheckIn, g.Group, against.Group, broadcast.Proportions(g.CheckedIn, g.People, against.CheckedIn, against.People)},
		{DidSpend, g.Group, against.Group, broadcast.Means(g.spent, against.spent)},
	}
}

func (f *Firing) result(ctx context.Context, name string) (*Result, error) {
	runs, set, err := f.group(name)
	if err != nil {
		return nil, err
	}
	g := &Result{Group: name, People: int64(set.GetCardinality())} //nolint:gosec // ids fit 32 bits
	g.spent.N = g.People
	for _, what := range Dids[1:] {
		if err := f.visit(ctx, what, runs, set, g.counter(what)); err != nil {
			return nil, err
		}
	}
	for i := range runs {
		cost, err := f.r.CostFen(ctx, "?", runs[i].ID)
		if err != nil {
			return nil, err
		}
		g.CostFen += cost
		reasons, err := f.r.Reasons(ctx, runs[i].ID)
		if err != nil {
			return nil, err
		}
		g.Reasons = reach.JoinReasons(g.Reasons, reasons)
	}
	return g, nil
}

// counter counts who did something, and how much.
func (g *Result) counter(what string) func(id, n int64) {
	c := map[string][2]*int64{
		DidGet: {&g.Sent}, DidSkip: {&g.Skipped}, DidOpen: {&g.Opened}, DidOrder: {&g.Ordered, &g.Orders}, DidCheckIn: {&g.CheckedIn, &g.CheckIns},
		DidSpend: {&g.Spent, &g.PointsSpent}, DidEarn: {&g.Earned, &g.PointsEarned}, DidCoupon: {&g.Coupons, &g.CouponsIssued},
	}[what]
	return func(_, n int64) {
		if *c[0]++; c[1] != nil {
			*c[1] += n
		}
		if what == DidSpend {
			g.spent.Sum, g.spent.Squares = g.spent.Sum+float64(n), g.spent.Squares+float64(n)*float64(n)
		}
	}
}

// Who are the people of a group who did something.
func (f *Firing) Who(ctx context.Context, group, what string) (*roaring.Bitmap, error) {
	runs, set, err := f.group(group)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(Dids, what) {
		return nil, errs.Field("what", "report.what")
	}
	if what == DidBelong {
		return set.Clone(), nil
	}
	who := roaring.New()
	err = f.visit(ctx, what, runs, set, func(id, _ int64) { who.Add(uint32(id)) }) //nolint:gosec // ids fit 32 bits
	return who, err
}

// Behind are the people behind the figures of something that was sent.
type Behind interface {
	Results(ctx context.Context) (*Results, error)
	Who(ctx context.Context, group, what string) (*roaring.Bitmap, error)
}

// act is a thing that members do: the rows of a table that say so, and how much each counts.
type act struct{ table, n, at, where string }

var acts = map[string]act{
	DidOrder:   {"events", "1", "occurred_at", "kind IN ('order.paid', 'order.claimed')"},
	DidCheckIn: {"events", "1", "occurred_at", "kind = 'checkin.done'"},
	DidSpend:   {"entries", "-delta", "occurred_at", "account = 'points' AND kind = 'spend' AND bucket = 'available'"},
	DidEarn:    {"entries", "delta", "occurred_at", "account = 'points' AND kind = 'earn'"},
	DidCoupon:  {"member_coupons", "1", "issued_at", "1 = 1"},
}

// sums asks for members in a list and a window: who, and how much.
func (a act) sums() string {
	return "SELECT member_id, SUM(" + a.n + ")" + a.rest() + " GROUP BY member_id"
}

// rows asks for each time.
func (a act) rows() string { return "SELECT member_id, " + a.n + ", " + a.at + a.rest() }

func (a act) rest() string {
	return " FROM " + a.table + " WHERE member_id IN ? AND " + a.where + " AND " + a.at + " >= ? AND " + a.at + " < ?"
}

const visitChunk = 2000

// visit runs each on everybody of the set who did it, once.
func (f *Firing) visit(ctx context.Context, what string, runs []model.Run, set *roaring.Bitmap, each func(id, n int64)) error {
	switch what {
	case DidGet, DidSkip:
		state := map[string]string{DidGet: model.DeliveryAccepted, DidSkip: model.DeliverySuppressed}[what]
		return f.perRun(ctx, runs, each, "SELECT member_id, 1 FROM deliveries WHERE run_id = ? AND state = ?", state)
	case DidOpen: // his own opening: as the member, or in the browser that opened what he was sent first
		return f.perRun(ctx, runs, each, "SELECT DISTINCT s.member_id, 1 FROM radar_shares s JOIN radar_views v ON v.share_id = s.id "+
			"WHERE s.run_id = ? AND s.link_id IN (SELECT r.link_id FROM radar_sends r WHERE r.run_id = s.run_id) AND s.parent_id = 0 AND s.member_id > 0 "+
			"AND (v.member_id = s.member_id OR (v.member_id = 0 AND v.visitor_id = s.visitor_id))")
	}
	for ids := range reach.Chunks(set, visitChunk) {
		if err := f.scan(ctx, each, acts[what].sums(), ids, f.from, f.to); err != nil {
			return err
		}
	}
	return nil
}

func (f *Firing) perRun(ctx context.Context, runs []model.Run, each func(id, n int64), query string, more ...any) error {
	for i := range runs {
		if err := f.scan(ctx, each, query, append([]any{runs[i].ID}, more...)...); err != nil {
			return err
		}
	}
	return nil
}

func (f *Firing) scan(ctx context.Context, each func(id, n int64), query string, args ...any) error {
	return scan(ctx, f.s, func(r *sql.Rows) error {
		var id, n int64
		err := r.Scan(&id, &n)
		if err == nil {
			each(id, n)
		}
		return err
	}, query, args...)
}

// scan runs each on every row.
func scan(ctx context.Context, s *Service, each func(*sql.Rows) error, query string, args ...any) error {
	rows, err := s.db.Reader(ctx).Raw(query, args...).Rows()
	if err != nil {
		return fmt.Errorf("report: results: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return fmt.Errorf("report: results: %w", err)
		}
	}
	return rows.Err()
}

// After are the next people of a set, above an id.
func After(set *roaring.Bitmap, id int64, limit int) (ids []int64) {
	it := set.Iterator()
	it.AdvanceIfNeeded(uint32(id + 1)) //nolint:gosec // ids fit 32 bits
	for it.HasNext() && len(ids) < limit {
		ids = append(ids, int64(it.Next()))
	}
	return ids
}
