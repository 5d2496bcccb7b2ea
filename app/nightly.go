package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reward"
)

// dueChunk is how many members one call settles.
const dueChunk = 100

// RunPointsDue writes the expiry and activation lines of members whose lots fell due.
func (a *App) RunPointsDue(ctx context.Context, now time.Time) (int, error) {
	return a.Book.RunDue(ctx, now, dueChunk)
}

// ReleaseHoldsDue releases what was held for longer than its caller said.
func (a *App) ReleaseHoldsDue(ctx context.Context, now time.Time) (int, error) {
	return a.Book.ReleaseDue(ctx, now, dueChunk)
}

// VerifyNightly proves the ledger and raises an alarm for every row that does not agree.
func (a *App) VerifyNightly(ctx context.Context, _ time.Time) error {
	bad := 0
	_, err := a.Verify(ctx, func(m ledger.Mismatch) {
		bad++
		slog.ErrorContext(ctx, "ledger mismatch", "mismatch", m)
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("verify: %d mismatches: run siyu verify", bad)
	}
	return err
}

// Verify proves the ledger and the counters of caps and of prizes.
func (a *App) Verify(ctx context.Context, report func(ledger.Mismatch)) (ledger.Totals, error) {
	return prove(ctx, a.DB, a.Zone, report)
}

// prove reads the ledger and the counters of caps and prizes side by side: the second is one walk, which leaves cores to the first.
func prove(ctx context.Context, d *db.DB, z clock.Zone, report func(ledger.Mismatch)) (totals ledger.Totals, err error) {
	var mu sync.Mutex
	shared := func(m ledger.Mismatch) {
		mu.Lock()
		defer mu.Unlock()
		report(m)
	}
	var bounds int64
	count := func(m ledger.Mismatch) {
		bounds++
		shared(m)
	}
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		totals, err = ledger.New(d, clock.System{}, z).Verify(inner, shared)
		return err
	})
	g.Go(func() error {
		if err := reward.Verify(inner, d, z, count); err != nil {
			return err
		}
		return form.Verify(inner, d, count)
	})
	err = g.Wait()
	totals.Mismatches += bounds
	return totals, err
}

// Verify proves the ledger of the settings' database without opening anything else; it may run beside a serving siyu.
func Verify(ctx context.Context, cfg *config.Config, report func(ledger.Mismatch)) (ledger.Totals, error) {
	zone, err := clock.LoadZone(cfg.Timezone)
	if err != nil {
		return ledger.Totals{}, err
	}
	place := database(cfg)
	place.ReadOnly = true
	d, err := db.Open(ctx, place)
	if err != nil {
		return ledger.Totals{}, err
	}
	defer d.Close()
	return prove(ctx, d, zone, report)
}

// leftChunk is how many people one call erases.
const leftChunk = 20

// leftAfter is how long who left without ever registering is remembered.
func (a *App) leftAfter() time.Duration {
	return time.Duration(a.Config.Retention.LeftHours) * time.Hour
}

// EraseLeft erases followers who never registered and left (PLAYBOOKS H21).
func (a *App) EraseLeft(ctx context.Context, now time.Time) (int, error) {
	return a.Members.EraseLeft(ctx, now.Add(-a.leftAfter()), leftChunk)
}

// LeftDue is when the next of them is to be erased.
func (a *App) LeftDue(ctx context.Context) (time.Time, bool, error) {
	return a.Members.LeftDue(ctx, a.leftAfter())
}

// keysFor is how long an Idempotency-Key is remembered.
const keysFor = 7 * 24 * time.Hour

// Forget drops what is past its retention: bodies of pushes, messages that followed a reply, the log of webhooks, and answers kept for repeats.
func (a *App) Forget(ctx context.Context, now time.Time) error {
	if err := a.Reach.ForgetUses(ctx, now); err != nil {
		return err
	}
	for {
		n, err := a.Inbox.Forget(ctx, now.AddDate(0, 0, -a.Config.Retention.RawDays))
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for {
		n, err := a.Replies.Forget(ctx, now.AddDate(0, 0, -a.Config.Retention.RawDays))
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for {
		n, err := a.Webhooks.Forget(ctx, now.AddDate(0, 0, -a.Config.Retention.RawDays), 500)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for {
		n, err := a.Members.ForgetMerges(ctx, now)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for {
		n, err := a.Members.ForgetChanges(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for {
		n, err := a.DB.PurgeKeys(ctx, now.Add(-keysFor), 500)
		if err != nil || n == 0 {
			return err
		}
	}
}

// LapseClaims ends the claims whose orders did not come in time.
func (a *App) LapseClaims(ctx context.Context, _ time.Time) error {
	for {
		if n, err := a.Orders.Lapse(ctx, 100); err != nil || n == 0 {
			return err
		}
	}
}
