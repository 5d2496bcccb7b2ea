package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
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
	r, err := b.sumsOf(ctx, from, to, code)
	if err != nil {
		return nil, err
	}
	return r.report(), nil
}

// Granted is what each rule granted in the days from ≤ d ≤ to, by rule and account, pending lots included; what was taken back later is
// still in it.
func (b *Book) Granted(ctx context.Context, from, to model.Day) (map[int64]map[string]int64, error) {
	r, err := b.sumsOf(ctx, from, to, "")
	if err != nil {
		return nil, err
	}
	out := map[int64]map[string]int64{}
	for k, f := range r.sums {
		if k.day == "" || k.rule == 0 || f.Granted == 0 {
			continue
		}
		if out[k.rule] == nil {
			out[k.rule] = map[string]int64{}
		}
		out[k.rule][k.account] += f.Granted
	}
	return out, nil
}

// sumsOf are the sums of the days from ≤ d ≤ to, and with the day "" those of the days before: what was summed up, and the lines since.
func (b *Book) sumsOf(ctx context.Context, from, to model.Day, code string) (*liabilityReader, error) {
	r := &liabilityReader{zone: b.zone, from: from, to: to, code: code, sums: map[flowKey]*sums{}}
	err := b.db.Snapshot(ctx, func(tx *gorm.DB) error {
		_, upto, err := b.marked(tx)
		if err != nil {
			return err
		}
		if upto > 0 {
			if err := r.summed(tx); err != nil {
				return err
			}
		}
		return r.lines(tx, upto, math.MaxInt64)
	})
	return r, err
}

// liabilityReader adds up lines, and sums of lines. What lies before from has the day "", what lies after to is left out.
type liabilityReader struct {
	zone     clock.Zone
	from, to model.Day
	code     string // of the account; "" = all
	sums     map[flowKey]*sums
}

type flowKey struct {
	day     model.Day // "" = before the report
	account string
	rule    int64
}

// sums is what lines add up to.
type sums struct {
	Flow
	Granted int64 // earned, what is pending included
}

// counted are the lines that change what is owed, those of Verify's totals, and what was earned and is pending.
const counted = `(e.bucket = 'available' AND e.kind IN ('earn', 'activate', 'expire', 'spend', 'convert', 'reverse', 'restore')
 OR e.bucket = 'held' AND e.kind = 'spend' OR e.bucket = 'pending' AND e.kind = 'earn') AND e.id > ? AND e.id <= ?`

// summed adds the stored sums.
func (r *liabilityReader) summed(tx *gorm.DB) error {
	const totals = "SUM(granted) AS granted, SUM(issued) AS issued, SUM(spent) AS spent, SUM(expired) AS expired, SUM(reversed) AS reversed"
	for _, q := range []*gorm.DB{
		tx.Where("day >= ? AND day <= ?", r.from, r.to),
		tx.Where("day < ?", r.from).Group("account, rule_id").Select("account, rule_id, " + totals),
	} {
		if r.code != "" {
			q = q.Where("account = ?", r.code)
		}
		var rows []model.LiabilityDay
		if err := q.Find(&rows).Error; err != nil {
			return fmt.Errorf("ledger: liability: %w", err)
		}
		for _, d := range rows {
			r.sums[flowKey{d.Day, d.Account, d.RuleID}] = sumsIn(&d)
		}
	}
	return nil
}

func sumsIn(d *model.LiabilityDay) *sums {
	return &sums{Flow{d.Issued, d.Spent, d.Expired, d.Reversed, d.Issued - d.Spent - d.Expired - d.Reversed}, d.Granted}
}

// lines adds up the lines after < id ≤ upto by quarter of an hour, and then says of what left or came back to lots which rule had granted it.
// All of that stands when a line is written, and nothing changes it.
func (r *liabilityReader) lines(tx *gorm.DB, after, upto int64) error {
	where, args := counted, []any{after, upto}
	if r.code != "" {
		where, args = where+" AND e.account = ?", append(args, r.code)
	}
	const (
		roots = " JOIN lots o ON o.id = CASE WHEN l.origin_id = 0 THEN l.id ELSE l.origin_id END JOIN entries g ON g.id = o.entry_id"
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
		sql := "SELECT " + db.Slot(tx, "e.recorded_at") + " AS slot, e.account, e.bucket, e.kind, SIGN(e.delta), " + q.rule + " AS rule, " + q.amount +
			" AS amount FROM " + q.from + " WHERE " + where + q.where + " GROUP BY 1, 2, 3, 4, 5, 6"
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
		var account, bucket, kind string
		if err := rows.Scan(&slot, &account, &bucket, &kind, &sign, &rule, &amount); err != nil {
			return fmt.Errorf("ledger: liability: %w", err)
		}
		k := flowKey{r.zone.DayOf(db.SlotStart(slot)), account, rule}
		if k.day > r.to {
			continue
		}
		if k.day < r.from {
			k.day = ""
		}
		r.sum(k).count(bucket, kind, sign, amount)
		if moved {
			k.rule = 0
			r.sum(k).count(bucket, kind, sign, -amount)
		}
	}
	return rows.Err()
}

func (r *liabilityReader) sum(k flowKey) *sums {
	if r.sums[k] == nil {
		r.sums[k] = &sums{}
	}
	return r.sums[k]
}

// count adds a change of lines of the bucket, kind and sign.
func (f *sums) count(bucket, kind string, sign, amount int64) {
	if kind == model.EntryEarn {
		if f.Granted += amount; bucket == model.BucketPending {
			return
		}
	}
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
	keys := slices.SortedFunc(maps.Keys(r.sums), func(a, b flowKey) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.account, b.account), cmp.Compare(a.rule, b.rule))
	})
	running := map[flowKey]int64{} // by account and rule
	for _, k := range keys {
		f, of := r.sums[k].Flow, flowKey{account: k.account, rule: k.rule}
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
