package sop_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// template is one that everybody of the tests has accepted.
const template = "TPL_ACTIVITY"

type world struct {
	*apptest.World
}

func newWorld(t *testing.T) *world { return &world{apptest.New(t)} }

// member is a registered member who takes subscribe messages.
func (w *world) member(name string) (*phone.Person, int64) {
	w.T.Helper()
	p, id := w.Member(name)
	_, err := p.Act(w.T.Context(), "accept", map[string]any{"account": "mp", "template": template, "times": 20})
	require.NoError(w.T, err)
	return p, id
}

// says is a message by subscribe message alone.
func says(what string) string {
	return fmt.Sprintf(`{"channels":["subscribe"],"subscribe":{"template_id":%q,"data":{"thing1":%q,"thing2":"详情","time3":"2026-11-25 10:00"}}}`, template, what)
}

// save makes a SOP by its JSON.
func (w *world) save(definition string) *model.SOP {
	w.T.Helper()
	row, err := w.SOPs.Save(w.T.Context(), sop.Input{Definition: w.definition(definition)})
	require.NoError(w.T, err)
	return row
}

func (w *world) definition(text string) (d sop.Definition) {
	w.T.Helper()
	require.NoError(w.T, json.Unmarshal([]byte(text), &d))
	return d
}

// enabled makes a SOP and enables it.
func (w *world) enabled(definition string) *model.SOP {
	w.T.Helper()
	row, err := w.SOPs.Enable(w.T.Context(), w.save(definition).ID)
	require.NoError(w.T, err)
	return row
}

// line is one delivery of a member, as "step: outcome".
func (w *world) lines(sopID, memberID int64) []string {
	w.T.Helper()
	var rows []struct {
		Step, State, Reason, Detail string
		At                          time.Time
	}
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Raw("SELECT f.step, d.state, d.reason, d.detail, d.at FROM deliveries d JOIN sop_firings f ON f.run_id = d.run_id "+
		"WHERE f.sop_id = ? AND d.member_id = ? ORDER BY d.run_id", sopID, memberID).Scan(&rows).Error)
	out := []string{}
	for _, r := range rows {
		what := r.State
		if r.Reason != "" {
			what = r.Reason
		}
		out = append(out, w.Zone.In(r.At).Format("01-02 15:04")+" "+r.Step+": "+what)
	}
	return out
}

// passes are the steps behind a member, as "step: outcome".
func (w *world) passes(memberID int64) []string {
	w.T.Helper()
	var rows []model.SOPPass
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Where("member_id = ?", memberID).Order("enrolment_id, at, step").Find(&rows).Error)
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Step+": "+r.Outcome)
	}
	return out
}

func (w *world) enrolments(memberID int64) []model.SOPEnrolment {
	w.T.Helper()
	var rows []model.SOPEnrolment
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Where("member_id = ?", memberID).Order("id").Find(&rows).Error)
	return rows
}

// order is an order that the member paid now.
func (w *world) order(memberID int64, no string, fen int64) {
	w.T.Helper()
	now := w.Now()
	_, err := w.Orders.Push(w.T.Context(), order.Push{Platform: "jd", No: no, Status: model.OrderPaid, MemberID: memberID, PaidAt: &now, AmountFen: &fen})
	require.NoError(w.T, err)
}

func (w *world) give(memberID, points int64) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, memberID); err != nil {
			return err
		}
		_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: memberID, Account: model.AccountPoints, Amount: points, Reason: "test", Key: fmt.Sprint("test:", memberID, points)})
		return err
	})
}

func (w *world) checkin(memberID int64) {
	w.T.Helper()
	_, err := w.Checkins.CheckIn(w.T.Context(), memberID, "", w.Now())
	require.NoError(w.T, err)
}

// sorted puts the first step first: those of one instant have no order of their own.
func sorted(passes []string, first string) []string {
	slices.SortStableFunc(passes, func(a, b string) int {
		return cmp.Compare(btoi(!strings.HasPrefix(a, first+":")), btoi(!strings.HasPrefix(b, first+":")))
	})
	return passes
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
