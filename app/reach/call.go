package reach

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/siyu-scrm/siyu/app/carrier"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

const (
	retryAfter  = 30 * time.Second // app time: after a call that did not get through
	brokenFor   = 10 * time.Minute // app time: a misconfigured path is not called
	callsMargin = 2 * time.Second  // of the lease, for writing what came of the calls
)

// call makes the calls of a batch, all at once. A lease that may have ended, a stop, and quiet hours that began meanwhile call nobody. A
// run whose calls fail is paused before what came of them is written down.
func (s *Service) call(ctx context.Context, l *lease, f *flight) error {
	until := clock.Real().Add(s.o.Lease - s.o.CallTimeout - callsMargin)
	var pic *picture
	if c := l.msg.rich(); c != nil {
		pic = &picture{s: s, account: s.terms(l.law, l.msg, s.clock.Now()).oa, c: c}
	}
	var wg sync.WaitGroup
	for n, i := range f.items {
		if n == len(f.items)/2 {
			s.o.Crash("mid_calls")
		}
		wg.Go(func() { i.result = s.callOne(ctx, l, f, i, pic, until) })
	}
	wg.Wait()
	return s.stopIfIll(ctx, l.run, f.set, tell(f.items))
}

func (s *Service) callOne(ctx context.Context, l *lease, f *flight, i *item, pic *picture, until time.Time) result {
	paced := s.pace.wait(ctx, path{i.channel, i.account}, s.o.Rates[i.channel])
	now := s.clock.Now()
	quiet := s.quiet(l.law, f.set, now)
	h, held := s.paths.find(i.channel, i.account, now)
	switch {
	case !paced || ctx.Err() != nil || clock.Real().After(until):
		return result{state: model.DeliveryDeferred, until: now}
	case l.law.over(now): // decided again, and skipped
		return result{state: model.DeliveryDeferred, until: now}
	case !quiet.IsZero():
		return result{state: model.DeliveryDeferred, detail: QuietHours, until: quiet}
	case held && h.refuse && l.run.Stops > 0: // an operator let it go on: he has mended the account
	case held && h.refuse:
		return result{state: model.DeliveryDeferred, detail: h.code, until: now, broken: true}
	case held:
		return result{state: model.DeliveryDeferred, detail: h.detail, until: h.until}
	}
	ok, err := s.mayCall(ctx, i.channel, i.account)
	if !ok {
		if err != nil {
			s.o.Log.Error("reach: the day's calls could not be counted", "error", err)
			return result{state: model.DeliveryDeferred, until: now.Add(retryAfter)}
		}
		return result{state: model.DeliveryDeferred, detail: AtDay, until: s.zone.End(s.zone.DayOf(now))}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.CallTimeout)
	defer cancel()
	r := result{called: true}
	r.msgID, err = s.deliver(ctx, l.msg, pic, i)
	if err == nil {
		r.state = model.DeliveryAccepted
		return r
	}
	return s.read(i.channel, i.account, len(l.msg.Channels) > 1, err)
}

// deliver makes the call of a channel.
func (s *Service) deliver(ctx context.Context, m *Message, pic *picture, i *item) (msgID string, err error) {
	switch i.channel {
	case Customer:
		if i.rich != nil {
			return "", s.sendRich(ctx, pic, i)
		}
		return "", s.sender.SendText(ctx, i.account, i.to.openid, i.text)
	case Template, Notice:
		t := wechat.TemplateMessage{TemplateID: i.template, URL: m.content(i.channel).URL, Page: i.page, AppID: s.o.MPAppID, Data: i.data, Key: i.key}
		if i.channel == Notice {
			return noticeID(i.to.id, i.template), s.sender.SendNotice(ctx, i.account, i.to.openid, t)
		}
		return s.sender.SendTemplate(ctx, i.account, i.to.openid, t)
	case SMS, Call:
		p := s.o.Carriers[i.channel]
		if p == nil {
			return "", &carrier.Error{Outcome: carrier.Broken, Code: "no_provider"}
		}
		return p.Send(ctx, carrier.Message{Kind: i.channel, To: i.to.openid, Text: i.text, Template: m.phone(i.channel).Template, Params: i.params, Key: i.key})
	}
	return s.sender.SendSubscribe(ctx, i.account, i.to.openid, i.template, i.page, i.data)
}

// read is what an error means for one person's message.
func (s *Service) read(channel, account string, others bool, err error) result {
	now := s.clock.Now()
	v := s.o.Classify(err)
	var unsent errNoPicture
	if errors.As(err, &unsent) && v.Outcome == Unknown {
		if v.Outcome = NotSent; errs.CodeOf(err) == errs.NotFound {
			v.Outcome = Refused
		}
	}
	r := result{state: model.DeliveryRejected, detail: v.detail(), called: true}
	switch v.Outcome {
	case NotSent, TooSoon:
		r.state, r.until, r.failed = model.DeliveryDeferred, now.Add(retryAfter), true
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
		r.failed, r.broken = true, true
	case Unknown:
		r.state, r.failed = model.DeliveryUnknown, true
	case Refused:
		r.failed = true
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
