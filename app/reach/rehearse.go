package reach

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Rehearsal decides about messages to one person that were not sent yet, one after another, with what those before have used. It is read
// by the live send's own decision (DESIGN P8), and writes nothing.
type Rehearsal struct {
	s      *Service
	ctx    context.Context // lives as long as one rehearsal
	tx     *gorm.DB
	member int64
	sends  []sent         // that caps count
	used   map[string]int // mass sends by month, allowances by kind, acceptances by template
}

// Rehearse begins a rehearsal of a member.
func (s *Service) Rehearse(ctx context.Context, tx *gorm.DB, memberID int64) *Rehearsal {
	return &Rehearsal{s: s, ctx: ctx, tx: tx, member: memberID, used: map[string]int{}}
}

// Decided is what would come of a message: it goes by Channel, or is skipped for Reason, or with Until waits.
type Decided struct {
	Channel, Reason, Detail string
	Until                   time.Time
}

// Send decides about a message of a run at an instant, and uses what sending it would use. The run began at an instant; now is what its
// source knows of the person then. alone reports whether nobody else of its run would get the mass send: it is asked only where he would.
func (r *Rehearsal) Send(at, began time.Time, spec RunSpec, now Now, alone func() (bool, error)) (Decided, error) {
	t, err := r.s.deciding(r.tx, spec.law(began), &spec.Message, at)
	if err != nil {
		return Decided{}, err
	}
	all, err := people(r.ctx, r.tx, t, []int64{r.member}, nil)
	if err != nil {
		return Decided{}, err
	}
	p := all[r.member]
	if err := r.less(p, t); err != nil {
		return Decided{}, err
	}
	p.is(now)
	v := decide(p, t)
	if v.channel == Mass {
		if p.noMass, err = alone(); err != nil {
			return Decided{}, err
		}
		v = decide(p, t)
	}
	if v.channel != "" {
		r.use(p, t, v.channel)
	}
	return Decided{v.channel, v.reason, v.detail, v.until}, nil
}

// less takes from what the person has what the messages before have used.
func (r *Rehearsal) less(p *person, t *terms) error {
	p.sends = append(p.sends, r.sends...)
	p.month += r.used[useMass(t.oa)+t.month]
	p.accepted -= r.used[t.mp+" "+t.template]
	if p.oa.id == 0 {
		return nil
	}
	p.allowance = ""
	err := each(r.ctx, r.tx, func(rows *sql.Rows) error {
		var kind string
		var left int
		err := rows.Scan(&kind, &left)
		if p.allowance == "" && left > r.used[t.oa+" "+kind] {
			p.allowance = kind
		}
		return err
	}, "SELECT kind, remaining FROM allowances WHERE identity_id = ? AND expires_at > ? ORDER BY expires_at, kind", p.oa.id, t.now)
	if err != nil {
		return fmt.Errorf("reach: rehearse: %w", err)
	}
	return nil
}

func (r *Rehearsal) use(p *person, t *terms, channel string) {
	r.sends = append(r.sends, sent{t.class, channel, t.stamp, 1})
	switch channel {
	case Mass:
		r.used[useMass(t.oa)+t.month]++
	case Customer:
		r.used[t.oa+" "+p.allowance]++
	case Subscribe:
		r.used[t.mp+" "+t.template]++
	}
}

// Masses reports whether any of the members would go by mass send at the instant.
func (s *Service) Masses(ctx context.Context, tx *gorm.DB, at time.Time, spec RunSpec, ids []int64) (bool, error) {
	if len(ids) == 0 {
		return false, nil
	}
	t, err := s.deciding(tx, spec.law(at), &spec.Message, at)
	if err != nil {
		return false, err
	}
	all, err := people(ctx, tx, t, ids, nil) // ascending
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if decide(p, t).channel == Mass {
			return true, nil
		}
	}
	return false, nil
}

// law is what the messages of the run obey that begins at the moment.
func (spec *RunSpec) law(began time.Time) *law {
	return &law{Rules: spec.Rules, class: spec.Class, until: spec.Rules.until(began), reserves: spec.Reserves}
}
