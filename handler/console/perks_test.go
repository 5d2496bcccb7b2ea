package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/gift"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
)

// perks is a programme with something of each kind: tiers, a coupon of which the member holds three (the last one is used), an item that he
// redeemed twice, and a gift that was given. It returns what a form needs for each to be accepted.
func perks(w *apptest.World, id int64) map[string]url.Values {
	w.T.Helper()
	ctx := w.T.Context()
	m, err := w.Members.Get(ctx, id)
	require.NoError(w.T, err)
	c, err := w.Coupons.Save(ctx, coupon.Definition{Coupon: model.Coupon{Code: "c", Name: "满减券", Kind: model.CouponCashOff, OffFen: 2000, ValidDays: 30, Enabled: true}})
	require.NoError(w.T, err)
	_, err = w.Tiers.Save(ctx, tier.Input{
		Settings: model.TierSettings{Account: model.AccountGrowth, Basis: coupon.Lifetime, Downgrade: model.TierReview, ReviewDays: 365, NoticeDays: 30},
		Tiers:    []tier.Tier{{Name: "白银"}, {Name: "黄金", Threshold: 1000, Gifts: []tier.Gift{{Account: "points", Amount: 100}, {CouponID: c.ID}}}},
	}, "test")
	require.NoError(w.T, err)
	var held [3]*coupon.Held
	for i := range held {
		held[i], err = w.Coupons.Give(ctx, id, c.ID, "致歉")
		require.NoError(w.T, err)
	}
	_, err = w.Coupons.Verify(ctx, coupon.Use{Code: held[2].Code, Store: "一店"}, w.Now())
	require.NoError(w.T, err)
	i, err := w.Mall.Save(ctx, mall.Item{MallItem: model.MallItem{Code: "tea", Name: "春茶", Kind: model.MallGoods, Account: "points", Price: 10, Enabled: true}})
	require.NoError(w.T, err)
	points(w, id, 100)
	for range 2 {
		_, err = w.Mall.Redeem(ctx, id, i.ID, w.Now())
		require.NoError(w.T, err)
	}
	joined := condition.Is("member", map[string]any{"field": "joined", "value": true})
	n, err := w.Gifts.Preview(ctx, joined)
	require.NoError(w.T, err)
	for _, cron := range []string{"", "0 9 1 * *"} {
		_, err = w.Gifts.Save(ctx, gift.Input{Name: "回馈", Amount: 5, Condition: joined, Cron: cron, Enabled: true, Actor: "test", Confirm: &n})
		require.NoError(w.T, err)
	}
	v, err := w.Forms.Save(ctx, form.View{
		Form: model.Form{Title: "调研", OpensAt: w.Now(), ClosesAt: w.Now().AddDate(0, 0, 1), Enabled: true, Prize: model.PrizePoints, Points: 1},
		Questions: []form.Question{
			{FormQuestion: model.FormQuestion{Kind: model.QuestionRanking, Text: "福利?"}, Options: []model.FormOption{{Text: "旅游"}, {Text: "保险"}}},
			{FormQuestion: model.FormQuestion{Kind: model.QuestionRating, Text: "满意?"}},
			{FormQuestion: model.FormQuestion{Kind: model.QuestionText, Text: "还有?"}},
		},
	})
	require.NoError(w.T, err)
	_, err = w.Forms.Submit(ctx, id, v.ID, []form.Reply{
		{QuestionID: v.Questions[0].ID, Options: []int64{v.Questions[0].Options[1].ID}}, {QuestionID: v.Questions[1].ID, Rating: 4}, {QuestionID: v.Questions[2].ID, Text: "很好"},
	}, w.Now())
	require.NoError(w.T, err)
	w.Settle()
	return map[string]url.Values{
		"POST /console/broadcasts/:id/test":        {"members": {m.No}},
		"POST /console/sops/:id/test":              {"members": {m.No}},
		"POST /console/coupons/:id":                {"name": {"x"}, "off_fen": {"20"}},
		"POST /console/coupons/:id/give":           {"no": {m.No}, "reason": {"x"}},
		"POST /console/coupons/:id/revoke":         {"reason": {"x"}},
		"POST /console/coupons/till":               {"code": {held[1].Code}},
		"POST /console/members/:id/coupons":        {"reason": {"x"}},
		"POST /console/members/:id/tier":           {"reason": {"x"}},
		"POST /console/members/:id/coupons/revoke": {"reason": {"x"}},
		"POST /console/mall/:id":                   {"name": {"x"}, "code": {"x"}, "price": {"1"}},
		"POST /console/forms/:id":                  {"title": {"x"}, "q.0.text": {"x"}, "q.0.option": {"a", "b"}},
		"POST /console/gifts/:id":                  {"name": {"x"}, "amount": {"1"}, "confirm": {fmt.Sprint(n)}},
	}
}

// points gives the member so many.
// following is a member who follows the official account.
func following(w *apptest.World) *model.Member {
	w.T.Helper()
	p, id := w.Member("小林")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Settle()
	m, err := w.Members.Get(w.T.Context(), id)
	require.NoError(w.T, err)
	return m
}

func points(w *apptest.World, id, n int64) {
	w.T.Helper()
	_, err := w.Book.Grant(w.T.Context(), ledger.Manual{MemberID: id, Account: model.AccountPoints, Amount: n, Memo: "x", Actor: "test"})
	require.NoError(w.T, err)
}

// lines are the lines of the audit log with this action, newest first.
func lines(w *apptest.World, action string) (out []model.Audit) {
	w.T.Helper()
	rows, err := w.Operators.Audits(w.T.Context(), operator.AuditQuery{Limit: 50})
	require.NoError(w.T, err)
	for _, r := range rows {
		if r.Action == action {
			out = append(out, r)
		}
	}
	return out
}

// with is the form with another value in a field that it has.
func with(form []string, field, value string) []string {
	form = slices.Clone(form)
	for i := 0; i < len(form); i += 2 {
		if form[i] == field {
			form[i+1] = value
		}
	}
	return form
}

// where is the page that a redirect leads to.
func where(location string) string {
	page, _, _ := strings.Cut(location, "?")
	return page
}

// idOf is the id at the end of a page's path.
func idOf(page string) int64 {
	id, _ := strconv.ParseInt(page[strings.LastIndex(page, "/")+1:], 10, 64)
	return id
}

func TestTiers(t *testing.T) {
	t.Parallel()
	form := func(more ...string) []string {
		return append([]string{
			"account", "growth", "basis", "lifetime", "downgrade", "immediate", "review_days", "365", "notice_days", "30", "tier.0.name", "白银", "tier.0.threshold", "0",
			"tier.1.name", "黄金", "tier.1.threshold", "1,000", "tier.1.gift", "points", "tier.1.amount", "100", "tier.1.gift", "", "tier.1.amount", "",
		}, more...)
	}
	t.Run("WhatIsWrongStandsAtItsField", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		for field, more := range map[string][]string{
			"tier.2.threshold": {"tier.2.name", "钻石", "tier.2.threshold", "many"},
			"tier.3.threshold": {"tier.3.name", "钻石", "tier.3.threshold", "1000"}, // two with the same; the third one is left out
			"tier.2.name":      {"tier.2.name", "一二三四五六七八九十一二三四五六七", "tier.2.threshold", "5"},
			"tier.2.gift":      {"tier.2.name", "钻石", "tier.2.threshold", "5", "tier.2.gift", "growth", "tier.2.amount", "5"}, // one tier would lift into the next
		} {
			body := b.refused("/console/tiers", form(more...)...)
			require.Regexp(t, `name="`+regexp.QuoteMeta(field)+`"[^>]*aria-invalid`, body, field)
			require.Contains(t, body, `value="黄金"`)
		}
		require.Regexp(t, `name="review_days"[^>]*aria-invalid`, b.refused("/console/tiers", with(form(), "review_days", "0")...))
		l, err := w.Tiers.Ladder(t.Context())
		require.NoError(t, err)
		require.Empty(t, l.Tiers)
	})
	t.Run("TheEffectIsSeenBeforeItIsSavedAndOnTheListAfterwards", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		grow(w, alice, 1200)
		body := b.post("/console/tiers", form("do", "preview")...).body
		require.Regexp(t, `<b class="plus">2</b><span>升级`, body)
		require.Regexp(t, `<b>1</b><span>黄金`, body)
		require.Zero(t, w.Count(&model.Tier{}), "a preview saves nothing")
		require.Empty(t, lines(w, "tiers.update"))

		require.Equal(t, "/console/tiers?done=tiers_saved", b.done("/console/tiers", form()...))
		w.Settle()
		list := b.page("/console/tiers")
		require.Contains(t, list, "按成长值的历史累计定级")
		require.Contains(t, list, "低于门槛立即降级")
		require.Regexp(t, `(?s)<b>白银</b></td><td class="num">0</td><td class="num">1000</td><td>—</td><td class="num">1</td>`, list)
		require.Regexp(t, `(?s)<b>黄金</b></td><td class="num">1000</td><td class="num">.*?最高.*?积分 \+100.*?<td class="num">1</td>`, list)
		require.Contains(t, list, "已评定 2 人:升 2,降 0")
		require.Contains(t, b.page(fmt.Sprintf("/console/members/%d", bob)), "距「黄金」还差 成长值 1000")
		require.Contains(t, b.page(fmt.Sprintf("/console/members/%d", alice)), "已是最高等级")

		l, err := w.Tiers.Ladder(t.Context())
		require.NoError(t, err)
		silver, gold := fmt.Sprint(l.Tiers[0].ID), fmt.Sprint(l.Tiers[1].ID)
		edit := b.page("/console/tiers/edit")
		require.Contains(t, edit, `name="tier.1.id" value="`+gold+`"`)
		b.done("/console/tiers", form("tier.0.id", silver, "tier.0.remove", "on", "tier.1.id", gold, "tier.2.name", "钻石", "tier.2.threshold", "5000")...)
		l, err = w.Tiers.Ladder(t.Context())
		require.NoError(t, err)
		require.Len(t, l.Tiers, 2)
		require.Equal(t, gold, fmt.Sprint(l.Tiers[0].ID), "a tier that stays is the same one")
		w.Settle()
		require.Regexp(t, `未达最低等级</td><td class="num">1</td>`, b.page("/console/tiers"))
		log := lines(w, "tiers.update")
		require.Len(t, log, 2)
		require.Contains(t, string(log[0].Before), "白银")
		require.NotContains(t, string(log[0].After), "白银")
	})
	t.Run("ASimulationSaysTheMonth", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		w.Rule("sign", model.EventCheckin, `{"grants":[{"kind":"fixed","account":"growth","amount":10}]}`)
		w.Rule("buy", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"growth","amount":1,"field":"amount_fen"}]}`)
		b.done("/console/tiers", form()...)
		page := b.page("/console/tiers?event=checkin.done&times=30&yuan=&event=order.paid&times=1&yuan=100")
		require.Contains(t, page, "每月得成长值 400")
		require.Regexp(t, `<b>白银</b> 注册即达`, page)
		require.Regexp(t, `<b>黄金</b> 第 3 个月`, page)
		for bad, field := range map[string]string{"times=x": "times", "times=0": "times", "times=99999": "times", "times=1&yuan=1.234": "yuan"} {
			res := b.get("/console/tiers?event=checkin.done&" + bad)
			require.Equal(t, http.StatusBadRequest, res.StatusCode, bad)
			require.Regexp(t, `name="`+field+`"[^>]*aria-invalid`, res.body, bad)
		}
	})
}

// grow gives the member so much growth.
func grow(w *apptest.World, id, n int64) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: model.AccountGrowth, Amount: n, Reason: "test", Key: "grow"})
		return err
	})
}

func TestCoupons(t *testing.T) {
	t.Parallel()
	form := func(more ...string) []string {
		return append([]string{
			"name", "满148减20", "code", "cash", "kind", "cash_off", "threshold_fen", "148", "off_fen", "20", "percent_off", "7", "quantity", "3", "products", "A\r\nB\r\n",
			"stock", "2", "per_member", "1", "valid_days", "30", "usable_from", "2026-11-01T00:00", "enabled", "on", "shape", "tags", "match", "all",
		}, more...)
	}
	claim := []string{
		"claimable", "on", "terms.until", "2026-12-31T00:00", "terms.order.basis", "cumulative", "terms.order.fen", "99.50", "terms.account", "growth",
		"terms.account.basis", "lifetime", "terms.account.at_least", "10", "joined", "on",
	}
	t.Run("WhatIsWrongStandsAtItsField", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		for _, bad := range [][2]string{
			{"off_fen", ""},
			{"off_fen", "0"},
			{"off_fen", "-5"},
			{"off_fen", "1.234"},
			{"threshold_fen", "9999999"},
			{"code", "券"},
			{"name", ""},
			{"stock", "x"},
			{"per_member", "2000"},
			{"valid_days", "-1"},
			{"usable_from", "morgen"},
			{"kind", "gold"},
		} {
			require.Regexp(t, `name="`+bad[0]+`"[^>]*aria-invalid`, b.refused("/console/coupons/new", with(form(), bad[0], bad[1])...), "%v", bad)
		}
		for field, more := range map[string][]string{
			"terms.order.fen":        {"claimable", "on", "terms.order.fen", "viel"},
			"terms.account":          {"claimable", "on", "terms.account", "nichts", "terms.account.basis", "lifetime", "terms.account.at_least", "5"},
			"terms.account.at_least": {"claimable", "on", "terms.account", "growth", "terms.account.basis", "lifetime", "terms.account.at_least", "-5"},
			"terms.tier_id":          {"claimable", "on", "terms.tier_id", "99"},
			"terms.until":            {"claimable", "on", "terms.from", "2026-12-02T00:00", "terms.until", "2026-12-01T00:00"},
		} {
			require.Regexp(t, `name="`+field+`"[^>]*aria-invalid`, b.refused("/console/coupons/new", form(more...)...), field)
		}
		require.Regexp(t, `name="condition"[^>]*aria-invalid`, b.refused("/console/coupons/new", with(form("claimable", "on", "condition", "{"), "shape", "json")...))
		require.Zero(t, w.Count(&model.Coupon{}))
		b.done("/console/coupons/new", form()...)
		require.Regexp(t, `name="code"[^>]*aria-invalid`, b.refused("/console/coupons/new", form()...), "the code is taken")
	})
	t.Run("TheFormReadsBackWhatItWrites", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		page := where(b.done("/console/coupons/new", form(claim...)...))
		id := idOf(page)
		d, err := w.Coupons.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []any{int64(14800), int64(2000), 0, 1, `["A","B"]`}, []any{d.ThresholdFen, d.OffFen, d.PercentOff, d.Quantity, string(d.Products)}, "hidden controls are not read")
		require.Equal(t, &coupon.OrderTerm{Basis: coupon.Cumulative, Fen: 9950}, d.Terms.Order)
		body := b.page(page)
		for _, want := range []string{`value="148"`, `value="99.50"`, `value="2026-12-31T00:00"`, "满 ¥148.00,减 ¥20.00", "成长值历史累计 ≥ 10", "累计消费满 ¥99.50"} {
			require.Contains(t, body, want)
		}
		require.Contains(t, b.page("/console/coupons"), "累计消费满 ¥99.50")
		again := fields(first(regexp.MustCompile(`(?s)<form class="card form"[^>]*>(.*?)</form>`), body))
		require.Equal(t, http.StatusSeeOther, b.do(http.MethodPost, page, again).StatusCode)
		same, err := w.Coupons.Get(t.Context(), id)
		require.NoError(t, err)
		same.UpdatedAt = d.UpdatedAt
		require.Equal(t, d, same, "a form that nobody has touched changes nothing")
		require.Len(t, lines(w, "coupon.save"), 2)
	})
	t.Run("IsGivenUsedReturnedAndTakenBack", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		page := where(b.done("/console/coupons/new", form()...))
		id := idOf(page)
		alice := w.Joined("alice")
		m, err := w.Members.Get(t.Context(), alice)
		require.NoError(t, err)
		require.Regexp(t, `name="no"[^>]*aria-invalid`, b.refused(page+"/give", "no", "nobody", "reason", "致歉"))
		require.Regexp(t, `name="reason"[^>]*aria-invalid`, b.refused(page+"/give", "no", m.No, "reason", " "))
		for range 2 {
			b.done(page+"/give", "no", m.No, "reason", "致歉", "_key", "once")
		}
		require.Contains(t, b.refused(page+"/give", "no", m.No, "reason", "再来"), "每人限领 1 张")
		held, err := w.Coupons.Of(t.Context(), alice, 0, 10)
		require.NoError(t, err)
		require.Len(t, held, 1, "the same filling-in gives once")
		body := b.page(page)
		require.Contains(t, body, "致歉")
		require.NotContains(t, body, held[0].Code, "the code is as good as the coupon")
		require.Contains(t, body, "券面「满 ¥148.00,减 ¥20.00」不能再改")
		require.Contains(t, b.refused(page, with(form(), "stock", "0")...), "库存总数不能少于已发出的 1 张")

		till := "/console/coupons/till"
		require.Regexp(t, `name="code"[^>]*aria-invalid`, b.refused(till, "code", "XXXX", "store", "一店"))
		looked := b.post(till, "code", held[0].Code, "do", "look")
		require.Equal(t, http.StatusOK, looked.StatusCode)
		require.Contains(t, looked.body, "可用")
		require.Empty(t, lines(w, "coupon.use"), "looking uses nothing")
		shown := b.page(b.done(till, "code", " "+held[0].Code[:4]+"-"+held[0].Code[4:], "store", "一店", "order_no", "N1"))
		require.Contains(t, shown, "核销成功")
		require.Contains(t, shown, `value="一店"`, "the next one comes to the same store")
		require.Contains(t, b.refused(till, "code", held[0].Code), "已于")
		require.Contains(t, b.page(page), "<b>1</b><span>已核销")
		b.done(page+"/return", "held", fmt.Sprint(held[0].ID))
		require.Contains(t, b.refused(page+"/return", "held", fmt.Sprint(held[0].ID)), "这张券没有使用")
		path := fmt.Sprintf("/console/members/%d", alice)
		require.Contains(t, b.page(path), "满148减20")
		require.Contains(t, b.refused(path+"/coupons/revoke", "held", fmt.Sprint(held[0].ID), "reason", ""), `role="alert"`)
		b.done(path+"/coupons/revoke", "held", fmt.Sprint(held[0].ID), "reason", "发错")
		require.Contains(t, b.page(path), "已收回")
		require.Contains(t, b.refused(page+"/revoke", "held", fmt.Sprint(held[0].ID), "reason", "发错"), "已经收回")
		require.Equal(t, path+"?done=coupon_given", b.done(path+"/coupons", "coupon", fmt.Sprint(id), "reason", "补发"))
		require.Contains(t, b.refused(path+"/coupons", "coupon", "99", "reason", "补发"), `value="补发"`)

		for action, word := range map[string]string{"coupon.give": "致歉", "coupon.use": "一店", "coupon.return": `"state":"usable"`, "coupon.revoke": "发错"} {
			log := lines(w, action)
			require.NotEmpty(t, log, action)
			last := log[len(log)-1]
			require.Contains(t, string(last.After), word, action)
			require.NotContains(t, string(last.Before)+string(last.After), held[0].Code, action)
			require.Equal(t, fmt.Sprintf("member:%d", alice), last.Object)
		}
	})
	t.Run("NothingIsDoneToOneOfAnotherPage", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		page := where(b.done("/console/coupons/new", form()...))
		other := where(b.done("/console/coupons/new", with(form(), "code", "other")...))
		alice, bob := w.Joined("alice"), w.Joined("bob")
		held, err := w.Coupons.Give(t.Context(), alice, idOf(page), "x")
		require.NoError(t, err)
		in := []string{"held", fmt.Sprint(held.ID), "reason", "x"}
		require.Equal(t, http.StatusNotFound, b.post(fmt.Sprintf("/console/members/%d/coupons/revoke", bob), in...).StatusCode)
		require.Equal(t, http.StatusNotFound, b.post(other+"/revoke", in...).StatusCode)
		require.Equal(t, http.StatusNotFound, b.post(page+"/revoke", "held", "99", "reason", "x").StatusCode)
		now, err := w.Coupons.Held(t.Context(), held.ID)
		require.NoError(t, err)
		require.Equal(t, model.CouponUsable, now.State)
	})
}

func TestMall(t *testing.T) {
	t.Parallel()
	form := func(more ...string) []string {
		return append([]string{
			"name", "春茶一盒", "code", "tea", "kind", "goods", "coupon_id", "", "account", "points", "price", "120", "stock", "1", "per_member", "", "month_day", "", "month_time", "",
			"enabled", "on", "shape", "tags", "match", "all",
		}, more...)
	}
	w, b := signedIn(t)
	for _, bad := range [][2]string{
		{"price", "teuer"}, {"price", "-1"}, {"price", ""}, {"stock", "-1"}, {"month_day", "32"}, {"month_time", "10:00"}, {"account", "growth"}, {"picture", "tea.png"}, {"kind", "gold"},
	} {
		require.Regexp(t, `name="`+bad[0]+`"[^>]*aria-invalid`, b.refused("/console/mall/new", with(form("picture", ""), bad[0], bad[1])...), "%v", bad)
	}
	require.Regexp(t, `name="coupon_id"[^>]*aria-invalid`, b.refused("/console/mall/new", with(form(), "kind", "coupon")...), "which coupon?")
	require.Equal(t, "/console/mall?done=saved", b.done("/console/mall/new", form()...))
	items, err := w.Mall.List(t.Context())
	require.NoError(t, err)
	page := fmt.Sprintf("/console/mall/%d", items[0].ID)
	b.done(page, with(form(), "month_day", "1")...)
	require.Contains(t, b.page("/console/mall"), "每月 1 日")

	alice := w.Joined("alice")
	points(w, alice, 300)
	redeem := func() int64 {
		r, err := w.Mall.Redeem(t.Context(), alice, items[0].ID, w.Now())
		require.NoError(t, err)
		return r.ID
	}
	id := redeem()
	list := "/console/mall/redemptions"
	require.Contains(t, b.page(list), "待交付")
	require.Equal(t, list+"?done=saved", b.done(fmt.Sprintf("%s/%d/cancel", list, id)))
	require.EqualValues(t, 300, w.Points(alice))
	require.Contains(t, b.refused(fmt.Sprintf("%s/%d/fulfil", list, id)), "已完成或已取消")
	id = redeem()
	require.Equal(t, fmt.Sprintf("%s?done=saved&member=%d", list, alice), b.done(fmt.Sprintf("%s/%d/fulfil", list, id), "member", "1"))
	require.Contains(t, b.page(list+"?state=fulfilled"), "已交付")
	require.NotContains(t, b.page(list+"?state=open"), `class="badge`)
	require.Contains(t, b.page(fmt.Sprintf("%s?member=%d", list, alice)), "alice")
	require.Equal(t, http.StatusNotFound, b.get(list+"?member=99").StatusCode)
	require.Contains(t, b.refused(page, with(form(), "stock", "0")...), "库存总数不能少于已兑换的 1 件")
	log := lines(w, "redemption.cancel")
	require.Len(t, log, 1)
	require.JSONEq(t, `{"state":"open"}`, string(log[0].Before))
	require.Contains(t, string(log[0].After), `"state":"cancelled"`)
	w.Verified()
}

func TestGifts(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	alice := w.Joined("alice")
	form := func(more ...string) []string {
		return append([]string{"name", "双11回馈", "amount", "66", "account", "points", "shape", "tags", "match", "all", "joined", "on"}, more...)
	}
	for _, bad := range [][2]string{{"amount", "viel"}, {"name", ""}, {"cron", "* * * * *"}, {"cron", ""}, {"account", "gold"}} {
		body := b.refused("/console/gifts/new", with(form("when", "cron", "cron", "0 9 1 * *"), bad[0], bad[1])...)
		require.Regexp(t, `name="`+bad[0]+`"[^>]*aria-invalid`, body, "%v", bad)
	}
	asked := b.refused("/console/gifts/new", form("when", "once")...)
	require.Contains(t, asked, "现在符合条件的有 1 人,共将发出 66")
	require.Contains(t, asked, `name="confirm" value="1"`)
	require.Contains(t, b.refused("/console/gifts/new", form("when", "once", "confirm", "2")...), "有 1 人", "another number is asked again")
	require.Zero(t, w.Count(&model.Gift{}))
	page := where(b.done("/console/gifts/new", form("when", "once", "confirm", "1")...))
	w.Settle()
	require.EqualValues(t, 66, w.Points(alice))
	body := b.page(page)
	require.Contains(t, body, "每人 积分 +66")
	require.Regexp(t, `(?s)<td class="num">1</td><td class="num">1</td><td class="num">0</td><td class="num">\+66</td>.*?已完成`, body)
	require.NotContains(t, body, `<button class="primary"`, "what was given once is not changed")
	require.Contains(t, b.refused(page, form("cron", "0 9 1 * *", "confirm", "1")...), "不能修改")

	benefit := where(b.done("/console/gifts/new", form("when", "cron", "cron", "0 9 1 * *", "enabled", "on", "confirm", "1")...))
	require.Contains(t, b.page(benefit), `value="0 9 1 * *"`)
	w.Set("2026-12-01 09:00:00")
	require.EqualValues(t, 132, w.Points(alice))
	b.done(benefit, form("cron", "0 9 1 * *", "confirm", "1")...) // switched off
	w.Set("2027-01-01 09:00:00")
	require.EqualValues(t, 132, w.Points(alice))
	log := lines(w, "gift.save")
	require.Len(t, log, 3)
	require.Contains(t, string(log[0].Before), `"Enabled":true`)
	require.Contains(t, string(log[0].After), `"Enabled":false`)
	w.Verified()
}
