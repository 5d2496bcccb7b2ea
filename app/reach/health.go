package reach

import (
	"context"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// told is what calls of a run say about its health. A call that a quota of the person or the path stopped is no failure.
type told struct {
	calls, failed int64
	detail        string // of the last failure
	broken        bool   // the account is misconfigured: every call would fail
}

// tell is what came of a batch.
func tell(items []*item) (t told) {
	for _, i := range items {
		if i.result.called {
			t.calls++
		}
		if i.result.failed {
			t.failed++
		}
		if t.broken = t.broken || i.result.broken; i.result.failed || i.result.broken {
			t.detail = i.result.detail
		}
	}
	return t
}

// health remembers the last calls of each run that this process made. A process that begins anew has seen none: nothing is lost but the
// failures of fewer than StopCalls calls.
type health struct {
	mu  sync.Mutex
	are map[int64]*calls
}

// calls are the last ones of a run since it paused itself for the stops-th time, the oldest batch first.
type calls struct {
	stops         int64
	batches       []told
	calls, failed int64
}

// window is how many times StopCalls are looked back at.
const window = 4

// note adds a batch and returns what the last calls of the run were.
func (h *health) note(run *model.Run, t told, least int64) told {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.are == nil || len(h.are) > 1000 {
		h.are = map[int64]*calls{}
	}
	c := h.are[run.ID]
	if c == nil || c.stops != run.Stops {
		c = &calls{stops: run.Stops}
		h.are[run.ID] = c
	}
	c.batches = append(c.batches, t)
	c.calls, c.failed = c.calls+t.calls, c.failed+t.failed
	for len(c.batches) > 1 && c.calls-c.batches[0].calls >= window*least {
		c.calls, c.failed = c.calls-c.batches[0].calls, c.failed-c.batches[0].failed
		c.batches = c.batches[1:]
	}
	return told{calls: c.calls, failed: c.failed, detail: t.detail, broken: t.broken}
}

// stopIfIll pauses a run when its account is misconfigured, or when more than StopPercent of its last calls failed, and puts that
// on the list of what operators should look at.
func (s *Service) stopIfIll(ctx context.Context, run *model.Run, set *model.ReachSettings, t told) error {
	t = s.health.note(run, t, set.StopCalls)
	ill := set.StopPercent > 0 && t.calls >= set.StopCalls && t.failed*100 > t.calls*set.StopPercent
	if !ill && !t.broken {
		return nil
	}
	err := s.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Run{}).Where("id = ? AND stops = ? AND paused = ? AND state IN ?", run.ID, run.Stops, false, []string{model.RunSending, model.RunMassing}).
			Updates(map[string]any{"paused": true, "paused_for": cut(fmt.Sprintf("%d/%d %s", t.failed, t.calls, t.detail), 160), "stops": run.Stops + 1})
		if res.Error != nil || res.RowsAffected == 0 { // another worker was faster, or an operator
			return res.Error
		}
		return s.alertTx(ctx, tx, model.RiskRunStopped, fmt.Sprintf("run:%d#%d", run.ID, run.Stops+1),
			map[string]any{"run_id": fmt.Sprint(run.ID), "calls": t.calls, "failed": t.failed, "answer": t.detail})
	})
	if err != nil {
		return fmt.Errorf("reach: stop run %d: %w", run.ID, err)
	}
	return nil
}
