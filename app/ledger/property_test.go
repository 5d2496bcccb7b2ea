package ledger_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// history is a world and the reference, on a random walk.
type history struct {
	*world
	rt    *rapid.T
	ref   *reference
	alive []int64
	count map[string]int
}

func TestBooksFollowTheReferenceThroughRandomHistories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	count := map[string]int{}
	longest := 40
	if w.db.Dialect() == db.MySQL {
		longest = 20 // each step is a commit on a disk
	}
	rapid.Check(t, func(rt *rapid.T) {
		own := *w
		own.t = rt
		h := &history{world: &own, rt: rt, alive: []int64{w.member(), w.member(), w.member()}, count: count}
		h.ref = newReference(w.clock.Now(), h.alive...)
		members := slices.Clone(h.alive)
		steps := rapid.IntRange(longest/2, longest).Draw(rt, "steps")
		for range steps {
			h.step()
			for _, m := range members {
				h.compare(m)
			}
		}
	})
	w.clean()
	t.Log(count)
	for _, what := range []string{"earn", "pending", "spend", "refused", "debt", "reverse earn", "reverse spend", "clamp", "merge", "advance", "job"} {
		require.Positive(t, count[what], "the histories never had: %s", what)
	}
}

func (h *history) step() {
	m := rapid.SampledFrom(h.alive).Draw(h.rt, "member")
	switch rapid.SampledFrom([]string{
		"earn", "earn", "earn", "spend", "spend", "advance", "advance", "reverse earn", "reverse earn", "reverse spend", "debt", "merge", "job",
	}).Draw(h.rt, "step") {
	case "earn":
		h.earn(m)
	case "spend":
		h.take(m, false)
	case "debt":
		h.take(m, true)
	case "reverse earn":
		h.undo(h.ref.earned, true)
	case "reverse spend":
		h.undo(h.ref.spent, false)
	case "merge":
		if len(h.alive) > 1 && rapid.IntRange(0, 3).Draw(h.rt, "merge?") == 0 {
			h.count["merge"]++
			winner := rapid.SampledFrom(h.alive).Filter(func(id int64) bool { return id != m }).Draw(h.rt, "winner")
			h.merge(m, winner)
			h.ref.merge(m, winner)
			h.alive = slices.DeleteFunc(h.alive, func(id int64) bool { return id == m })
		}
	case "advance":
		h.count["advance"]++
		h.advance(time.Duration(rapid.SampledFrom([]int{0, 1, 2, 5, 24, 24 * 7, 24 * 300}).Draw(h.rt, "hours")) * time.Hour)
		h.ref.advance(h.clock.Now())
	case "job":
		h.count["job"]++
		_, err := h.book.RunDue(h.rt.Context(), h.clock.Now(), 100)
		require.NoError(h.rt, err)
	}
}

func (h *history) earn(m int64) {
	p := ledger.Posting{MemberID: m, Amount: rapid.SampledFrom([]int64{1, 5, 10, 20, 50, 100}).Draw(h.rt, "amount")}
	hours := func(label string, from int) *time.Time {
		n := rapid.IntRange(from, from+6).Draw(h.rt, label)
		return ptr(h.clock.Now().Add(time.Duration(n) * time.Hour))
	}
	if rapid.SampledFrom([]bool{false, false, true}).Draw(h.rt, "pending") {
		p.ActivatesAt = hours("activates", 1)
		h.count["pending"]++
	}
	if rapid.Bool().Draw(h.rt, "expires") {
		p.ExpiresAt = hours("until", 8)
	}
	e, err := h.post(p)
	require.NoError(h.rt, err)
	h.ref.earn(e.ID, m, p.Amount, p.ActivatesAt, p.ExpiresAt)
	h.count["earn"]++
}

func (h *history) take(m int64, debt bool) {
	there := h.ref.available(h.ref.members[m])
	amount := rapid.SampledFrom([]int64{1, 7, max(1, there/2), max(1, there-1), max(1, there), max(1, there+1), 60}).Draw(h.rt, "price")
	e, err := h.post(ledger.Posting{MemberID: m, Amount: -amount, AllowDebt: debt})
	switch {
	case !debt && there < 0:
		require.Equal(h.rt, errs.PointsDebt, errs.CodeOf(err))
		h.count["refused"]++
		return
	case !debt && there < amount:
		require.Equal(h.rt, errs.Insufficient, errs.CodeOf(err))
		h.count["refused"]++
		return
	}
	require.NoError(h.rt, err)
	require.Equal(h.rt, there-amount, e.Balance)
	h.ref.spend(e.ID, m, amount)
	if debt {
		h.count["debt"]++
	} else {
		h.count["spend"]++
	}
}

func (h *history) undo(deeds map[int64]*refDeed, earning bool) {
	if len(deeds) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(deeds))).Draw(h.rt, "entry")
	clamp := rapid.Bool().Draw(h.rt, "clamp")
	d := deeds[id]
	e, err := h.reverse(id, h.ref.holder(d.member), clamp)
	if d.reversed {
		require.Equal(h.rt, errs.Conflict, errs.CodeOf(err))
		return
	}
	require.NoError(h.rt, err)
	if !earning {
		h.count["reverse spend"]++
		h.ref.reverseSpend(id)
		return
	}
	h.count["reverse earn"]++
	h.ref.reverseEarn(id, clamp)
	if e.Note == ledger.NoteClamped {
		h.count["clamp"]++
	}
}

func (h *history) compare(m int64) {
	v, r := h.view(m, model.AccountPoints), h.ref.members[m]
	require.Equal(h.rt, h.ref.available(r), v.Available, "available")
	bulk, err := h.book.PointsOf(h.rt.Context(), h.db.Reader(h.rt.Context()), []int64{m})
	require.NoError(h.rt, err)
	require.Equal(h.rt, v.Available, bulk[m], "available in bulk")
	require.Equal(h.rt, h.ref.pending(r), v.Pending, "pending")
	require.Equal(h.rt, r.lifetime, v.Lifetime, "lifetime")
	require.Equal(h.rt, h.ref.soon(r), v.ExpiringSoon, "expiring soon")
}
