package reach

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// path is a channel of an account.
type path struct{ channel, account string }

// pace spaces the calls of each path that this process makes, in real time.
type pace struct {
	mu   sync.Mutex
	next map[path]time.Time
}

// wait waits for the turn of a call, rate of them a second; false: ctx ended.
func (p *pace) wait(ctx context.Context, to path, rate int) bool {
	if rate <= 0 {
		return true
	}
	p.mu.Lock()
	if p.next == nil {
		p.next = map[path]time.Time{}
	}
	now := clock.Real()
	at := p.next[to]
	if at.Before(now) {
		at = now
	}
	p.next[to] = at.Add(time.Second / time.Duration(rate))
	p.mu.Unlock()
	return !at.After(now) || clock.Sleep(ctx, at.Sub(now))
}

// batchOf is how many people of a message one worker has in flight: no more than half a second's calls, so that a pause comes at once.
func (s *Service) batchOf(m *Message) int {
	if len(m.Channels) == 1 && m.Channels[0] == Mass { // nobody is called yet
		return settleChunk
	}
	n := s.batch()
	for _, channel := range m.Channels {
		if rate := s.o.Rates[channel]; rate > 0 && channel != Mass {
			n = min(n, max(1, rate/(2*s.o.Workers)))
		}
	}
	return n
}

// quota is how many calls of each path this process may make today without asking the database again. A process that dies leaves its rest
// unused: the count is never below the calls.
type quota struct {
	mu  sync.Mutex
	are map[path]*block
}

type block struct {
	day  string
	left int64
}

// mayCall takes one call of the day's quota of a path. Where none is left, the path pauses until midnight.
func (s *Service) mayCall(ctx context.Context, channel, account string) (bool, error) {
	most := s.o.DayCalls[channel]
	if most <= 0 {
		return true, nil
	}
	now := s.clock.Now()
	day := string(s.zone.DayOf(now))
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	if s.quota.are == nil {
		s.quota.are = map[path]*block{}
	}
	b := s.quota.are[path{channel, account}]
	if b == nil || b.day != day {
		b = &block{day: day}
		s.quota.are[path{channel, account}] = b
	}
	if b.left == 0 {
		err := s.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *gorm.DB) (err error) {
			b.left, err = takeCalls(ctx, tx, model.PathUse{Channel: channel, Account: account, Day: day}, min(1000, max(1, most/50)), most)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("reach: day's calls: %w", err)
		}
	}
	if b.left == 0 {
		s.limit(channel, account, DayLimit, now)
		return false, nil
	}
	b.left--
	return true, nil
}

// takeCalls counts up to n more calls of a day, of most; got is how many there were left.
func takeCalls(ctx context.Context, tx *gorm.DB, p model.PathUse, n, most int64) (got int64, err error) {
	if _, err := db.Insert(tx, &p); err != nil {
		return 0, err
	}
	const where = " WHERE channel = ? AND account = ? AND day = ?"
	if _, err := exec(ctx, tx, "UPDATE path_uses SET step = step + 1"+where, p.Channel, p.Account, p.Day); err != nil { // the lock
		return 0, err
	}
	if err := tx.Take(&p, "channel = ? AND account = ? AND day = ?", p.Channel, p.Account, p.Day).Error; err != nil {
		return 0, err
	}
	if got = min(n, most-p.Used); got <= 0 {
		return 0, nil
	}
	_, err = exec(ctx, tx, "UPDATE path_uses SET used = used + ?"+where, got, p.Channel, p.Account, p.Day)
	return got, err
}

// CallsLeft are the calls of the day that a channel of an account has left; counted is false where no quota is set.
func (s *Service) CallsLeft(ctx context.Context, channel, account string) (left int64, counted bool, err error) {
	most := s.o.DayCalls[channel]
	if most <= 0 {
		return 0, false, nil
	}
	var rows []model.PathUse
	err = s.db.Reader(ctx).Find(&rows, "channel = ? AND account = ? AND day = ?", channel, account, string(s.zone.DayOf(s.clock.Now()))).Error
	if err != nil {
		return 0, true, fmt.Errorf("reach: calls left: %w", err)
	}
	left = most
	if len(rows) > 0 {
		left -= rows[0].Used
	}
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	if b := s.quota.are[path{channel, account}]; b != nil && b.day == string(s.zone.DayOf(s.clock.Now())) {
		left += b.left
	}
	return left, true, nil
}
