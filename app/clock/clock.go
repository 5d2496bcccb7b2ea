// Package clock is the only source of "now", of time zones and of cron times.
//
// Business time (rules, windows, tokens, rows' timestamps, what is due) comes from a Clock, so that the sandbox can move it.
// Leases, HTTP time-outs, live back-off and console sessions use Real: they must not stand still with a frozen clock.
package clock

import (
	"context"
	"sync"
	"time"
	_ "time/tzdata" // the programme's zone must exist on every machine
)

// Clock says what business time it is: UTC, truncated to the microsecond that the databases keep.
type Clock interface{ Now() time.Time }

// System is the clock of production.
type System struct{}

// Now is the machine's time.
func (System) Now() time.Time { return Real() }

// Real is the machine's time, whatever the business clock says. For leases, time-outs and sessions.
func Real() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Movable is the sandbox's clock. It ticks with the machine, ahead or behind, until Set freezes it. Safe for concurrent use.
type Movable struct {
	mu     sync.RWMutex
	offset time.Duration // ticking: now = Real + offset
	frozen time.Time     // zero while ticking
}

// NewMovable returns a ticking clock that says start now.
func NewMovable(start time.Time) *Movable {
	return &Movable{offset: start.Sub(Real())}
}

// NewFrozen returns a clock that stands at t until Set or Tick.
func NewFrozen(t time.Time) *Movable {
	return &Movable{frozen: t.UTC().Truncate(time.Microsecond)}
}

// Now is business time.
func (m *Movable) Now() time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.frozen.IsZero() {
		return m.frozen
	}
	return Real().Add(m.offset)
}

// Set freezes the clock at t. It reports false and changes nothing if t is before now: time never runs backwards.
func (m *Movable) Set(t time.Time) bool {
	t = t.UTC().Truncate(time.Microsecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.frozen
	if now.IsZero() {
		now = Real().Add(m.offset)
	}
	if t.Before(now) {
		return false
	}
	m.frozen = t
	return true
}

// Tick lets a frozen clock run on from where it stands.
func (m *Movable) Tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.frozen.IsZero() {
		m.offset, m.frozen = m.frozen.Sub(Real()), time.Time{}
	}
}

// Frozen reports whether the clock stands still.
func (m *Movable) Frozen() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return !m.frozen.IsZero()
}

// Sleep waits for d of real time, or until ctx ends; it reports whether d passed.
func Sleep(ctx context.Context, d time.Duration) bool { return Wait(ctx, d, nil) }

// Wait is Sleep that ends early, as if d had passed, when wake receives.
func Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return true
}

// After is a channel that receives once after d of real time.
func After(d time.Duration) <-chan time.Time { return time.After(d) }
