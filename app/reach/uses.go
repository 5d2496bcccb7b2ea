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

// refunds collects what calls that sent nothing give back, and what WeChat says is used up.
type refunds struct {
	days     map[string][]int64 // day → members
	windows  map[string][]int64 // kind → identities
	accepts  []int64
	closed   []int64 // identities without allowance
	unwanted []int64 // identities without acceptance
}

func (r *refunds) give(i *item) {
	if i.day != "" {
		if r.days == nil {
			r.days = map[string][]int64{}
		}
		r.days[i.day] = append(r.days[i.day], i.who)
	}
	switch {
	case i.channel == Customer && i.result.close:
		r.closed = append(r.closed, i.to.id)
	case i.channel == Customer:
		if r.windows == nil {
			r.windows = map[string][]int64{}
		}
		r.windows[i.allowance] = append(r.windows[i.allowance], i.to.id)
	case i.result.close:
		r.unwanted = append(r.unwanted, i.to.id)
	default:
		r.accepts = append(r.accepts, i.to.id)
	}
}

func (r *refunds) flush(ctx context.Context, tx *gorm.DB, template string) error {
	for day, ids := range r.days {
		if err := countUse(ctx, tx, useMarketing+" "+day, ids, -1); err != nil {
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
	for _, c := range []struct {
		ids   []int64
		query string
		args  []any
	}{
		{r.closed, "UPDATE allowances SET remaining = 0 WHERE ", nil},
		{r.unwanted, "UPDATE acceptances SET accepted_count = 0 WHERE template_id = ? AND ", []any{template}},
		{r.accepts, "UPDATE acceptances SET accepted_count = accepted_count + 1 WHERE template_id = ? AND ", []any{template}},
	} {
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
