package reach

import (
	"sync"
	"time"
)

// held is a pause of one path: a channel of an account.
type held struct {
	until  time.Time // app time
	detail string    // minute_limit | day_limit
	refuse bool      // the account is misconfigured: runs that would call it pause themselves
	code   string    // what WeChat said
}

// paths remembers which paths WeChat asked to leave alone. Each process learns it by one call: nothing is lost with it.
type paths struct {
	mu  sync.Mutex
	are map[[2]string]held
}

func (p *paths) hold(channel, account string, h held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.are == nil {
		p.are = map[[2]string]held{}
	}
	key := [2]string{channel, account}
	if old, ok := p.are[key]; !ok || h.until.After(old.until) {
		p.are[key] = h
	}
}

// find is the pause of a path, if there is one now.
func (p *paths) find(channel, account string, now time.Time) (held, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.are[[2]string{channel, account}]
	return h, ok && now.Before(h.until)
}

// held are the pauses, by channel, that put off people of this message.
func (p *paths) held(t *terms, now time.Time) map[string]held {
	var all map[string]held
	for _, channel := range t.msg.Channels {
		if h, ok := p.find(channel, t.account(channel), now); ok && !h.refuse {
			if all == nil {
				all = map[string]held{}
			}
			all[channel] = h
		}
	}
	return all
}
