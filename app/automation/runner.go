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

	mu    sync.Mutex
	noted map[string]noted // by job

	// pause is held for reading by each piece of work and for writing by Settle, which does all work itself.
	pause sync.RWMutex
}

// NewRunner returns a runner of the schedule. owner names this process in claims.
func NewRunner(d *db.DB, c clock.Clock, z clock.Zone, owner string, jobs []Job) (*Runner, error) {
	r := &Runner{db: d, clock: c, zone: z, owner: owner, jobs: jobs, crons: map[string]clock.Cron{}, noted: map[string]noted{}}
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

// Prepare writes the row of each job that has none, so that the first firing of one by the calendar is the next one.
func (r *Runner) Prepare(ctx context.Context) error {
	err := r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for _, j := range r.jobs {
			row := &model.Job{Name: j.Name, LeaseTill: clock.Real()}
			if line, ok := r.crons[j.Name]; ok {
				next := line.Next(r.clock.Now())
				row.NextAt = &next
			}
			if _, err := db.Insert(tx, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("automation: prepare: %w", err)
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
	began := clock.Real()
	if j.Work == nil {
		return r.fire(ctx, j)
	}
	did, err = guarded(func() (bool, error) { return j.Work(ctx) })
	if did || err != nil {
		err = errors.Join(err, r.note(ctx, j.Name, began, err))
	}
	return did, err
}

func guarded(do func() (bool, error)) (did bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do()
}

// noted is what this process wrote of a job last.
type noted struct {
	at    time.Time // real time
	error string
}

const (
	noteEvery = time.Minute      // what a job did is written so often, or when it begins or ceases to fail
	lease     = time.Minute      // real time: who runs a job by the calendar and is not heard of for so long is dead
	renew     = 15 * time.Second // of the lease
)

// note writes what came of a piece of work.
func (r *Runner) note(ctx context.Context, name string, began time.Time, outcome error) error {
	now, text := clock.Real(), said(outcome)
	r.mu.Lock()
	last, known := r.noted[name]
	if known && last.error == text && now.Sub(last.at) < noteEvery {
		r.mu.Unlock()
		return nil
	}
	r.noted[name] = noted{now, text}
	r.mu.Unlock()
	return r.ended(ctx, name, began, text, r.clock.Now())
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return model.Cut(err.Error(), 500)
}

func (r *Runner) ended(ctx context.Context, name string, began time.Time, text string, at time.Time) error {
	state := model.JobDone
	if text != "" {
		state = model.JobFailed
	}
	return r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Job{}).Where("name = ?", name).
			Updates(map[string]any{"state": state, "last_at": at, "took_ms": clock.Real().Sub(began).Milliseconds(), "error": text, "owner": r.owner}).Error
	})
}

// fire runs a job by the calendar if it is due, or if the process that ran it died: it is claimed by compare-and-set, so that one process runs it.
// However many firings a downtime went over, it runs once: each does all that is due.
func (r *Runner) fire(ctx context.Context, j Job) (bool, error) {
	now, began := r.clock.Now(), clock.Real()
	var row model.Job
	if err := r.db.Reader(ctx).Where("name = ?", j.Name).Take(&row).Error; err != nil || row.NextAt == nil {
		return false, err
	}
	died := row.State == model.JobRunning && row.LeaseTill.Before(began)
	if row.NextAt.After(now) && !died {
		return false, nil
	}
	won := false
	err := r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Job{}).Where("name = ? AND next_at = ? AND lease_till = ?", j.Name, *row.NextAt, row.LeaseTill).Updates(map[string]any{
			"next_at": r.crons[j.Name].Next(now), "owner": r.owner, "lease_till": began.Add(lease), "state": model.JobRunning, "last_at": now,
		})
		won = res.RowsAffected == 1
		return res.Error
	})
	if err != nil || !won {
		return false, err
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { r.hold(ctx, j.Name, done) })
	_, runErr := guarded(func() (bool, error) { return true, j.Run(ctx, now) })
	close(done)
	wg.Wait()
	return true, errors.Join(runErr, r.ended(ctx, j.Name, began, said(runErr), now))
}

// hold keeps the lease of a job until it is done.
func (r *Runner) hold(ctx context.Context, name string, done <-chan struct{}) {
	for clock.Wait(ctx, renew, done) {
		select {
		case <-done:
			return
		default:
		}
		err := r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.Job{}).Where("name = ? AND owner = ?", name, r.owner).Update("lease_till", clock.Real().Add(lease)).Error
		})
		if err != nil {
			slog.ErrorContext(ctx, "the lease of a job was not renewed", "job", name, "error", err)
		}
	}
}

// Line is a job as an operator sees it.
type Line struct {
	model.Job
	Cron string
	Next *time.Time // when it has something to do; nil: nothing waits, or it looks by itself
}

// Lines are the jobs of a schedule, with what came of each last.
func Lines(ctx context.Context, d *db.DB, jobs []Job) ([]Line, error) {
	var rows []model.Job
	if err := d.Reader(ctx).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("automation: lines: %w", err)
	}
	known := map[string]model.Job{}
	for _, row := range rows {
		known[row.Name] = row
	}
	lines := make([]Line, len(jobs))
	for i, j := range jobs {
		l := Line{Job: known[j.Name], Cron: j.Cron}
		l.Name, l.Next = j.Name, l.NextAt
		if j.Due != nil {
			at, ok, err := j.Due(ctx)
			if err != nil {
				return nil, fmt.Errorf("automation: lines: %s: %w", j.Name, err)
			}
			if ok {
				l.Next = &at
			}
		}
		lines[i] = l
	}
	return lines, nil
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
	err := r.db.Reader(ctx).Where("name = ?", j.Name).Limit(1).Find(&row).Error
	if err != nil || row.NextAt == nil {
		return time.Time{}, false, err
	}
	return *row.NextAt, true, nil
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
