// Package sandbox is a WeChat that runs here: its API, its pushes, its quotas, its people and its clock.
//
// It knows the protocol (FACTS §2, §3, §6) and nothing of siyu: its crypto is its own, so that a shared mistake would show.
// People and what they received are kept in a directory and survive a kill; tokens and codes may be lost.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// Options say how a sandbox starts. The zero value is a ticking sandbox in memory.
type Options struct {
	Dir          string        // where people, receipts and the clock are kept; empty keeps them in memory
	Start        time.Time     // what the clock says at the very first start; zero is the machine's time
	Frozen       bool          // whether the clock stands still at the very first start
	CallbackBase string        // siyu's base URL: an account is pushed to at base + "/wechat/" + name; empty holds pushes back
	PushTimeout  time.Duration // WeChat waits so long for an answer to a push; 5 s unless set
	ResultDelay  time.Duration // app time between accepting a mass, template or subscribe message and its result
	QuotaScale   float64       // WeChat's daily and minute limits are multiplied by it; 1 unless set
	Log          *slog.Logger
}

// Sandbox is one simulated WeChat. Safe for concurrent use.
type Sandbox struct {
	opts Options
	log  *slog.Logger
	clk  *clock.Movable

	mu       sync.Mutex // guards everything from here to pictureIDs; never held while a push or a follower is called
	seed     string     // openids and unionids are derived from it
	base     string     // of the callback URLs
	accounts []*account
	people   []*person // index = id - 1; nil for who is as his crowd says
	crowds   []*crowd  // by id
	receipts []receipt
	phones   []*PhoneMessage
	lastMsg  int64
	lastTask int64
	tasks    taskHeap
	tickets  map[string]*ticket
	mass     map[int64]*massJob
	codes    map[string]*code
	calls    callLog
	pushes   pushLog
	faults   []*fault
	store    *store

	pictures   map[string][]byte // uploads that the phone's page shows
	pictureIDs []string          // oldest first

	pumpMu  sync.Mutex // one runs due tasks at a time
	wake    chan struct{}
	clockMu sync.Mutex // one moves the clock at a time

	followersMu sync.Mutex
	followers   []*following

	client *http.Client    // to siyu's callback
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Open starts a sandbox, with what its directory holds. The first start makes the accounts "oa" (service account, safe mode, XML)
// and "mp" (mini-program, safe mode, JSON), bound to one Open Platform account.
func Open(opts Options) (*Sandbox, error) {
	if opts.PushTimeout == 0 {
		opts.PushTimeout = 5 * time.Second
	}
	if opts.QuotaScale == 0 {
		opts.QuotaScale = 1
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sandbox{
		opts: opts, log: opts.Log, base: strings.TrimRight(opts.CallbackBase, "/"),
		tickets: map[string]*ticket{}, mass: map[int64]*massJob{}, codes: map[string]*code{},
		wake: make(chan struct{}, 1),
		client: &http.Client{
			Timeout:       opts.PushTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 32},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.load(); err != nil {
		s.cancel()
		return nil, err
	}
	s.done.Go(s.flushLoop)
	s.done.Go(s.pumpLoop)
	return s, nil
}

// Close stops the sandbox and writes what is not yet written.
func (s *Sandbox) Close() error {
	if s.ctx.Err() != nil {
		return errors.New("sandbox: closed twice")
	}
	s.cancel()
	s.done.Wait()
	s.client.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saveClock()
	if err := s.store.close(); err != nil {
		return fmt.Errorf("sandbox: close: %w", err)
	}
	return nil
}

// Clock is the sandbox's clock: the one of every process that shares the sandbox. Move it by Advance, not by itself.
func (s *Sandbox) Clock() *clock.Movable { return s.clk }

// SetCallbackBase says where siyu is, and lets pushes flow.
func (s *Sandbox) SetCallbackBase(base string) {
	s.mu.Lock()
	s.base = strings.TrimRight(base, "/")
	s.mu.Unlock()
	s.wakePump()
}

// Handler serves everything: WeChat's API, the control API and the page under /sandbox.
func (s *Sandbox) Handler() http.Handler {
	api, control := s.APIHandler(), s.ControlHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sandbox" || strings.HasPrefix(r.URL.Path, "/sandbox/") {
			control.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// APIHandler serves WeChat's API alone: what the transport of siyu is pointed at.
func (s *Sandbox) APIHandler() http.Handler { return http.HandlerFunc(s.serveAPI) }
