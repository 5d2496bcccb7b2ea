package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// takeBack takes back under the lock of the member and a key of its own.
func (w *world) takeBack(entry, lockID, amount int64) (*model.Entry, int64, error) {
	return w.takeBackAs(lockID, ledger.TakeBack{
		EntryID: entry, Amount: amount, Key: fmt.Sprintf("test:%d", w.n.Add(1)), Reason: "refund", At: w.clock.Now(),
	})
}

func (w *world) takeBackAs(lockID int64, t ledger.TakeBack) (e *model.Entry, short int64, err error) {
	err = w.db.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, lockID); err != nil {
			return err
		}
		e, short, err = w.book.TakeBackTx(ctx, tx, t)
		return err
	})
	return e, short, err
}

// clamps lets the account end at zero where more is taken back than there is.
func (w *world) clamps(account string) {
	w.tx(func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Account{}).Where("code = ?", account).UpdateColumn("debt", false).Error
	})
	w.book = ledger.New(w.db, w.clock, clock.Shanghai)
}

func TestTakeBack(t *testing.T) {
	t.Parallel()
	t.Run("PartsTakeExactlyWhatTheWholeWould", func(t *testing.T) {
		t.Parallel()
		for _, clamp := range []bool{false, true} {
			w := newWorld(t)
			if clamp {
				w.clamps(model.AccountPoints)
			}
			a, b := w.member(), w.member()
			for _, m := range []int64{a, b} {
				e := w.give(m, 100, 0)
				w.spend(m, 60)
				var short int64
				if m == a {
					_, s, err := w.takeBack(e.ID, m, 100)
					require.NoError(t, err)
					short = s
				} else {
					for _, part := range []int64{30, 30, 40} {
						_, s, err := w.takeBack(e.ID, m, part)
						require.NoError(t, err)
						short += s
					}
				}
				if clamp {
					require.EqualValues(t, 60, short)
					require.Zero(t, w.points(m))
				} else {
					require.Zero(t, short)
					require.EqualValues(t, -60, w.points(m))
				}
				_, _, err := w.takeBack(e.ID, m, 1)
				require.Equal(t, errs.Conflict, errs.CodeOf(err), "all of it was asked back")
				_, err = w.reverse(e.ID, m, false)
				require.Equal(t, errs.Conflict, errs.CodeOf(err))
			}
			w.clean()
		}
	})
	t.Run("ItsOwnLotFirstThenTheEarliestExpiring", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, time.Hour)
		e := w.give(m, 10, 3*time.Hour)
		_, _, err := w.takeBack(e.ID, m, 4)
		require.NoError(t, err)
		require.EqualValues(t, 10, w.view(m, model.AccountPoints).ExpiringSoon-6, "the other lot is whole")
		_, err = w.reverse(e.ID, m, false)
		require.NoError(t, err, "the rest of it")
		require.EqualValues(t, 10, w.points(m))
		require.EqualValues(t, 10, w.view(m, model.AccountPoints).Lifetime)
		left, err := w.book.LeftTx(w.db.Reader(t.Context()), e.ID)
		require.NoError(t, err)
		require.Zero(t, left[e.ID])
		w.clean()
	})
	t.Run("PendingIsCancelledNeverDebited", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		e, err := w.post(ledger.Posting{MemberID: m, Amount: 10, ActivatesAt: ptr(start.Add(time.Hour))})
		require.NoError(t, err)
		r, short, err := w.takeBack(e.ID, m, 4)
		require.NoError(t, err)
		require.Zero(t, short)
		require.Equal(t, model.BucketPending, r.Bucket)
		require.Zero(t, w.points(m))
		w.advance(time.Hour)
		require.EqualValues(t, 6, w.points(m))
		_, _, err = w.takeBack(e.ID, m, 6)
		require.NoError(t, err)
		require.Zero(t, w.points(m))
		w.clean()
	})
	t.Run("TheSameKeyAnswersTheFirstTime", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.clamps(model.AccountPoints)
		m := w.member()
		e := w.give(m, 10, 0)
		w.spend(m, 8)
		ask := ledger.TakeBack{EntryID: e.ID, Amount: 5, Key: "r", Reason: "refund", At: start}
		first, short, err := w.takeBackAs(m, ask)
		require.NoError(t, err)
		require.EqualValues(t, 3, short)
		require.Equal(t, ledger.NoteClamped, first.Note)
		w.give(m, 100, 0)
		again, short, err := w.takeBackAs(m, ask)
		require.NoError(t, err)
		require.EqualValues(t, 3, short)
		require.Equal(t, first.ID, again.ID)
		ask.Amount = 4
		_, _, err = w.takeBackAs(m, ask)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, _, err = w.takeBack(e.ID, m, 6)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, _, err = w.takeBack(e.ID, m, 0)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		w.clean()
	})
	t.Run("AfterAMergeItIsTakenFromTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		e := w.give(a, 10, 2*time.Hour)
		w.give(b, 10, time.Hour)
		w.merge(a, b)
		_, _, err := w.takeBack(e.ID, b, 4)
		require.NoError(t, err)
		w.advance(time.Hour)
		require.EqualValues(t, 6, w.points(b))
		w.clean()
	})
}

func TestOnChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var seen []ledger.Change
	w.book.OnChange(func(ctx context.Context, tx *gorm.DB, changes []ledger.Change) error {
		seen = append(seen, changes...)
		for _, c := range changes {
			var row model.Balance
			if err := tx.Take(&row, "member_id = ? AND account = ?", c.MemberID, c.Account).Error; err != nil {
				return err
			}
			if row.Available != c.Available || row.Lifetime != c.Lifetime {
				return fmt.Errorf("told %+v, is %+v", c, row)
			}
			if c.Account == model.AccountGrowth && c.EventID == 7 { // an upgrade gift
				_, err := w.book.PostTx(ctx, tx, ledger.Posting{
					MemberID: c.MemberID, Account: model.AccountPoints, Amount: 5, Reason: "gift", Key: fmt.Sprint("gift:", c.MemberID),
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	a, b := w.member(), w.member()
	next := func() []ledger.Change {
		got := seen
		seen = nil
		return got
	}
	es, err := w.postAll(
		ledger.Posting{MemberID: a, Amount: 60, Account: model.AccountGrowth, EventID: 7},
		ledger.Posting{MemberID: a, Amount: 40, Account: model.AccountGrowth, EventID: 7, Bonus: true},
	)
	require.NoError(t, err)
	require.Equal(t, []ledger.Change{
		{MemberID: a, Account: model.AccountGrowth, Available: 100, Lifetime: 100, EventID: 7, At: start},
		{MemberID: a, Account: model.AccountPoints, Available: 5, Lifetime: 5, At: start},
	}, next(), "both lines told once; the gift in its own word")
	_, err = w.post(ledger.Posting{MemberID: a, Amount: 60, Account: model.AccountGrowth, EventID: 7, Key: es[0].Key})
	require.NoError(t, err)
	require.Empty(t, next(), "a repeat changes nothing")
	_, err = w.post(ledger.Posting{MemberID: a, Amount: 3, ActivatesAt: ptr(start.Add(time.Hour))})
	require.NoError(t, err)
	require.Empty(t, next(), "what is pending is not held yet")
	w.advance(time.Hour)
	_, err = w.book.RunDue(t.Context(), w.clock.Now(), 10)
	require.NoError(t, err)
	require.EqualValues(t, 8, next()[0].Available)
	w.merge(a, b)
	got := next()
	require.Len(t, got, 2)
	require.Equal(t, b, got[0].MemberID)
	w.clean()
}
