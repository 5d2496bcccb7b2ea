package reward_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// said are the grants that a trial foretells, as rule:account:amount:note.
func said(t *reward.Traced) (out []string) {
	for _, r := range t.Rules {
		for _, l := range r.Lines {
			if l.TagID != 0 {
				out = append(out, fmt.Sprintf("%d:tag", r.RuleID))
			}
			for _, n := range []int64{l.Base, l.Bonus} {
				if n > 0 {
					out = append(out, fmt.Sprintf("%d:%s:%d", r.RuleID, l.Account, n))
				}
			}
		}
	}
	return out
}

func did(grants []event.Grant) (out []string) {
	for _, g := range grants {
		switch {
		case g.Tag != "":
			out = append(out, fmt.Sprintf("%d:tag", g.RuleID))
		case g.Amount > 0:
			out = append(out, fmt.Sprintf("%d:%s:%d", g.RuleID, g.Account, g.Amount))
		}
	}
	return out
}

// drawRule is a random definition.
func drawRule(r *rapid.T, multiplier bool, tagID int64, only string) string {
	d := map[string]any{}
	any2 := func(list ...any) any { return rapid.SampledFrom(list).Draw(r, "one") }
	if multiplier {
		d["grants"] = []any{map[string]any{"kind": "multiply", "account": "points", "factor": json.Number(any2("1.5", "2", "1.15").(string))}}
	} else {
		kinds := []any{
			map[string]any{"kind": "fixed", "account": "points", "amount": 7},
			map[string]any{"kind": "per_unit", "account": "points", "amount": 3, "field": "n"},
			map[string]any{"kind": "per_yuan", "account": "growth", "amount": 2},
			map[string]any{"kind": "tag", "tag_id": fmt.Sprint(tagID)},
			map[string]any{"kind": "bracket", "account": "points", "field": "n", "brackets": []any{map[string]any{"from": 2, "amount": 11}}},
		}
		d["grants"] = rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 3).Draw(r, "grants")
		caps := []any{
			map[string]any{"period": "day", "times": 2}, map[string]any{"period": "week", "account": "points", "amount": 25}, map[string]any{"period": "year", "account": "growth", "amount": 9},
		}
		d["caps"] = rapid.SliceOfN(rapid.SampledFrom(caps), 0, 2).Draw(r, "caps")
		if rapid.Bool().Draw(r, "set") {
			d["cap_sets"] = []string{"set"}
		}
		if rapid.Bool().Draw(r, "budget") {
			d["budget"] = map[string]any{"account": "points", "amount": 60, "period": "month"}
		}
		d["exclusive"] = any2("", "", "one")
	}
	d["priority"] = rapid.IntRange(-2, 2).Draw(r, "priority")
	d["condition"] = map[string]any{"all": []any{
		map[string]any{"leaf": "event.field", "field": "world", "op": "eq", "value": only},
		any2(map[string]any{"leaf": "event.field", "field": "n", "op": "gte", "value": 2}, map[string]any{"leaf": "did", "event": "behavior.act" + only, "op": "lte", "count": 3}, map[string]any{"not": map[string]any{"leaf": "birthday", "scope": "day"}}),
	}}
	return string(model.ToJSON(d))
}

// DESIGN P8: a try says what the live run then does.
func TestTrySaysWhatTheLiveRunThenDoes(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	capSet(w, model.CapSet{Code: "set", Period: "month", Account: "points", Amount: 40})
	n, gave := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		world := fmt.Sprint("w", n)
		alice, tagID := w.Joined(world), w.Tag(tag.Value, world)
		for i := range rapid.IntRange(1, 4).Draw(r, "rules") {
			w.Rule(fmt.Sprint(world, "-", i), "behavior.act"+world, drawRule(r, rapid.IntRange(0, 3).Draw(r, "kind") == 0, tagID, world))
		}
		_, err := w.Rewards.SaveSetting(r.Context(), rapid.SampledFrom([]string{"max", "add", "multiply"}).Draw(r, "combine"), "")
		require.NoError(r, err)
		w.Advance(time.Minute)
		for i := range 4 {
			data := model.ToJSON(map[string]any{"world": world, "n": rapid.IntRange(0, 5).Draw(r, "n"), "amount_fen": rapid.IntRange(0, 900).Draw(r, "fen")})
			at := w.Now().Add(-time.Duration(rapid.IntRange(0, 50).Draw(r, "late")) * time.Second)
			tried, err := w.Rewards.Try(r.Context(), reward.Trial{MemberID: alice, Kind: "behavior.act" + world, Data: data, At: at})
			require.NoError(r, err)
			rec, err := w.Events.Record(r.Context(), "test", event.Behavior{MemberID: alice, Action: "act" + world, Key: fmt.Sprint(world, i), OccurredAt: at, Data: data}, w.LockMember)
			require.NoError(r, err)
			require.ElementsMatch(r, said(tried), did(rec.Grants))
			gave += len(rec.Grants)
		}
	})
	require.Greater(t, gave, n, "the rules drawn give hardly anything")
	w.Verified()
}

func TestTry(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	base := w.Rule("order", model.EventOrderPaid, perYuan(""))
	draft := &reward.Input{Code: "double", Name: "双倍", Enabled: true, Trigger: model.EventOrderPaid}
	require.NoError(t, model.JSON(times("2", `,"condition":{"leaf":"calendar","weekdays":[3]}`)).Into(&draft.Definition))
	trial := reward.Trial{MemberID: alice, Kind: model.EventOrderPaid, Data: orderData("1", 15990), At: w.At("2026-11-25 10:00:00"), Draft: draft}
	got, err := w.Rewards.Try(t.Context(), trial)
	require.NoError(t, err)
	require.Equal(t, []string{fmt.Sprint(base.ID, ":points:159"), fmt.Sprint(base.ID, ":points:160"), fmt.Sprint(base.ID, ":growth:159")}, said(got))
	trial.At = w.At("2026-11-26 00:00:00")
	got, err = w.Rewards.Try(t.Context(), trial)
	require.NoError(t, err)
	require.Len(t, said(got), 2)
	require.Equal(t, reward.NotHolding, got.Rules[1].Not)
	require.Equal(t, "2026-11-26 00:00:00 Thu", got.Rules[1].Condition.Saw)
	require.Zero(t, w.Points(alice), "nothing is written")
	require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventOrderPaid))
	draft.Definition.Grants[0].Factor = "0"
	_, err = w.Rewards.Try(t.Context(), trial)
	require.Equal(t, "grants[0].factor", fieldOf(err))
	_, err = w.Rewards.Try(t.Context(), reward.Trial{MemberID: alice, Kind: "nothing"})
	require.Equal(t, "kind", fieldOf(err))
	_, err = w.Rewards.Try(t.Context(), reward.Trial{MemberID: 999, Kind: visit})
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}

// DESIGN P8: neither a try nor an explanation writes anything, whatever the rules would give.
func TestTryWritesNothing(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	birthday := model.Day("1998-11-23")
	_, err := w.Members.Update(t.Context(), alice, member.Profile{Birthday: &birthday})
	require.NoError(t, err)
	capSet(w, model.CapSet{Code: "set", Period: "day", Times: 9})
	rule := w.Rule("order", model.EventOrderPaid, fmt.Sprintf(`{"grants":[{"kind":"per_yuan","account":"points","amount":1},{"kind":"tag","tag_id":"%d"}],
		"caps":[{"period":"lifetime","times":5}],"cap_sets":["set"],"budget":{"account":"points","amount":200,"period":"month"}}`, w.Tag(tag.Value, "paid")))
	w.Rule("birthday", model.EventOrderPaid, times("2", `,"condition":{"leaf":"birthday","scope":"day"}`))
	c, err := w.Coupons.Save(t.Context(), coupon.Definition{Coupon: model.Coupon{Code: "c", Name: "c", Kind: model.CouponFreeItem, ValidDays: 30, Enabled: true}})
	require.NoError(t, err)
	w.Rule("coupon", model.EventOrderPaid, fmt.Sprintf(`{"grants":[{"kind":"coupon","coupon_id":"%d"}]}`, c.ID))
	try := func() []string {
		w.Settle()
		before := w.Tables()
		got, err := w.Rewards.Try(t.Context(), reward.Trial{MemberID: alice, Kind: model.EventOrderPaid, Data: orderData("2", 4000)})
		require.NoError(t, err)
		require.Equal(t, before, w.Tables())
		return said(got)
	}
	require.Len(t, try(), 3, "base, bonus, tag")
	id, _ := order(w, model.EventOrderPaid, alice, "1", 8000, w.Now())
	require.EqualValues(t, 160, w.Points(alice))
	require.Equal(t, []string{fmt.Sprint(rule.ID, ":points:40")}, try(), "he has the tag, and the budget leaves so much")
	before := w.Tables()
	_, err = w.Rewards.Explain(t.Context(), id, 0)
	require.NoError(t, err)
	require.Equal(t, before, w.Tables())
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	base := w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}],"caps":[{"period":"day","account":"points","amount":250}]}`)
	w.Rule("over", model.EventOrderPaid, `{"condition":{"leaf":"event.field","field":"amount_fen","op":"gte","value":50000},"grants":[{"kind":"fixed","account":"points","amount":50}]}`)
	for _, m := range []struct{ code, factor, more string }{{"low", "1.5", ""}, {"first", "3", `,"priority":1`}, {"second", "3", `,"priority":1`}, {"third", "3", ""}} {
		w.Rule(m.code, model.EventOrderPaid, times(m.factor, m.more))
	}
	w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
	id, _ := order(w, model.EventOrderPaid, alice, "1", 10000, w.Now())
	adjust(w, alice, id, 9000, "r")
	got, err := w.Rewards.Explain(t.Context(), id, 0)
	require.NoError(t, err)
	require.Len(t, got.Rules, 6, "not the rule on check-ins")
	require.True(t, got.Joined)
	by := map[string]reward.TracedRule{}
	for _, r := range got.Rules {
		by[r.Rule] = r
	}
	require.Equal(t, reward.NotHolding, by["over"].Not)
	require.Equal(t, json.Number("10000"), by["over"].Condition.Saw)
	why := map[string]string{}
	for _, f := range by["order"].Lines[0].Factors {
		why[f.Rule] = f.Not
	}
	require.Equal(t, map[string]string{"low": reward.NotHighest, "first": "", "second": reward.NotFirst, "third": reward.NotFirst}, why)
	require.Equal(t, []reward.TracedCap{{Scope: "rule", Period: "2026-11-23", Account: "points", Limit: 250, Used: 250}}, by["order"].Caps)
	var deltas []int64
	for _, e := range got.Lines {
		deltas = append(deltas, e.Delta)
	}
	require.Equal(t, []int64{100, 150, -10, 10}, deltas, "90 × 3 is still more than the room of 250: the base goes down, the bonus up")
	_ = base
	_, err = w.Rewards.Explain(t.Context(), 999, 0)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
	_, err = w.Rewards.Explain(t.Context(), id, 999)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}

// Coupons and tags are told as they were given, not as the rule would give them now.
func TestExplainTellsTheCouponsAndTagsThatWereGiven(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	define := func(code string, stock int64) int64 {
		c, err := w.Coupons.Save(t.Context(), coupon.Definition{Coupon: model.Coupon{Code: code, Name: code, Kind: model.CouponFreeItem, ValidDays: 30, Enabled: true, Stock: &stock}})
		require.NoError(t, err)
		return c.ID
	}
	three, gone, tagID := define("three", 3), define("gone", 1), w.Tag(tag.Value, "paid")
	rule := w.Rule("things", model.EventOrderPaid, fmt.Sprintf(`{"grants":[{"kind":"tag","tag_id":"%d"},{"kind":"coupon","coupon_id":"%d","count":2},{"kind":"coupon","coupon_id":"%d"}]}`, tagID, three, gone))
	alice, bob := w.Joined("alice"), w.Joined("bob")
	first, _ := order(w, model.EventOrderPaid, alice, "1", 100, w.Now())
	second, _ := order(w, model.EventOrderPaid, alice, "2", 100, w.Now())
	_, err := w.Coupons.Give(t.Context(), bob, three, "by hand")
	require.Equal(t, errs.OutOfStock, errs.CodeOf(err))
	explained := func(id int64) (out []string) {
		got, err := w.Rewards.Explain(t.Context(), id, rule.ID)
		require.NoError(t, err)
		require.Len(t, got.Rules, 1)
		for _, l := range got.Rules[0].Lines {
			out = append(out, fmt.Sprint(l.Name, " ", l.Count))
		}
		return out
	}
	require.Equal(t, []string{"three 2", "gone 1", "价值:paid 0"}, explained(first))
	require.Equal(t, []string{"gone 0", "three 1"}, explained(second), "of two the last one, of the other none, and the tag was there")
	_, err = w.Members.Merge(t.Context(), bob, alice, "test")
	require.NoError(t, err)
	require.Equal(t, []string{"three 2", "gone 1", "价值:paid 0"}, explained(first))
}
