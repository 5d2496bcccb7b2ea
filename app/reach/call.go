package reach

import (
	"context"
	"sync"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

const (
	retryAfter  = 30 * time.Second // app time: after a call that did not get through
	brokenFor   = 10 * time.Minute // app time: a misconfigured path is not called
	callsMargin = 2 * time.Second  // of the lease, for writing what came of the calls
)

// call makes the calls of a batch, all at once. A lease that may have ended, a stop, and quiet hours that began meanwhile call nobody.
func (s *Service) call(ctx context.Context, l *lease, f *flight) {
	until := clock.Real().Add(s.o.Lease - s.o.CallTimeout - callsMargin)
	var wg sync.WaitGroup
	for n, i := range f.items {
		if n == len(f.items)/2 {
			s.o.Crash("mid_calls")
		}
		wg.Go(func() { i.result = s.callOne(ctx, l, i, until) })
	}
	wg.Wait()
}

func (s *Service) callOne(ctx context.Context, l *lease, i *item, until time.Time) result {
	now := s.clock.Now()
	t := s.terms(l.run.Class, l.msg, now)
	h, held := s.paths.find(i.channel, i.account, now)
	switch {
	case ctx.Err() != nil || clock.Real().After(until):
		return result{state: model.DeliveryDeferred, until: now}
	case !t.quiet.IsZero():
		return result{state: model.DeliveryDeferred, detail: QuietHours, until: t.quiet}
	case held && h.refuse:
		return result{state: model.DeliveryRejected, detail: h.code}
	case held:
		return result{state: model.DeliveryDeferred, detail: h.detail, until: h.until}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.CallTimeout)
	defer cancel()
	var r result
	var err error
	if i.channel == Customer {
		err = s.sender.SendText(ctx, i.account, i.to.openid, i.text)
	} else {
		c := l.msg.Subscribe
		r.msgID, err = s.sender.SendSubscribe(ctx, i.account, i.to.openid, c.TemplateID, i.page, i.data)
	}
	if err == nil {
		r.state = model.DeliveryAccepted
		return r
	}
	return s.read(i.channel, i.account, len(l.msg.Channels) > 1, err)
}

// read is what an error means for one person's message.
func (s *Service) read(channel, account string, others bool, err error) result {
	now := s.clock.Now()
	v := s.o.Classify(err)
	r := result{state: model.DeliveryRejected, detail: v.detail()}
	switch v.Outcome {
	case NotSent, TooSoon:
		r.state, r.until = model.DeliveryDeferred, now.Add(retryAfter)
	case MinuteLimit, DayLimit:
		h := s.limit(channel, account, v.Outcome, now)
		r.state, r.until, r.detail = model.DeliveryDeferred, h.until, h.detail
	case Window, Unaccepted:
		if r.close = true; others {
			r.state = model.DeliveryPending
		}
	case Broken:
		s.o.Log.Error("reach: WeChat refuses the account", "account", account, "channel", channel, "answer", r.detail)
		s.paths.hold(channel, account, held{until: now.Add(brokenFor), refuse: true, code: r.detail})
	case Unknown:
		r.state = model.DeliveryUnknown
	case Refused:
	}
	return r
}

// limit pauses a path as WeChat asked.
func (s *Service) limit(channel, account string, o Outcome, now time.Time) held {
	h := held{until: now.Truncate(time.Minute).Add(time.Minute), detail: AtMinute}
	if o == DayLimit {
		h = held{until: s.zone.End(s.zone.DayOf(now)), detail: AtDay}
		s.o.Log.Warn("reach: the day's quota of WeChat is used up", "account", account, "channel", channel)
	}
	s.paths.hold(channel, account, h)
	return h
}
