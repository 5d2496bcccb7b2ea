package console_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// A first run: an operator of an empty programme chooses a template, and a member who joins, checks in, answers and buys has points.
func TestStart(t *testing.T) {
	t.Parallel()
	for i, s := range app.Starters {
		t.Run(s.Code, func(t *testing.T) {
			t.Parallel()
			w, b := signedIn(t)
			lang := templates.Languages()[i%2]
			b.done("/console/lang", "lang", lang)
			require.Contains(t, b.page("/console"), `href="/console/start"`)
			require.Contains(t, b.page("/console/rules"), `href="/console/start"`)
			page := b.page("/console/start")
			require.NotContains(t, page, "starter.", "a key without a sentence")
			require.Contains(t, page, `value="`+s.Code+`"`)
			b.done("/console/start", "starter", s.Code)
			page = b.page("/console/start")
			require.Contains(t, page, `href="/console/sops"`)
			require.NotContains(t, page, "<form method=\"post\" action=\"/console/start\"")
			require.NotContains(t, b.page("/console"), `href="/console/start"`)

			p, id := w.Member("小林")
			points := s.Register
			require.Equal(t, points, w.Points(id))
			require.Equal(t, int64(1), w.Count(&model.MemberCoupon{}, "member_id = ?", id))
			require.NoError(t, p.API(t.Context(), "POST", "/checkins", nil, nil))
			points += s.Checkin
			require.Equal(t, points, w.Points(id))
			var quizzes struct{ Items []struct{ ID string } }
			require.NoError(t, p.API(t.Context(), "GET", "/quizzes", nil, &quizzes))
			require.NoError(t, p.API(t.Context(), "POST", "/quizzes/"+quizzes.Items[0].ID+"/answers", map[string]any{"answer": "A"}, nil))
			points += s.Correct
			require.Equal(t, points, w.Points(id))
			m, err := w.Members.Get(t.Context(), id)
			require.NoError(t, err)
			buy := func(no, day string) {
				require.NoError(t, w.Call(t.Context(), "POST", "/open/v1/orders", w.Admin, map[string]any{
					"platform": "douyin", "order_no": no, "status": "paid", "amount_fen": 9900, "paid_at": day + "T09:00:00+08:00", "member": map[string]any{"no": m.No},
				}, nil))
			}
			buy("a", "2026-11-23") // a Monday
			points += 99 * s.PerYuan
			require.Equal(t, points, w.Points(id))
			if s.MemberDay != 0 {
				day := fmt.Sprintf("2026-11-%d", 22+s.MemberDay)
				w.Set(day + " 11:00:00")
				buy("b", day)
				points += 2 * 99 * s.PerYuan
				require.Equal(t, points, w.Points(id))
			}
			l, err := w.Tiers.Ladder(t.Context())
			require.NoError(t, err)
			require.Len(t, l.Tiers, len(s.Growth))
			require.Equal(t, int64(len(s.SOPs)), w.Count(&model.SOP{}, "state = ?", model.SOPDraft))
			w.Act(p, "follow", map[string]any{"account": "oa", "scene": "store"})
			w.Act(p, "text", map[string]any{"account": "oa", "content": templates.T(lang, "starter."+s.Code+".words1", nil)})
			w.Settle()
			require.Subset(t, w.Held(id), []string{templates.T(lang, "starter."+s.Code+".tag1", nil), templates.T(lang, "starter.channel", nil)})
			require.Len(t, lines(w, "starter.begin"), 1)
			require.Len(t, lines(w, "sop.save"), len(s.SOPs))
			require.Equal(t, "operator:1", lines(w, "tiers.update")[0].Actor)
			rules, err := w.Rewards.List(t.Context(), lang)
			require.NoError(t, err)
			require.Len(t, lines(w, "rule.save"), len(rules))
			b.page(fmt.Sprint("/console/rules/", rules[0].ID))
			w.Verified()
		})
	}
	t.Run("ARuleOfTheSameNameIsNotTouched", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		_, err := w.Rewards.Save(t.Context(), reward.Input{Code: "mine", Name: "每日签到", Trigger: model.EventCheckin, Definition: reward.Definition{
			Grants: []reward.Spec{{Kind: reward.Fixed, Account: model.AccountPoints, Amount: 9}},
		}}, templates.Chinese)
		require.NoError(t, err)
		before := w.Tables()
		require.Contains(t, b.refused("/console/start", "starter", "tea"), "已经有规则「每日签到」")
		require.Equal(t, http.StatusBadRequest, b.post("/console/start", "starter", "bank").StatusCode)
		require.Equal(t, before, w.Tables())
	})
	t.Run("OnlyOneOfThemAndOnlyOnce", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		var wg sync.WaitGroup
		errors := make([]error, 4)
		for i := range errors {
			wg.Go(func() { errors[i] = w.Begin(t.Context(), "tea", templates.English, "operator:1") })
		}
		wg.Wait()
		require.Equal(t, make([]error, 4), errors)
		require.Equal(t, int64(3), w.Count(&model.SOP{}))
		require.Equal(t, int64(1), w.Count(&model.Quiz{}))
		require.Equal(t, int64(3), int64(len(lines(w, "sop.save"))))
		require.Contains(t, b.refused("/console/start", "starter", "snack"), "已经用了模板「茶饮连锁」")
		before := w.Tables()
		delete(before, "idempotency_keys")
		b.done("/console/start", "starter", "tea")
		after := w.Tables()
		delete(after, "idempotency_keys")
		before["revisions"], after["revisions"] = nil, nil // the turn that was taken
		require.Equal(t, before, after)
	})
	t.Run("WhatBreaksOffGoesOnWhereItWas", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		hidden := func(from, to string) {
			w.Tx(func(_ context.Context, tx *gorm.DB) error {
				return tx.Model(&model.TagGroup{}).Where("code = ?", from).Update("code", to).Error
			})
		}
		hidden("preference", "gone")
		require.Error(t, w.Begin(t.Context(), "beauty", templates.Chinese, "operator:1"))
		require.Contains(t, b.page("/console/start"), "继续完成")
		require.Zero(t, w.Count(&model.SOP{}))
		hidden("gone", "preference")
		b.done("/console/start", "starter", "beauty")
		require.Equal(t, int64(3), w.Count(&model.SOP{}))
		require.Equal(t, int64(1), w.Count(&model.Quiz{}))
		require.Len(t, lines(w, "starter.begin"), 1)
		require.NotContains(t, b.page("/console/start"), "继续完成")
	})
}
