package reach

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// prepare decides about rows under their locks, uses what sending will use, and returns the calls to make.
func (s *Service) prepare(ctx context.Context, tx *gorm.DB, l *lease, t *terms, rows []row, d *delta) (*flight, error) {
	all, err := s.judge(ctx, tx, l.run.ID, l.set, t, rows, chosen)
	if err != nil {
		return nil, err
	}
	if err := s.markNow(ctx, tx, l.run, all); err != nil {
		return nil, err
	}
	k, err := s.links(tx, l.msg)
	if err != nil {
		return nil, err
	}
	f, kept := &flight{set: t.set}, &flight{}
	w := newWriter(l.run.ID, t.now)
	u := newUses(t)
	for _, r := range rows {
		p := all[r.member]
		p.noMass, p.waited = r.noMass, r.reason
		p.duplicate = p.duplicate || u.chosen[p.who]
		switch v := decide(p, t); {
		case !v.until.IsZero():
			w.deferred(r.seq, v)
			d.move(r.state, model.DeliveryDeferred, 1)
		case v.reason != "":
			w.suppressed(r.seq, v)
			d.move(r.state, model.DeliverySuppressed, 1)
			d.why(v.reason, v.detail, 1)
		case v.channel == Mass: // waits until everybody was looked at; caps are used then
			u.chosen[p.who] = true
			w.set("state = 'pending', channel = 'mass', reason = '', detail = '', due_at = NULL", r.seq)
			d.move(r.state, model.DeliveryPending, 1)
			d.mass++
		default:
			i := s.newItem(r, p, t, v.channel, k, l.run.ID)
			u.use(p, i)
			if v.channel == InApp || v.channel == Event { // delivered with this transaction: there is no call
				kept.items = append(kept.items, i)
				w.set("state = 'accepted', channel = ?, reason = '', detail = '', due_at = NULL", r.seq, v.channel)
				d.move(r.state, model.DeliveryAccepted, 1)
				continue
			}
			w.attempting(i)
			d.move(r.state, model.DeliveryAttempting, 1)
			f.items = append(f.items, i)
		}
	}
	if err := w.flush(ctx, tx); err != nil {
		return nil, err
	}
	if err := s.keep(ctx, tx, l, kept, t.now); err != nil {
		return nil, err
	}
	return f, u.flush(ctx, tx, l.run.ID)
}

// judge reads the people of rows. Locked by the caller; those whom they were merged into are locked here.
func (s *Service) judge(ctx context.Context, tx *gorm.DB, runID int64, frozen set, t *terms, rows []row, live string) (map[int64]*person, error) {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.member
	}
	slices.Sort(ids)
	all, err := people(ctx, tx, t, ids, s.o.Points)
	if err != nil {
		return nil, err
	}
	var roots []int64
	for id, p := range all {
		if p.who != id {
			roots = append(roots, p.who)
		}
	}
	if len(roots) > 0 {
		if err := lock(ctx, tx, roots); err != nil {
			return nil, err
		}
		if all, err = people(ctx, tx, t, ids, s.o.Points); err != nil {
			return nil, err
		}
	}
	return all, markTwice(ctx, tx, runID, frozen, all, live)
}

// Rows that have a person's message, or will: to a walker those who wait for the mass send, to a batch those that one has taken.
const (
	chosen = "(state IN ('attempting', 'accepted', 'unknown') OR (state = 'pending' AND channel = 'mass'))"
	taken  = "(state IN ('attempting', 'accepted', 'unknown') OR (state = 'pending' AND channel = 'mass' AND batch_no > 0))"
)

// markTwice finds those who are the same person, by a merge since the freeze, as one whom this run sent to already or is about to.
func markTwice(ctx context.Context, tx *gorm.DB, runID int64, frozen set, all map[int64]*person, live string) error {
	whos := make([]int64, 0, len(all))
	for _, p := range all {
		whos = append(whos, p.who)
	}
	slices.Sort(whos)
	losers, err := mergedInto(ctx, tx, slices.Compact(whos))
	if err != nil || len(losers) == 0 {
		return err
	}
	for id, p := range all {
		if len(losers[p.who]) == 0 {
			continue
		}
		var seqs []int64
		for _, other := range append(losers[p.who], p.who) {
			if x := uint32(other); other != id && frozen.Contains(x) { //nolint:gosec // ids fit 32 bits
				seqs = append(seqs, int64(frozen.Rank(x))-1) //nolint:gosec // likewise
			}
		}
		if len(seqs) == 0 {
			continue
		}
		where, list := in("seq", seqs)
		err := each(ctx, tx, func(r *sql.Rows) error {
			var n int
			err := r.Scan(&n)
			p.duplicate = n > 0
			return err
		}, "SELECT COUNT(*) FROM deliveries WHERE run_id = ? AND "+where+" AND "+live, args(runID, list)...)
		if err != nil {
			return fmt.Errorf("reach: find duplicates: %w", err)
		}
	}
	return nil
}

// mergedInto is winner → all who were merged into him, also through others.
func mergedInto(ctx context.Context, tx *gorm.DB, whos []int64) (map[int64][]int64, error) {
	found := map[int64][]int64{}
	root := map[int64]int64{}
	for _, id := range whos {
		root[id] = id
	}
	for level := whos; len(level) > 0; {
		where, list := inOrBetween("merged_into", level)
		var next []int64
		err := each(ctx, tx, func(r *sql.Rows) error {
			var id, into int64
			if err := r.Scan(&id, &into); err != nil {
				return err
			}
			if who, ok := root[into]; ok && root[id] == 0 {
				root[id] = who
				found[who] = append(found[who], id)
				next = append(next, id)
			}
			return nil
		}, "SELECT id, merged_into FROM members WHERE "+where, list...)
		if err != nil {
			return nil, fmt.Errorf("reach: find merged: %w", err)
		}
		slices.Sort(next)
		level = next
	}
	return found, nil
}

func (s *Service) newItem(r row, p *person, t *terms, channel string, k links, runID int64) *item {
	i := &item{
		row: r, who: p.who, channel: channel, account: t.account(channel), to: p.oa, use: useSend(t.class, channel) + " " + t.stamp,
		key: fmt.Sprintf("r%d-%d", runID, r.seq),
	}
	if c := t.msg.content(channel); c != nil {
		i.template, i.data, i.page = c.TemplateID, t.msg.data(c, p), c.Page
	}
	switch channel {
	case Customer:
		if i.allowance = p.allowance; t.msg.Customer != nil {
			i.rich = t.msg.filled(t.msg.Customer, p, k, runID)
		} else {
			i.text = cut(t.msg.text(channel, p, k, runID), maxBytes)
		}
	case Subscribe:
		i.to, i.page = p.mp, k.page.Token(t.msg.Subscribe.Page, runID, p.who)
	case SMS, Call:
		i.to, i.text = identity{openid: s.o.Number(p.phone)}, t.msg.text(channel, p, k, runID)
		if channel == SMS {
			i.text = s.framed(i.text, t.marketing)
		}
		for _, param := range t.msg.phone(channel).Params {
			i.params = append(i.params, t.msg.fill(param, p))
		}
	case InApp, Event:
		i.text = t.msg.text(channel, p, k, runID)
		if t.msg.Inbox != nil {
			i.title = t.msg.fill(t.msg.Inbox.Title, p)
		}
	}
	return i
}

// uses collects what one transaction consumes.
type uses struct {
	t       *terms
	chosen  map[int64]bool
	more    map[string][]int64 // kind+period → members whose row counts one more
	first   map[string][]int64 // who have no row yet
	windows map[string][]int64 // kind of allowance → identities
	accepts map[string][]int64 // template → identities
	once    []int64            // members, where the run has a key
}

func newUses(t *terms) *uses {
	return &uses{t: t, chosen: map[int64]bool{}, more: map[string][]int64{}, first: map[string][]int64{}, windows: map[string][]int64{}, accepts: map[string][]int64{}}
}

func (u *uses) use(p *person, i *item) {
	u.send(p, i.channel)
	switch i.channel {
	case Customer:
		u.windows[i.allowance] = append(u.windows[i.allowance], i.to.id)
	case Subscribe, Notice:
		u.accepts[i.template] = append(u.accepts[i.template], i.to.id)
	}
}

// send counts a message to a person by a channel.
func (u *uses) send(p *person, channel string) {
	u.chosen[p.who] = true
	if u.t.Test {
		return
	}
	exists := slices.ContainsFunc(p.sends, func(x sent) bool { return x.at == u.t.stamp && x.class == u.t.class && x.channel == channel })
	u.count(useSend(u.t.class, channel), u.t.stamp, p.who, exists)
	if u.t.OnceKey != "" {
		u.once = append(u.once, p.who)
	}
}

func (u *uses) count(kind, period string, who int64, exists bool) {
	key := kind + " " + period
	if exists {
		u.more[key] = append(u.more[key], who)
	} else {
		u.first[key] = append(u.first[key], who)
	}
}

func (u *uses) flush(ctx context.Context, tx *gorm.DB, runID int64) error {
	for key, ids := range u.more {
		if err := countUse(ctx, tx, key, ids, 1); err != nil {
			return err
		}
	}
	for key, ids := range u.first {
		kind, period := splitKey(key)
		rows := make([]model.ReachUse, len(ids))
		for n, id := range ids {
			rows[n] = model.ReachUse{MemberID: id, Kind: kind, Period: period, Used: 1}
		}
		if err := insertUses(ctx, tx, rows); err != nil {
			return err
		}
	}
	for kind, ids := range u.windows {
		where, list := in("identity_id", ids)
		if _, err := exec(ctx, tx, "UPDATE allowances SET remaining = remaining - 1 WHERE kind = ? AND "+where, args(kind, list)...); err != nil {
			return fmt.Errorf("reach: use allowance: %w", err)
		}
	}
	if err := insertOnces(ctx, tx, u.t.OnceKey, u.once, runID); err != nil {
		return err
	}
	for template, ids := range u.accepts {
		where, list := in("identity_id", ids)
		_, err := exec(ctx, tx, "UPDATE acceptances SET accepted_count = accepted_count - 1, updated_at = ? WHERE template_id = ? AND "+where,
			args(u.t.now, template, list)...)
		if err != nil {
			return fmt.Errorf("reach: use acceptance: %w", err)
		}
	}
	return nil
}

// deliveryWriter collects changes of delivery rows of one run: those that are equal become one statement.
type deliveryWriter struct {
	run    int64
	now    time.Time
	order  []string
	groups map[string]*change
}

type change struct {
	set  string
	args []any
	seqs []int64
}

func newWriter(run int64, now time.Time) *deliveryWriter {
	return &deliveryWriter{run: run, now: now, groups: map[string]*change{}}
}

// set changes a row as written; args make no difference between rows of one set unless they print differently.
func (w *deliveryWriter) set(set string, seq int64, args ...any) {
	key := fmt.Sprintln(append([]any{set}, args...)...)
	g, ok := w.groups[key]
	if !ok {
		g = &change{set: set, args: args}
		w.groups[key] = g
		w.order = append(w.order, key)
	}
	g.seqs = append(g.seqs, seq)
}

func (w *deliveryWriter) deferred(seq int64, v decision) {
	w.set("state = 'deferred', channel = '', reason = ?, detail = ?, due_at = ?", seq, v.reason, v.detail, v.until)
}

func (w *deliveryWriter) suppressed(seq int64, v decision) {
	w.set("state = 'suppressed', channel = '', reason = ?, detail = ?, due_at = NULL", seq, v.reason, v.detail)
}

func (w *deliveryWriter) attempting(i *item) {
	w.set("state = 'attempting', channel = ?, reason = '', detail = '', due_at = NULL", i.seq, i.channel)
}

func (w *deliveryWriter) flush(ctx context.Context, tx *gorm.DB) error {
	for _, key := range w.order {
		g := w.groups[key]
		where, list := these("seq", g.seqs)
		_, err := exec(ctx, tx, "UPDATE deliveries SET "+g.set+", at = ? WHERE run_id = ? AND "+where, args(g.args, w.now, w.run, list)...)
		if err != nil {
			return fmt.Errorf("reach: write deliveries: %w", err)
		}
	}
	return nil
}
