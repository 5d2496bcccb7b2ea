package reach

import (
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Skip reasons (PLAYBOOKS §1).
const (
	Unsubscribed  = "UNSUBSCRIBED"
	OptedOut      = "OPTED_OUT"
	NoConsent     = "NO_CONSENT"
	FreqCap       = "FREQ_CAP"
	QuietHours    = "QUIET_HOURS"
	NoQuota       = "NO_QUOTA"
	Duplicate     = "DUPLICATE"
	InvalidTarget = "INVALID_TARGET"
	Condition     = "CONDITION"
	Exited        = "EXITED" // the source of the run is over for him: see Now
)

// Details of NO_QUOTA. The last two stand on deferred rows.
const (
	WindowClosed = "window_closed"
	MonthlyUsed  = "monthly_used"
	NoAcceptance = "no_acceptance"
	MassMinimum  = "mass_minimum"
	AtMinute     = "minute_limit"
	AtDay        = "day_limit"
	Expired      = "expired" // detail of what is said of those who wait when a run ends
)

// identity is one openid of a person.
type identity struct {
	id         int64
	openid     string
	subscribed bool
}

// person is what a decision looks at.
type person struct {
	id, who      int64 // who: the person himself, where id was merged away; caps are his
	found        bool
	optedOut     bool
	nickname, no string
	points       *int64
	oa, mp       identity
	allowance    string // kind of the open allowance that ends first; "" = none
	accepted     int    // subscribe messages of the template
	noticed      int    // the same of the official account's
	joined       bool
	phone        string                   // sealed
	consents     map[string]model.Consent // by kind
	sends        []sent                   // messages that caps count
	month        int                      // mass sends
	monthRow     bool                     // its row exists
	waited       string                   // what he was put off for
	once         bool                     // he received a message of the run's key
	noMass       bool
	duplicate    bool
	gone         string // why the run has become pointless for him; "" = it has not
	values       map[string]string
}

// terms are what one message obeys at one instant.
type terms struct {
	*law
	now       time.Time
	marketing bool
	msg       *Message
	oa, mp    string
	month     string
	stamp     string // of what is used now
	mass      int
	limits    []limit
	reserves  []Reserve // those of today
	set       *model.ReachSettings
	quiet     time.Time       // marketing waits until then; zero = no quiet hours now
	held      map[string]held // channel → pause of its path
	template  string          // of the subscribe message
	notice    string          // template of the subscribe notice
}

// decision about a person: send by Channel, or Reason; with Until it is only put off.
type decision struct {
	channel string
	reason  string
	detail  string
	until   time.Time
}

// terms are those of a run's message now.
func (s *Service) terms(l *law, m *Message, now time.Time) *terms {
	t := &terms{
		law: l, now: now, marketing: l.class == model.ClassMarketing, msg: m, oa: m.Account, mp: s.o.MP,
		month: s.zone.MonthOf(now), stamp: stamp(now), mass: s.o.MassMonthly,
	}
	if t.oa == "" {
		t.oa = s.o.OA
	}
	if m.Subscribe != nil {
		t.template = m.Subscribe.TemplateID
		if m.Subscribe.Account != "" {
			t.mp = m.Subscribe.Account
		}
	}
	if m.Notice != nil {
		t.notice = m.Notice.TemplateID
	}
	t.held = s.paths.held(t, now)
	return t
}

// deciding are the terms with the settings and the caps, for decisions.
func (s *Service) deciding(tx *gorm.DB, l *law, m *Message, now time.Time) (*terms, error) {
	t := s.terms(l, m, now)
	var err error
	if t.set, err = settings(tx); err != nil {
		return t, err
	}
	t.quiet = s.quiet(l, t.set, now)
	if !l.Test {
		t.limits, err = s.limits(tx, l.class, now)
	}
	for _, r := range l.reserves {
		if t.marketing && s.zone.DayOf(r.At) == s.zone.DayOf(now) {
			t.reserves = append(t.reserves, r)
		}
	}
	return t, err
}

// quiet is until when a run's messages wait for the end of quiet hours; zero = they do not.
func (s *Service) quiet(l *law, set *model.ReachSettings, now time.Time) time.Time {
	if l.class != model.ClassMarketing {
		return time.Time{}
	}
	return s.quietUntil(set, now)
}

// over reports whether nobody is sent to any more at the moment.
func (l *law) over(at time.Time) bool { return !l.until.IsZero() && !at.Before(l.until) }

// put puts off, or skips where nobody is sent to any more by then, and marketing that does not wait for the end of quiet hours.
func (t *terms) put(reason, detail string, until time.Time) decision {
	if t.over(until) || reason == QuietHours && t.Quiet == QuietDrop {
		until = time.Time{}
	}
	return decision{reason: reason, detail: detail, until: until}
}

// account is the one that a channel sends from.
func (t *terms) account(channel string) string {
	switch channel {
	case Subscribe:
		return t.mp
	case SMS, Call, InApp, Event:
		return channel
	}
	return t.oa
}

// decide is the only place that says whether a person is sent to, by what, and if not, why. Where several things stand in the way the
// first of EXITED, UNSUBSCRIBED, CONDITION, OPTED_OUT, NO_CONSENT, FREQ_CAP, NO_QUOTA is said; NO_QUOTA says monthly_used before no_acceptance before window_closed.
func decide(p *person, t *terms) decision {
	has := func(channel string) bool { return slices.Contains(t.msg.Channels, channel) }
	barred := p.barred(t)
	switch {
	case !p.found:
		return decision{reason: InvalidTarget}
	case p.duplicate || p.once:
		return decision{reason: Duplicate}
	case t.over(t.now) && p.waited != "":
		return decision{reason: p.waited, detail: Expired}
	case t.over(t.now):
		return decision{reason: Condition, detail: Expired}
	case p.gone == Exited:
		return decision{reason: Exited}
	case barred == Unsubscribed || barred == InvalidTarget:
		return decision{reason: barred}
	case p.gone != "":
		return decision{reason: p.gone}
	case t.marketing && p.optedOut || barred == OptedOut:
		return decision{reason: OptedOut}
	case barred == NoConsent:
		return decision{reason: NoConsent}
	case !t.quiet.IsZero():
		return t.put(QuietHours, "", t.quiet)
	}
	capped, full := p.capped("", t)
	if full {
		return decision{reason: FreqCap, detail: capped}
	}
	for _, channel := range t.msg.Channels {
		if !p.can(channel, t) {
			continue
		}
		if name, ok := p.capped(channel, t); ok {
			capped, full = name, true
			continue
		}
		if h, ok := t.held[channel]; ok {
			return t.put(NoQuota, h.detail, h.until)
		}
		return decision{channel: channel}
	}
	switch {
	case full:
		return decision{reason: FreqCap, detail: capped}
	case has(Mass) && p.oa.subscribed && p.month >= t.mass:
		return decision{reason: NoQuota, detail: MonthlyUsed}
	case has(Mass) && p.oa.subscribed && p.noMass:
		return decision{reason: NoQuota, detail: MassMinimum}
	case has(Subscribe) && p.mp.id != 0, has(Notice) && p.oa.id != 0:
		return decision{reason: NoQuota, detail: NoAcceptance}
	}
	return decision{reason: NoQuota, detail: WindowClosed}
}

// can reports whether the channel is open to the person.
func (p *person) can(channel string, t *terms) bool {
	switch channel {
	case Customer:
		return p.oa.subscribed && p.allowance != ""
	case Mass:
		return p.oa.subscribed && !p.noMass && p.month < t.mass
	}
	return p.bar(channel) == ""
}

// bar is why the channel does not lead to the person, whatever the hour and the quotas of marketing are; "" if it does.
func (p *person) bar(channel string) string {
	switch channel {
	case Customer, Mass, Template:
		if !p.oa.subscribed {
			return Unsubscribed
		}
	case Subscribe:
		return accepting(p.mp, p.accepted)
	case Notice:
		return accepting(p.oa, p.noticed)
	case SMS, Call:
		c, said := p.consents[channel]
		switch {
		case p.phone == "":
			return InvalidTarget
		case said && !c.Given:
			return OptedOut
		case !said:
			return NoConsent
		}
	case InApp:
		if !p.joined {
			return InvalidTarget
		}
	}
	return ""
}

func accepting(i identity, n int) string {
	switch {
	case i.id == 0:
		return InvalidTarget
	case n == 0:
		return NoQuota
	}
	return ""
}

// barred is why no channel of the message leads to the person: of several reasons the first of this order.
func (p *person) barred(t *terms) string {
	order := []string{Unsubscribed, OptedOut, NoConsent, NoQuota, InvalidTarget}
	said := len(order) - 1
	for _, channel := range t.msg.Channels {
		why := p.bar(channel)
		if why == "" {
			return ""
		}
		said = min(said, slices.Index(order, why))
	}
	return order[said]
}
