package customer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// tiers makes 一星 and 二星 on growth, and gives the id of 二星.
func tiers(w *apptest.World) int64 {
	w.T.Helper()
	saved, err := w.Tiers.Save(w.T.Context(), tier.Input{
		Settings: model.TierSettings{Account: "growth", Basis: "lifetime", Downgrade: model.TierImmediate, ReviewDays: 30, NoticeDays: 7},
		Tiers:    []tier.Tier{{Name: "一星"}, {Name: "二星", Threshold: 1000}, {Name: "三星", Threshold: 2000}},
	}, "test")
	require.NoError(w.T, err)
	w.Settle()
	return saved.Ladder.Tiers[1].ID
}

func brought(w *apptest.World, file string, o customer.Options) *sheet.Imported {
	w.T.Helper()
	in, err := w.Customers.Import(w.T.Context(), "old.csv", []byte(file), o, "operator:1")
	require.NoError(w.T, err)
	w.Settle()
	out, err := w.Sheets.Get(w.T.Context(), customer.Import, in.ID)
	require.NoError(w.T, err)
	require.Equal(w.T, model.WorkDone, out.State)
	return out
}

// register registers a person with his own number, as the mini-program does.
func register(w *apptest.World, p *phone.Person) *model.Member {
	w.T.Helper()
	_, err := p.Login(w.T.Context())
	require.NoError(w.T, err)
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/register", map[string]any{}, nil))
	tell(w, p)
	return w.MemberOf(p, "mp")
}

// number is what the sandbox gives everybody's phone here.
const number = "13912345678"

func tell(w *apptest.World, p *phone.Person) {
	w.T.Helper()
	var code struct{ Code string }
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": number}, &code))
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/phone", map[string]any{"code": code.Code}, nil))
}

func tierOf(w *apptest.World, id int64) string {
	w.T.Helper()
	v, err := w.Tiers.Of(w.T.Context(), id)
	require.NoError(w.T, err)
	return v.Tier.Name
}

// TestImport follows PLAYBOOKS P01-E #1 and #5, without its campaign.
func TestImport(t *testing.T) {
	t.Parallel()

	t.Run("LandsWhatIsGoodAndReportsTheRest", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		two := tiers(w)
		var b strings.Builder
		b.WriteString("手机号,等级,营销同意\n")
		for i := range 282 {
			consent := ""
			if i < 9 {
				consent = "否"
			}
			fmt.Fprintf(&b, "1380000%04d,天猫V3,%s\n", i, consent)
		}
		for i := range 12 {
			fmt.Fprintf(&b, "+86 138-0000-%04d,天猫V3,\n", i)
		}
		for i := range 5 {
			fmt.Fprintf(&b, "1200000%04d,天猫V3,\n", i)
		}
		b.WriteString("13900000001,京东PLUS,\n")
		o := customer.Options{Levels: map[string]int64{"天猫V3": two}}
		out := brought(w, b.String(), o)
		require.Equal(t, sheet.Outcome{New: 282, Failed: 18}, out.Result)
		require.EqualValues(t, 9, w.Count(&model.Customer{}, "consent = 'no'"))
		var report bytes.Buffer
		require.NoError(t, w.Sheets.Report(t.Context(), out, templates.English, &report))
		require.Contains(t, report.String(), "\n284,138****0000,failed,phone,The number stood in line 2 already\n")
		require.Contains(t, report.String(), "\n296,120****0000,failed,phone,\"This is no mobile number")
		require.Contains(t, report.String(), "\n301,139****0001,failed,level,")
		require.NotContains(t, report.String(), "13800000000", "nobody's number stands in it")

		again := brought(w, b.String(), o)
		require.Equal(t, sheet.Outcome{Same: 282, Failed: 18}, again.Result)
		changed := brought(w, "phone,name\n13800000000,张三\n", customer.Options{})
		require.Equal(t, sheet.Outcome{Changed: 1}, changed.Result)
		require.EqualValues(t, 282, w.Count(&model.Customer{}, "level = '天猫V3'"), "what a line leaves empty stays")
	})

	t.Run("WhoAppearsBringsWhatIsKnown", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		two := tiers(w)
		p := w.Person("old")
		brought(w, "phone,level,tags,consent,last_order_at\n"+number+",天猫V3,渠道:老客,no,2026/5/1\n", customer.Options{Levels: map[string]int64{"天猫V3": two}})
		m := register(w, p)
		require.Equal(t, "二星", tierOf(w, m.ID))
		require.EqualValues(t, 0, w.Count(&model.Entry{}, "member_id = ? AND account = 'growth'", m.ID), "growth stays as it is")
		v, err := w.Tiers.Of(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"import", "导入等级:天猫V3(文件 1)"}, []string{v.Held.Actor, v.Held.Reason}, "the source is shown")
		require.Equal(t, []string{"老客"}, w.Held(m.ID))
		now, err := w.Members.Get(t.Context(), m.ID)
		require.NoError(t, err)
		require.NotNil(t, now.OptedOutAt)
		c, err := w.Customers.Of(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, w.At("2026-05-01 00:00:00").UTC(), c.LastOrderAt.UTC())
		require.Equal(t, w.Now(), c.MatchedAt.UTC())
	})

	t.Run("WhoIsThereGetsItAtOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		two := tiers(w)
		p := w.Person("old")
		m := register(w, p)
		require.Equal(t, "一星", tierOf(w, m.ID))
		o := customer.Options{Levels: map[string]int64{"V3": two}}
		brought(w, "phone,level\n"+number+",V3\n", o)
		require.Equal(t, "二星", tierOf(w, m.ID))
		_, err := w.Tiers.Set(t.Context(), m.ID, tier.Hold{TierID: two + 1, Reason: "vip", Actor: "operator:1"})
		require.NoError(t, err)
		brought(w, "phone,level,name\n"+number+",V3,张\n", o)
		require.Equal(t, "三星", tierOf(w, m.ID), "what an operator has set stays")
	})

	t.Run("TheNightFindsWhoWasMissed", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		m := register(w, w.Person("old"))
		brought(w, "phone,tags\n"+number+",老客\n13900000002,老客\n", customer.Options{})
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // as if he had registered while the file landed
			return errors.Join(tx.Exec("UPDATE customers SET member_id = 0, matched_at = NULL").Error, tx.Exec("DELETE FROM tag_holds").Error)
		})
		require.NoError(t, w.Customers.Match(t.Context(), w.Now()))
		require.Equal(t, []string{"老客"}, w.Held(m.ID))
		require.EqualValues(t, 1, w.Count(&model.Customer{}, "member_id = 0"))
	})

	t.Run("RefusesATierThatIsNone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, err := w.Customers.Import(t.Context(), "f", []byte("phone\n13800000000\n"), customer.Options{Levels: map[string]int64{"V3": 99}}, "x")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.NoError(t, w.Customers.Forget(t.Context(), brought1(w)))
		require.Zero(t, w.Count(&model.Customer{}))
	})
}

func brought1(w *apptest.World) int64 {
	brought(w, "phone\n13800000000\n", customer.Options{})
	rows, err := w.Customers.List(w.T.Context(), customer.Query{Limit: 2})
	require.NoError(w.T, err)
	require.Len(w.T, rows, 1)
	return rows[0].ID
}
