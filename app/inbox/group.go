package inbox

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// groupMost bounds how many pushes share a transaction: the locks of all are held until the last is done.
const groupMost = 16

// errAlone undoes a shared transaction: each of its pushes then has its own.
var errAlone = errors.New("inbox: run it alone")

// arrival is a push on its way into the database.
type arrival struct {
	account  wechat.Account
	push     *wechat.Push
	deadline time.Time
	row      *model.Inbox // what became of it
	err      error
	turn     chan []*arrival // those it commits, itself first; closed when another has committed it
}

// queue lets pushes that come at once share transactions, and with them BEGIN, the insert, the look at who they are, and COMMIT.
type queue struct {
	mu      sync.Mutex
	running int
	waiting []*arrival
}

// enter gives a its turn at once, or lets it wait: more at work than keep the processors busy would only wait for each other.
func (q *queue) enter(a *arrival) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running >= 2*runtime.GOMAXPROCS(0) {
		q.waiting = append(q.waiting, a)
		return
	}
	q.running++
	a.turn <- []*arrival{a}
}

// next passes a turn on to those who wait.
func (q *queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), groupMost)
	if n == 0 {
		q.running--
		return
	}
	run := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	run[0].turn <- run
}

// leave takes a out of the queue; false: its turn has come.
func (q *queue) leave(a *arrival) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, a)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// commit waits for the turn of a push and returns when it is committed with its outcome, or not at all.
func (s *Service) commit(ctx context.Context, a *arrival) error {
	s.queue.enter(a)
	var run []*arrival
	select {
	case run = <-a.turn:
	case <-ctx.Done():
		if s.queue.leave(a) {
			return ctx.Err()
		}
		run = <-a.turn
	}
	if run == nil && !errors.Is(a.err, errAlone) {
		return a.err
	}
	if run != nil {
		defer s.queue.next()
	}
	if len(run) > 1 {
		if err := s.together(ctx, run); !errors.Is(err, errAlone) {
			return err
		}
	}
	return s.runAll(ctx, []*arrival{a})
}

// together commits a group and tells the others what came of it.
func (s *Service) together(ctx context.Context, run []*arrival) error {
	err := errAlone // also where it panics
	defer func() {
		for _, a := range run[1:] {
			a.err = err
			close(a.turn)
		}
	}()
	err = s.runAll(ctx, run)
	return err
}

// runAll inserts the rows of pushes and runs them, in one transaction. Of more than one, all end well or none is kept.
func (s *Service) runAll(ctx context.Context, run []*arrival) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		known, err := s.insertAll(tx, run)
		if err != nil || known {
			return err
		}
		seen, err := s.seen(tx, run)
		if err != nil {
			return err
		}
		for _, a := range run {
			if err := s.runOne(ctx, tx, a, seen); err != nil && len(run) > 1 {
				return errAlone
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

// insertAll inserts the rows as what most come to, so that only another outcome is written again. known: a single one was there already.
func (s *Service) insertAll(tx *gorm.DB, run []*arrival) (known bool, err error) {
	rows := make([]*model.Inbox, len(run))
	for i, a := range run {
		if clock.Real().After(a.deadline) { // it may run again after it waited for a lock
			return false, late(run)
		}
		a.row = s.newRow(a.account, a.push)
		a.row.State, a.row.Attempts = model.InboxDone, 1
		rows[i] = a.row
	}
	return insert(tx, rows...)
}

func late(run []*arrival) error {
	if len(run) > 1 {
		return errAlone
	}
	return errSlow
}

// seen looks the people of all pushes up.
func (s *Service) seen(tx *gorm.DB, run []*arrival) (*member.Known, error) {
	people := map[string][]string{}
	for _, a := range run {
		if name := a.push.FromUserName; name != "" && len(name) <= maxOpenID {
			people[a.account.Name] = append(people[a.account.Name], name)
		}
	}
	return s.Members.KnownTx(tx, people)
}

func (s *Service) runOne(ctx context.Context, tx *gorm.DB, a *arrival, seen *member.Known) error {
	state, reply := a.row.State, string(a.row.Reply)
	if err := s.run(ctx, tx, a.account, a.push, a.row, seen); err != nil {
		return err
	}
	if clock.Real().After(a.deadline) {
		return errSlow
	}
	if a.row.State == state && string(a.row.Reply) == reply && a.row.Raw != nil {
		return nil
	}
	return save(tx, a.row)
}
