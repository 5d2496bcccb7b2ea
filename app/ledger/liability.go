package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// maxLiabilityDays bounds a report.
const maxLiabilityDays = 366

// Flow is what changed of an account: Issued − Spent − Expired − Reversed, and what is outstanding after it, held points included.
type Flow struct {
	Issued, Spent, Expired, Reversed int64
	Outstanding                      int64
}

// LiabilityLine is the flow of a day that stems from a rule. What was spent or expired counts for the rule that once granted it; RuleID 0 is
// what no rule granted, and what no lot paid for: debt and its repayment.
type LiabilityLine struct {
	Day     model.Day // of recording, in the programme's zone
	Account string
	RuleID  int64
	Flow
}

// Liability is what the programme owes its members over some days, to the point.
type Liability struct {
	Opening map[string]int64 // outstanding before the first day, by account
	Totals  map[string]Flow  // of the days, by account; Outstanding is that of their end
	Lines   []LiabilityLine  // by day, account and rule; a day without a change has none
}

// Liability reports the days from ≤ d ≤ to, for one account or, with "", all of them. It reads the lines, not the balances: that
// both agree is what Verify proves.
func (b *Book) Liability(ctx context.Context, from, to model.Day, code string) (*Liability, error) {
	if days := to.Sub(from) + 1; days < 1 || days > maxLiabilityDays {
		return nil, errs.Field("from", "ledger.liability_days", "limit", maxLiabilityDays)
	}
	r := &liabilityReader{book: b, from: b.zone.Start(from), to: b.zone.End(to), flows: map[flowKey]*Flow{}}
	if err := b.db.Snapshot(ctx, func(tx *gorm.DB) error { return r.read(tx, code) }); err != nil {
		return nil, err
	}
	return r.report(), nil
}

// liabilityReader adds lines up.
type liabilityReader struct {
	book     *Book
	from, to time.Time
	flows    map[flowKey]*Flow
}

type flowKey struct {
	day     model.Day // "" = before the report
	account string
	rule    int64
}

// counted are the lines that change what is owed: those of Verify's totals.
const counted = `(e.bucket = 'available' AND e.kind IN ('earn', 'activate', 'expire', 'spend', 'convert', 'reverse', 'restore')
 OR e.bucket = 'held' AND e.kind = 'spend') AND e.recorded_at < ?`

// read adds up the lines by quarter of an hour, and then says of what left or came back to lots which rule had granted it.
func (r *liabilityReader) read(tx *gorm.DB, code string) error {
	slot := "CASE WHEN e.recorded_at < ? THEN -1 ELSE " + db.Slot(tx, "e.recorded_at") + " END"
	where, args := counted, []any{r.from, r.to}
	if code != "" {
		where, args = where+" AND e.account = ?", append(args, code)
	}
	const (
		roots = " JOIN lots o ON o.id = CASE WHEN l.origin_id = 0 THEN l.id ELSE l.origin_id END JOIN entries g ON g.id = o.entry_id"
		class = ", e.account, e.kind, SIGN(e.delta)"
		whose = " AND e.kind <> 'earn' AND e.rule_id = 0 AND g.rule_id <> 0"
	)
	for _, q := range []struct{ rule, amount, from, where string }{
		{"e.rule_id", "SUM(e.delta)", "entries e", ""},
		{"g.rule_id", "SUM(m.delta)", "entries e JOIN lot_moves m ON m.entry_id = e.id JOIN lots l ON l.id = m.lot_id" + roots, whose},
		{"g.rule_id", "SUM(l.amount)", "entries e JOIN lots l ON l.entry_id = e.id" + roots, whose},
		{
			"g.rule_id", "SUM(m.delta)", "entries e JOIN holds h ON h.end_id = e.id JOIN lot_moves m ON m.entry_id = h.entry_id JOIN lots l ON l.id = m.lot_id" + roots,
			whose + " AND e.bucket = 'held'",
		},
	} {
		sql := "SELECT " + slot + " AS slot" + class + ", " + q.rule + " AS rule, " + q.amount + " AS amount FROM " + q.from + " WHERE " + where + q.where +
			" GROUP BY 1, 2, 3, 4, 5"
		if err := r.add(tx.Raw(sql, args...), q.where != ""); err != nil {
			return err
		}
	}
	return nil
}

// add adds the groups of a query; moved says that they belong to a rule, and not to none.
func (r *liabilityReader) add(q *gorm.DB, moved bool) error {
	rows, err := q.Rows()
	if err != nil {
		return fmt.Errorf("ledger: liability: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var slot, sign, rule, amount int64
		var account, kind string
		if err := rows.Scan(&slot, &account, &kind, &sign, &rule, &amount); err != nil {
			return fmt.Errorf("ledger: liability: %w", err)
		}
		k := flowKey{account: account, rule: rule}
		if slot >= 0 {
			k.day = r.book.zone.DayOf(db.SlotStart(slot))
		}
		r.flow(k).count(kind, sign, amount)
		if moved {
			k.rule = 0
			r.flow(k).count(kind, sign, -amount)
		}
	}
	return rows.Err()
}

func (r *liabilityReader) flow(k flowKey) *Flow {
	if r.flows[k] == nil {
		r.flows[k] = &Flow{}
	}
	return r.flows[k]
}

// count adds a change of lines of the kind and sign.
func (f *Flow) count(kind string, sign, amount int64) {
	switch {
	case kind == model.EntryEarn, kind == model.EntryActivate:
		f.Issued += amount
	case kind == model.EntryExpire:
		f.Expired -= amount
	case kind == model.EntrySpend, kind == model.EntryConvert, kind == model.EntryReverse && sign > 0:
		f.Spent -= amount
	default:
		f.Reversed -= amount
	}
	f.Outstanding += amount
}

func (f *Flow) add(g Flow) {
	f.Issued, f.Spent, f.Expired, f.Reversed = f.Issued+g.Issued, f.Spent+g.Spent, f.Expired+g.Expired, f.Reversed+g.Reversed
}

// report carries what is outstanding from day to day.
func (r *liabilityReader) report() *Liability {
	out := &Liability{Opening: map[string]int64{}, Totals: map[string]Flow{}}
	keys := slices.SortedFunc(maps.Keys(r.flows), func(a, b flowKey) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.account, b.account), cmp.Compare(a.rule, b.rule))
	})
	running := map[flowKey]int64{} // by account and rule
	for _, k := range keys {
		f, of := *r.flows[k], flowKey{account: k.account, rule: k.rule}
		total := out.Totals[k.account]
		total.Outstanding += f.Outstanding
		running[of] += f.Outstanding
		if k.day == "" {
			out.Opening[k.account] += f.Outstanding
		} else if f != (Flow{}) {
			total.add(f)
			f.Outstanding = running[of]
			out.Lines = append(out.Lines, LiabilityLine{k.day, k.account, k.rule, f})
		}
		out.Totals[k.account] = total
	}
	return out
}
