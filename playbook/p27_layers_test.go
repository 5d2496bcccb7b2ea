package playbook_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// step is what came of a step of a SOP for a member, or would come of it.
type step struct {
	At                                        time.Time
	Source, Name, Step, State, Reason, Detail string
	Channel                                   string
	Past                                      bool
}

func (s step) String() string {
	what := s.Channel
	if s.Reason != "" {
		what = s.Reason
	}
	return s.At.In(shanghai).Format("01-02 15:04 ") + s.Name + " " + s.Step + ": " + what
}

// rehearsal is what the member has got and would get on the days.
func (s *siyu) rehearsal(id, from, to string) (lines []string) {
	s.t.Helper()
	var out struct{ Items []step }
	s.read("/members/"+id+"/rehearsal?from="+from+"&to="+to, &out)
	for _, l := range out.Items {
		lines = append(lines, l.String())
	}
	return lines
}

// enabled makes a SOP and enables it.
func (s *siyu) enabled(in obj) string {
	s.t.Helper()
	id := s.create("/sops", in)
	s.do("POST", "/sops/"+id+"/enable", nil)
	return id
}

// sopReport is a SOP's figures.
type sopReport struct {
	Entered, Running, Reached, Goal int
	Steps                           []struct {
		Key     string
		Counts  counts
		Skipped []struct {
			Reason string
			Count  int
		}
		Goal, Granted, Amount, Coupons int
	}
}

func (s *siyu) report(id string) (r sopReport) {
	s.t.Helper()
	s.read("/sops/"+id+"/report", &r)
	return r
}

// layersHand is how the operator of P27 works: over the API or by clicking.
type layersHand interface {
	perks() // three coupons, and what points can be spent on
	sops()  // the four layers and the birthday, enabled
	push()  // to the important ones, by hand
}

func TestP27Layers(t *testing.T) {
	t.Parallel()
	playP27(t, func(s *siyu) layersHand { return layersCalls{s} })
}

// layersCalls is the operator who works over the API.
type layersCalls struct{ s *siyu }

// important is the condition of the layer.
var important = obj{"leaf": "orders", "measure": "amount", "op": "gte", "value": 100_000, "window": "365d"}

func (o layersCalls) perks() {
	for _, c := range []obj{
		{"code": "first", "name": "首购优惠", "kind": "cash_off", "threshold_fen": 5000, "off_fen": 1000, "valid_days": 30, "per_member": 1},
		{"code": "own", "name": "专属折扣券", "kind": "cash_off", "threshold_fen": 5000, "off_fen": 2000, "valid_days": 30, "per_member": 12},
		{"code": "back", "name": "满300减100", "kind": "cash_off", "threshold_fen": 30_000, "off_fen": 10_000, "valid_days": 3, "per_member": 1},
	} {
		o.s.create("/coupons", c)
	}
	o.s.create("/mall", obj{"code": "gift", "name": "礼品", "kind": "goods", "price": 1200})
}

func (o layersCalls) sops() {
	s := o.s
	message := func(text string, channels ...string) obj {
		return obj{"text": text, "channels": channels, "subscribe": obj{
			"template_id": "TPL_ACTIVITY", "page": "pages/index/index", "data": obj{"thing1": text, "thing2": "会员专享", "time3": "2026-12-01 10:00"},
		}}
	}
	at10 := func(day int) obj { return obj{"day": day, "time": "10:00"} }
	paid := obj{"event": "order.paid"}
	noOrder := obj{"leaf": "orders", "measure": "count", "op": "eq", "value": 0}
	rich := obj{"leaf": "account", "account": "points", "op": "gte", "value": 100}
	inactive := func(op string, days int) obj { return obj{"leaf": "inactive", "op": op, "days": days} }

	s.enabled(obj{"name": "新会员", "entry": obj{"event": "member.registered"}, "exit": []obj{paid}, "goal": obj{"event": "order.paid", "days": 7}, "steps": []obj{
		{"key": "d0", "send": obj{"class": "service", "message": message("首购优惠"+serviceMark, "subscribe"), "grants": obj{"amount": 50, "coupon_id": s.named("/coupons", "首购优惠")}}},
		{"key": "d3", "when": at10(3), "send": obj{"message": message("首购优惠还在等您", "subscribe"), "condition": noOrder}},
		{"key": "d7", "when": at10(7), "send": obj{"message": message("首购优惠最后提醒", "subscribe")}},
	}})
	s.enabled(obj{"name": "重要", "entry": obj{"cron": "0 10 1 * *", "condition": important}, "reentry": obj{"mode": "always"}, "steps": []obj{
		{"key": "m", "send": obj{"message": message("专属折扣券已到账", "mass", "subscribe"), "grants": obj{"amount": 100, "coupon_id": s.named("/coupons", "专属折扣券")}}},
	}})
	s.enabled(obj{
		"name": "沉默", "entry": obj{"cron": "0 10 1 * *", "condition": obj{"all": []obj{joined, inactive("gte", 31), inactive("lte", 90)}}},
		"exit": []obj{{"condition": inactive("lte", 30)}}, "goal": obj{"condition": inactive("lte", 30), "days": 7}, "steps": []obj{
			{"key": "s1", "send": obj{"message": message("您的积分可以抵现", "mass", "subscribe"), "condition": rich}},
			{"key": "s2", "when": at10(3), "send": obj{"message": message("积分别浪费", "mass", "subscribe"), "condition": rich}},
		},
	})
	s.enabled(obj{
		"name": "流失", "entry": obj{"cron": "0 10 1 * *", "condition": obj{"leaf": "orders", "measure": "days", "op": "gte", "value": 181}},
		"goal": obj{"event": "order.paid", "days": 3}, "steps": []obj{
			{"key": "sms", "send": obj{"message": obj{"channels": []string{"sms"}, "sms": obj{"text": "满300减100,12月3日24点前有效"}}, "grants": obj{"coupon_id": s.named("/coupons", "满300减100")}}},
		},
	})
	s.enabled(obj{
		"name": "生日礼", "entry": obj{"cron": "0 10 * * *", "condition": obj{"all": []obj{important, {"leaf": "birthday", "scope": "day"}}}},
		"reentry": obj{"mode": "after", "days": 300}, "steps": []obj{{"key": "gift", "send": obj{"message": message("生日快乐", "subscribe"), "grants": obj{"amount": 200}}}},
	})
}

func (o layersCalls) push() {
	o.s.broadcast(obj{"name": "再来", "condition": important, "message": obj{"text": "再看看", "channels": []string{"mass"}}})
}

func playP27(t *testing.T, hand func(*siyu) layersHand) {
	s := open(t, "2026-05-20 09:00:00")
	operator := hand(s)
	key := s.openKey()
	ids := map[string]string{}
	come := func(name string, profile obj) *phone.Person {
		p := s.person(name)
		s.act(p, "follow", nil)
		s.advance("0s")
		_, err := p.Login(s.ctx())
		require.NoError(t, err)
		profile["nickname"] = name
		require.NoError(t, p.API(s.ctx(), "POST", "/register", profile, nil))
		_, err = p.Act(s.ctx(), "accept", obj{"account": "mp", "template": "TPL_ACTIVITY", "times": 10})
		require.NoError(t, err)
		ids[name] = s.facts(p).ID
		return p
	}
	churned := map[string]*phone.Person{}
	for i, name := range []string{"C1", "C2"} { // both have numbers; one consents to SMS
		p := come(name, obj{})
		churned[name] = p
		var code struct{ Code string }
		s.control("POST", "/users/"+p.ID+"/phone", obj{"account": "mp", "number": fmt.Sprint("1390000000", i)}, &code)
		require.NoError(t, p.API(s.ctx(), "POST", "/phone", obj{"code": code.Code}, nil))
		s.pays(key, p, "old"+name, 5000)
	}
	require.NoError(t, churned["C1"].API(s.ctx(), "PUT", "/preferences", obj{"sms": true}, nil))
	s.set("2026-09-15 09:00:00")
	var vips []*phone.Person
	for _, name := range []string{"I1", "I2", "I3"} {
		profile := obj{}
		if name == "I3" {
			profile["birthday"] = "1990-12-15"
		}
		p := come(name, profile)
		vips = append(vips, p)
	}
	s.set("2026-10-05 12:00:00")
	silent := map[string]*phone.Person{}
	for _, name := range []string{"S1", "S2", "S3"} {
		silent[name] = come(name, obj{})
	}
	for name, n := range map[string]int{"S1": 1230, "S2": 80} {
		s.do("POST", "/members/"+ids[name]+"/adjustments", obj{"account": "points", "amount": n, "memo": "期初"})
	}
	s.act(silent["S3"], "unfollow", nil)
	s.set("2026-11-20 12:00:00")
	for i, p := range vips {
		s.pays(key, p, fmt.Sprint("V", i), 120_000)
	}
	operator.perks()
	operator.sops()
	newcomers, vip, quiet, lost, birthday := s.named("/sops", "新会员"), s.named("/sops", "重要"), s.named("/sops", "沉默"), s.named("/sops", "流失"), s.named("/sops", "生日礼")

	// Day 0, also in quiet hours.
	s.set("2026-11-28 12:00:00")
	n1 := come("N1", obj{})
	s.advance("0s")
	require.Len(t, s.inbox(n1, "subscribe"), 1)
	require.EqualValues(t, 50, s.balance(n1))
	require.Len(t, s.coupons(n1), 1)
	require.Equal(t, []string{"11-28 12:00 新会员 d0: subscribe", "12-01 10:00 新会员 d3: subscribe", "12-05 10:00 新会员 d7: subscribe"}, s.rehearsal(ids["N1"], "2026-11-28", "2026-12-07"))
	s.set("2026-11-30 22:30:00")
	n2 := come("N2", obj{})
	s.advance("0s")
	require.Len(t, s.inbox(n2, "subscribe"), 1)

	// 12-01 10:00: sent N1, I1–I3, S1, C1; skipped S2, S3 and C2.
	s.login(vips[0])
	points := s.balance(vips[0])
	s.set("2026-12-01 10:00:00")
	for name, want := range map[string]string{
		"N1": "12-01 10:00 新会员 d3: subscribe", "I1": "12-01 10:00 重要 m: mass", "I2": "12-01 10:00 重要 m: mass", "I3": "12-01 10:00 重要 m: mass",
		"S1": "12-01 10:00 沉默 s1: subscribe", "S2": "12-01 10:00 沉默 s1: CONDITION",
		"C1": "12-01 10:00 流失 sms: sms", "C2": "12-01 10:00 流失 sms: NO_CONSENT",
	} {
		require.Equal(t, []string{want}, s.rehearsal(ids[name], "2026-12-01", "2026-12-01"), name)
	}
	r := s.report(quiet)
	require.Equal(t, 3, r.Entered)
	require.Equal(t, counts{Audience: 3, Accepted: 1, Suppressed: 2}, r.Steps[0].Counts)
	require.Equal(t, points+100, s.balance(vips[0]))
	require.Equal(t, 300, s.report(vip).Steps[0].Amount)
	require.Equal(t, 3, s.report(vip).Steps[0].Coupons)

	require.Equal(t, counts{Audience: 2, Accepted: 1, Suppressed: 1}, s.report(lost).Steps[0].Counts)
	sent, skipped := 0, 0
	for _, id := range []string{newcomers, vip, quiet, lost} {
		for _, st := range s.report(id).Steps {
			if st.Key != "d0" {
				sent, skipped = sent+st.Counts.Accepted, skipped+st.Counts.Suppressed
			}
		}
	}
	require.Equal(t, [2]int{6, 3}, [2]int{sent, skipped}, "the four together")
	var texts struct{ Items []phoneSMS }
	s.control("GET", "/sms", nil, &texts)
	require.Len(t, texts.Items, 1)
	require.Equal(t, "13900000000", texts.Items[0].To)
	require.Contains(t, texts.Items[0].Text, "【siyu】满300减100,12月3日24点前有效")
	require.Contains(t, texts.Items[0].Text, "拒收请回复T")

	// 15:00: nobody is messaged twice that day.
	s.set("2026-12-01 15:00:00")
	operator.push()
	require.Equal(t, reasons{"FREQ_CAP": 3}, s.send(s.named("/broadcasts", "再来")).reasons())

	// 12-02: N1 orders, S1 redeems, C1 orders 350 and pays 250.
	s.set("2026-12-02 12:00:00")
	s.login(churned["C1"])
	mine := s.coupons(churned["C1"])
	require.Len(t, mine, 1)
	require.NoError(t, s.Call(t.Context(), "POST", "/open/v1/coupons/verify", s.admin, obj{"code": mine[0].Code, "order_no": "C1"}, nil))
	s.pays(key, churned["C1"], "C1", 25_000)
	s.pays(key, n1, "N1", 9900)
	s.login(silent["S1"])
	require.NoError(t, silent["S1"].API(s.ctx(), "POST", "/mall/"+s.named("/mall", "礼品")+"/redemptions", nil, nil))
	foreseen := s.rehearsal(ids["N1"], "2026-11-28", "2026-12-07")
	foreseen2 := s.rehearsal(ids["N2"], "2026-11-28", "2026-12-10")
	require.Equal(t, []string{"11-28 12:00 新会员 d0: subscribe", "12-01 10:00 新会员 d3: subscribe", "12-05 10:00 新会员 d7: EXITED"}, foreseen)

	s.set("2026-12-04 10:00:00")
	require.Equal(t, []string{"12-04 10:00 沉默 s2: EXITED"}, s.rehearsal(ids["S1"], "2026-12-02", "2026-12-31"))
	s.set("2026-12-07 10:00:00")
	require.Equal(t, foreseen, s.rehearsal(ids["N1"], "2026-11-28", "2026-12-07"), "the rehearsal is what he received")
	require.Equal(t, []string{"11-30 22:30 新会员 d0: subscribe", "12-03 10:00 新会员 d3: subscribe", "12-07 10:00 新会员 d7: subscribe"}, foreseen2)
	require.Equal(t, foreseen2, s.rehearsal(ids["N2"], "2026-11-28", "2026-12-10"))
	require.Len(t, s.inbox(n1, "subscribe"), 2)
	require.Len(t, s.inbox(n2, "subscribe"), 3)

	s.set("2026-12-15 10:00:00")
	require.Equal(t, []string{"12-15 10:00 生日礼 gift: subscribe"}, s.rehearsal(ids["I3"], "2026-12-10", "2026-12-20"))
	require.Equal(t, 1, s.report(birthday).Reached)

	// The board: 沉默 reactivated 1 of 1 reached; one of the two newcomers ordered.
	r = s.report(quiet)
	require.Equal(t, 1, r.Reached)
	require.Equal(t, 1, r.Goal)
	r = s.report(lost)
	require.Equal(t, [2]int{1, 1}, [2]int{r.Reached, r.Goal}, "流失 recalled 1 of 1")
	r = s.report(newcomers)
	require.Equal(t, [2]int{2, 1}, [2]int{r.Reached, r.Goal})
	var list struct {
		Items []struct {
			MemberID string `json:"member_id"`
		}
	}
	s.read("/sops/"+newcomers+"/steps/d7/members?reason=EXITED", &list)
	require.Len(t, list.Items, 1)
	require.Equal(t, ids["N1"], list.Items[0].MemberID)

	// Following again sends nothing late, and the month after the important ones are greeted again.
	s.act(silent["S3"], "follow", nil)
	s.set("2027-01-01 10:00:00")
	require.Len(t, s.inbox(vips[0], "mass"), 2)
	s.login(vips[0])
	require.Equal(t, points+200, s.balance(vips[0]))
	for _, m := range s.inbox(silent["S3"], "") {
		require.NotContains(t, m.Content, "抵现", "%+v", m)
		require.NotContains(t, m.Content, "浪费", "%+v", m)
	}
	require.NotContains(t, s.remarkable(), "level=ERROR")
}

// The four definitions, by P27's numbers and by others: who is in a layer is in its tag at that instant, is counted for it before a rule is
// saved, and nobody else. The layer by tier is that of members whom the ladder, not their orders, makes important.
func TestP27Definitions(t *testing.T) {
	t.Parallel()
	s := open(t, "2025-11-10 12:00:00")
	key := s.openKey()
	tiers := s.tiers(nil, obj{"name": "一星", "threshold": 100}, obj{"name": "二星", "threshold": 200}, obj{"name": "三星", "threshold": 500})
	type numbers struct {
		days, from, to, churned int
		tier                    string
		fen                     int
	}
	layers := func(n numbers) map[string]obj {
		orders := func(measure, op string, value int) obj {
			return obj{"leaf": "orders", "measure": measure, "op": op, "value": value}
		}
		spent := orders("amount", "gte", n.fen)
		spent["window"] = "365d"
		return map[string]obj{
			"新会员": {"all": []obj{{"leaf": "member", "field": "joined_days", "op": "lte", "value": n.days}, orders("count", "eq", 0)}},
			"重要":  {"any": []obj{{"leaf": "tier", "at_least": tiers[n.tier]}, spent}},
			"沉默":  {"all": []obj{joined, {"leaf": "inactive", "op": "gte", "days": n.from}, {"leaf": "inactive", "op": "lte", "days": n.to}}},
			"流失":  orders("days", "gte", n.churned+1),
		}
	}
	all := map[string]numbers{"P27": {7, 31, 90, 180, "二星", 100_000}, "其他": {14, 15, 45, 60, "三星", 50_000}}
	tags := map[string]string{}
	for of, n := range all {
		for layer, condition := range layers(n) {
			name := of + ":" + layer
			tags[name] = s.tag("偏好", name)
			s.autoTag(tags[name], name, condition)
		}
	}
	people, ids := map[string]*phone.Person{}, map[string]string{}
	for i, c := range []struct {
		at, name string
		growth   int // by hand
		fen      int64
	}{
		{at: "2025-11-20 10:00:00", name: "去年的大单", fen: 150_000}, // 376 days ago
		{at: "2026-06-01 09:00:00", name: "二星", growth: 200},
		{at: "2026-06-01 09:10:00", name: "三星", growth: 500},
		{at: "2026-06-03 10:00:00", name: "181 天前", fen: 99_999},
		{at: "2026-06-04 10:00:00", name: "180 天前", fen: 100_000},
		{at: "2026-09-01 09:00:00", name: "91 天没来"},
		{at: "2026-09-02 09:00:00", name: "90 天没来"},
		{at: "2026-10-17 09:00:00", name: "45 天没来"},
		{at: "2026-10-31 09:00:00", name: "31 天没来"},
		{at: "2026-11-01 09:00:00", name: "30 天没来"},
		{at: "2026-11-16 23:59:00", name: "15 天的新人"},
		{at: "2026-11-17 00:00:00", name: "14 天的新人"},
		{at: "2026-11-23 23:59:00", name: "8 天的新人"},
		{at: "2026-11-24 00:00:00", name: "7 天的新人"},
		{at: "2026-11-30 09:00:00", name: "买过的新人", fen: 5_000},
	} {
		s.set(c.at)
		p := s.person(c.name)
		s.act(p, "follow", nil)
		s.advance("0s")
		_, err := p.Login(s.ctx())
		require.NoError(t, err)
		require.NoError(t, p.API(s.ctx(), "POST", "/register", obj{"nickname": c.name}, nil))
		people[c.name], ids[c.name] = p, s.facts(p).ID
		if c.growth > 0 {
			s.do("POST", "/members/"+ids[c.name]+"/adjustments", obj{"account": "growth", "amount": c.growth, "memo": "评定"})
		}
		if c.fen > 0 {
			s.pays(key, p, fmt.Sprint("D", i), c.fen)
		}
	}
	s.set("2026-12-01 10:00:00")
	want := map[string][]string{
		"P27:新会员": {"7 天的新人"},
		"P27:重要":  {"180 天前", "三星", "二星"},
		"P27:沉默":  {"31 天没来", "45 天没来", "90 天没来"},
		"P27:流失":  {"181 天前", "去年的大单"},
		"其他:新会员":  {"14 天的新人", "7 天的新人", "8 天的新人"},
		"其他:重要":   {"180 天前", "181 天前", "三星"},
		"其他:沉默":   {"15 天的新人", "30 天没来", "31 天没来", "45 天没来"},
		"其他:流失":   {"180 天前", "181 天前", "去年的大单"},
	}
	for of, n := range all {
		for layer, condition := range layers(n) {
			name := of + ":" + layer
			var held []string
			for who, id := range ids {
				if slices.Contains(s.factsOf(id).tags(), "偏好:"+name) {
					held = append(held, who)
				}
			}
			slices.Sort(held)
			require.Equal(t, want[name], held, name)
			require.EqualValues(t, len(held), s.do("POST", "/auto-tags/preview", obj{"condition": condition})["members"], name)
		}
	}

	// Each goes at its instant: the newcomer at midnight, the silent one when he comes.
	gone := func(name, who string) {
		t.Helper()
		require.NotContains(t, s.factsOf(ids[who]).tags(), "偏好:"+name, who)
	}
	s.login(people["31 天没来"])
	require.NoError(t, people["31 天没来"].API(s.ctx(), "POST", "/checkins", nil, nil))
	gone("P27:沉默", "31 天没来")
	s.set("2026-12-02 00:00:00")
	gone("P27:新会员", "7 天的新人")
}
