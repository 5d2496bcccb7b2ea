package member_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// state is all that an export shows of both, but for what a merge and its undoing add to the history of the ledger and the tags.
func (w *lives) state(ids ...int64) map[int64]document {
	w.T.Helper()
	all := map[int64]document{}
	for _, id := range ids {
		d := w.export(id)
		d.ExportedAt = time.Time{}
		delete(d.Tables, "entries")
		delete(d.Tables, "lots")
		delete(d.Tables["members"][0], "active_at")
		d.Tables["balances"] = slices.DeleteFunc(d.Tables["balances"], func(b map[string]any) bool { return b["available"] == 0. && b["lifetime"] == 0. })
		all[id] = d
	}
	return all
}

func (w *lives) undo(id int64) {
	w.T.Helper()
	got, err := w.Members.UndoMerge(w.T.Context(), id)
	require.NoError(w.T, err)
	require.Equal(w.T, id, got)
	w.Verified()
}

// rich gives both something in every table.
func (w *lives) rich() {
	w.T.Helper()
	a, b := w.Tag(tag.Preference, "a"), w.Tag(tag.Preference, "b")
	require.NoError(w.T, w.Tags.SetManual(w.T.Context(), w.first, a, 1, true, ""))
	require.NoError(w.T, w.Tags.SetManual(w.T.Context(), w.second, b, 1, true, ""))
	w.checkIn(w.first, "2026-11-24")
	w.checkIn(w.second, "2026-11-24")
	w.checkIn(w.second, "2026-11-25")
	w.checkIn(w.first, "2026-11-26")
	w.answer(w.first, "B")
	w.answer(w.second, "A")
	_, err := w.Members.Update(w.T.Context(), w.second, member.Profile{
		Gender: ptr("female"), Birthday: ptr(model.Day("2000-01-01")), LocationConsent: ptr(true), Marketing: ptr(false), Address: ptr("和平路七号"),
	})
	require.NoError(w.T, err)
	w.Tx(func(_ context.Context, tx *gorm.DB) error { return w.Members.LocateTx(tx, w.second, 31, 121, w.Now()) })
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		for i, id := range []int64{w.first, w.second} {
			if err := tx.Create(&model.ReachUse{MemberID: id, Kind: "marketing", Period: "2026-11-26", Used: i + 1}).Error; err != nil {
				return err
			}
		}
		return tx.Create(&model.ChannelVisit{ChannelID: 1, MemberID: w.second, Kind: model.VisitNew, At: w.Now()}).Error
	})
}

// shops gives both orders, claims that wait, coupons and things for points.
func (w *lives) shops() {
	w.T.Helper()
	ctx := context.WithoutCancel(w.T.Context())
	c, err := w.Coupons.Save(ctx, coupon.Definition{Coupon: model.Coupon{Code: "c", Name: "c", Kind: model.CouponFreeItem, ValidDays: 30, Enabled: true}})
	require.NoError(w.T, err)
	i, err := w.Mall.Save(ctx, mall.Item{MallItem: model.MallItem{Code: "i", Name: "i", Kind: model.MallGoods, Account: "points", Price: 1, PerMember: 2, Enabled: true}})
	require.NoError(w.T, err)
	now, fen := w.Now(), int64(1000)
	for _, id := range []int64{w.first, w.second} {
		no := fmt.Sprint("A", id)
		_, err := w.Orders.Push(ctx, order.Push{Platform: "jd", No: no, Status: model.OrderPaid, MemberID: id, PaidAt: &now, AmountFen: &fen})
		require.NoError(w.T, err)
		_, err = w.Orders.Claim(ctx, id, "taobao", no, "")
		require.NoError(w.T, err)
		_, err = w.Coupons.Give(ctx, id, c.ID, "test")
		require.NoError(w.T, err)
		_, err = w.Mall.Redeem(ctx, id, i.ID, now)
		require.NoError(w.T, err)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()

	t.Run("OrdersCouponsAndWhatWasRedeemedArePartedToo", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.checkIn(w.first, "2026-11-24")
		w.checkIn(w.second, "2026-11-24")
		w.shops()
		before := w.state(w.first, w.second)
		for _, id := range []int64{w.first, w.second} {
			for _, table := range []string{"orders", "order_claims", "member_coupons", "redemptions"} {
				require.Len(t, before[id].Tables[table], 1, table)
			}
		}
		w.merge(w.first, w.second)
		for _, table := range []string{"orders", "order_claims", "member_coupons", "redemptions"} {
			require.Len(t, w.state(w.first)[w.first].Tables[table], 2, table)
		}
		w.undo(w.second)
		require.Equal(t, before, w.state(w.first, w.second))
	})

	t.Run("StreaksAndTagsAreLookedAtAgain", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.AutoTag(w.Tag(tag.Value, "often"), `{"leaf":"did","event":"checkin.done","op":"gte","count":3,"window":"30d"}`)
		w.checkIn(w.first, "2026-11-24")
		w.checkIn(w.second, "2026-11-25")
		w.merge(w.first, w.second)
		w.checkIn(w.first, "2026-11-26")
		_, streak, err := w.Checkins.Today(w.DB.Reader(t.Context()), w.first)
		require.NoError(t, err)
		require.Equal(t, 3, streak)
		require.Contains(t, w.Held(w.first), "often")
		w.undo(w.second)
		_, streak, err = w.Checkins.Today(w.DB.Reader(t.Context()), w.first)
		require.NoError(t, err)
		require.Equal(t, 1, streak, "the day between is the other's again")
		require.NotContains(t, w.Held(w.first), "often", "two days are not three")
	})

	t.Run("GivesBothWhatTheyWereAndHad", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.rich()
		before := w.state(w.first, w.second)
		uses := func() (all []model.RuleUse, caps []model.ReachUse) {
			require.NoError(t, w.DB.Reader(t.Context()).Order("member_id, rule_id, period, account").Find(&all).Error)
			require.NoError(t, w.DB.Reader(t.Context()).Order("member_id").Find(&caps).Error)
			return all, caps
		}
		rules, caps := uses()

		w.merge(w.first, w.second)
		require.NotEqual(t, before[w.first], w.state(w.first)[w.first])
		w.Advance(time.Hour)
		w.undo(w.second)
		require.Equal(t, before, w.state(w.first, w.second))
		rules2, caps2 := uses()
		require.Equal(t, rules, rules2)
		require.Equal(t, caps, caps2)
		require.Zero(t, w.Count(&model.Merge{}))
		require.Zero(t, w.Count(&model.MergeChange{}))
		w.checkIn(w.second, "2026-11-27")
		require.EqualValues(t, 1, w.Count(&model.Checkin{}, "member_id = ? AND day = ?", w.second, "2026-11-27"))
	})

	t.Run("WhatCameSinceStaysWithTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.rich()
		first, second := w.Points(w.first), w.Points(w.second)
		w.merge(w.first, w.second)
		w.checkIn(w.second, "2026-11-27")
		_, err := w.Members.Update(t.Context(), w.first, member.Profile{Gender: ptr("male")})
		require.NoError(t, err)
		w.undo(w.second)
		require.Equal(t, first+5, w.Points(w.first))
		require.Equal(t, second, w.Points(w.second))
		m, err := w.Members.Get(t.Context(), w.first)
		require.NoError(t, err)
		require.Equal(t, "male", m.Gender)
		require.Empty(t, m.Birthday)
	})

	t.Run("AgainMergedAndAgainUndone", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.rich()
		before := w.state(w.first, w.second)
		for range 3 {
			w.merge(w.first, w.second)
			w.Advance(time.Minute)
			w.undo(w.second)
			require.Equal(t, before, w.state(w.first, w.second))
			w.Advance(time.Minute)
		}
		require.Equal(t, w.first, w.merge(w.second, w.first))
	})

	t.Run("DebtsArePartedToo", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct{ first, second int64 }{"OfTheSurvivor": {-100, 0}, "OfTheOther": {0, -100}, "OfBoth": {-60, -70}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newLives(t)
				w.checkIn(w.first, "2026-11-24")
				w.checkIn(w.second, "2026-11-25")
				for id, n := range map[int64]int64{w.first: c.first, w.second: c.second} {
					if n != 0 {
						_, err := w.Book.Grant(t.Context(), ledger.Manual{MemberID: id, Account: "points", Amount: n, Memo: "x", AllowDebt: true})
						require.NoError(t, err)
					}
				}
				first, second := w.Points(w.first), w.Points(w.second)
				w.merge(w.first, w.second)
				w.undo(w.second)
				require.Equal(t, first, w.Points(w.first))
				require.Equal(t, second, w.Points(w.second))
			})
		}
	})

	t.Run("ALotThatExpiredMeanwhileIsNotThereAgain", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		soon := w.Now().Add(time.Hour)
		_, err := w.Book.Grant(t.Context(), ledger.Manual{MemberID: w.second, Account: "points", Amount: 9, Memo: "x", ExpiresAt: &soon})
		require.NoError(t, err)
		w.merge(w.first, w.second)
		w.Advance(2 * time.Hour)
		w.undo(w.second)
		require.EqualValues(t, 57, w.Points(w.second))
	})

	t.Run("IsRefused", func(t *testing.T) {
		t.Parallel()
		refused := func(w *lives, code errs.Code, key string) {
			t.Helper()
			_, err := w.Members.UndoMerge(t.Context(), w.second)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, code, e.Code)
			require.Equal(t, key, e.Key)
			w.Verified()
		}
		w := newLives(t)
		refused(w, errs.NotFound, "member.not_merged")
		w.merge(w.first, w.second)
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: w.first, Account: "points", Amount: -1, Reason: "test", Key: "spent"})
			return err
		})
		refused(w, errs.Conflict, "member.undo_spent")

		w = newLives(t)
		w.merge(w.first, w.second)
		third := w.Joined("third")
		w.merge(w.first, third)
		refused(w, errs.Conflict, "member.undo_order")
		w.undo(third)
		w.Advance(7 * 24 * time.Hour)
		refused(w, errs.Conflict, "member.undo_late")
		require.NoError(t, w.Forget(t.Context(), w.Now()))
		require.Zero(t, w.Count(&model.MergeChange{}), "nobody needs it any more")

		w = newLives(t)
		w.merge(w.first, w.second)
		require.NoError(t, w.Members.Erase(t.Context(), w.first))
		refused(w, errs.NotFound, "member.not_found")
	})

	t.Run("AtOnceItIsUndoneOnce", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.rich()
		before := w.state(w.first, w.second)
		w.merge(w.first, w.second)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := w.Members.UndoMerge(t.Context(), w.second); err != nil && errs.CodeOf(err) != errs.NotFound {
					t.Errorf("UndoMerge: %v", err)
				}
			})
		}
		wg.Wait()
		w.Verified()
		require.Equal(t, before, w.state(w.first, w.second))
	})
}

// rowsOf are the rows of a table of members, as they stand, but for the columns that change by themselves.
func (w *lives) rowsOf(name, by string, ids ...int64) (all []string) {
	w.T.Helper()
	rows, err := w.DB.Reader(w.T.Context()).Table(name).Where(by, map[string]any{"ids": ids}).Rows()
	require.NoError(w.T, err)
	defer func() { require.NoError(w.T, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(w.T, err)
	values, into := make([][]byte, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		require.NoError(w.T, rows.Scan(into...))
		row := ""
		for i, v := range values {
			if names[i] != "version" && names[i] != "active_at" {
				row += fmt.Sprintf("%s=%s ", names[i], v)
			}
		}
		all = append(all, row)
	}
	require.NoError(w.T, rows.Err())
	slices.Sort(all)
	return all
}

// plant writes rows of both members to a table: one of each under the same key, where the table's keys allow it, and one that only the
// second has.
func (w *lives) plant(row any) {
	w.T.Helper()
	s, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
	require.NoError(w.T, err)
	try := func(who int64, x int) error {
		row := reflect.New(s.ModelType)
		for _, f := range s.Fields {
			switch v := f.ReflectValueOf(w.T.Context(), row.Elem()); {
			case f.DBName == "member_id":
				v.SetInt(who)
			case f.DBName == "" || f.AutoIncrement:
			case f.FieldType == reflect.TypeFor[time.Time]():
				v.Set(reflect.ValueOf(w.Now().Add(-time.Duration(x) * time.Hour)))
			case f.FieldType == reflect.TypeFor[model.JSON]():
				v.Set(reflect.ValueOf(model.JSON("{}")))
			case f.FieldType == reflect.TypeFor[*bool](): // the one that counts
				if x == 1 {
					v.Set(reflect.ValueOf(ptr(true)))
				}
			case f.FieldType == reflect.TypeFor[model.Day]():
				v.SetString(string(model.Day("2026-01-01").Add(x)))
			case v.Kind() == reflect.String:
				v.SetString(fmt.Sprint("x", x))
			case v.CanInt():
				v.SetInt(1000 + int64(x))
			}
		}
		return w.DB.Tx(context.WithoutCancel(w.T.Context()), func(_ context.Context, tx *gorm.DB) error { return tx.Create(row.Interface()).Error })
	}
	require.NoError(w.T, try(w.first, 1), s.Table)
	if err := try(w.second, 1); err != nil {
		require.ErrorIs(w.T, err, gorm.ErrDuplicatedKey, s.Table)
	}
	if err := try(w.second, 2); err != nil { // of a table with one row for each
		require.ErrorIs(w.T, err, gorm.ErrDuplicatedKey, s.Table)
	}
}

// derived are the tables that an undoing does not give back row by row: the ledger is mended by lines of its own (see TestUndo), flips are
// computed anew, and of changes more are told.
var derived = map[string]bool{
	"balances": true, "entries": true, "grant_requests": true, "holds": true, "lots": true, "tag_flips": true, "member_changes": true,
}

// Every other table with rows of a member is as it was once a merge is undone, whatever both had in it.
func TestUndoGivesBackEveryTable(t *testing.T) {
	t.Parallel()
	w := newLives(t)
	w.rich()
	w.shops()
	for id := int64(1001); id <= 1002; id++ {
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return errors.Join(
				tx.Create(&model.LiveSession{ID: id, Title: "live", OpensAt: w.Now().Add(-5 * time.Hour), ClosesAt: w.Now(), CreatedAt: w.Now()}).Error,
				tx.Create(&model.Form{ID: id, Title: "form", Condition: model.JSON("{}"), OpensAt: w.Now(), ClosesAt: w.Now(), CreatedAt: w.Now(), UpdatedAt: w.Now()}).Error,
			)
		})
	}
	tables := map[string]string{} // and whose a row is
	for _, p := range w.Members.Parts() {
		for _, table := range p.Tables {
			s, err := schema.Parse(table.Row, &sync.Map{}, schema.NamingStrategy{})
			require.NoError(t, err)
			if derived[s.Table] || s.LookUpField("member_id") == nil {
				continue
			}
			tables[s.Table] = table.By
			if table.By == "" {
				tables[s.Table] = "member_id IN @ids"
			}
			if w.rowsOf(s.Table, "member_id IN @ids", w.second) == nil {
				w.plant(table.Row)
			}
		}
	}
	before := map[string][]string{}
	var still []string
	for name, by := range tables {
		before[name] = w.rowsOf(name, by, w.first, w.second)
		require.NotEmpty(t, before[name], name)
	}
	_, err := w.Members.Merge(t.Context(), w.first, w.second, "test")
	require.NoError(t, err)
	for name, by := range tables {
		if slices.Equal(before[name], w.rowsOf(name, by, w.first, w.second)) {
			still = append(still, name)
		}
	}
	require.ElementsMatch(t, []string{"deliveries", "link_codes", "sop_passes"}, still, "a merge changes all others")
	_, err = w.Members.UndoMerge(t.Context(), w.second)
	require.NoError(t, err)
	for name, by := range tables {
		require.Equal(t, before[name], w.rowsOf(name, by, w.first, w.second), name)
	}
}
