// Package automation runs what happens without a request: the work that follows events, what falls due, and the
// schedule. Every piece of work is claimed in the database, so any number of processes may run it.
package automation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// Job is one line of the schedule: either Work, which looks for something to do again and again, or Cron with Run.
type Job struct {
	Name string

	// Work does one piece of due work; it reports whether there was one.
	Work func(ctx context.Context) (did bool, err error)
	// Due is when the next piece falls due in app time; false if nothing waits. It may lie in the past.
	Due func(ctx context.Context) (time.Time, bool, error)
	// Workers is how many may work at once in this process; 0 is one.
	Workers int
	// Wake ends the wait for the next look early; nil: the job looks twice a second.
	Wake <-chan struct{}

	// Cron is a five-field line in the programme's zone, for jobs by the calendar.
	Cron string
	Run  func(ctx context.Context, now time.Time) error
}

// Runner runs a schedule.
type Runner struct {
	db    *db.DB
	clock clock.Clock
	zone  clock.Zone
	owner string
	jobs  []Job
	crons map[string]clock.Cron

	// pause is held for reading by each piece of work and for writing by Settle, which does all work itself.
	pause sync.RWMutex
}

// NewRunner returns a runner of the schedule. owner names this process in claims.
func NewRunner(d *db.DB, c clock.Clock, z clock.Zone, owner string, jobs []Job) (*Runner, error) {
	r := &Runner{db: d, clock: c, zone: z, owner: owner, jobs: jobs, crons: map[string]clock.Cron{}}
	for _, j := range jobs {
		if j.Cron == "" {
			continue
		}
		line, err := clock.ParseCron(j.Cron, z)
		if err != nil {
			return nil, fmt.Errorf("automation: job %s: %w", j.Name, err)
		}
		r.crons[j.Name] = line
	}
	return r, nil
}

const (
	poll    = 500 * time.Millisecond // between looks for work, in real time
	backOff = 2 * time.Second        // after an error
)

// Start runs the schedule until ctx ends; it returns when the work in hand is finished.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.Prepare(context.WithoutCancel(ctx)); err != nil { // told to stop at once, it is no failure
		return err
	}
	var wg sync.WaitGroup
	for _, j := range r.jobs {
		for range max(j.Workers, 1) {
			wg.Go(func() { r.loop(ctx, j) })
		}
	}
	wg.Wait()
	return nil
}

// Prepare writes the row of each cron job that has none, so that its first firing is the next one.
func (r *Runner) Prepare(ctx context.Context) error {
	for name, line := range r.crons {
		err := r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			_, err := db.Insert(tx, &model.Job{Name: name, NextAt: line.Next(r.clock.Now()), LeaseTill: clock.Real()})
			return err
		})
		if err != nil {
			return fmt.Errorf("automation: prepare %s: %w", name, err)
		}
	}
	return nil
}

// loop works until ctx ends. The work itself is not cut off: what is in flight is finished.
func (r *Runner) loop(ctx context.Context, j Job) {
	for ctx.Err() == nil {
		r.pause.RLock()
		did, err := r.once(context.WithoutCancel(ctx), j)
		r.pause.RUnlock()
		wait := poll
		if err != nil {
			slog.ErrorContext(ctx, "job failed", "job", j.Name, "error", err)
			wait = backOff
		}
		if (!did || err != nil) && !clock.Wait(ctx, wait, j.Wake) {
			return
		}
	}
}

// once does one piece of a job's work; a panic is an error.
func (r *Runner) once(ctx context.Context, j Job) (did bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if j.Work != nil {
		return j.Work(ctx)
	}
	return r.fire(ctx, j)
}

// fire runs a cron job if it is due: the firing is claimed by compare-and-set, so that one process runs it.
func (r *Runner) fire(ctx context.Context, j Job) (bool, error) {
	now := r.clock.Now()
	var row model.Job
	if err := r.db.Reader(ctx).Where("name = ?", j.Name).Take(&row).Error; err != nil || row.NextAt.After(now) {
		return false, err
	}
	won := false
	err := r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Job{}).Where("name = ? AND next_at = ?", j.Name, row.NextAt).
			Updates(map[string]any{"next_at": r.crons[j.Name].Next(now), "owner": r.owner})
		won = res.RowsAffected == 1
		return res.Error
	})
	if err != nil || !won {
		return false, err
	}
	runErr := j.Run(ctx, now)
	note := ""
	if runErr != nil {
		note = model.Cut(runErr.Error(), 500)
	}
	if note != row.Error {
		err = r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.Job{}).Where("name = ?", j.Name).Update("error", note).Error
		})
	}
	return true, errors.Join(runErr, err)
}

// Due is the earliest instant in (after, until] at which something falls due; false if nothing does.
func (r *Runner) Due(ctx context.Context, after, until time.Time) (time.Time, bool, error) {
	var first time.Time
	for _, j := range r.jobs {
		at, ok, err := r.due(ctx, j)
		if err != nil {
			return first, false, fmt.Errorf("automation: due %s: %w", j.Name, err)
		}
		if !ok || at.After(until) {
			continue
		}
		if !at.After(after) {
			continue // due already: Settle has just done what could be done
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first, !first.IsZero(), nil
}

func (r *Runner) due(ctx context.Context, j Job) (time.Time, bool, error) {
	if j.Due != nil {
		return j.Due(ctx)
	}
	if j.Cron == "" {
		return time.Time{}, false, nil
	}
	var row model.Job
	res := r.db.Reader(ctx).Where("name = ?", j.Name).Limit(1).Find(&row)
	return row.NextAt, res.RowsAffected > 0, res.Error
}

// settlePasses bounds Settle: work that makes work for ever is a mistake.
const settlePasses = 100_000

// Settle does all work that is due now and everything that follows from it. An error names the job at fault.
func (r *Runner) Settle(ctx context.Context, _ time.Time) error {
	r.pause.Lock()
	defer r.pause.Unlock()
	ctx = context.WithoutCancel(ctx)
	for passes := 0; passes < settlePasses; {
		worked := false
		for _, j := range r.jobs {
			for ; passes < settlePasses; passes++ { // all of one job before the next one is asked
				did, err := r.once(ctx, j)
				if err != nil {
					return fmt.Errorf("automation: %s does not settle: %w", j.Name, err)
				}
				if !did {
					break
				}
				worked = true
			}
		}
		if !worked {
			return nil
		}
	}
	return errors.New("automation: does not settle: work makes work without end")
}
