package ledger_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/clock"
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
	walk := func(rt *rapid.T) {
		own := *w
		own.t = rt
		h := &history{world: &own, rt: rt, alive: []int64{w.member(), w.member(), w.member()}, count: count}
		h.ref = newReference(w.clock.Now(), h.alive...)
		h.policy()
		members := slices.Clone(h.alive)
		steps := rapid.IntRange(longest/2, longest).Draw(rt, "steps")
		for range steps {
			h.step()
			for _, m := range members {
				h.compare(m)
			}
		}
		h.clean()
	}
	never := func() []string {
		return slices.DeleteFunc([]string{
			"earn", "pending", "spend", "refused", "debt", "reverse earn", "reverse spend", "clamp", "merge", "advance", "job",
			"take back", "hold", "commit", "release", "timeout", "convert", "late", "repeat",
		}, func(what string) bool { return count[what] > 0 })
	}
	for round := 0; round < 5 && len(never()) > 0; round++ { // a hundred short histories may lack what is rare
		rapid.Check(t, walk)
	}
	w.clean()
	t.Log(count)
	require.Empty(t, never(), "the histories never had it")
}

func (h *history) step() {
	m := rapid.SampledFrom(h.alive).Draw(h.rt, "member")
	switch rapid.SampledFrom([]string{
		"earn", "earn", "earn", "spend", "spend", "advance", "advance", "reverse earn", "reverse spend", "take back", "take back", "debt", "merge", "job", "job",
		"hold", "hold", "hold", "end hold", "end hold", "end hold", "end hold", "job", "convert", "convert", "policy", "runs out", "runs out",
	}).Draw(h.rt, "step") {
	case "earn":
		h.earn(m)
	case "spend":
		h.take(m, false)
	case "debt":
		h.take(m, true)
	case "hold":
		h.hold(m)
	case "end hold":
		h.endHold()
	case "take back":
		h.takeBack()
	case "convert":
		h.convert(m)
	case "policy":
		if rapid.IntRange(0, 3).Draw(h.rt, "policy?") == 0 {
			h.policy()
		}
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
	case "runs out": // the holds of now, none of which lasts longer than four hours
		if len(h.ref.holds) == 0 {
			return
		}
		h.advance(4 * time.Hour)
		h.ref.advance(h.clock.Now())
		fallthrough
	case "job":
		h.count["job"]++
		_, err := h.book.RunDue(h.rt.Context(), h.clock.Now(), 100)
		require.NoError(h.rt, err)
		_, err = h.book.ReleaseDue(h.rt.Context(), h.clock.Now(), 100)
		require.NoError(h.rt, err)
		require.NoError(h.rt, h.book.SumUpAll(h.rt.Context()))
		ids := slices.SortedFunc(maps.Keys(h.ref.holds), func(a, b int64) int {
			return cmp.Or(h.ref.holds[a].until.Compare(h.ref.holds[b].until), cmp.Compare(a, b))
		})
		for _, id := range ids {
			if until := h.ref.holds[id].until; !until.After(h.clock.Now()) {
				h.count["timeout"]++
				h.ref.endHold(id, 0, false, until)
			}
		}
	}
}

// policy changes how what is earned from now on expires, and what taking back too much does.
func (h *history) policy() {
	a := model.Account{
		Code: model.AccountPoints, Spendable: true, GraceDays: 7, Debt: rapid.Bool().Draw(h.rt, "debt"),
		Expiry: rapid.SampledFrom(ledger.Expiries).Draw(h.rt, "expiry"), ExpiryCount: rapid.IntRange(1, 14).Draw(h.rt, "count"),
	}
	if a.Expiry == model.ExpiryDate {
		a.ExpiryOn = clock.Shanghai.DayOf(h.clock.Now()).Add(rapid.IntRange(0, 40).Draw(h.rt, "on"))
	}
	saved, err := h.book.SaveAccount(h.rt.Context(), a)
	require.NoError(h.rt, err)
	h.ref.policy = *saved
}

func (h *history) earn(m int64) {
	p := ledger.Posting{MemberID: m, Amount: rapid.SampledFrom([]int64{1, 5, 10, 20, 50, 100}).Draw(h.rt, "amount"), Key: h.key()}
	p.OccurredAt = h.clock.Now()
	hours := func(label string, from int) *time.Time {
		n := rapid.IntRange(from, from+6).Draw(h.rt, label)
		return ptr(h.clock.Now().Add(time.Duration(n) * time.Hour))
	}
	switch rapid.SampledFrom([]string{"", "", "", "pending", "late"}).Draw(h.rt, "when") {
	case "pending":
		p.ActivatesAt = hours("activates", 1)
		h.count["pending"]++
	case "late":
		p.OccurredAt = p.OccurredAt.Add(-time.Duration(rapid.IntRange(1, 24*20).Draw(h.rt, "late")) * time.Hour)
		h.count["late"]++
	}
	if until := naiveExpiry(h.ref.policy, p.OccurredAt); rapid.Bool().Draw(h.rt, "expires") || p.ActivatesAt != nil && until != nil && !until.After(*p.ActivatesAt) {
		p.ExpiresAt = hours("until", 8)
	}
	e, err := h.post(p)
	require.NoError(h.rt, err)
	h.again(p, e)
	h.ref.earn(e.ID, m, p.Amount, p.OccurredAt, p.ActivatesAt, p.ExpiresAt)
	h.count["earn"]++
}

func (h *history) key() string { return fmt.Sprintf("history:%d", h.n.Add(1)) }

// again posts the same once more, sometimes: it changes nothing.
func (h *history) again(p ledger.Posting, first *model.Entry) {
	if rapid.IntRange(0, 3).Draw(h.rt, "again?") == 0 {
		h.count["repeat"]++
		e, err := h.post(p)
		require.NoError(h.rt, err)
		require.Equal(h.rt, first.ID, e.ID)
	}
}

func (h *history) take(m int64, debt bool) {
	there, amount := h.price(m)
	h.spend(m, there, amount, debt)
}

func (h *history) spend(m, there, amount int64, debt bool) {
	p := ledger.Posting{MemberID: m, Amount: -amount, AllowDebt: debt, Key: h.key()}
	e, err := h.post(p)
	if !debt && h.refused(there, amount, err) {
		return
	}
	require.NoError(h.rt, err)
	require.Equal(h.rt, there-amount, e.Balance)
	h.again(p, e)
	h.ref.spend(e.ID, m, amount)
	if debt {
		h.count["debt"]++
	} else {
		h.count["spend"]++
	}
}

// price draws an amount around what the member can spend.
func (h *history) price(m int64) (there, amount int64) {
	there = h.ref.available(h.ref.members[m])
	return there, rapid.SampledFrom([]int64{1, 7, max(1, there/2), max(1, there-1), max(1, there), max(1, there+1), 60}).Draw(h.rt, "price")
}

// refused reports whether so much must be refused, and was.
func (h *history) refused(there, amount int64, err error) bool {
	switch {
	case there < 0:
		require.Equal(h.rt, errs.PointsDebt, errs.CodeOf(err))
	case there < amount:
		require.Equal(h.rt, errs.Insufficient, errs.CodeOf(err))
	default:
		return false
	}
	h.count["refused"]++
	return true
}

func (h *history) hold(m int64) {
	there, amount := h.price(m)
	until := h.clock.Now().Add(time.Duration(rapid.IntRange(1, 4).Draw(h.rt, "hold hours")) * time.Hour)
	ask := ledger.Hold{MemberID: m, Account: model.AccountPoints, Amount: amount, Until: until, Key: h.key()}
	row, err := h.holdAs(ask)
	if h.refused(there, amount, err) {
		return
	}
	require.NoError(h.rt, err)
	again, err := h.holdAs(ask)
	require.NoError(h.rt, err)
	require.Equal(h.rt, row.ID, again.ID)
	h.ref.hold(row.ID, m, amount, until)
	h.count["hold"]++
}

func (h *history) endHold() {
	if len(h.ref.holds) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(h.ref.holds))).Draw(h.rt, "hold")
	commit := rapid.Bool().Draw(h.rt, "commit")
	row, err := h.world.endHold(id, commit, "end")
	if commit && !h.ref.holds[id].until.After(h.clock.Now()) {
		require.Equal(h.rt, errs.Conflict, errs.CodeOf(err))
		return
	}
	require.NoError(h.rt, err)
	h.ref.endHold(id, row.EndID, commit, h.clock.Now())
	h.count[map[bool]string{true: "commit", false: "release"}[commit]]++
}

func (h *history) convert(m int64) {
	if n := rapid.SampledFrom([]int64{0, 0, 10}).Draw(h.rt, "growth"); n > 0 {
		h.grow(m, n)
		h.ref.members[m].growth.left += n
		h.ref.members[m].growth.lifetime += n
	}
	keep, there := rapid.Bool().Draw(h.rt, "keep"), h.ref.convertible(h.ref.members[m])
	h.converts(map[bool]string{true: model.ConvertKeep, false: model.ConvertConsume}[keep])
	units := rapid.SampledFrom([]int64{1, max(1, there/2), max(1, there), there + 1}).Draw(h.rt, "units")
	c, err := h.tryConvert(m, units)
	if units > there {
		require.Equal(h.rt, errs.Insufficient, errs.CodeOf(err))
		return
	}
	require.NoError(h.rt, err)
	h.ref.convert(h.ref.members[m], c.EntryID, units, keep)
	h.count["convert"]++
}

func (h *history) takeBack() {
	if len(h.ref.earned) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(h.ref.earned))).Draw(h.rt, "entry")
	d := h.ref.earned[id]
	left := d.amount - d.back
	amount := rapid.SampledFrom([]int64{1, max(1, left/2), max(1, left), left + 1}).Draw(h.rt, "back")
	_, short, err := h.world.takeBack(id, h.ref.holder(d.member), amount)
	if amount > left {
		require.Equal(h.rt, errs.Conflict, errs.CodeOf(err))
		return
	}
	require.NoError(h.rt, err)
	require.Equal(h.rt, h.ref.takeBack(id, amount, !h.ref.policy.Debt), short, "shortfall")
	h.count["take back"]++
}

func (h *history) undo(deeds map[int64]*refDeed, earning bool) {
	if len(deeds) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(deeds))).Draw(h.rt, "entry")
	clamp := rapid.Bool().Draw(h.rt, "clamp")
	d := deeds[id]
	if owner := h.ref.holder(d.member); earning && rapid.Bool().Draw(h.rt, "spent before") {
		if there := h.ref.available(h.ref.members[owner]); there > 0 {
			h.spend(owner, there, there, false)
		}
	}
	e, err := h.reverse(id, h.ref.holder(d.member), clamp)
	if d.back == d.amount {
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
	h.ref.takeBack(id, d.amount-d.back, clamp)
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
	growth := h.view(m, model.AccountGrowth)
	require.Equal(h.rt, []int64{r.growth.left, r.growth.lifetime}, []int64{growth.Available, growth.Lifetime}, "growth")
}
