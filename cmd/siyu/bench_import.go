package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// linesPerMember is how many orders of the file one member has.
const linesPerMember = 5

// benchImport imports a file of orders that wait for their claims, and one whose orders are members' and earn points by a rule. The time is that of
// everything: reading, keeping the lines, pushing them.
func benchImport(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	cfg.Sandbox.Demo = false // its auto-tags have a benchmark of their own: BenchmarkFollow
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	first, err := benchMembers(ctx, a, o.requests/linesPerMember)
	if err != nil {
		return err
	}
	in := reward.Input{Code: "bench", Name: "bench", Enabled: true, Trigger: model.EventOrderPaid}
	if err := json.Unmarshal([]byte(`{"grants":[{"kind":"per_yuan","account":"points","amount":1}]}`), &in.Definition); err != nil {
		return err
	}
	if _, err := a.Rewards.Save(ctx, in, templates.English); err != nil {
		return err
	}
	waiting, err := importRate(ctx, a, o.requests, func(int) string { return "" })
	if err != nil {
		return err
	}
	earning, err := importRate(ctx, a, o.requests, func(i int) string { return fmt.Sprintf("B%d", first+int64(i/linesPerMember)) })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "bench import db=%s lines=%d waiting=%.0f/s earning=%.0f/s rss=%dMiB\n", a.DB.Dialect(), o.requests, waiting, earning, peakMiB())
	return nil
}

// importRate imports n lines and says how many were done in a second; owner is the number of the member of a line.
func importRate(ctx context.Context, a *app.App, n int, owner func(i int) string) (float64, error) {
	var b bytes.Buffer
	b.WriteString("platform,order_no,member_no,paid_at,amount,product,category\n")
	for i := range n {
		no := owner(i)
		fmt.Fprintf(&b, "douyin,DY%s-%d,%s,2026-11-23 09:00:00,%d.50,唇膜,美妆\n", no, i, no, i%500)
	}
	start := clock.Real()
	in, err := a.Sheets.Import(ctx, order.Import, "bench", b.Bytes(), nil, "bench")
	if err != nil {
		return 0, err
	}
	for more := true; more && err == nil; {
		more, err = a.Works.Work(ctx)
	}
	if err != nil {
		return 0, err
	}
	took := clock.Real().Sub(start)
	done, err := a.Sheets.Get(ctx, order.Import, in.ID)
	if err == nil && done.Result.New != int64(n) {
		err = fmt.Errorf("bench import: %d of %d lines landed: %+v", done.Result.New, n, done)
	}
	return float64(n) / took.Seconds(), err
}
