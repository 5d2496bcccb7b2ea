package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// storied is a world in which everything that the ledger does has happened.
func storied(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	a, b := w.member(), w.member()
	w.give(a, 100, 0)
	w.give(a, 7, time.Hour)
	_, err := w.postAll(
		ledger.Posting{MemberID: a, Amount: 5, ActivatesAt: ptr(start.Add(time.Hour))},
		ledger.Posting{MemberID: a, Amount: 6, ActivatesAt: ptr(start.AddDate(0, 1, 0))},
		ledger.Posting{MemberID: a, Amount: 9, Account: model.AccountGrowth},
	)
	require.NoError(t, err)
	spent := w.spend(a, 30)
	w.advance(time.Hour)
	_, err = w.reverse(spent.ID, a, false)
	require.NoError(t, err)
	w.spend(a, 3)
	e := w.give(b, 20, 0)
	w.spend(b, 15)
	_, err = w.reverse(e.ID, b, false)
	require.NoError(t, err)
	w.account("miles", model.ExpirySlidingDays, 10, "")
	for range 2 {
		_, err = w.postAll(ledger.Posting{MemberID: a, Account: "miles", Amount: 10}, ledger.Posting{MemberID: b, Account: "miles", Amount: 5})
		require.NoError(t, err)
		w.advance(26 * time.Hour)
	}
	require.NoError(t, w.book.SumUpAll(t.Context()))
	w.converts(model.ConvertConsume)
	w.convert(a, 2)
	w.converts(model.ConvertKeep)
	w.convert(a, 3)
	w.give(b, 50, 0)
	for _, end := range []string{"commit", "release", ""} {
		h, err := w.hold(b, 5)
		require.NoError(t, err)
		if end != "" {
			_, err = w.endHold(h.ID, end == "commit", end)
			require.NoError(t, err)
		}
	}
	w.requested(b)
	w.merge(b, a)
	w.settledTotals()
	w.advance(time.Hour)
	require.NoError(t, w.book.SumUpAll(t.Context()))
	return w
}

// requested lets the member be granted what waits for a second operator: once approved, once rejected, once not decided.
func (w *world) requested(id int64) {
	w.manualLimit(50)
	until := start.AddDate(2, 0, 0)
	for _, state := range []string{model.GrantApproved, model.GrantRejected, model.GrantWaiting} {
		g, err := w.book.Grant(w.ctx(), ledger.Manual{MemberID: id, Account: model.AccountPoints, Amount: 60, Memo: "对不起|sorry", Actor: "alice", ExpiresAt: &until})
		require.NoError(w.t, err)
		if state != model.GrantWaiting {
			_, err := w.book.Decide(w.ctx(), g.Request.ID, state == model.GrantApproved, "bob")
			require.NoError(w.t, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	t.Run("FindsAnyColumnChangedByHand", func(t *testing.T) {
		t.Parallel()
		w := storied(t)
		id := map[string]bool{"id": true} // says nothing where nothing refers to it
		for _, c := range []struct {
			row  any
			rows string // one row of each kind
			skip map[string]bool
		}{
			{row: &model.Entry{}, rows: "SELECT MIN(id) AS id FROM entries GROUP BY kind, bucket, account", skip: id},
			{row: &model.Entry{}, rows: "SELECT reverses_id AS id FROM entries WHERE reverses_id > 0"},
			{row: &model.Entry{}, rows: "SELECT DISTINCT entry_id AS id FROM lot_moves"},
			{row: &model.Lot{}, rows: "SELECT id FROM lots", skip: id},
			{row: &model.Lot{}, rows: "SELECT DISTINCT lot_id AS id FROM lot_moves"},
			{row: &model.Hold{}, rows: "SELECT id FROM holds", skip: id},
			{row: &model.Hold{}, rows: "SELECT id FROM holds WHERE state <> 'held'"},
			{row: &model.Conversion{}, rows: "SELECT id FROM conversions", skip: id},
			{row: &model.GrantRequest{}, rows: "SELECT id FROM grant_requests WHERE state = 'approved'", skip: map[string]bool{
				"requested_at": true, "decided_by": true, "decided_at": true, // nothing in the ledger tells
			}},
			{row: &model.LotMove{}, rows: "SELECT entry_id, lot_id FROM lot_moves"},
			{row: &model.Balance{}, rows: "SELECT member_id, account FROM balances"},
			{row: &model.LiabilityDay{}, rows: "SELECT day, account, rule_id FROM liability_days"},
			{row: &model.LiabilityMark{}, rows: "SELECT id FROM liability_marks", skip: map[string]bool{"id": true, "zone": true}}, // of another zone, it counts for nothing
			// What an account is called and how it behaves is the operator's choice; its code is not.
			{row: &model.Account{}, rows: "SELECT code FROM accounts WHERE code <> 'experience'", skip: map[string]bool{
				"name": true, "spendable": true, "expiry_count": true, "expiry_on": true, "grace_days": true, "debt": true, "manual_limit": true, "position": true, "slides": true,
			}},
		} {
			w.corrupt(t, c.row, c.rows, c.skip)
		}
		w.corrupt(t, &model.Account{}, "SELECT code FROM accounts WHERE code = 'miles'", map[string]bool{
			"name": true, "spendable": true, "expiry_count": true, "expiry_on": true, "grace_days": true, "debt": true, "manual_limit": true, "position": true,
		})
		for _, state := range []string{model.GrantWaiting, model.GrantRejected} {
			w.corrupt(t, &model.GrantRequest{}, "SELECT id FROM grant_requests WHERE state = '"+state+"'", map[string]bool{
				"id": true, "member_id": true, "account": true, "amount": true, "memo": true, "expires_at": true, "requested_by": true,
				"requested_at": true, "decided_by": state != model.GrantWaiting, "decided_at": state != model.GrantWaiting,
			})
		}
		w.clean()
	})
	t.Run("FindsAMissingRow", func(t *testing.T) {
		t.Parallel()
		w := storied(t)
		for _, table := range []string{"entries", "lots", "lot_moves", "balances", "holds", "conversions", "grant_requests", "liability_days"} {
			var rows []map[string]any
			q := w.db.Reader(t.Context()).Table(table)
			if table == "grant_requests" {
				q = q.Where("state = ?", model.GrantApproved) // of the others the ledger knows nothing
			}
			require.NoError(t, q.Find(&rows).Error)
			require.NotEmpty(t, rows)
			for _, row := range rows {
				w.tx(func(_ context.Context, tx *gorm.DB) error { return tx.Table(table).Where(row).Delete(nil).Error })
				require.Positive(t, w.mismatches(), "%s without %v", table, row)
				w.tx(func(_ context.Context, tx *gorm.DB) error { return tx.Table(table).Create(row).Error })
			}
		}
		w.clean()
	})
	t.Run("FindsARowTooMany", func(t *testing.T) {
		t.Parallel()
		w := storied(t)
		for _, row := range []any{
			&model.LotMove{EntryID: 9999, LotID: 1, Delta: 1},
			&model.LotMove{EntryID: 1, LotID: 1}, // an earning takes from no lot
			&model.LotMove{EntryID: 5, LotID: 9999, Delta: 1},
			&model.Lot{ID: 9999, MemberID: 9999, Account: model.AccountPoints, EntryID: 9999, EarnedAt: start, Active: true},
			&model.Hold{ID: 9999, MemberID: 9999, Account: model.AccountPoints, State: model.HoldReleased, Until: start, EntryID: 9999, Key: "zz"},
			&model.Conversion{ID: 9999, MemberID: 9999, FromAccount: model.AccountGrowth, ToAccount: model.AccountPoints, EntryID: 9999, At: start},
			&model.Balance{MemberID: 9999, Account: model.AccountPoints},
			&model.LiabilityDay{Day: "2026-11-23", Account: model.AccountPoints, RuleID: 9999, Issued: 1},
		} {
			w.tx(func(_ context.Context, tx *gorm.DB) error { return tx.Create(row).Error })
			require.Positive(t, w.mismatches(), "%+v", row)
			w.tx(func(_ context.Context, tx *gorm.DB) error { return tx.Delete(row).Error })
		}
		w.clean()
	})
	t.Run("FindsARowThatCannotBeRead", func(t *testing.T) {
		t.Parallel()
		w := storied(t)
		for _, c := range []string{"delta", "recorded_at"} {
			var old model.Entry
			require.NoError(t, w.db.Reader(t.Context()).Take(&old, 1).Error)
			for _, bad := range []string{"zz", "1|2", ""} {
				err := w.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
					return tx.Exec("UPDATE entries SET "+c+" = ? WHERE id = 1", bad).Error
				})
				if w.db.Dialect() == db.MySQL { // a column there takes only what it is for
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				require.Positive(t, w.mismatches(), "%s = %q", c, bad)
			}
			w.tx(func(_ context.Context, tx *gorm.DB) error { return tx.Model(&old).Select(c).UpdateColumns(&old).Error })
			w.clean()
		}
	})
	t.Run("SeesEveryMemberOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for range 150 {
			w.give(w.member(), 2, 0)
		}
		totals := w.clean()
		require.EqualValues(t, 150, totals.Members)
		require.EqualValues(t, 150, totals.Lots)
		require.EqualValues(t, 300, totals.Accounts[model.AccountPoints].Issued)
	})
}

func (w *world) mismatches() (n int) {
	_, err := w.book.Verify(w.ctx(), func(ledger.Mismatch) { n++ })
	require.NoError(w.t, err)
	return n
}

// corrupt changes every column of the rows, one at a time, and expects each to be found.
func (w *world) corrupt(t *testing.T, row any, query string, skip map[string]bool) {
	t.Helper()
	var keys []map[string]any
	r := w.db.Reader(t.Context())
	require.NoError(t, r.Raw(query).Scan(&keys).Error)
	require.NotEmpty(t, keys)
	stmt := &gorm.Statement{DB: r}
	require.NoError(t, stmt.Parse(row))
	for _, key := range keys {
		for _, f := range stmt.Schema.Fields {
			if skip[f.DBName] {
				continue
			}
			w.corruptOne(t, stmt.Schema.Table, f, key)
		}
	}
}

func (w *world) corruptOne(t *testing.T, table string, f *schema.Field, key map[string]any) {
	t.Helper()
	where := map[string]any{}
	for k, v := range key {
		where[k] = v
	}
	var old map[string]any
	require.NoError(t, w.db.Reader(t.Context()).Table(table).Where(where).Take(&old).Error)
	set := func(v any) {
		w.tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Table(table).Where(where).UpdateColumn(f.DBName, v).Error
		})
		if _, ok := where[f.DBName]; ok {
			where[f.DBName] = v
		}
	}
	var bad any
	switch f.DataType {
	case schema.Int, schema.Uint:
		bad = gorm.Expr("? + 1000", old[f.DBName])
		if n, ok := old[f.DBName].(int64); ok {
			bad = n + 1000
		}
	case schema.Bool:
		bad = fmt.Sprint(old[f.DBName]) == "0" || fmt.Sprint(old[f.DBName]) == "false"
	case schema.Time:
		bad = start.Add(12345 * time.Second)
	default:
		bad = "zz"
	}
	set(bad)
	require.Positive(t, w.mismatches(), "%s.%s of %v: %v → %v", table, f.DBName, key, old[f.DBName], bad)
	set(old[f.DBName])
}
