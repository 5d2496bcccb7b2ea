package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libtnb/sqlite"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

const (
	savepoint = "SAVEPOINT s"
	release   = "RELEASE s"
	undo      = "ROLLBACK TO s"

	maxGroup = 128              // closures per commit
	maxQueue = 30 * time.Second // in the queue: longer means a closure that waits for itself
	fairness = 16               // groups that may go before a waiting bulk closure
)

// errAgain tells a closure whose group failed for another's reason to run again, alone.
var errAgain = errors.New("db: run again alone")

// writer commits closures in groups on SQLite's one writing connection.
//
// The baton is the right to use conn. Its holder runs his closure in a savepoint on his own goroutine, hands the baton and the open
// group to the next in the queue, and waits for the group's end. Who finds nobody to hand the group to commits it, wakes its members,
// and hands the bare baton on.
type writer struct {
	pool  *sql.DB
	gorm  *gorm.DB
	stats *counters
	age   time.Duration // of a group that still takes closures

	mu     sync.Mutex
	busy   bool // somebody holds the baton
	queues [3][]*turn
	passed int // groups that went before the first bulk closure

	conn *stmts // only for who holds the baton; nil after a failed reconnect
}

// The queues, in the order in which they are served.
const (
	alone = iota // closures to run again in a group of their own
	interactive
	bulk
)

// turn is a place in a queue.
type turn struct {
	queue int
	baton chan *group // receives once: the group to join, or nil to begin one
	given bool        // the baton was sent (guarded by mu)
	gone  bool        // the caller left the queue (guarded by mu)
}

// group is the closures of one commit. n and began are for who holds the baton; err is set before done is closed.
type group struct {
	queue int
	n     int
	began time.Time
	done  chan struct{}
	err   error
}

func openWriter(ctx context.Context, path string, stats *counters) (*writer, error) {
	pool, err := sql.Open(sqlite.DriverName, writerDSN(path))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	w := &writer{pool: pool, stats: stats, age: 20 * time.Millisecond}
	if err := w.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("db: open %s: %w", path, err), pool.Close())
	}
	w.gorm, err = gorm.Open(sqliteOver(w.conn), gormConfig())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("db: open %s: %w", path, err), w.close())
	}
	return w, nil
}

func (w *writer) close() error {
	w.drop()
	return w.pool.Close()
}

func (w *writer) connect(ctx context.Context) error {
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn = &stmts{conn: conn, kept: map[string]*sql.Stmt{}}
	if err := w.conn.watch(); err != nil {
		w.drop()
		return err
	}
	return nil
}

// run runs fn in a group, and again alone if the group failed.
func (w *writer) run(ctx context.Context, isBulk bool, fn Func) error {
	queue := interactive
	if isBulk {
		queue = bulk
	}
	err := w.attempt(ctx, queue, fn)
	if err == errAgain { //nolint:errorlint // our own sentinel, never wrapped
		w.stats.retries.Add(1)
		err = w.attempt(context.WithoutCancel(ctx), alone, fn)
	}
	return err
}

func (w *writer) attempt(ctx context.Context, queue int, fn Func) (err error) {
	g, err := w.take(ctx, queue)
	if err != nil {
		return err
	}
	w.stats.transactions.Add(1)
	s := newSession(w.conn, sqliteFatal)
	returned := false
	defer func() {
		if !returned { // a panic or runtime.Goexit goes on after the group is sane
			_ = w.end(g, s, errControl)
		}
	}()
	if s.broken = w.conn.exec(savepoint); s.broken == nil {
		ctx = inner(ctx)
		err = fn(ctx, over(w.gorm, ctx, s))
	}
	returned = true
	if err == nil {
		err = s.late()
	}
	if e := w.end(g, s, err); e != nil {
		return e
	}
	return err
}

// end keeps or undoes what s did, as err says, hands the baton on and waits for the group's end.
func (w *writer) end(g *group, s *session, err error) error {
	s.over.Store(true)
	broken := s.broken
	if broken == nil && err != nil {
		broken = w.conn.exec(undo)
	}
	if broken == nil {
		broken = w.conn.exec(release)
	}
	switch {
	case broken != nil:
		w.fail(g, broken)
	case !w.handGroup(g):
		w.commit(g)
	}
	<-g.done
	return g.err
}

// take waits for the baton and begins a group if there is none to join. ctx counts only here.
func (w *writer) take(ctx context.Context, queue int) (*group, error) {
	g, err := w.wait(ctx, queue)
	if err != nil || g != nil {
		return g, err
	}
	g = &group{queue: queue, n: 1, began: clock.Real(), done: make(chan struct{})}
	if err := w.begin(); err != nil {
		w.handBaton()
		return nil, fmt.Errorf("db: begin: %w", err)
	}
	return g, nil
}

// begin opens a transaction, on a new connection if the old one is no longer good.
func (w *writer) begin() error {
	if w.conn != nil {
		if w.conn.begin() == nil {
			return nil
		}
		w.discard()
	}
	if w.conn == nil {
		if err := w.connect(context.Background()); err != nil {
			return err
		}
	}
	return w.conn.begin()
}

func (w *writer) wait(ctx context.Context, queue int) (*group, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("db: %w", err)
	}
	w.mu.Lock()
	if !w.busy {
		w.busy = true
		w.mu.Unlock()
		return nil, nil
	}
	t := &turn{queue: queue, baton: make(chan *group, 1)}
	w.queues[queue] = append(w.queues[queue], t)
	w.mu.Unlock()
	w.stats.waiting.Add(1)
	defer w.stats.waiting.Add(-1)
	var why error
	select {
	case g := <-t.baton:
		return g, nil
	case <-ctx.Done():
		why = fmt.Errorf("db: %w", ctx.Err())
	case <-clock.After(maxQueue):
		why = errs.New(errs.Unavailable, "db.busy")
	}
	w.mu.Lock()
	t.gone = !t.given
	w.mu.Unlock()
	if t.gone {
		return nil, why
	}
	return <-t.baton, nil
}

// first is the turn that comes next, still in its queue; nil if nobody waits. Called with mu held.
func (w *writer) first() *turn {
	order := [3]int{alone, interactive, bulk}
	if w.passed >= fairness {
		order = [3]int{alone, bulk, interactive}
	}
	for _, i := range order {
		q := w.queues[i]
		for len(q) > 0 && q[0].gone {
			q = q[1:]
		}
		w.queues[i] = q
		if len(q) > 0 {
			return q[0]
		}
	}
	return nil
}

// give takes t from its queue and sends it the baton. Called with mu held.
func (w *writer) give(t *turn, g *group) {
	q := w.queues[t.queue]
	q[0] = nil
	w.queues[t.queue] = q[1:]
	if t.queue == bulk {
		w.passed = 0
	}
	t.given = true
	t.baton <- g
}

// handGroup hands the open group to the next of its kind; false if it is full, old, or nobody of its kind comes next.
func (w *writer) handGroup(g *group) bool {
	if g.queue == alone || g.n >= maxGroup || clock.Real().Sub(g.began) > w.age {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.first()
	if t == nil || t.queue != g.queue {
		return false
	}
	g.n++
	w.give(t, g)
	return true
}

// handBaton lets the next in the queue begin a group.
func (w *writer) handBaton() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queues[bulk]) > 0 {
		w.passed++
	}
	if t := w.first(); t != nil {
		w.give(t, nil)
	} else {
		w.busy = false
	}
}

// commit ends the group for all its members.
func (w *writer) commit(g *group) {
	if err := w.conn.commit(); err != nil {
		w.discard()
		w.stats.unknown.Add(1)
		g.err = fmt.Errorf("db: commit: %w: %w", errs.New(errs.OutcomeUnknown, "db.outcome_unknown"), err)
	}
	w.stats.groups.Add(1)
	close(g.done)
	w.handBaton()
}

// fail gives up the connection, and with it everything that the group did; its members run again alone.
func (w *writer) fail(g *group, cause error) {
	w.discard()
	g.err = errAgain
	if g.queue == alone {
		g.err = fmt.Errorf("db: the transaction is lost: %w", cause)
	}
	close(g.done)
	w.handBaton()
}

// discard closes the connection, which rolls back; the next begin opens another.
func (w *writer) discard() {
	w.stats.discarded.Add(1)
	w.drop()
}

func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	for _, s := range w.conn.kept {
		_ = s.Close()
	}
	_ = w.conn.hooks(nil, nil)
	_ = w.conn.conn.Raw(func(any) error { return driver.ErrBadConn }) // keeps the pool from using it again
	_ = w.conn.conn.Close()
	w.conn = nil
}
