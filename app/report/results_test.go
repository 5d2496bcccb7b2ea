package report_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/model"
)

// 100 are sent to by two contents and 40 are held back. Of A's 60 every third orders, of B's 40 every second, of the held back every tenth.
func TestFiring(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	start := w.Now()
	ids := make([]int64, 140)
	for i := range ids {
		ids[i] = w.Touched("oa", fmt.Sprint("r", i))
	}
	set := func(ids []int64) *roaring.Bitmap {
		bm := roaring.New()
		for _, id := range ids {
			bm.Add(uint32(id)) //nolint:gosec // small
		}
		return bm
	}
	m := reach.Message{Text: "x", Channels: []string{reach.Customer}}
	groups := map[string][]int64{"A": ids[:60], "B": ids[60:100], "held": ids[100:]}
	var first *model.Run
	w.Tx(func(ctx context.Context, tx *gorm.DB) (err error) {
		spec := reach.RunSpec{Source: "broadcast", SourceID: 7, Slot: "s", Class: model.ClassService, Message: m}
		spec.Variant, spec.Members, spec.Held = "A", set(groups["A"]), set(groups["held"])
		if first, err = w.Reach.StartTx(ctx, tx, spec); err != nil {
			return err
		}
		spec.Variant, spec.Members, spec.Held, spec.Slot = "B", set(groups["B"]), nil, "s#B"
		_, err = w.Reach.StartTx(ctx, tx, spec)
		return err
	})
	n := 0
	event := func(id int64, kind string, at time.Time) {
		n++
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Create(&model.Event{
				MemberID: id, Kind: kind, Source: "test", Key: fmt.Sprint(n), OccurredAt: at, RecordedAt: at, Data: model.JSON("{}"),
			}).Error
		})
	}
	for name, every := range map[string]int{"A": 3, "B": 2, "held": 10} {
		for i, id := range groups[name] {
			if i%every == 0 {
				event(id, model.EventOrderPaid, start.Add(time.Duration(i)*time.Hour))
			}
		}
	}
	event(ids[0], model.EventOrderClaimed, start.Add(time.Hour))                // his second
	event(ids[1], model.EventOrderPaid, start.AddDate(0, 0, 7))                 // too late
	event(ids[1], model.EventOrderPaid, start.Add(-time.Second))                // too early
	event(ids[2], model.EventCheckin, start.AddDate(0, 0, 7).Add(-time.Second)) // the last moment
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		for i, id := range ids[:50] {
			for k, e := range []model.Entry{{Kind: model.EntrySpend, Delta: -10}, {Kind: model.EntryEarn, Delta: 3}} {
				e.MemberID, e.Account, e.Bucket, e.Seq, e.Reason = id, model.AccountPoints, model.BucketAvailable, int64(100+k), "rule"
				e.OccurredAt, e.RecordedAt, e.Key = start.Add(time.Hour), start, fmt.Sprint("k", i, k)
				if err := tx.Create(&e).Error; err != nil {
					return err
				}
			}
		}
		return nil
	})
	w.Tx(func(_ context.Context, tx *gorm.DB) error { // sent to four; opened by the first as himself, by the second in his browser, by another of the third's
		for i, v := range []model.RadarView{{MemberID: ids[0]}, {VisitorID: 8}, {VisitorID: 9}, {}} {
			share := model.RadarShare{LinkID: 5, RunID: first.ID, MemberID: ids[i], At: start}
			if i == 1 {
				share.VisitorID = 8
			}
			if err := tx.Create(&model.RadarSend{LinkID: 5, RunID: first.ID, MemberID: ids[i], At: start}).Error; err != nil {
				return err
			}
			if err := tx.Create(&share).Error; err != nil || i == 3 {
				return err
			}
			for range 2 {
				v.ID, v.LinkID, v.ShareID, v.OpenedAt = 0, 5, share.ID, start
				if err := tx.Create(&v).Error; err != nil {
					return err
				}
			}
		}
		return nil
	})
	s := report.New(w.DB, w.App.Clock, w.Zone)
	f, err := s.Firing(t.Context(), w.Reach, first.ID, 7)
	require.NoError(t, err)
	r, err := f.Results(t.Context())
	require.NoError(t, err)
	require.False(t, r.Over)
	by := map[string]report.Result{}
	for _, g := range r.Groups {
		by[g.Group] = g
	}
	require.Equal(t, []string{"all", "A", "B", "held"}, f.Names())
	require.Equal(t, []int64{100, 60, 40, 40}, []int64{by["all"].People, by["A"].People, by["B"].People, by["held"].People})
	require.Equal(t, []int64{40, 20, 20, 4}, []int64{by["all"].Ordered, by["A"].Ordered, by["B"].Ordered, by["held"].Ordered})
	require.EqualValues(t, 41, by["all"].Orders)
	require.EqualValues(t, 1, by["A"].CheckedIn)
	require.EqualValues(t, 2, by["A"].Opened)
	require.EqualValues(t, 0, by["B"].Opened)
	require.EqualValues(t, 50, by["A"].Spent)
	require.EqualValues(t, 500, by["all"].PointsSpent)
	require.EqualValues(t, 150, by["all"].PointsEarned)

	lift := map[string]report.Lift{}
	for _, l := range r.Lifts {
		lift[l.What+" "+l.Group+" "+l.Against] = l
	}
	require.Len(t, lift, 3*3+3)
	require.InDelta(t, 0.4-0.1, lift["ordered all held"].Estimate, 1e-9)
	require.InDelta(t, 0.5-1.0/3, lift["ordered B A"].Estimate, 1e-9)
	require.InDelta(t, 5, lift["spent all held"].Estimate, 1e-9, "10 points of half of them")
	require.Positive(t, lift["ordered all held"].Low)
	require.Negative(t, lift["ordered B A"].Low, "too few to claim it")

	who, err := f.Who(t.Context(), "held", report.DidOrder)
	require.NoError(t, err)
	require.EqualValues(t, 4, who.GetCardinality())
	require.Equal(t, []int64{ids[110], ids[120]}, report.After(who, ids[100], 2))
	b, err := s.Firing(t.Context(), w.Reach, first.ID+1, 7)
	require.NoError(t, err)
	require.Equal(t, f.Names(), b.Names(), "by any of its runs")
	_, err = f.Who(t.Context(), "C", report.DidOrder)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = f.Who(t.Context(), "A", "x")
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = s.Firing(t.Context(), w.Reach, first.ID, 0)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))

	kept, err := w.Audience.Keep(t.Context(), "下了单的", "op", who)
	require.NoError(t, err)
	require.EqualValues(t, 4, kept.Count)
	f, err = report.New(w.DB, clock.NewFrozen(start.AddDate(0, 0, 7)), w.Zone).Firing(t.Context(), w.Reach, first.ID, 7)
	require.NoError(t, err)
	r, err = f.Results(t.Context())
	require.NoError(t, err)
	require.True(t, r.Over)
}
