package event_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// TestDidAgreesWithCounting holds the leaf's two readings against a count by hand, on random histories and moments, and its flip
// against every instant before it.
func TestDidAgreesWithCounting(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	members := []int64{w.Joined("a"), w.Joined("b"), w.Joined("c"), w.Joined("never")}
	everybody := roaring.New()
	for _, id := range members {
		everybody.Add(uint32(id)) //nolint:gosec // small
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		kind := "behavior.did" + fmt.Sprint(n)
		n++
		times := map[int64][]time.Time{}
		kinds := []string{`"a"`, `"b%"`, `7`}
		where := rapid.SampledFrom([]string{"", `"a"`, `"b%"`, `"7"`, `7`}).Draw(rt, "where")
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			for _, id := range members[:3] {
				for range rapid.IntRange(0, 5).Draw(rt, "events") {
					at := apptest.Start.Add(time.Duration(rapid.IntRange(0, 12).Draw(rt, "hour")) * time.Hour)
					is := rapid.SampledFrom(kinds).Draw(rt, "is")
					if where == "" || strings.Trim(is, `"`) == strings.Trim(where, `"`) {
						times[id] = append(times[id], at)
					}
					row := model.Event{MemberID: id, Kind: kind, Source: kind, Key: rand.Text(), OccurredAt: at, RecordedAt: at, Data: model.JSON(`{"other":"a","kind":` + is + `}`)}
					if err := tx.Create(&row).Error; err != nil {
						return err
					}
				}
			}
			return nil
		})
		op := rapid.SampledFrom([]condition.Op{condition.Gte, condition.Lte, condition.Eq}).Draw(rt, "op")
		count, hours := rapid.IntRange(0, 4).Draw(rt, "count"), rapid.SampledFrom([]int{0, 1, 4, 24}).Draw(rt, "window")
		args := map[string]any{"event": kind, "op": op, "count": count}
		if hours > 0 {
			args["window"] = fmt.Sprint(hours, "h")
		}
		if where != "" {
			args["field"], args["value"] = "kind", json.RawMessage(where)
		}
		tree := condition.Is("did", args)
		naive := func(id int64, at time.Time) bool {
			sum := 0
			for _, e := range times[id] {
				if !e.After(at) && (hours == 0 || e.After(at.Add(-time.Duration(hours)*time.Hour))) {
					sum++
				}
			}
			return op == condition.Gte && sum >= count || op == condition.Lte && sum <= count || op == condition.Eq && sum == count
		}

		at := apptest.Start.Add(time.Duration(rapid.IntRange(-1, 40).Draw(rt, "at")) * time.Hour)
		tx := w.DB.Reader(context.Background())
		require.NoError(rt, w.Conditions.Check(context.Background(), tx, tree))
		found, err := w.Conditions.Members(context.Background(), tx, at, everybody, tree)
		require.NoError(rt, err)
		for _, id := range members {
			v, _, err := w.Conditions.Eval(context.Background(), tx, &condition.Subject{MemberID: id, At: at}, tree)
			require.NoError(rt, err)
			require.Equal(rt, naive(id, at), v.Holds, "member %d at %s", id, at)
			require.Equal(rt, v.Holds, found.Contains(uint32(id)), "member %d at %s", id, at) //nolint:gosec // small
			for next := at; next.Before(at.Add(60 * time.Hour)); next = next.Add(time.Hour) {
				if !v.FlipsAt.IsZero() && !next.Before(v.FlipsAt) {
					require.NotEqual(rt, v.Holds, naive(id, next), "flips at %s", v.FlipsAt)
					break
				}
				require.Equal(rt, v.Holds, naive(id, next), "no flip said before %s", next)
			}
		}
	})
}
