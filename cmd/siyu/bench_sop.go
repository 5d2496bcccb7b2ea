package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// benchSOP: very many members of a SOP are due at a step in the same minute: each is frozen, taken past the step, asked about its condition and
// the exit, decided about and sent a customer message. The floor writes, in transactions as large, the pass of each and where he stands next,
// and decides nothing.
func benchSOP(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	base, stop, err := startBenchWeChat(ctx, benchYes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cfg.Reach.DayCalls = nil // WeChat's quota is not what is measured
	a, err := openBroadcastBench(ctx, cfg, base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	n := o.sop
	members, err := benchAudience(ctx, a, n)
	if err != nil {
		return err
	}
	row, err := benchPlan(ctx, a)
	if err != nil {
		return err
	}
	if err := benchEnrol(ctx, a, row, members.ToArray()); err != nil {
		return err
	}
	fmt.Fprintf(out, "people   %d, due at one step of a SOP\n", n)

	start := clock.Real()
	for did := true; did; {
		if did, err = a.SOPs.Work(ctx); err != nil {
			return err
		}
	}
	moved := clock.Real().Sub(start)
	var run model.Run
	if err := a.DB.Reader(ctx).Omit("members").Where("source = ?", sop.Source).Take(&run).Error; err != nil {
		return err
	}
	if _, err := measureRun(ctx, a, run.ID, benchOptions{}); err != nil {
		return err
	}
	ours := result{n, clock.Real().Sub(start)}
	counts, err := a.Reach.Counts(ctx, run.ID)
	if err != nil {
		return err
	}
	if counts.Accepted != int64(n) {
		return fmt.Errorf("bench: of %d members %+v", n, counts)
	}
	fmt.Fprintf(out, "moved    %d in %.1f s\n", n, moved.Seconds())
	fmt.Fprintf(out, "decided  %d and sent in %.1f s: %.0f/s; rss=%dMiB\n", n, ours.took.Seconds(), ours.rate(), peakMiB())
	floor, err := sopFloor(ctx, a, row, n)
	if err != nil {
		return err
	}
	verdict(out, "sop", a.DB.Dialect(), ours.rate(), floor.rate())
	return nil
}

// benchPlan is a SOP of two steps, the first of which asks.
func benchPlan(ctx context.Context, a *app.App) (*model.SOP, error) {
	three, seven := 3, 7
	say := reach.Message{Text: "{{nickname}},首购优惠还在等您", Fallbacks: map[string]string{"nickname": "亲"}, Channels: []string{reach.Customer}}
	row, err := a.SOPs.Save(ctx, sop.Input{Definition: sop.Definition{
		Name: "bench", Entry: sop.Entry{Event: model.EventRegistered}, Exit: []sop.Trigger{{Event: model.EventOrderPaid}},
		Steps: []sop.Step{
			{Key: "d3", When: &sop.When{Day: &three, Time: "10:00"}, Send: &sop.Send{
				Message: say, Condition: condition.Is("orders", map[string]any{"measure": "count", "op": "eq", "value": 0}),
			}},
			{Key: "d7", When: &sop.When{Day: &seven, Time: "10:00"}, Send: &sop.Send{Message: say}},
		},
	}})
	if err != nil {
		return nil, err
	}
	return a.SOPs.Enable(ctx, row.ID)
}

// benchEnrol puts members before the first step, due now.
func benchEnrol(ctx context.Context, a *app.App, row *model.SOP, ids []uint32) error {
	now := a.Clock.Now()
	entered, one := now.AddDate(0, 0, -3), 1
	for len(ids) > 0 {
		some := ids[:min(500, len(ids))]
		ids = ids[len(some):]
		rows := make([]model.SOPEnrolment, len(some))
		for i, id := range some {
			rows[i] = model.SOPEnrolment{
				SOPID: row.ID, MemberID: int64(id), Running: &one, No: 1, Version: row.Version, Step: "d3", ReachedAt: now, DueAt: &now,
				State: model.EnrolmentRunning, EnteredAt: entered, WatchTill: now.AddDate(1, 0, 0),
			}
		}
		if err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Create(&rows).Error }); err != nil {
			return err
		}
	}
	return nil
}

// sopFloor writes the same rows by hand.
func sopFloor(ctx context.Context, a *app.App, row *model.SOP, n int) (result, error) {
	var first int64
	if err := a.DB.Reader(ctx).Model(&model.SOPEnrolment{}).Select("MIN(id)").Scan(&first).Error; err != nil {
		return result{}, err
	}
	now, due := a.Clock.Now(), a.Clock.Now().Add(96*time.Hour)
	start := clock.Real()
	for from := first; from < first+int64(n); from += 500 {
		to := min(from+500, first+int64(n))
		err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			values := make([]any, 0, 7*(to-from))
			for id := from; id < to; id++ {
				values = append(values, id, "floor", row.ID, 0, id, model.PassRun, now)
			}
			err := tx.Exec("INSERT INTO sop_passes (enrolment_id, step, sop_id, firing_id, member_id, outcome, at) VALUES (?,?,?,?,?,?,?)"+
				strings.Repeat(",(?,?,?,?,?,?,?)", int(to-from)-1), values...).Error
			return errors.Join(err, tx.Exec("UPDATE sop_enrolments SET step = 'd7', due_at = ? WHERE id >= ? AND id < ?", due, from, to).Error)
		})
		if err != nil {
			return result{}, err
		}
	}
	return result{n, clock.Real().Sub(start)}, nil
}
