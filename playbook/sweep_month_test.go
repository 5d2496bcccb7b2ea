package playbook_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// monthCap is a cap on marketing as the month sets it: at most limit to one person, by a channel or by all, in the last hours or in the
// calendar's period.
type monthCap struct {
	channel, per string
	hours, limit int
}

// The caps of the random months. The first is also that of the settings, which the sweep after every playbook looks for.
var monthCaps = []monthCap{{per: "day", limit: 2}, {per: "hours", hours: 60, limit: 3}, {channel: "subscribe", per: "week", limit: 2}, {channel: "customer", per: "hours", hours: 30, limit: 1}}

// sandboxChannel is how receipts name a channel.
var sandboxChannel = map[string]string{"customer": "custom"}

// TestRandomMonth lives through a month of SOPs and broadcasts that were drawn at random, with people who come, act, accept and leave at
// random, and sweeps what they received: no marketing in quiet hours or over any cap, no subscribe message without an acceptance of its own,
// nothing that WeChat must refuse, and a sum that closes in every step (DESIGN P5–P7). SIYU_TEST_SEED draws another month.
func TestRandomMonth(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2}
	if s, err := strconv.ParseUint(os.Getenv("SIYU_TEST_SEED"), 10, 64); err == nil {
		seeds = []uint64{s}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Parallel()
			m := &month{siyu: open(t, "2026-11-01 08:30:00", "SIYU_REACH_DAILY_CAP=2"), rand: rand.New(rand.NewPCG(seed, 27)), accepted: map[string]int{}, away: map[string]bool{}}
			for _, c := range monthCaps {
				m.create("/caps", obj{"class": "marketing", "channel": c.channel, "per": c.per, "hours": c.hours, "limit": c.limit})
			}
			for range 6 {
				m.sops = append(m.sops, m.enabled(m.sop()))
			}
			for i, at := range []string{"30 23 * * 2", "0 11 * * *", "0 10 1,8,11,15,22 * *"} {
				channels := [][]string{{"customer", "subscribe"}, {"subscribe"}, {"mass"}}[i]
				m.create("/broadcasts", obj{"name": fmt.Sprint("群发", i), "condition": follower, "message": m.message("群发"+fmt.Sprint(i), channels), "cron": at})
			}
			for day := range 28 {
				for _, minute := range m.moments(5) {
					m.set(time.Date(2026, 11, 2+day, 0, minute, 0, 0, shanghai).Format(time.DateTime))
					m.act()
				}
			}
			m.set("2026-11-30 12:00:00")
			m.swept()
		})
	}
}

type month struct {
	*siyu
	rand     *rand.Rand
	people   []*phone.Person
	accepted map[string]int // times, by person
	away     map[string]bool
	sops     []string
	n        int
}

// moments are so many minutes of a day, in their order.
func (m *month) moments(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = m.rand.IntN(24 * 60)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sop is one at random: of what begins it, of its steps, their moments, channels and classes.
func (m *month) sop() obj {
	m.n++
	entry := []obj{
		{"cron": fmt.Sprintf("%d %d * * *", m.rand.IntN(60), m.rand.IntN(24)), "condition": joined},
		{"cron": fmt.Sprintf("0 %d * * %d", m.rand.IntN(24), m.rand.IntN(7)), "condition": follower},
		{"event": "checkin.done"},
		{"event": "member.registered"},
		{"event": "message.received"},
	}[m.rand.IntN(5)]
	if m.n <= 2 {
		entry = obj{"cron": fmt.Sprintf("15 %d * * *", []int{23, 9}[m.n-1]), "condition": joined} // one that is always quiet, one that never is
	}
	var steps []obj
	for i := range 1 + m.rand.IntN(3) {
		class, text := "marketing", fmt.Sprintf("SOP%d-%d", m.n, i)
		if m.rand.IntN(4) == 0 {
			class, text = "service", text+serviceMark
		}
		step := obj{"key": fmt.Sprint("s", i), "send": obj{"class": class, "message": m.message(text, m.channels(class))}}
		switch m.rand.IntN(3) {
		case 0:
			step["when"] = obj{"after": fmt.Sprintf("%dh", 1+m.rand.IntN(40))}
		case 1:
			step["when"] = obj{"day": i, "time": fmt.Sprintf("%02d:%02d", m.rand.IntN(24), m.rand.IntN(60))}
		}
		steps = append(steps, step)
	}
	return obj{"name": fmt.Sprint("SOP", m.n), "entry": entry, "reentry": obj{"mode": "always"}, "steps": steps}
}

// channels are some in some order; several when a mass send is among them, which few may get.
func (m *month) channels(class string) []string {
	all := []string{"customer", "subscribe"}
	if class == "marketing" && m.rand.IntN(3) == 0 {
		all = append(all, "mass")
	}
	m.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (m *month) message(text string, channels []string) obj {
	out := obj{"text": text, "channels": channels}
	if slices.Contains(channels, "subscribe") {
		out["subscribe"] = obj{"template_id": "TPL_ACTIVITY", "data": obj{"thing1": text, "thing2": "礼", "time3": "2026-11-25 10:00"}}
	}
	return out
}

// act is what somebody does.
func (m *month) act() {
	m.t.Helper()
	if len(m.people) < 10 && (m.rand.IntN(2) == 0 || len(m.people) == 0) {
		p := m.person(fmt.Sprint("p", len(m.people)))
		m.people = append(m.people, p)
		m.siyu.act(p, "follow", nil)
		m.advance("0s")
		_, err := p.Login(m.ctx())
		require.NoError(m.t, err)
		require.NoError(m.t, p.API(m.ctx(), "POST", "/register", obj{}, nil))
		return
	}
	p := m.people[m.rand.IntN(len(m.people))]
	switch what := m.rand.IntN(12); {
	case m.away[p.ID] && what < 6:
		m.siyu.act(p, "follow", nil)
		m.away[p.ID] = false
	case what == 0:
		m.siyu.act(p, "unfollow", nil)
		m.away[p.ID] = true
	case what < 6:
		m.text(p, "在吗")
	case what < 8:
		m.login(p)
		_ = p.API(m.ctx(), "POST", "/checkins", nil, nil) // he may have today
	default:
		n := 1 + m.rand.IntN(3)
		_, err := p.Act(m.ctx(), "accept", obj{"account": "mp", "template": "TPL_ACTIVITY", "times": n})
		require.NoError(m.t, err)
		m.accepted[p.ID] += n
	}
}

// swept holds what was received and what is told of it to the rules.
func (m *month) swept() {
	m.t.Helper()
	by := map[string][]receipt{}
	subscribed := map[string]int{}
	channels := map[string]int{}
	for _, r := range m.receipts() {
		if r.Channel == "subscribe" {
			subscribed[r.User]++
		}
		if r.marketing() {
			by[r.User] = append(by[r.User], r)
			channels[r.Channel]++
		}
	}
	for who, n := range subscribed {
		require.LessOrEqual(m.t, n, m.accepted[who], "subscribe messages without an acceptance: %s", who)
	}
	for who, list := range by {
		slices.SortStableFunc(list, func(a, b receipt) int { return a.Time.Compare(b.Time) })
		for _, c := range monthCaps {
			for i, r := range list {
				if n := c.count(list[:i+1], r.Time); c.of(r) && n > c.limit {
					m.t.Errorf("%d marketing messages to %s by %+v at %s", n, who, c, r.Time.In(shanghai))
				}
			}
		}
	}
	reasons := map[string]int{}
	for _, id := range m.sops {
		for _, st := range m.report(id).Steps {
			c := st.Counts
			require.Equal(m.t, c.Audience, c.sum(), "the sum of %s", st.Key)
			require.Zero(m.t, c.Unknown)
			skipped := 0
			for _, s := range st.Skipped {
				reasons[s.Reason] += s.Count
				skipped += s.Count
			}
			require.Equal(m.t, c.Suppressed, skipped, "each has a reason: %s", st.Key)
		}
	}
	for _, channel := range []string{"custom", "subscribe", "mass"} {
		require.Positive(m.t, channels[channel], "a month that shows nothing of %s: %v", channel, channels)
	}
	require.Positive(m.t, reasons["FREQ_CAP"], "nor of the caps: %v", reasons)
	require.NotContains(m.t, m.remarkable(), "level=ERROR")
}

// of reports whether the cap counts a message.
func (c monthCap) of(r receipt) bool {
	name := c.channel
	if in := sandboxChannel[name]; in != "" {
		name = in
	}
	return name == "" || name == r.Channel
}

// count is how many of the messages, the last of which came at the instant, are in its period.
func (c monthCap) count(list []receipt, at time.Time) (n int) {
	now := at.In(shanghai)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, shanghai)
	from := map[string]time.Time{
		"hours": at.Add(-time.Duration(c.hours)*time.Hour + time.Nanosecond), "day": today, "week": today.AddDate(0, 0, -(int(now.Weekday())+6)%7),
	}[c.per]
	for _, r := range list {
		if c.of(r) && !r.Time.Before(from) {
			n++
		}
	}
	return n
}
