package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// window is how many members Verify holds in memory at once.
const window = 64

// Mismatch is one thing in the tables that does not follow from the entries.
type Mismatch struct {
	Table, Column string
	ID            int64 // of the row; of a balance 0
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
	next := func() (int64, bool, error) {
		mu.Lock()
		defer mu.Unlock()
		first, found, err := firstMember(v.book.db.Reader(ctx), from)
		if found {
			from = first + window
		}
		return first, found, err
	}
	workers := 1 + min(4, runtime.GOMAXPROCS(0))
	seen, failed := make([]*verifier, workers), make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		seen[i] = &verifier{book: v.book, report: v.report, totals: Totals{Accounts: map[string]AccountTotal{}}, codes: v.codes, slides: v.slides}
		wg.Go(func() {
			if i == 0 {
				failed[i] = seen[i].strays(v.book.db.Reader(ctx))
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
func (v *verifier) work(ctx context.Context, next func() (int64, bool, error)) error {
	for {
		from, found, err := next()
		if err != nil || !found {
			return err
		}
		if err := v.book.db.Snapshot(ctx, func(tx *gorm.DB) error { return v.window(tx, from, from+window) }); err != nil {
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

// minMember is below every member id, also of a row that was damaged.
const minMember = -1 << 62

// firstMember is the first member from id on who has anything in the ledger.
func firstMember(r *gorm.DB, id int64) (int64, bool, error) {
	var first sql.NullInt64
	err := r.Raw(`SELECT MIN(m) FROM (SELECT MIN(member_id) AS m FROM entries WHERE member_id >= ?
 UNION ALL SELECT MIN(member_id) FROM lots WHERE member_id >= ?
 UNION ALL SELECT MIN(member_id) FROM balances WHERE member_id >= ?) t`, id, id, id).Row().Scan(&first)
	if err != nil {
		return 0, false, fmt.Errorf("ledger: verify: %w", err)
	}
	return first.Int64, first.Valid, nil
}

// strays finds what no window shows: moves without an entry, reversals of nothing, and keys that occur twice.
func (v *verifier) strays(r *gorm.DB) error {
	err := each(r.Raw("SELECT m.* FROM lot_moves m LEFT JOIN entries e ON e.id = m.entry_id WHERE e.id IS NULL"), func(m *model.LotMove) {
		v.differ(Mismatch{Table: "lot_moves", Column: "entry_id", ID: m.LotID}, "an entry", fmt.Sprint(m.EntryID))
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
	if err := errors.Join(v.overdrawn(r), v.requests(r)); err != nil {
		return err
	}
	return each(r.Raw("SELECT `key` FROM entries GROUP BY `key` HAVING COUNT(*) > 1"), func(e *model.Entry) {
		v.differ(Mismatch{Table: "entries", Column: "key"}, "unique", e.Key)
	})
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

// scan runs do after each row of the query was read into into: for tables that are read as a whole, gorm's reflection is most of the work.
func scan(q *gorm.DB, do func(), into ...any) error {
	rows, err := q.Rows()
	if err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("ledger: verify: %w", err)
		}
		do()
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	return nil
}

// eachLot runs do on the lots of the members, by id.
func eachLot(tx *gorm.DB, from, to int64, do func(*model.Lot)) error {
	var l model.Lot
	var activates, expires, born, earned moment
	return scan(tx.Raw("SELECT id, member_id, account, open, entry_id, origin_id, amount, remaining, active, slide_days, slide_months, "+
		moments(tx, "activates_at", "expires_at", "born_until", "earned_at")+
		" FROM lots WHERE member_id >= ? AND member_id < ? ORDER BY id", from, to), func() {
		l.ActivatesAt, l.ExpiresAt, l.BornUntil, l.EarnedAt = activates.at(), expires.at(), born.at(), earned.Time
		do(&l)
	}, &l.ID, &l.MemberID, &l.Account, &l.Open, &l.EntryID, &l.OriginID, &l.Amount, &l.Remaining, &l.Active, &l.SlideDays, &l.SlideMonths,
		&activates, &expires, &born, &earned)
}

// eachEntry runs do on the entries of the members, as each account got them.
func eachEntry(tx *gorm.DB, from, to int64, do func(*model.Entry)) error {
	var e model.Entry
	var occurred, recorded moment
	return scan(tx.Raw("SELECT id, member_id, account, seq, bucket, delta, balance, lifetime, kind, reason, note, memo, actor, rule_id, rule_version, bonus,"+
		" event_id, origin_id, reverses_id, shortfall, `key`, hash, seal, "+moments(tx, "occurred_at", "recorded_at")+
		" FROM entries WHERE member_id >= ? AND member_id < ? ORDER BY member_id, account, seq", from, to), func() {
		e.OccurredAt, e.RecordedAt = occurred.Time, recorded.Time
		do(&e)
	}, &e.ID, &e.MemberID, &e.Account, &e.Seq, &e.Bucket, &e.Delta, &e.Balance, &e.Lifetime, &e.Kind, &e.Reason, &e.Note, &e.Memo, &e.Actor, &e.RuleID,
		&e.RuleVersion, &e.Bonus, &e.EventID, &e.OriginID, &e.ReversesID, &e.Shortfall, &e.Key, &e.Hash, &e.Seal, &occurred, &recorded)
}

// eachBalance runs do on the balances of the members.
func eachBalance(tx *gorm.DB, from, to int64, do func(*model.Balance)) error {
	var b model.Balance
	var due moment
	return scan(tx.Raw("SELECT member_id, account, seq, available, pending, held, lifetime, "+moments(tx, "next_due_at")+
		" FROM balances WHERE member_id >= ? AND member_id < ?", from, to), func() {
		b.NextDueAt = due.at()
		do(&b)
	}, &b.MemberID, &b.Account, &b.Seq, &b.Available, &b.Pending, &b.Held, &b.Lifetime, &due)
}

// moment is a time as scan reads it; zero for none. SQLite's driver tries formats on every text of a date column, which costs as much as
// all else of a row: it is asked for the bytes.
type moment struct{ time.Time }

// moments are the columns as a moment scans them.
func moments(tx *gorm.DB, columns ...string) string {
	list := strings.Join(columns, ", ")
	if tx.Name() == "sqlite" {
		return "CAST(" + strings.ReplaceAll(list, ", ", " AS BLOB), CAST(") + " AS BLOB)"
	}
	return list
}

// Scan implements sql.Scanner.
func (i *moment) Scan(v any) (err error) {
	switch v := v.(type) {
	case nil:
		i.Time = time.Time{}
	case time.Time:
		i.Time = v.UTC()
	case []byte:
		i.Time, err = time.Parse("2006-01-02 15:04:05.999999999-07:00", string(v))
		i.Time = i.UTC()
	default:
		err = fmt.Errorf("expected a moment, got %v", v)
	}
	return err
}

func (i *moment) at() *time.Time {
	if i.IsZero() {
		return nil
	}
	t := i.Time
	return &t
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
