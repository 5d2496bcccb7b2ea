package reach

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

func splitKey(key string) (kind, period string) {
	n := strings.LastIndexByte(key, ' ')
	return key[:n], key[n+1:]
}

// countUse changes what members used of a cap. Their rows exist.
func countUse(ctx context.Context, tx *gorm.DB, key string, ids []int64, by int) error {
	if len(ids) == 0 {
		return nil
	}
	kind, period := splitKey(key)
	where, list := in("member_id", ids)
	_, err := exec(ctx, tx, "UPDATE reach_uses SET used = used + ? WHERE kind = ? AND period = ? AND used + ? >= 0 AND "+where,
		args(by, kind, period, by, list)...)
	if err != nil {
		return fmt.Errorf("reach: count use: %w", err)
	}
	return nil
}

func insertUses(ctx context.Context, tx *gorm.DB, rows []model.ReachUse) error {
	var b strings.Builder
	b.WriteString("INSERT INTO reach_uses (member_id, kind, period, used) VALUES ")
	list := make([]any, 0, 4*len(rows))
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(?,?,?,?)")
		list = append(list, r.MemberID, r.Kind, r.Period, r.Used)
	}
	if _, err := exec(ctx, tx, b.String(), list...); err != nil {
		return fmt.Errorf("reach: first use: %w", err)
	}
	return nil
}

// insertOnces notes who receives a message of a key. The locks of the members keep two runs from doing it for one; the key would, too.
func insertOnces(ctx context.Context, tx *gorm.DB, key string, ids []int64, runID int64) error {
	if len(ids) == 0 {
		return nil
	}
	list := make([]any, 0, 3*len(ids))
	for _, id := range ids {
		list = append(list, key, id, runID)
	}
	_, err := exec(ctx, tx, "INSERT INTO once_sends (once_key, member_id, run_id) VALUES (?,?,?)"+strings.Repeat(",(?,?,?)", len(ids)-1), list...)
	if err != nil {
		return fmt.Errorf("reach: once: %w", err)
	}
	return nil
}

// deleteOnces takes it back of those who got nothing.
func deleteOnces(ctx context.Context, tx *gorm.DB, key string, ids []int64, runID int64) error {
	if key == "" || len(ids) == 0 {
		return nil
	}
	where, list := in("member_id", ids)
	if _, err := exec(ctx, tx, "DELETE FROM once_sends WHERE once_key = ? AND run_id = ? AND "+where, args(key, runID, list)...); err != nil {
		return fmt.Errorf("reach: once: %w", err)
	}
	return nil
}

// refunds collects what calls that sent nothing give back, and what WeChat says is used up.
type refunds struct {
	sends    map[string][]int64 // kind and second → members
	members  []int64
	windows  map[string][]int64 // kind → identities
	accepts  map[string][]int64 // template → identities
	closed   []int64            // identities without allowance
	unwanted map[string][]int64 // template → identities without acceptance
}

func (r *refunds) give(i *item) {
	if r.sends == nil {
		r.sends = map[string][]int64{}
	}
	r.sends[i.use] = append(r.sends[i.use], i.who)
	r.members = append(r.members, i.who)
	switch {
	case i.channel == Customer && i.result.close:
		r.closed = append(r.closed, i.to.id)
	case i.channel == Customer:
		if r.windows == nil {
			r.windows = map[string][]int64{}
		}
		r.windows[i.allowance] = append(r.windows[i.allowance], i.to.id)
	case i.channel != Subscribe && i.channel != Notice:
	case i.result.close:
		r.unwanted = more(r.unwanted, i)
	default:
		r.accepts = more(r.accepts, i)
	}
}

func more(m map[string][]int64, i *item) map[string][]int64 {
	if m == nil {
		m = map[string][]int64{}
	}
	m[i.template] = append(m[i.template], i.to.id)
	return m
}

func (r *refunds) flush(ctx context.Context, tx *gorm.DB) error {
	for use, ids := range r.sends {
		if err := countUse(ctx, tx, use, ids, -1); err != nil {
			return err
		}
	}
	for kind, ids := range r.windows { // a newer action may have filled it up meanwhile
		where, list := in("identity_id", ids)
		if _, err := exec(ctx, tx, "UPDATE allowances SET remaining = remaining + 1 WHERE kind = ? AND remaining < ? AND "+where,
			args(kind, allowed[kind].n, list)...); err != nil {
			return fmt.Errorf("reach: give back: %w", err)
		}
	}
	type change struct {
		ids   []int64
		query string
		args  []any
	}
	changes := []change{{r.closed, "UPDATE allowances SET remaining = 0 WHERE ", nil}}
	for template, ids := range r.unwanted {
		changes = append(changes, change{ids, "UPDATE acceptances SET accepted_count = 0 WHERE template_id = ? AND ", []any{template}})
	}
	for template, ids := range r.accepts {
		changes = append(changes, change{ids, "UPDATE acceptances SET accepted_count = accepted_count + 1 WHERE template_id = ? AND ", []any{template}})
	}
	for _, c := range changes {
		if len(c.ids) == 0 {
			continue
		}
		where, list := in("identity_id", c.ids)
		if _, err := exec(ctx, tx, c.query+where, args(c.args, list)...); err != nil {
			return fmt.Errorf("reach: give back: %w", err)
		}
	}
	return nil
}
