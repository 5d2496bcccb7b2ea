package reach

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/consent"
)

// people reads what decide looks at, for the members ids (ascending). Duplicates within a run are markTwice's.
func people(ctx context.Context, tx *gorm.DB, t *terms, ids []int64, points func(context.Context, *gorm.DB, []int64) (map[int64]int64, error)) (map[int64]*person, error) {
	l := &loading{ctx: ctx, tx: tx, t: t, roots: map[int64]*person{}, merged: map[int64]int64{}}
	err := l.members(ids)
	if err == nil && len(l.roots) > 0 {
		err = l.states(points)
	}
	if err != nil {
		return nil, fmt.Errorf("reach: read people: %w", err)
	}
	all := make(map[int64]*person, len(ids))
	for _, id := range ids {
		root := id
		for l.merged[root] != 0 {
			root = l.merged[root]
		}
		p, ok := l.roots[root]
		switch {
		case !ok:
			p = &person{id: id, who: id}
		case root != id:
			p = &person{}
			*p = *l.roots[root]
			p.id = id
		}
		all[id] = p
	}
	return all, nil
}

// loading is one call of people.
type loading struct {
	ctx    context.Context
	tx     *gorm.DB
	t      *terms
	roots  map[int64]*person // who was not merged away
	merged map[int64]int64
	ids    []int64 // of roots, ascending
	byOA   map[int64]*person
	byMP   map[int64]*person
}

// members reads the people, and those whom they were merged into.
func (l *loading) members(ids []int64) error {
	for len(ids) > 0 {
		where, list := inOrBetween("id", ids)
		wanted := sorted(ids)
		err := each(l.ctx, l.tx, func(r *sql.Rows) error {
			p := &person{found: true}
			var into sql.NullInt64
			var out sql.NullTime
			if err := r.Scan(&p.id, &into, &out, &p.nickname, &p.no, &p.joined, &p.phone); err != nil || !wanted(p.id) {
				return err
			}
			if p.who, p.optedOut = p.id, out.Valid; into.Valid {
				l.merged[p.id] = into.Int64
			} else {
				l.roots[p.id] = p
			}
			return nil
		}, "SELECT id, merged_into, opted_out_at, nickname, no, joined_at IS NOT NULL, phone_sealed FROM members WHERE "+where, list...)
		if err != nil {
			return err
		}
		var next []int64
		for _, into := range l.merged {
			if _, gone := l.merged[into]; !gone && l.roots[into] == nil && !slices.Contains(ids, into) {
				next = append(next, into)
			}
		}
		slices.Sort(next)
		ids = slices.Compact(next)
	}
	for id := range l.roots {
		l.ids = append(l.ids, id)
	}
	slices.Sort(l.ids)
	return nil
}

// sorted reports membership in an ascending list that is asked in ascending order, mostly.
func sorted(ids []int64) func(int64) bool {
	return func(id int64) bool {
		_, ok := slices.BinarySearch(ids, id)
		return ok
	}
}

func (l *loading) states(points func(context.Context, *gorm.DB, []int64) (map[int64]int64, error)) error {
	if err := l.identities(); err != nil {
		return err
	}
	has := func(channel string) bool { return slices.Contains(l.t.msg.Channels, channel) }
	if has(Customer) && len(l.byOA) > 0 {
		if err := l.allowances(); err != nil {
			return err
		}
	}
	if has(Subscribe) && len(l.byMP) > 0 {
		if err := l.acceptances(l.byMP, l.t.template, func(p *person) *int { return &p.accepted }); err != nil {
			return err
		}
	}
	if has(Notice) && len(l.byOA) > 0 {
		if err := l.acceptances(l.byOA, l.t.notice, func(p *person) *int { return &p.noticed }); err != nil {
			return err
		}
	}
	if has(SMS) || has(Call) {
		if err := l.consents(); err != nil {
			return err
		}
	}
	if err := l.uses(); err != nil {
		return err
	}
	if l.t.OnceKey != "" {
		if err := l.onces(); err != nil {
			return err
		}
	}
	if points == nil || !l.t.msg.Uses(varPoints) {
		return nil
	}
	balances, err := points(l.ctx, l.tx, l.ids)
	for id, n := range balances {
		if p := l.roots[id]; p != nil {
			p.points = &n
		}
	}
	return err
}

// identities: of several at one account a subscribed one counts, else the oldest.
func (l *loading) identities() error {
	l.byOA, l.byMP = map[int64]*person{}, map[int64]*person{}
	where, list := inOrBetween("member_id", l.ids)
	return each(l.ctx, l.tx, func(r *sql.Rows) error {
		var member int64
		var account string
		var i identity
		if err := r.Scan(&i.id, &member, &account, &i.openid, &i.subscribed); err != nil {
			return err
		}
		p := l.roots[member]
		switch {
		case p == nil || account != l.t.oa && account != l.t.mp:
		case account == l.t.oa:
			if p.oa.id == 0 || i.subscribed && !p.oa.subscribed || i.id < p.oa.id && i.subscribed == p.oa.subscribed {
				delete(l.byOA, p.oa.id)
				p.oa, l.byOA[i.id] = i, p
			}
		case p.mp.id == 0 || i.id < p.mp.id:
			delete(l.byMP, p.mp.id)
			p.mp, l.byMP[i.id] = i, p
		}
		return nil
	}, "SELECT id, member_id, account, open_id, subscribed FROM identities WHERE "+where, list...) // not by account too: SQLite would read all of an account
}

func keys(m map[int64]*person) []int64 {
	ids := make([]int64, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// allowances: the one that ends first is used.
func (l *loading) allowances() error {
	where, list := inOrBetween("identity_id", keys(l.byOA))
	return each(l.ctx, l.tx, func(r *sql.Rows) error {
		var id int64
		var kind string
		if err := r.Scan(&id, &kind); err != nil {
			return err
		}
		if p := l.byOA[id]; p != nil && p.allowance == "" {
			p.allowance = kind
		}
		return nil
	}, "SELECT identity_id, kind FROM allowances WHERE "+where+" AND remaining > 0 AND expires_at > ? ORDER BY expires_at, kind", args(list, l.t.now)...)
}

// consents are what they said of their phone numbers.
func (l *loading) consents() error {
	said, err := consent.States(l.tx, l.ids)
	for id, of := range said {
		l.roots[id].consents = of
	}
	return err
}

func (l *loading) acceptances(by map[int64]*person, template string, count func(*person) *int) error {
	where, list := inOrBetween("identity_id", keys(by))
	return each(l.ctx, l.tx, func(r *sql.Rows) error {
		var id int64
		var n int
		if err := r.Scan(&id, &n); err != nil {
			return err
		}
		if p := by[id]; p != nil {
			*count(p) = n
		}
		return nil
	}, "SELECT identity_id, accepted_count FROM acceptances WHERE "+where+" AND template_id = ?", args(list, template)...)
}

func (l *loading) uses() error {
	mass := useMass(l.t.oa)
	since := l.t.stamp
	for _, c := range l.t.limits {
		since = min(since, c.since)
	}
	where, list := inOrBetween("member_id", l.ids)
	return each(l.ctx, l.tx, func(r *sql.Rows) error {
		var id int64
		var kind, period string
		var n int
		if err := r.Scan(&id, &kind, &period, &n); err != nil {
			return err
		}
		p := l.roots[id]
		class, channel, send := isSend(kind)
		switch {
		case p == nil:
		case send:
			p.sends = append(p.sends, sent{class, channel, period, n})
		case kind == mass && period == l.t.month:
			p.month, p.monthRow = n, true
		}
		return nil
	}, "SELECT member_id, kind, period, used FROM reach_uses WHERE "+where+" AND (period >= ? OR (kind = ? AND period = ?))",
		args(list, since, mass, l.t.month)...)
}

// onces: who received a message of the run's key.
func (l *loading) onces() error {
	where, list := inOrBetween("member_id", l.ids)
	return each(l.ctx, l.tx, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		if p := l.roots[id]; p != nil {
			p.once = true
		}
		return err
	}, "SELECT member_id FROM once_sends WHERE "+where+" AND once_key = ?", args(list, l.t.OnceKey)...)
}

func useMass(account string) string { return "mass:" + account }
