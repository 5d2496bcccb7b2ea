package ledger_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Monday 2026-11-23 09:00 in Shanghai.
var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// tb is what tests and rapid have in common.
type tb interface {
	require.TestingT
	Fatalf(format string, args ...any)
}

// world is a ledger on an empty database with a clock that stands.
type world struct {
	t     tb
	db    *db.DB
	clock *clock.Movable
	book  *ledger.Book
	n     *atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.Open(t), clock: clock.NewFrozen(start), n: new(atomic.Int64)}
	w.book = ledger.New(w.db, w.clock, clock.Shanghai)
	require.NoError(t, w.book.EnsureAccounts(t.Context()))
	return w
}

// member makes a member.
func (w *world) member() int64 {
	m := &model.Member{No: fmt.Sprintf("m%d", w.n.Add(1)), Lang: "zh-CN", CreatedAt: start, ActiveAt: start}
	w.tx(func(_ context.Context, tx *gorm.DB) error { return tx.Create(m).Error })
	return m.ID
}

func (w *world) tx(fn db.Func) { require.NoError(w.t, w.db.Tx(context.Background(), fn)) }

// post posts under the lock of the member.
func (w *world) post(p ledger.Posting) (*model.Entry, error) {
	es, err := w.postAll(p)
	if err != nil {
		return nil, err
	}
	return &es[0], nil
}

func (w *world) postAll(ps ...ledger.Posting) (es []model.Entry, err error) {
	for i := range ps {
		if ps[i].Key == "" {
			ps[i].Key = fmt.Sprintf("test:%d", w.n.Add(1))
		}
		if ps[i].Reason == "" {
			ps[i].Reason = "test"
		}
		if ps[i].Account == "" {
			ps[i].Account = model.AccountPoints
		}
	}
	err = w.db.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		for _, p := range ps {
			if err := member.LockTx(tx, p.MemberID); err != nil {
				return err
			}
		}
		es, err = w.book.PostAllTx(ctx, tx, ps)
		return err
	})
	return es, err
}

// give earns points that expire after d; 0 = by policy.
func (w *world) give(m, amount int64, d time.Duration) *model.Entry {
	p := ledger.Posting{MemberID: m, Amount: amount}
	if d > 0 {
		at := w.clock.Now().Add(d)
		p.ExpiresAt = &at
	}
	e, err := w.post(p)
	require.NoError(w.t, err)
	return e
}

func (w *world) spend(m, amount int64) *model.Entry {
	e, err := w.post(ledger.Posting{MemberID: m, Amount: -amount})
	require.NoError(w.t, err)
	return e
}

func (w *world) reverse(entry, lockID int64, clamp bool) (e *model.Entry, err error) {
	key := fmt.Sprintf("test:%d", w.n.Add(1))
	err = w.db.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, lockID); err != nil {
			return err
		}
		e, err = w.book.ReverseTx(ctx, tx, entry, key, "undo", w.clock.Now(), clamp)
		return err
	})
	return e, err
}

// merge merges everything that the ledger keeps of a member.
func (w *world) merge(loser, winner int64) {
	w.tx(func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, loser, winner); err != nil {
			return err
		}
		return w.book.Part().Merge(ctx, tx, member.MergeOf{Loser: loser, Winner: winner, At: w.clock.Now()})
	})
}

func (w *world) advance(d time.Duration) { w.clock.Set(w.clock.Now().Add(d)) }

func (w *world) view(m int64, account string) ledger.View {
	vs, err := w.book.Balances(context.Background(), m)
	require.NoError(w.t, err)
	for _, v := range vs {
		if v.Account == account {
			return v
		}
	}
	w.t.Fatalf("no account %s", account)
	return ledger.View{}
}

func (w *world) points(m int64) int64 { return w.view(m, model.AccountPoints).Available }

// clean fails if Verify reports anything.
func (w *world) clean() ledger.Totals {
	var found []string
	totals, err := w.book.Verify(context.Background(), func(m ledger.Mismatch) { found = append(found, m.String()) })
	require.NoError(w.t, err)
	require.Empty(w.t, found)
	return totals
}

func ptr(t time.Time) *time.Time { return &t }

func (w *world) ctx() context.Context { return context.Background() }
