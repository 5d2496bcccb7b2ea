package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// backfillPause is between the check-ins of somebody who acts while a rule is filled in.
const backfillPause = 10 * time.Millisecond

// benchBackfill saves auto-tag rules over all members and times how long each takes to fill in the past, while members check in: one on a fact
// (an eighth get the tag), one on a rolling window (a seventh get it, and time will take it from each), one on time alone (an instant is noted for
// everybody).
func benchBackfill(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	a.Seal()
	for n := 1; n > 0; { // the rules of a new programme look at nobody; what is timed is one rule
		if n, err = a.Tags.Review(ctx, a.Clock.Now()); err != nil {
			return err
		}
	}
	first, err := benchMembers(ctx, a, o.members)
	if err != nil {
		return err
	}
	if err := benchActs(ctx, a, first, o.members); err != nil {
		return err
	}
	fmt.Fprintf(out, "members  %d\n", o.members)
	acted := 0
	for _, r := range []struct {
		name string
		tree condition.Tree
	}{
		{"fact", condition.Is("member", map[string]any{"field": "gender", "value": "female"})},
		{"window", condition.Is("did", map[string]any{"event": model.EventCheckin, "op": condition.Gte, "count": 1, "window": "30d"})},
		{"time", condition.Is("inactive", map[string]any{"op": condition.Gte, "days": 60})},
	} {
		if err := benchRule(ctx, a, out, r.name, r.tree, first, o.members, &acted); err != nil {
			return fmt.Errorf("bench backfill: %w", err)
		}
	}
	return nil
}

// benchActs makes an eighth of the members women, and lets a seventh of all check in.
func benchActs(ctx context.Context, a *app.App, first int64, n int) error {
	now := a.Clock.Now()
	for from := first; from < first+int64(n); from += audiencePiece {
		to := min(from+audiencePiece, first+int64(n))
		err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			err := tx.Exec("UPDATE members SET gender = 'female' WHERE id % 8 = 0 AND id >= ? AND id < ?", from, to).Error
			if err != nil {
				return err
			}
			return tx.Exec("INSERT INTO events (member_id, kind, source, `key`, hash, occurred_at, recorded_at, data) SELECT id, ?, 'bench', id, '', ?, ?, '{}'"+
				" FROM members WHERE id % 7 = 0 AND id >= ? AND id < ?", model.EventCheckin, now.AddDate(0, 0, -5), now, from, to).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func benchRule(ctx context.Context, a *app.App, out io.Writer, name string, tree condition.Tree, first int64, n int, acted *int) error {
	t, err := a.Tags.Ensure(ctx, tag.Preference, "bench "+name)
	if err != nil {
		return err
	}
	if _, err := a.Tags.SaveRule(ctx, tag.Rule{TagID: t.ID, Name: name, Enabled: true, Condition: model.ToJSON(tree)}, templates.English); err != nil {
		return err
	}
	var took []time.Duration
	failed := make(chan error, 1)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ; ; *acted++ {
			select {
			case <-done:
				return
			case <-clock.After(backfillPause):
			}
			began := clock.Real()
			if _, err := a.Checkins.CheckIn(ctx, first+int64(*acted*7919%n), "mp", a.Clock.Now()); err != nil {
				failed <- err
				return
			}
			took = append(took, clock.Real().Sub(began))
		}
	}()
	began := clock.Real()
	for {
		n, err := a.Tags.Review(ctx, a.Clock.Now())
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	lasted := clock.Real().Sub(began)
	close(done)
	<-ended
	select {
	case err := <-failed:
		return err
	default:
	}
	slices.Sort(took)
	var holds, flips int64
	err = errors.Join(a.DB.Reader(ctx).Model(&model.TagHold{}).Where("tag_id = ?", t.ID).Count(&holds).Error,
		a.DB.Reader(ctx).Model(&model.TagFlip{}).Where("auto_tag_id = (SELECT id FROM auto_tags WHERE tag_id = ?)", t.ID).Count(&flips).Error)
	fmt.Fprintf(out, "bench backfill db=%s rule=%s members=%d tagged=%d noted=%d seconds=%.1f interactive=%d p50=%.1fms p99=%.1fms rss=%dMiB\n",
		a.DB.Dialect(), name, n, holds, flips, lasted.Seconds(), len(took), at(took, 0.5), at(took, 0.99), peakMiB())
	return err
}
