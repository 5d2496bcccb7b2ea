package sandbox

import (
	"cmp"
	"sync"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// The kinds of tasks: what WeChat does by itself, later.
const (
	taskMass      = "mass"      // run a mass job, then push MASSSENDJOBFINISH
	taskTemplate  = "template"  // deliver a template message, then push TEMPLATESENDJOBFINISH
	taskSubscribe = "subscribe" // deliver a subscribe message, then push subscribe_msg_sent_event
)

// task is one thing that falls due.
type task struct {
	ID       int64  `json:"id"`
	At       int64  `json:"at"` // unix microseconds
	Kind     string `json:"kind"`
	Account  string `json:"account"`
	Person   int64  `json:"person,omitempty"`
	MsgID    int64  `json:"msg_id"`
	Template string `json:"template,omitempty"`
	Content  string `json:"content,omitempty"`
	Data     string `json:"data,omitempty"`
	Sent     bool   `json:"sent,omitempty"` // delivered at once; only the push is left
}

// taskHeap is ordered by time, then by id.
type taskHeap []*task

func (h taskHeap) less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].At, h[j].At), cmp.Compare(h[i].ID, h[j].ID)) < 0
}

func (h *taskHeap) push(t *task) {
	*h = append(*h, t)
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if !a.less(i, up) {
			return
		}
		a[i], a[up] = a[up], a[i]
		i = up
	}
}

func (h *taskHeap) pop() *task {
	a := *h
	first, n := a[0], len(a)-1
	a[0], a[n] = a[n], nil
	a = a[:n]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if a.less(c, least) {
				least = c
			}
		}
		if least == i {
			break
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
	*h = a
	return first
}

// schedule keeps t until it is due.
func (s *Sandbox) schedule(t *task) {
	s.lastTask++
	t.ID = s.lastTask
	s.tasks.push(t)
	s.store.append(&record{Kind: "task", Task: t})
	s.wakePump()
}

func (s *Sandbox) wakePump() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pumpLoop runs what falls due while nobody moves the clock.
func (s *Sandbox) pumpLoop() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		case <-clock.After(50 * time.Millisecond):
		}
		s.pump()
	}
}

// nextTask is when the next task is due; false if there is none, or nowhere to push it to yet.
func (s *Sandbox) nextTask() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tasks) == 0 || !s.reachable(s.tasks[0]) {
		return time.Time{}, false
	}
	return time.UnixMicro(s.tasks[0].At).UTC(), true
}

func (s *Sandbox) reachable(t *task) bool {
	a := s.account(t.Account)
	return a != nil && s.callbackURL(a) != ""
}

// pumpWidth is how many tasks run at once; those of one person run in order.
const pumpWidth = 8

// pump runs every due task. Tasks of an account without a callback URL wait for one.
func (s *Sandbox) pump() {
	s.pumpMu.Lock()
	defer s.pumpMu.Unlock()
	for s.ctx.Err() == nil {
		due := s.takeDue(1024)
		if len(due) == 0 {
			return
		}
		var lanes [pumpWidth][]*task
		for _, t := range due {
			lanes[t.Person%pumpWidth] = append(lanes[t.Person%pumpWidth], t)
		}
		var wg sync.WaitGroup
		for _, lane := range lanes {
			if len(lane) == 0 {
				continue
			}
			wg.Go(func() {
				for _, t := range lane {
					s.run(t)
				}
			})
		}
		wg.Wait()
	}
}

func (s *Sandbox) takeDue(n int) []*task {
	now := s.clk.Now().UnixMicro()
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*task
	for len(due) < n && len(s.tasks) > 0 && s.tasks[0].At <= now && s.reachable(s.tasks[0]) {
		due = append(due, s.tasks.pop())
	}
	return due
}

// run does t and pushes its result. A task that the closing of the sandbox cut short is kept for the next start.
func (s *Sandbox) run(t *task) {
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	a := s.account(t.Account)
	var ev *pushEvent
	switch t.Kind {
	case taskMass:
		ev = s.finishMass(a, t)
	case taskTemplate:
		ev = s.finishTemplate(a, t)
	case taskSubscribe:
		ev = s.finishSubscribe(a, t)
	}
	s.mu.Unlock()
	if ev != nil {
		s.push(s.ctx, ev)
	}
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	s.store.append(&record{Kind: "done", ID: t.ID})
	s.mu.Unlock()
}

// deliverTask puts a task's message into its person's inbox, once.
func (s *Sandbox) deliverTask(a *account, t *task, channel string) {
	s.deliver(a, []int64{t.Person}, body{channel, t.Template, t.Content, t.Data}, s.clk.Now())
	t.Sent = true
	s.store.append(&record{Kind: "task", Task: t})
}
