package console_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

func TestAccountPages(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form := []string{"code", "miles", "name", "里程", "expiry", "date", "on", "2026-12-31", "grace_days", "3", "shortage", "clamp", "manual_limit", "100", "spendable", "on"}
	require.Equal(t, "/console/accounts?done=saved", b.done("/console/accounts/new", form...))
	require.Contains(t, b.refused("/console/accounts/new", form...), "已存在")
	page := b.page("/console/accounts")
	require.Contains(t, page, "里程")
	require.Contains(t, page, "2026-12-31")
	require.Contains(t, b.refused("/console/accounts/miles", "name", "里程", "expiry", "days", "count", "0"), "请填写 1 到 3650")
	require.Contains(t, b.page("/console/accounts/miles"), `value="2026-12-31"`)
	b.done("/console/accounts/miles", "name", "航空里程", "expiry", "sliding_days", "count", "30", "shortage", "debt", "spendable", "on", "manual_limit", "100")
	a, err := w.Book.Account(t.Context(), "miles")
	require.NoError(t, err)
	require.Equal(t, &model.Account{
		Code: "miles", Name: "航空里程", Expiry: model.ExpirySlidingDays, ExpiryCount: 30, Slides: true, Spendable: true, Debt: true, ManualLimit: 100,
	}, a)

	b.done("/console/conversions", "from", "growth", "to", "miles", "units", "10", "amount", "1", "mode", "keep", "enabled", "on")
	require.Contains(t, b.refused("/console/conversions", "from", "growth", "to", "growth", "units", "10", "amount", "1", "mode", "keep"), "同一个账户")
	b.done("/console/deduction", "points", "100", "fen", "100", "max_percent", "30", "hold_minutes", "15", "enabled", "on")
	require.Contains(t, b.refused("/console/deduction", "points", "100", "fen", "100", "max_percent", "101", "hold_minutes", "15"), "请填写 1 到 100")
	s, err := w.Deduction.Settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, 30, s.MaxPercent)
}

func TestGrantPages(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	b.done("/console/accounts/points", "expiry", "never", "shortage", "debt", "spendable", "on", "manual_limit", "100")
	_, member := w.Member("阿青")
	path := fmt.Sprintf("/console/members/%d", member)
	require.Equal(t, "/console/grants?done=requested", b.done(path+"/points", "account", "points", "amount", "101", "memo", "大额补偿"))
	require.Contains(t, b.page("/console/grants"), "大额补偿")
	require.Contains(t, b.page("/console/grants"), "须由他人审批")
	rows, err := w.Book.Requests(t.Context(), false, 0, 10)
	require.NoError(t, err)
	b.refused(fmt.Sprintf("/console/grants/%d", rows[0].ID), "do", "approve")
	g, err := w.Book.Grant(t.Context(), ledger.Manual{MemberID: member, Account: model.AccountPoints, Amount: 500, Memo: "x", Actor: "operator:99"})
	require.NoError(t, err)
	require.Contains(t, b.page("/console/grants"), "批准")
	require.Equal(t, "/console/grants?done=saved", b.done(fmt.Sprintf("/console/grants/%d", g.Request.ID), "do", "approve"))
	require.EqualValues(t, 500, w.Points(member))
	require.Contains(t, b.page("/console/grants?all=1"), "已批准")

	r, err := w.Book.Request(t.Context(), g.Request.ID)
	require.NoError(t, err)
	require.Contains(t, b.page(path), "撤销这笔调整")
	b.done(path+"/undo", "entry", fmt.Sprint(r.EntryID), "memo", "发错人了")
	require.Zero(t, w.Points(member))
	require.Contains(t, b.refused(path+"/undo", "entry", fmt.Sprint(r.EntryID), "memo", "再来"), "已经冲正过")
	require.Contains(t, b.page("/console/liability"), "未用余额")
	require.Contains(t, b.page("/console/audit"), "points.undo")
	w.Verified()
}
