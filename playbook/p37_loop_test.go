package playbook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// loop is the practice of P37 "获取——消耗" but for draw and game, which cost what they pay there, with numbers.
type loop struct {
	register, birthday, checkin, first, store, gift, survey int64
	order, last, used                                       int64 // yuan, yuan, points
	points, fen                                             int64 // of the deduction
	coupon, tea                                             int64 // prices
	had                                                     bool  // tea is within reach
	atLeast                                                 int64
	says                                                    string
}

func TestP37Loop(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]loop{
		"TheBrand": {
			register: 50, birthday: 20, checkin: 5, first: 100, store: 10, gift: 66, survey: 30, order: 100, last: 60, used: 100, points: 100, fen: 100,
			coupon: 80, tea: 120, had: true, atLeast: 100, says: "您有 381 积分,可抵 ¥3,或兑换 2 种礼品",
		},
		"AnotherBrand": {
			register: 7, birthday: 3, checkin: 2, first: 40, store: 4, gift: 11, survey: 5, order: 30, last: 20, used: 50, points: 50, fen: 25,
			coupon: 15, tea: 500, atLeast: 60, says: "您有 102 积分,可抵 ¥0.50,或兑换 1 种礼品",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.run(t)
		})
	}
}

func (p loop) run(t *testing.T) {
	s := open(t, "2026-11-23 09:00:00")
	once := []obj{{"period": "lifetime", "times": 1}}
	s.registerRule(p.register)
	s.rule("birthday", "profile.birthday", obj{"grants": []obj{gives("points", p.birthday)}})
	s.rule("checkin", "checkin.done", obj{"grants": []obj{gives("points", p.checkin)}})
	s.rule("first", "order.paid", obj{"grants": []obj{gives("points", p.first)}, "caps": once})
	s.rule("order", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	s.rule("survey", "form.submitted", obj{"grants": []obj{gives("points", p.survey)}, "caps": once})
	s.rule("store", "behavior.store", obj{
		"condition": obj{"leaf": "calendar", "from": "10:00", "to": "22:00"}, "grants": []obj{gives("points", p.store)}, "caps": []obj{{"period": "day", "times": 1}},
	})
	s.do("PUT", "/deduction", obj{"enabled": true, "points": p.points, "fen": p.fen, "max_percent": 100, "hold_minutes": 30})
	fans := s.tag("偏好", "草莓")
	s.autoTag(fans, "草莓", obj{"leaf": "event.text", "contains_any": []string{"草莓"}})
	s.create("/reminders", obj{"kind": "spend", "name": "25日提醒", "cron": "0 10 25 * *", "at_least": p.atLeast, "message": obj{
		"text": "您有 {{balance}} 积分,可抵 ¥{{deduct}},或兑换 {{gifts}} 种礼品", "channels": []string{"customer"},
	}})
	off := s.create("/coupons", obj{"code": "off", "name": "满100减10", "kind": "cash_off", "threshold_fen": 10000, "off_fen": 1000, "valid_days": 30})
	coupon := s.create("/mall", obj{"code": "off", "name": "满100减10券", "kind": "coupon", "coupon_id": off, "price": p.coupon})
	tea := s.create("/mall", obj{"code": "tea", "name": "茶", "kind": "goods", "price": p.tea})
	key, _ := s.do("POST", "/api-keys", obj{"name": "shop", "scopes": []string{"open"}})["token"].(string)

	m := s.come()
	require.NoError(t, m.API(t.Context(), "PUT", "/profile", obj{"birthday": "1998-11-30"}, nil))
	require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
	total := p.register + p.birthday + p.checkin
	require.Equal(t, total, s.balance(m))
	who := obj{"account": "oa", "openid": s.openid(m.ID, "oa")}

	s.set("2026-11-24 11:00:00")
	s.push(key, who, "A1", p.order*100)
	total += p.first + p.order
	require.Equal(t, total, s.balance(m))
	for _, c := range []struct {
		instant string
		points  int64
	}{{"2026-11-24 15:00:00", p.store}, {"2026-11-24 15:01:00", 0}, {"2026-11-24 21:00:00", 0}, {"2026-11-24 23:00:00", 0}} {
		s.set(c.instant)
		require.Equal(t, c.points, points(s.behave(key, m, "store", c.instant, c.instant, nil).Grants), c.instant)
	}
	total += p.store
	s.text(m, "有草莓味吗")
	gift := obj{"name": "活动赠送", "amount": p.gift, "condition": obj{"leaf": "tag", "tag_id": fans}}
	require.EqualValues(t, 1, s.refused("POST", "/gifts", gift).Details["audience"])
	gift["confirm"] = 1
	s.do("POST", "/gifts", gift)
	s.advance("0s")
	survey := s.create("/forms", obj{
		"title": "调研问卷", "opens_at": "2026-11-24T00:00:00+08:00", "closes_at": "2026-12-01T00:00:00+08:00", "questions": []obj{{"kind": "rating", "text": "满意吗?"}},
	})
	require.NoError(t, m.API(s.ctx(), "POST", "/forms/"+survey+"/answers", obj{"answers": []obj{}}, nil))
	total += p.gift + p.survey
	require.Equal(t, total, s.balance(m))

	s.set("2026-11-25 09:59:59")
	require.Empty(t, s.inbox(m, "custom"))
	s.set("2026-11-25 10:00:00")
	require.Equal(t, p.says, s.inbox(m, "custom")[0].Content)

	require.NoError(t, m.API(t.Context(), "POST", "/mall/"+coupon+"/redemptions", nil, nil))
	require.Len(t, s.coupons(m), 1)
	total -= p.coupon
	if err := m.API(t.Context(), "POST", "/mall/"+tea+"/redemptions", nil, nil); p.had {
		require.NoError(t, err)
		total -= p.tea
	} else {
		require.EqualValues(t, p.tea-total, refusal(t, err).Details["short_by"])
	}
	require.Equal(t, total, s.balance(m))

	s.set("2026-11-26 12:00:00")
	var hold struct {
		ID  string
		Fen int64
	}
	require.NoError(t, s.Call(t.Context(), "POST", "/open/v1/holds", key, obj{"member": who, "key": "h1", "order": "A2", "amount_fen": p.last * 100, "points": p.used}, &hold))
	require.Equal(t, p.used/p.points*p.fen, hold.Fen)
	require.NoError(t, s.Call(t.Context(), "POST", "/open/v1/holds/"+hold.ID+"/commit", key, nil, nil))
	s.push(key, who, "A2", p.last*100-hold.Fen)
	total += (p.last*100-hold.Fen)/100 - p.used
	require.Equal(t, total, s.balance(m))
	require.Len(t, s.inbox(m, "custom"), 1)
}

// push tells of a paid order, as the shop would.
func (s *siyu) push(key string, who obj, number string, fen int64) {
	s.t.Helper()
	require.NoError(s.t, s.Call(s.ctx(), "POST", "/open/v1/orders", key, obj{
		"platform": "own_mall", "order_no": number, "status": "paid", "member": who, "paid_at": s.now().Format(time.RFC3339), "amount_fen": fen,
	}, nil))
}
