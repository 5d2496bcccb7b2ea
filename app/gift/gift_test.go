package gift_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/gift"
	"github.com/siyu-scrm/siyu/model"
)

var joined = condition.Is("member", map[string]any{"field": "joined", "value": true})

// many makes registered members.
func many(w *apptest.World, n int) (ids []int64) {
	w.T.Helper()
	for i := range n {
		ids = append(ids, w.Joined(fmt.Sprint("m", i)))
	}
	return ids
}

func save(w *apptest.World, in gift.Input) (*gift.Given, error) {
	w.T.Helper()
	n, err := w.Gifts.Preview(w.T.Context(), in.Condition)
	require.NoError(w.T, err)
	in.Confirm = &n
	return w.Gifts.Save(w.T.Context(), in)
}

func balances(w *apptest.World, ids []int64) (list []int64) {
	for _, id := range ids {
		list = append(list, w.Points(id))
	}
	return list
}

func TestCampaign(t *testing.T) {
	t.Parallel()
	campaign := gift.Input{Name: "回馈", Amount: 66, Condition: joined, Actor: "operator:1"}

	t.Run("ReachesWhoMeetsTheConditionOnceAndNobodyWhoComesLater", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 3)
		w.Touched("mp", "stranger")
		given, err := save(w, campaign)
		require.NoError(t, err)
		require.EqualValues(t, 3, given.Run.Audience)
		late := w.Joined("late")
		w.Settle()
		require.Equal(t, []int64{66, 66, 66, 0}, balances(w, append(ids, late)))
		work, err := w.Works.Get(t.Context(), given.Run.WorkID)
		require.NoError(t, err)
		require.Equal(t, []any{model.WorkDone, int64(3), `{"given":3,"skipped":0}`}, []any{work.State, work.Done, string(work.Result)})
		entries, _, err := w.Book.Entries(t.Context(), ids[0], "", "", 1)
		require.NoError(t, err)
		require.Equal(t, []string{gift.Reason, "回馈", "operator:1"}, []string{entries[0].Reason, entries[0].Memo, entries[0].Actor})
		w.Verified()
	})

	t.Run("ItsNumberHasToBeConfirmed", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		many(w, 2)
		three := int64(3)
		for _, n := range []*int64{nil, &three} {
			in := campaign
			in.Confirm = n
			_, err := w.Gifts.Save(t.Context(), in)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, errs.Conflict, e.Code)
			require.EqualValues(t, 2, e.Args["audience"])
		}
		require.Zero(t, w.Count(&model.Gift{}))
	})

	t.Run("ADoubleClickGivesOnceAndWhatWasGivenIsNotChanged", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 1)
		one := int64(1)
		in := campaign
		in.Confirm = &one
		var last *gift.Given
		for range 2 {
			ctx := db.WithKey(t.Context(), db.Key{Principal: "operator:1", Route: "POST /gifts", Key: "k"})
			given, err := w.Gifts.Save(ctx, in)
			require.NoError(t, err)
			last = given
		}
		w.Settle()
		require.EqualValues(t, 66, w.Points(ids[0]))
		in.ID = last.ID
		_, err := w.Gifts.Save(t.Context(), in)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
	})

	t.Run("AWorkerThatDiesAndTwoAtOnceGiveEachMemberOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 120) // more than a batch
		given, err := save(w, campaign)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if _, err := w.Works.Work(context.WithoutCancel(t.Context())); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // as if its progress had been lost
			return tx.Model(&model.Work{}).Where("id = ?", given.Run.WorkID).Updates(map[string]any{"state": model.WorkRunning, "cursor": model.JSON("{}"), "result": model.JSON("{}"), "done": 0}).Error
		})
		w.Settle()
		for _, n := range balances(w, ids) {
			require.EqualValues(t, 66, n)
		}
		require.EqualValues(t, 120, w.Count(&model.Entry{}, "reason = ?", gift.Reason))
	})

	t.Run("WhoGotItAndIsMergedThenGetsItOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 2)
		given, err := save(w, campaign)
		require.NoError(t, err)
		w.Settle()
		_, err = w.Members.Merge(t.Context(), ids[0], ids[1], "test")
		require.NoError(t, err)
		// the key of the survivor is lost with his part, as if only the other had got it before the merge
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			err := tx.Model(&model.Entry{}).Where("`key` = ?", fmt.Sprintf("gift:%d:%d", given.Run.ID, ids[0])).Update("key", "x").Error
			if err != nil {
				return err
			}
			return tx.Model(&model.Work{}).Where("id = ?", given.Run.WorkID).Updates(map[string]any{"state": model.WorkRunning, "cursor": model.JSON("{}"), "result": model.JSON("{}"), "done": 0}).Error
		})
		w.Settle()
		require.EqualValues(t, 132, w.Points(ids[0]), "no third time")
	})

	t.Run("WhoIsErasedMeanwhileGetsNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 2)
		_, err := save(w, campaign)
		require.NoError(t, err)
		require.NoError(t, w.Members.Erase(t.Context(), ids[0]))
		w.Settle()
		require.Equal(t, []int64{0, 66}, balances(w, ids))
		w.Verified()
	})
}

func TestBenefit(t *testing.T) {
	t.Parallel()
	monthly := gift.Input{Name: "一星月礼", Amount: 100, Condition: joined, Cron: "0 9 1 * *", Enabled: true, Actor: "operator:1"}

	t.Run("ComesOncePerFiringToWhoMeetsTheConditionThen", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 1)
		_, err := save(w, monthly)
		require.NoError(t, err)
		ids = append(ids, w.Joined("later"))
		w.Set("2026-12-01 08:59:59")
		require.Equal(t, []int64{0, 0}, balances(w, ids))
		w.Jump("2026-12-01 09:00:00")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := w.Gifts.RunDue(context.WithoutCancel(t.Context()), w.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.Settle()
		require.Equal(t, []int64{100, 100}, balances(w, ids))
		w.Set("2026-12-31 23:00:00")
		require.Equal(t, []int64{100, 100}, balances(w, ids))
	})

	t.Run("FiringsThatNobodyWasUpForAreGivenLateEachOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 1)
		given, err := save(w, monthly)
		require.NoError(t, err)
		w.Jump("2027-02-03 12:00:00") // down on three firings
		w.Settle()
		require.Equal(t, []int64{300}, balances(w, ids))
		runs, err := w.Gifts.Runs(t.Context(), given.ID, 10)
		require.NoError(t, err)
		require.Len(t, runs, 3)
	})

	t.Run("SwitchedOffNothingComes", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := many(w, 1)
		given, err := save(w, monthly)
		require.NoError(t, err)
		off := monthly
		off.ID, off.Enabled = given.ID, false
		_, err = save(w, off)
		require.NoError(t, err)
		w.Set("2026-12-02 00:00:00")
		require.Equal(t, []int64{0}, balances(w, ids))
		_, due, err := w.Gifts.Due(t.Context())
		require.NoError(t, err)
		require.False(t, due)
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	for field, change := range map[string]func(in *gift.Input){
		"name":    func(in *gift.Input) { in.Name = " " },
		"amount":  func(in *gift.Input) { in.Amount = 0 },
		"account": func(in *gift.Input) { in.Account = "x" },
		"cron":    func(in *gift.Input) { in.Cron = "0 * * * *" },
	} {
		in := gift.Input{Name: "x", Amount: 1, Enabled: true}
		change(&in)
		_, err := save(w, in)
		var e *errs.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Args["field"])
	}
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Account{}).Where("code = ?", model.AccountPoints).Update("manual_limit", 50).Error
	})
	_, err := save(w, gift.Input{Name: "x", Amount: 51})
	require.Equal(t, errs.Invalid, errs.CodeOf(err), "not past the second operator")
	_, err = w.Gifts.Get(t.Context(), 999)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}
