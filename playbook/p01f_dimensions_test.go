package playbook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// dimensions is the practice of P01-F: tags in six dimensions, each proved at the instants at which it turns.
type dimensions struct {
	start        string
	born         string // turns the age on birthday
	age          int
	birthday     string
	product      string
	cycle, ahead int
	bought, low  string // day of the purchase of one, and the day on which it runs low
	two          string // the same of two
	again        string
	quiet        int    // days
	last, asleep string // day of the last activity, and the first of sleep
	wakes        string
	often, in    int    // check-ins in days
	first, gone  string // the first one of as many days in a row, and when the tag goes
}

func TestP01FDimensions(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]dimensions{
		"AsSet": {
			start: "2026-11-23 09:00:00", born: "2006-11-24", age: 20, birthday: "2026-11-24", product: "精华", cycle: 60, ahead: 10,
			bought: "2026-10-05", low: "2026-11-24", two: "2027-01-23", again: "2026-11-26 10:00:00", quiet: 60, last: "2026-12-07", asleep: "2027-02-05",
			wakes: "2027-02-06 10:00:00", often: 15, in: 30, first: "2026-11-23", gone: "2026-12-23",
		},
		"OtherNumbers": {
			start: "2027-01-05 08:00:00", born: "1997-02-01", age: 30, birthday: "2027-02-01", product: "奶粉", cycle: 28, ahead: 3,
			bought: "2026-12-31", low: "2027-01-25", two: "2027-02-22", again: "2027-01-26 00:00:00", quiet: 14, last: "2027-01-08", asleep: "2027-01-22",
			wakes: "2027-02-25 23:59:59", often: 4, in: 7, first: "2027-01-05", gone: "2027-01-12",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("Age", func(t *testing.T) { t.Parallel(); d.ages(t) })
			t.Run("RunningLow", func(t *testing.T) { t.Parallel(); d.runsLow(t) })
			t.Run("AsleepAndOften", func(t *testing.T) { t.Parallel(); d.sleeps(t) })
			t.Run("Orders", func(t *testing.T) { t.Parallel(); d.buys(t) })
		})
	}
}

// member is a follower who registered.
func (s *siyu) member(body obj) (*phone.Person, obj) {
	s.t.Helper()
	m := s.person("")
	s.act(m, "follow", nil)
	_, err := m.Login(s.ctx())
	require.NoError(s.t, err)
	require.NoError(s.t, m.API(s.ctx(), "POST", "/register", body, nil))
	return m, s.ref(m)
}

func (d dimensions) open(t *testing.T) (*siyu, string) {
	s := open(t, d.start)
	return s, s.openKey()
}

func (s *siyu) sold(key string, ref obj, no, at, product string, quantity int, status string) {
	s.t.Helper()
	version := map[string]int{"paid": 1, "refunded": 2}[status]
	s.order(key, obj{
		"platform": "jd", "order_no": no, "version": version, "member": ref, "status": status, "paid_at": at, "amount_fen": 9900,
		"items": []obj{{"product": product, "quantity": quantity, "amount_fen": 9900}},
	})
}

func (d dimensions) ages(t *testing.T) {
	s, _ := d.open(t)
	compare := func(op string, n int) obj { return obj{"leaf": "member", "field": "age", "op": op, "value": n} }
	young, old := s.tag("属性", "年轻"), s.tag("属性", "年长")
	s.autoTag(young, "年轻", compare("lte", d.age-1))
	s.autoTag(old, "年长", compare("gte", d.age))
	m, _ := s.member(obj{"birthday": d.born})
	s.set(at(d.birthday + " 00:00:00").Add(-time.Second).Format(time.DateTime))
	require.Equal(t, []string{"属性:年轻"}, s.facts(m).tags())
	s.set(d.birthday + " 00:00:00")
	require.Equal(t, []string{"属性:年长"}, s.facts(m).tags())
}

func (d dimensions) runsLow(t *testing.T) {
	s, key := d.open(t)
	s.autoTag(s.tag("产品周期", "快耗尽"), "快耗尽", obj{"leaf": "running_low", "product": d.product, "cycle_days": d.cycle, "ahead_days": d.ahead})
	one, ref1 := s.member(obj{})
	two, ref2 := s.member(obj{})
	paid := at(d.bought + " 23:00:00").Format(time.RFC3339)
	s.sold(key, ref1, "L1", paid, "保湿"+d.product, 1, "paid")
	s.sold(key, ref2, "L2", paid, d.product, 2, "paid")
	s.sold(key, ref2, "L3", at(d.start).Format(time.RFC3339), "面膜", 1, "paid")
	s.set(at(d.low + " 00:00:00").Add(-time.Second).Format(time.DateTime))
	require.Empty(t, s.facts(one).tags())
	s.set(d.low + " 00:00:00")
	require.Equal(t, []string{"产品周期:快耗尽"}, s.facts(one).tags())
	s.set(d.again)
	s.sold(key, ref1, "L4", at(d.again).Format(time.RFC3339), d.product, 1, "paid")
	require.Empty(t, s.facts(one).tags(), "bought again: at once")
	s.set(at(d.two + " 00:00:00").Add(-time.Second).Format(time.DateTime))
	require.Empty(t, s.facts(two).tags())
	s.set(d.two + " 00:00:00")
	require.Equal(t, []string{"产品周期:快耗尽"}, s.facts(two).tags())
}

func (d dimensions) sleeps(t *testing.T) {
	s, _ := d.open(t)
	s.autoTag(s.tag("用户周期", "沉睡"), "沉睡", obj{"leaf": "inactive", "op": "gte", "days": d.quiet})
	s.autoTag(s.tag("价值", "常签到"), "常签到", obj{"leaf": "did", "event": "checkin.done", "op": "gte", "count": d.often, "window": fmt.Sprint(d.in, "d")})
	m, _ := s.member(obj{})
	checkin := func(instant string) {
		s.set(instant)
		_, err := m.Login(s.ctx())
		require.NoError(t, err)
		require.NoError(t, m.API(s.ctx(), "POST", "/checkins", obj{}, nil))
	}
	day := at(d.first + " 09:30:00")
	for i := range d.often {
		require.Empty(t, s.facts(m).tags())
		checkin(day.AddDate(0, 0, i).Format(time.DateTime))
	}
	require.Equal(t, d.last, s.now().In(shanghai).Format(time.DateOnly), "of the fixture")
	require.Equal(t, []string{"价值:常签到"}, s.facts(m).tags(), "with the last of them")
	s.set(at(d.gone + " 09:30:00").Add(-time.Second).Format(time.DateTime))
	require.Equal(t, []string{"价值:常签到"}, s.facts(m).tags())
	s.set(d.gone + " 09:30:00")
	require.Empty(t, s.facts(m).tags())
	s.set(at(d.asleep + " 00:00:00").Add(-time.Second).Format(time.DateTime))
	require.Empty(t, s.facts(m).tags())
	s.set(d.asleep + " 00:00:00")
	require.Equal(t, []string{"用户周期:沉睡"}, s.facts(m).tags())
	checkin(d.wakes)
	require.Empty(t, s.facts(m).tags(), "awake at once")
}

func (d dimensions) buys(t *testing.T) {
	s, key := d.open(t)
	orders := func(op string, n int) obj { return obj{"leaf": "orders", "measure": "count", "op": op, "value": n} }
	s.autoTag(s.tag("产品周期", "初次用户"), "初次", orders("eq", 1))
	s.autoTag(s.tag("产品周期", "复购用户"), "复购", orders("gte", 2))
	likes := s.tag("偏好", "喜欢"+d.product)
	s.autoTag(likes, "买过", obj{"leaf": "orders", "measure": "count", "op": "gte", "value": 1, "product": d.product})
	s.autoTag(likes, "聊过", says([]string{d.product}, "没有"+d.product))
	m, ref := s.member(obj{})
	now := at(d.start).Format(time.RFC3339)
	s.sold(key, ref, "B1", now, "面膜", 1, "paid")
	require.Equal(t, []string{"产品周期:初次用户"}, s.facts(m).tags())
	s.sold(key, ref, "B2", now, "新"+d.product, 1, "paid")
	require.ElementsMatch(t, []string{"产品周期:复购用户", "偏好:喜欢" + d.product}, s.facts(m).tags())
	s.sold(key, ref, "B2", now, "新"+d.product, 1, "refunded")
	require.Equal(t, []string{"产品周期:初次用户"}, s.facts(m).tags(), "fully refunded: it does not count")
	s.text(m, "没有"+d.product+"吧")
	require.Equal(t, []string{"产品周期:初次用户"}, s.facts(m).tags())
	s.text(m, "有"+d.product+"吗")
	require.ElementsMatch(t, []string{"产品周期:初次用户", "偏好:喜欢" + d.product}, s.facts(m).tags())
	out := s.do("POST", "/auto-tags/preview", obj{"condition": says([]string{d.product})})
	require.EqualValues(t, 1, out["members"], "one person said so today")
	out = s.do("POST", "/auto-tags/preview", obj{"condition": orders("eq", 1)})
	require.EqualValues(t, 1, out["members"])
}
