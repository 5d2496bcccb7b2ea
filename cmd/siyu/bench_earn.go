package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// earnRules are what a paid order earns in the bench: points per yuan under a daily cap, points for an order that is large enough, and growth.
var earnRules = []string{
	`{"grants":[{"kind":"per_yuan","account":"points","amount":1}],"caps":[{"period":"day","account":"points","amount":100000}]}`,
	`{"condition":{"leaf":"event.field","field":"amount_fen","op":"gte","value":5000},"grants":[{"kind":"fixed","account":"points","amount":10}]}`,
	`{"grants":[{"kind":"per_yuan","account":"growth","amount":2}]}`,
}

// benchEarn: an order that a shop pushes is paid by a member, and three rules give him points and growth for it; every member has ordered before,
// and does so twice. The floor decides the same by hand and writes the same rows with hand-written SQL, a transaction per order. No side speaks HTTP.
func benchEarn(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	cfg.Sandbox.Demo = false // its auto-tags have a benchmark of their own: BenchmarkFollow
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	n := o.requests / rounds * rounds
	each := n / 2 // members of a side
	fmt.Fprintf(out, "members  %d, half of them for each side\n", 2*each)
	first, err := benchMembers(ctx, a, 2*each)
	if err != nil {
		return err
	}
	f, err := newFloor(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.db.Close()) }()
	for i, def := range earnRules {
		in := reward.Input{Code: fmt.Sprintf("bench%d", i), Name: fmt.Sprintf("bench%d", i), Enabled: true, Trigger: model.EventOrderPaid}
		if err := json.Unmarshal([]byte(def), &in.Definition); err != nil {
			return err
		}
		r, err := a.Rewards.Save(ctx, in, templates.English)
		if err != nil {
			return err
		}
		f.rules = append(f.rules, r.ID)
	}
	paid := a.Clock.Now()
	return compare(out, "earn", a.DB.Dialect(), n, o.workers,
		func(i int) error { return pushOrder(ctx, a, first+int64(2*(i%each)), i, paid) },
		func(i int) error { return f.order(ctx, first+int64(2*(i%each))+1, i, paid) })
}

func pushOrder(ctx context.Context, a *app.App, id int64, i int, paid time.Time) error {
	fen := benchFen(i)
	out, err := a.Orders.Push(ctx, order.Push{
		Platform: "own_mall", No: fmt.Sprintf("BENCH-%d", i), Status: model.OrderPaid, MemberID: id, PaidAt: &paid, AmountFen: &fen,
		Items: []order.Item{{Product: "唇膜", Category: "美妆", Quantity: 1, AmountFen: fen}},
	})
	if err == nil && len(out.Grants) != len(earnRules) {
		err = fmt.Errorf("bench earn: %d grants", len(out.Grants))
	}
	return err
}

// benchFen is what an order is paid with: always enough for all rules.
func benchFen(i int) int64 { return int64(10_000 + i%500*100) }

// order writes what siyu writes for a paid order under the rules of the bench.
func (f *floor) order(ctx context.Context, id int64, i int, paid time.Time) error {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	insert := func(q string, args ...any) (int64, error) {
		res, err := tx.ExecContext(ctx, q, args...)
		if err != nil {
			return 0, err
		}
		return res.LastInsertId()
	}
	now, day, fen, no := f.now, "2026-11-23", benchFen(i), fmt.Sprintf("FLOOR-%d", i)
	if _, err := insert("UPDATE members SET version = version + 1 WHERE id = ?", id); err != nil {
		return err
	}
	var joined, merged sql.NullString
	if err := tx.QueryRowContext(ctx, "SELECT joined_at, merged_into FROM members WHERE id = ?", id).Scan(&joined, &merged); err != nil || !joined.Valid {
		return fmt.Errorf("not a member: %w", err)
	}
	row, err := insert("INSERT INTO orders (platform, no, member_id, ended, amount_fen, shipping_fen, refunded_fen, paid_at, phone_index, phone_tail, source,"+
		" live_id, quiz_id, events, created_at, updated_at) VALUES ('own_mall', ?, ?, '', ?, 0, 0, ?, '', '', '', 0, 0, 1, ?, ?)", no, id, fen, paid, now, now)
	if err != nil {
		return err
	}
	if _, err := insert("INSERT INTO order_items (order_id, line, sku, product, category, quantity, amount_fen) VALUES (?, 1, '', '唇膜', '美妆', 1, ?)", row, fen); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{
		"order_id": fmt.Sprint(row), "platform": "own_mall", "order_no": no, "amount_fen": fen, "quantity": 1, "products": []string{"唇膜"},
		"categories": []string{"美妆"}, "paid_at": paid.Format(time.RFC3339),
	})
	if err != nil {
		return err
	}
	event, err := insert("INSERT INTO events (member_id, kind, source, `key`, hash, occurred_at, recorded_at, data) VALUES (?, ?, 'order', ?, ?, ?, ?, ?)",
		id, model.EventOrderPaid, fmt.Sprintf("%d:1", row), strings.Repeat("0", 64), paid, now, string(data))
	if err != nil {
		return err
	}
	if _, err := insert("UPDATE orders SET event_id = ? WHERE id = ?", event, row); err != nil {
		return err
	}
	points := fen / 100
	if err := f.count(ctx, tx, id, day, points); err != nil {
		return err
	}
	for i, g := range []struct {
		account string
		amount  int64
	}{{model.AccountPoints, points}, {model.AccountPoints, 10}, {model.AccountGrowth, 2 * points}} {
		_, err := insert("INSERT INTO rule_grants (event_id, rule_id, grant_index, rule_version, account, multiplier, factors, granted, peak, base, bonus)"+
			" VALUES (?, ?, 0, 1, ?, '1', '[]', ?, ?, ?, 0)", event, f.rules[i], g.account, g.amount, g.amount, g.amount)
		if err != nil {
			return err
		}
		if err := f.post(ctx, tx, id, event, f.rules[i], g.account, g.amount); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// count adds to the counter of the daily cap.
func (f *floor) count(ctx context.Context, tx *sql.Tx, id int64, day string, points int64) error {
	var used int64
	err := tx.QueryRowContext(ctx, "SELECT used FROM rule_uses WHERE rule_id = ? AND set_id = 0 AND member_id = ? AND period = ? AND account = 'points'", f.rules[0], id, day).Scan(&used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.ExecContext(ctx, "INSERT INTO rule_uses (rule_id, set_id, member_id, period, account, used) VALUES (?, 0, ?, ?, 'points', ?)", f.rules[0], id, day, points)
	case err == nil:
		_, err = tx.ExecContext(ctx, "UPDATE rule_uses SET used = ? WHERE rule_id = ? AND set_id = 0 AND member_id = ? AND period = ? AND account = 'points'",
			used+points, f.rules[0], id, day)
	}
	return err
}
