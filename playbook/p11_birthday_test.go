package playbook_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// celebration is the practice of P11 in its birthday: what is paid on the day counts twice, once in a year.
type celebration struct {
	born   string
	feb29  string
	factor string
	first  string // the celebrated days [first, end)
	end    string
	scope  string
	order  int64 // fen
	plain  int64 // what it gives
	more   int64 // on the birthday
	other  string
	again  string // the other birthday in the same year
	next   string // and in the next; empty = not tried
}

func TestP11Birthday(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]celebration{
		"Mistine": {
			born: "1998-11-30", scope: "day", factor: "2", first: "2026-11-30 00:00:00", end: "2026-12-01 00:00:00", order: 159_90, plain: 159, more: 319,
			other: "1998-12-02", again: "2026-12-02 12:00:00", next: "2027-12-02 00:00:00",
		},
		"AMonthForALeapDay": {
			born: "2000-02-29", scope: "month", feb29: "mar1", factor: "1.5", first: "2027-03-01 00:00:00", end: "2027-04-01 00:00:00", order: 10_99, plain: 10, more: 16,
			other: "2000-04-02", again: "2027-04-02 12:00:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p celebration) play(t *testing.T) {
	first, end := at(p.first), at(p.end)
	s := open(t, first.Add(-time.Hour).Format(time.DateTime))
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	leaf := obj{"leaf": "birthday", "scope": p.scope}
	if p.feb29 != "" {
		leaf["feb29"] = p.feb29
	}
	s.rule("birthday", "order.paid", obj{"condition": leaf, "grants": []obj{{"kind": "multiply", "account": "points", "factor": json.Number(p.factor)}}})
	pack := s.create("/coupons", obj{"code": "pack", "name": "生日礼包", "kind": "cash_off", "off_fen": 1000, "valid_days": 30})
	s.rule("pack", "checkin.done", obj{"condition": leaf, "grants": []obj{{"kind": "coupon", "coupon_id": pack}}, "caps": []obj{{"period": "year", "times": 1}}})
	key, m := s.openKey(), s.come()
	require.NoError(t, m.API(t.Context(), "PUT", "/profile", obj{"birthday": p.born}, nil))
	who := s.who(m)
	paid := func(no string, when time.Time, want int64) {
		t.Helper()
		got := s.order(key, obj{"platform": "own_mall", "order_no": no, "status": "paid", "member": who, "amount_fen": p.order, "paid_at": when.Format(time.RFC3339)})
		require.Equal(t, want, points(got.Grants))
	}
	checkin := func(coupons int) {
		t.Helper()
		s.login(m)
		require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
		require.Len(t, s.coupons(m), coupons)
	}

	s.set(first.Add(-time.Second).Format(time.DateTime)) // 1
	paid("1", first.Add(-time.Second), p.plain)
	checkin(0)
	s.set(p.first) // 2
	paid("2", first, p.more)
	checkin(1)
	s.set(end.Add(2 * time.Hour).Format(time.DateTime))
	paid("3", end.Add(-time.Second), p.more) // 3: told after the day, paid on it
	paid("4", end, p.plain)                  // 4
	checkin(1)

	// 5: another birthday, once, and not celebrated in the same year.
	require.NoError(t, m.API(t.Context(), "PUT", "/profile", obj{"birthday": p.other}, nil))
	refused := refusal(t, m.API(t.Context(), "PUT", "/profile", obj{"birthday": p.born}, nil))
	require.Equal(t, "LIMIT_REACHED", refused.Code)
	require.Equal(t, "birthday", refused.Details["field"])
	s.set(p.again)
	paid("5", at(p.again), p.plain)
	checkin(1)
	if p.next == "" {
		return
	}
	s.set(p.next)
	paid("6", at(p.next), p.more)
	checkin(2)
}
