package audience_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

var noon = time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC)

// process is another siyu on the place: a connection of its own, where the database takes more than one.
func process(t *testing.T, place db.Config, first *db.DB) *audience.Service {
	t.Helper()
	return processOf(t, place, first, tag.Leaf())
}

func processOf(t *testing.T, place db.Config, first *db.DB, leaf condition.Leaf) *audience.Service {
	t.Helper()
	d := first
	if place.Driver == db.MySQL {
		d = dbtest.OpenConfig(t, place)
	}
	reg := condition.New()
	reg.Register(member.Leaf(clock.Shanghai))
	reg.Register(leaf)
	reg.Seal()
	return audience.New(d, clock.NewFrozen(noon), clock.Shanghai, reg, nil, nil)
}

type rowsOf struct {
	t *testing.T
	*db.DB
}

func (d rowsOf) do(fn func(tx *gorm.DB) error) {
	d.t.Helper()
	require.NoError(d.t, d.Tx(d.t.Context(), func(_ context.Context, tx *gorm.DB) error { return fn(tx) }))
}

// people makes members 1 to n.
func (d rowsOf) people(n int64) {
	d.t.Helper()
	d.do(func(tx *gorm.DB) error {
		for id := int64(1); id <= n; id++ {
			if err := tx.Create(&model.Member{ID: id, No: fmt.Sprint(id), CreatedAt: noon, ActiveAt: noon, JoinedAt: &noon}).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

func TestIndex(t *testing.T) {
	t.Parallel()
	male := condition.Is("member", map[string]any{"field": "gender", "value": "male"})
	count := func(t *testing.T, s *audience.Service, tree condition.Tree) int64 {
		t.Helper()
		n, err := s.Count(t.Context(), tree)
		require.NoError(t, err)
		return n
	}
	set := func(id int64, gender string, changed bool) func(tx *gorm.DB) error {
		return func(tx *gorm.DB) error {
			if err := tx.Model(&model.Member{}).Where("id = ?", id).Update("gender", gender).Error; err != nil || !changed {
				return err
			}
			return member.ChangedTx(tx, id)
		}
	}

	t.Run("AChangeIsSeenInEveryProcessAtTheNextQuestion", func(t *testing.T) {
		t.Parallel()
		place := dbtest.Prepared(t)
		d := rowsOf{t, dbtest.OpenConfig(t, place)}
		d.people(5)
		a, b := process(t, place, d.DB), process(t, place, d.DB)
		require.Zero(t, count(t, a, male))
		require.EqualValues(t, 5, count(t, b, condition.Tree{Not: &male}))
		d.do(set(3, "male", true))
		for _, s := range []*audience.Service{a, b} {
			require.EqualValues(t, 1, count(t, s, male))
			require.EqualValues(t, 4, count(t, s, condition.Tree{Not: &male}))
		}
		d.do(set(3, "female", true))
		require.Zero(t, count(t, a, male))
		d.do(func(tx *gorm.DB) error {
			return errorsOf(tx.Model(&model.Member{}).Where("id = 4").Update("merged_into", 1).Error, member.ChangedTx(tx, 4))
		})
		require.EqualValues(t, 4, count(t, a, condition.Tree{}))
		require.EqualValues(t, 4, count(t, b, condition.Tree{}))
	})

	t.Run("AnAuditFindsAChangeThatNobodyTold", func(t *testing.T) {
		t.Parallel()
		place := dbtest.Prepared(t)
		d := rowsOf{t, dbtest.OpenConfig(t, place)}
		d.people(2)
		s := process(t, place, d.DB)
		off, err := s.Audit(t.Context())
		require.NoError(t, err)
		require.Empty(t, off)
		d.do(set(2, "male", false))
		off, err = s.Audit(t.Context())
		require.NoError(t, err)
		require.Len(t, off, 2) // male, and without one
	})

	t.Run("AnEarlierIdThatIsCommittedLaterIsSeen", func(t *testing.T) {
		t.Parallel()
		place := dbtest.Prepared(t)
		d := rowsOf{t, dbtest.OpenConfig(t, place)}
		d.people(9)
		s := process(t, place, d.DB)
		told := func(change, id int64) {
			d.do(func(tx *gorm.DB) error {
				return errorsOf(set(id, "male", false)(tx), tx.Create(&model.MemberChange{ID: change, Members: fmt.Sprint(id), At: noon}).Error)
			})
		}
		told(1000, 1)
		require.EqualValues(t, 1, count(t, s, male))
		told(500, 2) // in flight when the sets were read
		require.EqualValues(t, 2, count(t, s, male))
		told(1010, 3)
		require.EqualValues(t, 3, count(t, s, male))
		told(1005, 4)
		require.EqualValues(t, 4, count(t, s, male))
		told(1007, 5)
		told(1011, 6)
		require.EqualValues(t, 6, count(t, s, male))
	})

	t.Run("ChangesOfManyAreReadOnce", func(t *testing.T) {
		t.Parallel()
		place := dbtest.Prepared(t)
		d := rowsOf{t, dbtest.OpenConfig(t, place)}
		d.people(3)
		leaf, whole := tag.Leaf(), 0
		ix := *leaf.Index
		rows := ix.Rows
		ix.Rows = func(ctx context.Context, tx *gorm.DB, ids []int64, put func(key int64, member uint32)) error {
			if ids == nil {
				whole++
			}
			return rows(ctx, tx, ids, put)
		}
		leaf.Index = &ix
		s := processOf(t, place, d.DB, leaf)
		require.Zero(t, count(t, s, male))
		all := make([]int64, 250_000)
		for i := range all {
			all[i] = int64(i + 1)
		}
		d.do(func(tx *gorm.DB) error { return errorsOf(set(1, "male", false)(tx), member.ChangedTx(tx, all...)) })
		for range 3 {
			require.EqualValues(t, 1, count(t, s, male))
		}
		require.Equal(t, 2, whole, "at first, and after the many changes")
		d.do(set(2, "male", true))
		require.EqualValues(t, 2, count(t, s, male))
		require.Equal(t, 2, whole)
	})

	t.Run("ATransactionThatTakesItsTimeIsSeenWhenItCommits", func(t *testing.T) {
		t.Parallel()
		place := dbtest.Prepared(t)
		d := rowsOf{t, dbtest.OpenConfig(t, place)}
		d.people(9)
		s := process(t, place, d.DB)
		require.Zero(t, count(t, s, male))
		begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- d.Tx(context.WithoutCancel(t.Context()), func(_ context.Context, tx *gorm.DB) error {
				err := set(1, "male", true)(tx)
				close(begun)
				<-end
				return err
			})
		}()
		<-begun
		other := int64(0)
		if place.Driver == db.MySQL { // SQLite has one writer
			d.do(set(2, "male", true))
			other = 1
		}
		require.Equal(t, other, count(t, s, male))
		close(end)
		require.NoError(t, <-ended)
		require.Equal(t, other+1, count(t, s, male))
	})

	t.Run("ForgottenChangesLoseNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, id := w.Member("a")
		require.EqualValues(t, 1, count(t, w.Audience, condition.Is("member", map[string]any{"field": "joined", "value": true})))
		old := clock.Real().Add(-2 * member.ChangesKept)
		rowsOf{t, w.DB}.do(func(tx *gorm.DB) error {
			return tx.Model(&model.MemberChange{}).Where("id > 0").Update("at", old).Error
		})
		for n := int64(1); n > 0; {
			var err error
			n, err = w.Members.ForgetChanges(t.Context())
			require.NoError(t, err)
		}
		var left int64
		require.NoError(t, w.DB.Reader(t.Context()).Model(&model.MemberChange{}).Count(&left).Error)
		require.EqualValues(t, 1, left, "the newest stays, so that ids go on")
		require.NoError(t, w.Members.Erase(t.Context(), id))
		require.Zero(t, count(t, w.Audience, condition.Tree{}))
	})
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestIndexAgainstTables does what members and operators do, at random, and asks the sets and the tables the same.
func TestIndexAgainstTables(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	ctx := t.Context()
	var tags []*model.Tag
	for _, name := range []string{"a", "b", "c"} {
		v, err := w.Tags.Ensure(ctx, tag.Preference, name)
		require.NoError(t, err)
		tags = append(tags, v)
	}
	var ids, merged []int64
	leaves := []condition.Tree{
		condition.Is("member", map[string]any{"field": "joined", "value": false}),
		condition.Is("member", map[string]any{"field": "follower", "value": true}),
		condition.Is("member", map[string]any{"field": "opted_out", "value": true}),
		condition.Is("member", map[string]any{"field": "gender", "value": "female"}),
		condition.Is("member", map[string]any{"field": "gender", "value": ""}),
		condition.Is("member", map[string]any{"field": "channel", "value": "poster"}),
		condition.Is("random", map[string]any{"percent": 50, "salt": "x"}),
		condition.Is("did", map[string]any{"event": "tag.changed", "op": "gte", "count": 2}),
	}
	for _, v := range tags {
		leaves = append(leaves, condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(v.ID)}))
	}
	leaves = append(leaves, ladder(t, w)...)
	r := rand.New(rand.NewPCG(7, 11))
	var tree func(depth int) condition.Tree
	tree = func(depth int) condition.Tree {
		kids := func() (out []condition.Tree) {
			for range 1 + r.IntN(3) {
				out = append(out, tree(depth-1))
			}
			return out
		}
		switch n := r.IntN(6); {
		case depth == 0 || n < 2:
			return leaves[r.IntN(len(leaves))]
		case n == 2:
			kid := tree(depth - 1)
			return condition.Tree{Not: &kid}
		case n == 3:
			return condition.Tree{Any: kids()}
		}
		return condition.Tree{All: kids()}
	}
	gender, no, yes := []string{"male", "female", ""}, false, true
	for step := range 120 {
		if len(ids) < 6 || r.IntN(8) == 0 {
			p := w.Person(fmt.Sprint("p", step))
			what := map[string]any{"account": "oa"}
			if r.IntN(2) == 0 {
				what["scene"] = "poster"
			}
			if r.IntN(3) > 0 {
				w.Act(p, "follow", what)
				if r.IntN(4) == 0 {
					w.Act(p, "unfollow", map[string]any{"account": "oa"})
				}
			}
			_, id := w.Member(fmt.Sprint("m", step))
			ids = append(ids, id)
		}
		i := r.IntN(len(ids))
		id := ids[i]
		switch r.IntN(9) {
		case 0:
			_, err := w.Members.Update(ctx, id, member.Profile{Gender: &gender[r.IntN(3)]})
			notFoundAtMost(t, err)
		case 1:
			_, err := w.Members.Update(ctx, id, member.Profile{Marketing: []*bool{&no, &yes}[r.IntN(2)]})
			notFoundAtMost(t, err)
		case 2:
			if m, err := w.Members.Get(ctx, id); err == nil && m.ErasedAt == nil {
				grow(t, w, m.ID, int64(1+r.IntN(400)))
			}
		case 3:
			other := ids[r.IntN(len(ids))]
			if other != id && r.IntN(2) == 0 {
				if winner, err := w.Members.Merge(ctx, id, other, "test"); err == nil { // else one is erased
					merged = append(merged, id+other-winner.ID)
				}
			}
		case 4:
			if len(merged) > 0 {
				if _, err := w.Members.UndoMerge(ctx, merged[len(merged)-1]); err == nil {
					merged = merged[:len(merged)-1]
				}
			}
		case 5:
			if r.IntN(6) == 0 {
				notFoundAtMost(t, w.Members.Erase(ctx, id))
			}
		default:
			notFoundAtMost(t, w.Tags.SetManual(ctx, id, tags[r.IntN(3)].ID, 1, r.IntN(3) > 0, ""))
		}
		for range 3 {
			c := tree(3)
			got, everybody, err := w.Audience.Now(ctx, c)
			require.NoError(t, err)
			want, n, err := w.Audience.Members(ctx, w.DB.Reader(ctx), w.Now(), c)
			require.NoError(t, err)
			require.Equal(t, n, everybody)
			require.Equal(t, want.ToArray(), got.ToArray(), "step %d: %s", step, model.ToJSON(c))
		}
	}
}
