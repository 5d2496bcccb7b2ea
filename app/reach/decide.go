package reach

import (
	"slices"
	"time"

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
)

// Details of NO_QUOTA. The last two stand on deferred rows.
const (
	WindowClosed = "window_closed"
	MonthlyUsed  = "monthly_used"
	NoAcceptance = "no_acceptance"
	MassMinimum  = "mass_minimum"
	AtMinute     = "minute_limit"
	AtDay        = "day_limit"
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
	today        int    // marketing messages
	month        int    // mass sends
	todayRow     bool   // their rows exist
	monthRow     bool
	noMass       bool
	duplicate    bool
	gone         bool // what the run is about is over for him
	values       map[string]string
}

// terms are what one message obeys at one instant.
type terms struct {
	now        time.Time
	marketing  bool
	msg        *Message
	oa, mp     string
	day, month string
	cap, mass  int
	quiet      time.Time       // marketing waits until then; zero = no quiet hours now
	held       map[string]held // channel → pause of its path
	template   string          // of the subscribe message
}

// decision about a person: send by Channel, or Reason; with Until it is only put off.
type decision struct {
	channel string
	reason  string
	detail  string
	until   time.Time
}

// terms are those of a run's message now.
func (s *Service) terms(class string, m *Message, now time.Time) *terms {
	t := &terms{
		now: now, marketing: class == model.ClassMarketing, msg: m, oa: m.Account, mp: s.o.MP,
		day: string(s.zone.DayOf(now)), month: s.zone.MonthOf(now), cap: s.o.DailyCap, mass: s.o.MassMonthly,
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
	if t.marketing {
		t.quiet = s.quietUntil(now)
	}
	t.held = s.paths.held(t, now)
	return t
}

// account is the one that a channel sends from.
func (t *terms) account(channel string) string {
	if channel == Subscribe {
		return t.mp
	}
	return t.oa
}

// decide is the only place that says whether a person is sent to, by what, and if not, why. Where several things stand in the way the
// first of UNSUBSCRIBED, OPTED_OUT, FREQ_CAP, NO_QUOTA is said; NO_QUOTA says monthly_used before no_acceptance before window_closed.
func decide(p *person, t *terms) decision {
	has := func(channel string) bool { return slices.Contains(t.msg.Channels, channel) }
	oa := has(Customer) || has(Mass)
	accepted := has(Subscribe) && p.mp.id != 0 && p.accepted > 0
	switch {
	case !p.found:
		return decision{reason: InvalidTarget}
	case p.duplicate:
		return decision{reason: Duplicate}
	case p.gone:
		return decision{reason: Condition}
	case oa && !p.oa.subscribed && !accepted:
		return decision{reason: Unsubscribed}
	case !oa && p.mp.id == 0:
		return decision{reason: InvalidTarget}
	case t.marketing && p.optedOut:
		return decision{reason: OptedOut}
	case !t.quiet.IsZero():
		return decision{reason: QuietHours, until: t.quiet}
	case t.marketing && p.today >= t.cap:
		return decision{reason: FreqCap}
	}
	for _, channel := range t.msg.Channels {
		if !p.can(channel, t) {
			continue
		}
		if h, ok := t.held[channel]; ok {
			return decision{reason: NoQuota, detail: h.detail, until: h.until}
		}
		return decision{channel: channel}
	}
	switch {
	case has(Mass) && p.oa.subscribed && p.month >= t.mass:
		return decision{reason: NoQuota, detail: MonthlyUsed}
	case has(Mass) && p.oa.subscribed && p.noMass:
		return decision{reason: NoQuota, detail: MassMinimum}
	case has(Subscribe) && p.mp.id != 0:
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
	return p.mp.id != 0 && p.accepted > 0
}

// Quiet reports whether marketing waits at the moment.
func (s *Service) Quiet(at time.Time) bool { return !s.quietUntil(at).IsZero() }

// quietUntil is the end of the quiet hours that now lies in; zero outside them. Half-open: [from, to).
func (s *Service) quietUntil(now time.Time) time.Time {
	from, to := s.o.QuietFrom, s.o.QuietTo
	if from == to {
		return time.Time{}
	}
	day := s.zone.DayOf(now)
	at := func(d model.Day, off time.Duration) time.Time {
		return s.zone.At(d, int(off/time.Hour), int(off%time.Hour/time.Minute))
	}
	start, end := at(day, from), at(day, to)
	switch {
	case from < to:
		if !now.Before(start) && now.Before(end) {
			return end
		}
	case now.Before(end):
		return end
	case !now.Before(start):
		return at(day.Add(1), to)
	}
	return time.Time{}
}
