package reward_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func capSet(w *apptest.World, s model.CapSet) *model.CapSet {
	w.T.Helper()
	s.Name = s.Code
	out, err := w.Rewards.SaveCapSet(w.T.Context(), s)
	require.NoError(w.T, err)
	return out
}

// atOnce does something twenty times at once for each member.
func atOnce(w *apptest.World, do func(id int64, key string) error, members ...int64) {
	var wg sync.WaitGroup
	for i := range 20 {
		for _, id := range members {
			wg.Go(func() {
				if err := do(id, fmt.Sprint(id, "/", i)); err != nil {
					w.T.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

func TestCapSets(t *testing.T) {
	t.Parallel()

	for name, set := range map[string]model.CapSet{
		"ByTimes": {Code: "daily", Period: "day", Times: 3}, "ByAmount": {Code: "daily", Period: "year", Account: "points", Amount: 15},
	} {
		t.Run("TwentyAtOnceShareOneCap/"+name, func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			capSet(w, set)
			more := `,"cap_sets":["daily"]}`
			w.Rule("a", "behavior.a", `{"grants":[{"kind":"fixed","account":"points","amount":5}]`+more)
			r := w.Rule("b", "behavior.b", `{"grants":[{"kind":"fixed","account":"points","amount":5}]`+more)
			require.Contains(t, r.Sentence, "与其他规则合计(daily)")
			alice, bob := w.Joined("alice"), w.Joined("bob")
			atOnce(w, func(id int64, key string) error {
				if err := w.Behave(id, "a", "a"+key, apptest.Start); err != nil {
					return err
				}
				return w.Behave(id, "b", "b"+key, apptest.Start)
			}, alice, bob)
			require.EqualValues(t, 15, w.Points(alice))
			require.EqualValues(t, 15, w.Points(bob), "each has his own")
			w.Verified()
			w.Tx(func(ctx context.Context, tx *gorm.DB) error {
				if err := member.LockTx(tx, min(alice, bob), max(alice, bob)); err != nil {
					return err
				}
				_, err := w.Members.MergeTx(ctx, tx, alice, bob, "test")
				return err
			})
			w.Verified()
			w.Tx(func(_ context.Context, tx *gorm.DB) error {
				return tx.Exec("UPDATE rule_uses SET used = used - 1 WHERE set_id > 0").Error
			})
			require.Contains(t, mismatches(w), "rule_uses")
		})
	}

	t.Run("ChangedAndDeletedWhileMembersEarnNoneIsLostOrExceeded", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ctx := context.WithoutCancel(t.Context())
		shared := capSet(w, model.CapSet{Code: "shared", Period: "year", Account: "points", Amount: 15})
		w.Rule("a", "behavior.a", `{"grants":[{"kind":"fixed","account":"points","amount":5}],"cap_sets":["shared"]}`)
		var sets []model.CapSet
		for i := range 8 {
			sets = append(sets, *capSet(w, model.CapSet{Code: fmt.Sprint("set", i), Period: "year", Account: "growth", Amount: 1}))
		}
		alice, bob := w.Joined("alice"), w.Joined("bob")
		behave := func(id int64, key string) {
			if err := w.Behave(id, "a", key, apptest.Start); err != nil {
				t.Errorf("Behave: %v", err)
			}
		}
		deleted, named := make([]bool, len(sets)), make([]bool, len(sets))
		var wg sync.WaitGroup
		for i, set := range sets {
			wg.Go(func() {
				behave(alice, fmt.Sprint("alice", i))
				behave(bob, fmt.Sprint("bob", i))
			})
			wg.Go(func() {
				in := *shared
				in.Amount = int64(5 + 5*(i%3))
				if _, err := w.Rewards.SaveCapSet(ctx, in); err != nil {
					t.Errorf("SaveCapSet: %v", err)
				}
				if err := w.Rewards.DeleteCapSet(ctx, shared.ID); errs.CodeOf(err) != errs.Conflict {
					t.Errorf("DeleteCapSet of one that a rule names: %v", err)
				}
			})
			for range 3 {
				wg.Go(func() {
					in := set
					in.Amount = 5
					if _, err := w.Rewards.SaveCapSet(ctx, in); err != nil && errs.CodeOf(err) != errs.NotFound {
						t.Errorf("SaveCapSet: %v", err)
					}
				})
			}
			wg.Go(func() {
				err := w.Rewards.DeleteCapSet(ctx, set.ID)
				if deleted[i] = err == nil; err != nil && errs.CodeOf(err) != errs.Conflict {
					t.Errorf("DeleteCapSet: %v", err)
				}
			})
			wg.Go(func() {
				in := reward.Input{Code: set.Code, Name: set.Code, Enabled: true, Trigger: "behavior.a", Definition: reward.Definition{
					Grants: []reward.Spec{{Kind: reward.Fixed, Account: "growth", Amount: 5}}, CapSets: []string{set.Code},
				}}
				_, err := w.Rewards.Save(ctx, in, templates.Chinese)
				if named[i] = err == nil; err != nil && errs.CodeOf(err) != errs.Invalid {
					t.Errorf("Save: %v", err)
				}
			})
		}
		wg.Wait()
		last := *shared
		last.Amount = 15
		_, err := w.Rewards.SaveCapSet(ctx, last)
		require.NoError(t, err)
		for i := range 4 {
			behave(alice, fmt.Sprint("alice", i, "after"))
			behave(bob, fmt.Sprint("bob", i, "after"))
		}
		grown := int64(0)
		for i, set := range sets {
			require.NotEqual(t, deleted[i], named[i], "it goes, or a rule has it")
			require.Equal(t, !deleted[i], w.Count(&model.CapSet{}, "id = ?", set.ID) == 1, "what was deleted does not come back")
			now, err := w.Rewards.CapSet(ctx, set.ID)
			if deleted[i] {
				require.Equal(t, errs.NotFound, errs.CodeOf(err))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, []string{set.Code}, now.Rules)
			grown += now.Amount
		}
		for _, id := range []int64{alice, bob} {
			require.EqualValues(t, 15, w.Points(id))
			var got int64
			require.NoError(t, w.DB.Reader(ctx).Model(&model.Entry{}).Where("member_id = ? AND account = ?", id, "growth").Select("COALESCE(SUM(delta), 0)").Scan(&got).Error)
			require.Equal(t, grown, got)
		}
		w.Verified()
	})

	t.Run("RulesOfOneEventShareItToo", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		capSet(w, model.CapSet{Code: "amount", Period: "day", Account: "points", Amount: 7})
		capSet(w, model.CapSet{Code: "times", Period: "day", Times: 1})
		for _, code := range []string{"a", "b"} {
			w.Rule(code, visit, `{"grants":[{"kind":"fixed","account":"points","amount":5}],"cap_sets":["amount"]}`)
			w.Rule("g"+code, visit, `{"grants":[{"kind":"fixed","account":"growth","amount":5}],"cap_sets":["times"]}`)
		}
		alice := w.Joined("alice")
		require.Equal(t, []int64{5, 5, 2, 0}, amounts(record(w, alice, "1", w.Now(), "{}").Grants))
		w.Verified()
	})

	t.Run("WhatASetCountsStays", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		set := capSet(w, model.CapSet{Code: "daily", Period: "day", Times: 3})
		_, err := w.Rewards.SaveCapSet(t.Context(), model.CapSet{Code: "daily", Name: "x", Period: "day", Times: 1})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		set.Times = 1
		_, err = w.Rewards.SaveCapSet(t.Context(), *set)
		require.NoError(t, err)
		set.Period = "week"
		_, err = w.Rewards.SaveCapSet(t.Context(), *set)
		require.Equal(t, "period", fieldOf(err))
		_, err = w.Rewards.SaveCapSet(t.Context(), model.CapSet{ID: 99, Name: "x", Period: "day", Times: 1})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		var d reward.Definition
		require.NoError(t, model.JSON(`{"grants":[{"kind":"fixed","account":"points","amount":5}],"cap_sets":["none"]}`).Into(&d))
		_, err = w.Rewards.Save(t.Context(), reward.Input{Code: "r", Name: "r", Trigger: visit, Definition: d}, templates.Chinese)
		require.Equal(t, "cap_sets[0]", fieldOf(err))
	})
}

func mismatches(w *apptest.World) (tables []string) {
	_, err := w.Verify(w.T.Context(), func(m ledger.Mismatch) { tables = append(tables, m.Table) })
	require.NoError(w.T, err)
	return tables
}

func TestBudgets(t *testing.T) {
	t.Parallel()

	t.Run("AllMembersAtOnceNeverExceedIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("visit", visit, `{"grants":[{"kind":"fixed","account":"points","amount":7},{"kind":"fixed","account":"growth","amount":1}],"budget":{"account":"points","amount":100,"period":"month"}}`)
		members := []int64{w.Joined("a"), w.Joined("b"), w.Joined("c")}
		atOnce(w, func(id int64, key string) error { return w.Behave(id, "visit", key, apptest.Start) }, members...)
		var points, growths int64
		for _, id := range members {
			points, growths = points+w.Points(id), growths+growth(w, id)
		}
		require.EqualValues(t, 100, points)
		require.EqualValues(t, 60, growths, "the other account goes on")
		require.EqualValues(t, 1, w.Count(&model.Risk{}, "kind = ?", model.RiskBudget), "one alert at 80 %")
		w.Verified()

		grants := record(w, members[0], "more", w.Now(), "{}").Grants
		require.Zero(t, grants[0].Amount)
		require.Equal(t, "BUDGET", grants[0].Note)
		rules, err := w.Rewards.List(t.Context(), templates.English)
		require.NoError(t, err)
		require.EqualValues(t, 100, rules[0].Spent.Used)
		require.True(t, rules[0].Spent.Alert())
		require.Contains(t, rules[0].Sentence, "a budget of 100 points a month")

		w.Set("2026-12-01 00:00:00")
		require.EqualValues(t, 7, record(w, members[0], "december", w.Now(), "{}").Grants[0].Amount)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("UPDATE rule_budgets SET used = 99 WHERE used = 100").Error
		})
		require.Contains(t, mismatches(w), "rule_budgets")
	})

	t.Run("TheAlertComesAtEightyPerCentOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}],"budget":{"account":"points","amount":201,"period":"month"}}`)
		for i, c := range []struct {
			yuan, alerts int64
			flag         bool
		}{{160, 0, false}, {1, 1, true}, {30, 1, true}, {50, 1, true}} { // 80 % of 201 are 160.8
			order(w, model.EventOrderPaid, alice, fmt.Sprint(i), c.yuan*100, w.Now())
			require.Equal(t, c.alerts, w.Count(&model.Risk{}, "kind = ?", model.RiskBudget), i)
			rules, err := w.Rewards.List(t.Context(), templates.English)
			require.NoError(t, err)
			require.Equal(t, c.flag, rules[0].Spent.Alert(), i)
		}
		require.EqualValues(t, 201, w.Points(alice), "and at 100 % it stops")
	})

	t.Run("ARefundDoesNotReopenIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}],"budget":{"account":"points","amount":100,"period":"lifetime"}}`)
		id, _ := order(w, model.EventOrderPaid, alice, "1", 8000, w.Now())
		adjust(w, alice, id, 0, "a")
		_, grants := order(w, model.EventOrderPaid, alice, "2", 8000, w.Now())
		require.Equal(t, []int64{20}, amounts(grants))
		w.Verified()
	})
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	w.Rule("low", visit, `{"grants":[{"kind":"fixed","account":"points","amount":1}],"exclusive":"visits"}`)
	w.Rule("high", visit, `{"condition":{"leaf":"event.field","field":"vip","op":"eq","value":true},"grants":[{"kind":"fixed","account":"points","amount":10}],"exclusive":"visits","priority":5}`)
	w.Rule("other", visit, apptest.Earns(100, ""))
	require.Equal(t, []int64{10, 100}, amounts(record(w, alice, "1", w.Now(), `{"vip":true}`).Grants))
	require.Equal(t, []int64{1, 100}, amounts(record(w, alice, "2", w.Now(), `{}`).Grants), "the first does not match")
}

func TestBrackets(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	r := w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"bracket","account":"points","brackets":[{"from":10000,"amount":10},{"from":39850,"amount":50}]}]}`)
	require.Contains(t, r.Sentence, "满 398.5 元得 积分 +50")
	w.Rule("double", model.EventOrderPaid, times("2", ""))
	for i, c := range []struct{ fen, points int64 }{{9999, 0}, {10000, 20}, {39849, 20}, {39850, 100}} {
		before := w.Points(alice)
		id, _ := order(w, model.EventOrderPaid, alice, fmt.Sprint(i), c.fen, w.Now())
		require.Equal(t, c.points, w.Points(alice)-before, c.fen)
		adjust(w, alice, id, 10000, fmt.Sprint("a", i))
		require.EqualValues(t, 20, w.Points(alice)-before, "a correction works both ways")
	}
	w.Verified()
}

func TestRewardingWhatWeChatPunishesIsRefused(t *testing.T) { // PLAYBOOKS issue 4 item 2
	t.Parallel()
	w := apptest.New(t)
	for trigger, why := range map[string]string{
		"behavior.share": "reward.forbidden_sharing", "behavior.article.forward": "reward.forbidden_sharing", "behavior.share_to_moments": "reward.forbidden_sharing",
		"behavior.msg.accept": "reward.forbidden_accepting", "behavior.subscribe-message": "reward.forbidden_accepting",
	} {
		var d reward.Definition
		require.NoError(t, model.JSON(apptest.Earns(5, "")).Into(&d))
		_, err := w.Rewards.Save(t.Context(), reward.Input{Code: "r", Name: "r", Trigger: trigger, Definition: d}, templates.Chinese)
		require.Equal(t, "trigger", fieldOf(err), trigger)
		require.Contains(t, err.Error(), why, trigger)
		require.NoError(t, d.Condition.UnmarshalJSON([]byte(`{"leaf":"did","event":"`+trigger+`","op":"gte","count":1}`)))
		_, err = w.Rewards.Save(t.Context(), reward.Input{Code: "r", Name: "r", Trigger: visit, Definition: d}, templates.Chinese)
		require.Equal(t, "condition", fieldOf(err), trigger)
	}
	w.Rule("fine", "behavior.shareholder.visit", apptest.Earns(5, ""))
}

func TestBirthday(t *testing.T) {
	t.Parallel()

	born := func(w *apptest.World, name string, day model.Day) int64 {
		id := w.Joined(name)
		_, err := w.Members.Update(w.T.Context(), id, member.Profile{Birthday: &day})
		require.NoError(w.T, err)
		return id
	}
	leaf := func(args string) string { return `,"condition":{"leaf":"birthday",` + args + `}` }

	t.Run("TheDayItselfDoublesAndAChangedBirthdayIsNotCelebratedAgain", func(t *testing.T) { // PLAYBOOKS P11
		t.Parallel()
		w := apptest.New(t)
		alice := born(w, "alice", "1998-11-30")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}]}`)
		w.Rule("birthday", model.EventOrderPaid, times("2", leaf(`"scope":"day"`)))
		w.Set("2026-12-01 02:00:00")
		pay := func(at string) int64 {
			before := w.Points(alice)
			order(w, model.EventOrderPaid, alice, at, 15990, w.At(at))
			return w.Points(alice) - before
		}
		require.EqualValues(t, 159, pay("2026-11-29 23:59:59"))
		require.EqualValues(t, 319, pay("2026-11-30 00:00:00"))
		require.EqualValues(t, 319, pay("2026-11-30 23:59:59"), "again on the same day")
		require.EqualValues(t, 159, pay("2026-12-01 00:00:00"))
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("UPDATE members SET birthday = '1998-12-02' WHERE id = ?", alice).Error
		})
		w.Set("2026-12-02 10:00:00")
		require.EqualValues(t, 159, pay("2026-12-02 09:00:00"))
		w.Set("2027-12-02 10:00:00")
		require.EqualValues(t, 319, pay("2027-12-02 09:00:00"), "next year")
		bob := born(w, "bob", "1998-12-05")
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("UPDATE members SET birthday = '1998-12-02' WHERE id = ?", bob).Error
		})
		order(w, model.EventOrderPaid, bob, "bob", 10000, w.Now())
		require.EqualValues(t, 200, w.Points(bob), "he used none before")
	})

	t.Run("LeapDaysWeeksAndMonthsAndBothReadingsAgree", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		leap, newYear, june := born(w, "leap", "1996-02-29"), born(w, "new-year", "1990-01-02"), born(w, "june", "1990-06-15")
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // he celebrated another day in 2027
			return tx.Create(&model.BirthdayUse{MemberID: june, Year: 2027, Day: "03-03"}).Error
		})
		for _, c := range []struct {
			args, at string
			who      []int64
		}{
			{`"scope":"day"`, "2027-02-28 00:00:00", []int64{leap}},
			{`"scope":"day"`, "2027-03-01 00:00:00", nil},
			{`"scope":"day","feb29":"mar1"`, "2027-02-28 23:59:59", nil},
			{`"scope":"day","feb29":"mar1"`, "2027-03-01 00:00:00", []int64{leap}},
			{`"scope":"day"`, "2028-02-28 12:00:00", nil},
			{`"scope":"day","feb29":"mar1"`, "2028-02-29 12:00:00", []int64{leap}},
			{`"scope":"month","feb29":"mar1"`, "2027-02-10 12:00:00", nil},
			{`"scope":"month","feb29":"mar1"`, "2027-03-31 23:59:59", []int64{leap}},
			{`"scope":"month"`, "2028-02-01 00:00:00", []int64{leap}},
			{`"scope":"week"`, "2026-12-27 23:59:59", nil},
			{`"scope":"week"`, "2026-12-28 00:00:00", []int64{newYear}}, // 2027-01-02 is a Saturday
			{`"scope":"week"`, "2027-01-03 23:59:59", []int64{newYear}},
			{`"scope":"week"`, "2027-01-04 00:00:00", nil},
			{`"scope":"day"`, "2027-06-15 12:00:00", nil},
			{`"scope":"day"`, "2028-06-15 12:00:00", []int64{june}},
		} {
			got := []int64{}
			require.Equal(t, append([]int64{}, c.who...), append(got, celebrating(w, c.args, w.At(c.at), leap, newYear, june)...), "%s at %s", c.args, c.at)
		}
	})
}
