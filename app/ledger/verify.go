package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// window is about how many entries Verify holds in memory at once, of whole members.
const window = 4096

// Mismatch is one thing in the tables that does not follow from the entries.
type Mismatch struct {
	Table, Column string
	ID            int64 // of the row; of a balance 0, of the sums of a day the rule
	MemberID      int64
	Account       string
	Want, Got     string
}

// String is the mismatch as a line for a terminal.
func (m Mismatch) String() string {
	return fmt.Sprintf("%s.%s id=%d member=%d account=%s: want %s, is %s", m.Table, m.Column, m.ID, m.MemberID, m.Account, m.Want, m.Got)
}

// Totals is what Verify saw.
type Totals struct {
	Members, Entries, Lots, Moves, Mismatches int64
	Accounts                                  map[string]AccountTotal
}

// AccountTotal is one account over all members: Issued − Spent − Expired − Reversed = Available + Held.
type AccountTotal struct {
	Issued    int64 // earned or activated
	Spent     int64 // spent, less what came back
	Expired   int64
	Reversed  int64 // earnings taken back
	Available int64 // Σ balances
	Pending   int64
	Held      int64 // set aside, in no lot
	InLots    int64 // Σ active lots
	Debt      int64
}

// String is a line for each account, then one of counts.
func (t Totals) String() string {
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(t.Accounts)) {
		a := t.Accounts[code]
		fmt.Fprintf(&b, "%s: issued %d - spent %d - expired %d - reversed %d = %d available (%d in lots, %d debt) + %d held, %d pending\n",
			code, a.Issued, a.Spent, a.Expired, a.Reversed, a.Available, a.InLots, a.Debt, a.Held, a.Pending)
	}
	fmt.Fprintf(&b, "verified %d members, %d entries, %d lots: %d mismatches", t.Members, t.Entries, t.Lots, t.Mismatches)
	return b.String()
}

// Verify re-derives every balance and lot from the entries, and every entry's own figures and seal, and reports each mismatch. It
// writes nothing, may run beside a live siyu, and holds a bounded number of members in memory.
func (b *Book) Verify(ctx context.Context, report func(Mismatch)) (Totals, error) {
	v := &verifier{book: b, report: report, totals: Totals{Accounts: map[string]AccountTotal{}}, codes: map[string]bool{}, slides: map[string]bool{}}
	all, err := b.Accounts(ctx)
	if err != nil {
		return Totals{}, err
	}
	for i := range all {
		v.account(&all[i])
	}
	if err := v.all(ctx); err != nil {
		return Totals{}, err
	}
	for code, t := range v.totals.Accounts {
		if sum := t.Issued - t.Spent - t.Expired - t.Reversed; sum != t.Available+t.Held || sum != t.InLots-t.Debt+t.Held {
			v.differ(Mismatch{Table: "accounts", Column: "total", Account: code}, fmt.Sprintf("Σ entries %d", sum),
				fmt.Sprintf("Σ balances %d, Σ lots − debt %d, held %d", t.Available, t.InLots-t.Debt, t.Held))
		}
	}
	return v.totals, nil
}

// all checks all members, some windows at once, and beside them what no window shows.
func (v *verifier) all(ctx context.Context) error {
	var mu sync.Mutex
	from, report := int64(minMember), v.report
	v.report = func(m Mismatch) { // the workers share it
		mu.Lock()
		defer mu.Unlock()
		report(m)
	}
	next := func() (first, to int64, err error) {
		mu.Lock()
		defer mu.Unlock()
		first = from
		from, err = nextWindow(v.book.db.Reader(ctx), first)
		return first, from, err
	}
	workers := 1 + min(4, runtime.GOMAXPROCS(0))
	seen, failed := make([]*verifier, workers), make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		seen[i] = &verifier{book: v.book, report: v.report, totals: Totals{Accounts: map[string]AccountTotal{}}, codes: v.codes, slides: v.slides}
		wg.Go(func() {
			if i == 0 {
				failed[i] = errors.Join(seen[i].strays(v.book.db.Reader(ctx)), seen[i].days(ctx))
			} else {
				failed[i] = seen[i].work(ctx, next)
			}
		})
	}
	wg.Wait()
	for _, w := range seen {
		v.totals.add(w.totals)
	}
	return errors.Join(failed...)
}

// work checks windows until there are no more.
func (v *verifier) work(ctx context.Context, next func() (from, to int64, err error)) error {
	for {
		from, to, err := next()
		if err != nil || from == maxMember {
			return err
		}
		if err := v.book.db.Snapshot(ctx, func(tx *gorm.DB) error { return v.window(tx, from, to) }); err != nil {
			return err
		}
	}
}

func (t *Totals) add(u Totals) {
	t.Members, t.Entries, t.Lots, t.Moves = t.Members+u.Members, t.Entries+u.Entries, t.Lots+u.Lots, t.Moves+u.Moves
	t.Mismatches += u.Mismatches
	for code, b := range u.Accounts {
		a := t.Accounts[code]
		t.Accounts[code] = AccountTotal{
			Issued: a.Issued + b.Issued, Spent: a.Spent + b.Spent, Expired: a.Expired + b.Expired, Reversed: a.Reversed + b.Reversed,
			Available: a.Available + b.Available, Pending: a.Pending + b.Pending, Held: a.Held + b.Held, InLots: a.InLots + b.InLots, Debt: a.Debt + b.Debt,
		}
	}
}

// minMember and maxMember are below and above every member id, also of a row that was damaged.
const minMember, maxMember = -1 << 62, 1 << 62

// nextWindow is the member at whom the window ends that begins at from; maxMember after the last.
func nextWindow(r *gorm.DB, from int64) (int64, error) {
	var to []int64
	err := r.Model(&model.Entry{}).Where("member_id >= ?", from).Order("member_id").Offset(window).Limit(1).Pluck("member_id", &to).Error
	if err != nil {
		return 0, fmt.Errorf("ledger: verify: %w", err)
	}
	if len(to) == 0 {
		return maxMember, nil
	}
	return max(to[0], from+1), nil
}

// strays finds what no window shows: moves without an entry that moves, and what names an entry that is not there.
func (v *verifier) strays(r *gorm.DB) error {
	err := each(r.Raw("SELECT m.* FROM lot_moves m LEFT JOIN entries e ON e.id = m.entry_id AND e.kind <> ? WHERE e.id IS NULL", model.EntryEarn), func(m *model.LotMove) {
		v.differ(Mismatch{Table: "lot_moves", Column: "entry_id", ID: m.LotID}, "an entry that takes from lots", fmt.Sprint(m.EntryID))
	})
	if err != nil {
		return err
	}
	err = each(r.Raw("SELECT e.* FROM entries e LEFT JOIN entries o ON o.id = e.reverses_id WHERE e.reverses_id <> 0 AND o.id IS NULL"), func(e *model.Entry) {
		v.differ(Mismatch{Table: "entries", Column: "reverses_id", ID: e.ID, MemberID: e.MemberID, Account: e.Account},
			"an entry", fmt.Sprint(e.ReversesID))
	})
	if err != nil {
		return err
	}
	err = each(r.Raw("SELECT h.* FROM holds h LEFT JOIN entries e ON e.id = h.entry_id AND e.kind = ? AND e.bucket = ? WHERE e.id IS NULL",
		model.EntryHold, model.BucketAvailable), func(h *model.Hold) {
		v.differ(Mismatch{Table: "holds", Column: "entry_id", ID: h.ID, MemberID: h.MemberID, Account: h.Account}, "the line of a hold", fmt.Sprint(h.EntryID))
	})
	if err != nil {
		return err
	}
	err = each(r.Raw("SELECT c.* FROM conversions c LEFT JOIN entries e ON e.id = c.entry_id AND e.kind = ? AND e.reason = ? WHERE e.id IS NULL",
		model.EntryEarn, ReasonConversion), func(c *model.Conversion) {
		v.differ(Mismatch{Table: "conversions", Column: "entry_id", ID: c.ID, MemberID: c.MemberID, Account: c.ToAccount}, "the line of a conversion",
			fmt.Sprint(c.EntryID))
	})
	if err != nil {
		return err
	}
	return errors.Join(v.overdrawn(r), v.requests(r))
}

// overdrawn finds earnings of which more was asked back than they granted, and spendings that came back otherwise than whole.
func (v *verifier) overdrawn(r *gorm.DB) error {
	type reversed struct {
		model.Entry
		Back int64
	}
	return each(r.Raw(`SELECT o.id, o.member_id, o.account, o.delta, t.back FROM entries o
 JOIN (SELECT reverses_id, SUM(shortfall - delta) AS back FROM entries WHERE reverses_id <> 0 GROUP BY reverses_id) t ON t.reverses_id = o.id
 WHERE o.delta > 0 AND t.back > o.delta OR o.delta <= 0 AND t.back <> o.delta`), func(o *reversed) {
		v.differ(Mismatch{Table: "entries", Column: "reverses_id", ID: o.ID, MemberID: o.MemberID, Account: o.Account},
			fmt.Sprintf("at most %d back", o.Delta), fmt.Sprint(o.Back))
	})
}

// each runs do on every row of the query, one at a time.
func each[T any](q *gorm.DB, do func(*T)) error {
	rows, err := q.Rows()
	if err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row T
		if err := q.ScanRows(rows, &row); err != nil {
			return fmt.Errorf("ledger: verify: %w", err)
		}
		do(&row)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	return nil
}
