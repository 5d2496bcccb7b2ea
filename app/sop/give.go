package sop

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// Reason is that of the ledger's lines.
const Reason = "sop"

// giver gives what a step grants to the members of a chunk.
type giver struct {
	*mover
	st *Step
	to []*model.SOPEnrolment
}

func (g *giver) give(e *model.SOPEnrolment) { g.to = append(g.to, e) }

// key makes a grant one per enrolment and step.
func key(e *model.SOPEnrolment, step string) string { return fmt.Sprintf("sop:%d:%s", e.ID, step) }

// flush gives, and notes it on the passes of the chunk.
func (g *giver) flush() error {
	if len(g.to) == 0 {
		return nil
	}
	passes := map[int64]*model.SOPPass{}
	for i := range g.passes {
		if p := &g.passes[i]; p.Step == g.st.Key {
			passes[p.EnrolmentID] = p
		}
	}
	grants := g.st.Send.Grants
	if grants.Amount > 0 {
		ps := make([]ledger.Posting, len(g.to))
		for i, e := range g.to {
			ps[i] = ledger.Posting{
				MemberID: e.MemberID, Account: grants.Account, Amount: grants.Amount, Reason: Reason, Memo: cmp.Or(grants.Memo, g.d.Name), OccurredAt: g.f.At,
				Key: key(e, g.st.Key),
			}
			passes[e.ID].Account, passes[e.ID].Granted = grants.Account, grants.Amount
		}
		if _, err := g.s.Book.PostAllTx(g.ctx, g.tx, ps); err != nil {
			return err
		}
	}
	if grants.CouponID == 0 {
		return nil
	}
	return g.coupons(passes)
}

func (g *giver) coupons(passes map[int64]*model.SOPPass) error {
	members := make([]int64, len(g.to))
	for i, e := range g.to {
		members[i] = e.MemberID
	}
	var joined []int64
	if err := g.tx.Model(&model.Member{}).Where("id IN ? AND joined_at IS NOT NULL", members).Pluck("id", &joined).Error; err != nil {
		return err
	}
	for _, e := range g.to {
		p := passes[e.ID]
		if !slices.Contains(joined, e.MemberID) {
			p.Note = string(errs.NotMember)
			continue
		}
		given, err := g.s.Coupons.IssueTx(g.ctx, g.tx, e.MemberID, g.st.Send.Grants.CouponID, coupon.Cause{Source: model.CouponBySOP, ID: e.SOPID}, g.now)
		switch code := errs.CodeOf(err); {
		case err == nil:
			p.MemberCouponID = given.ID
		case slices.Contains(couponCodes, code): // he gets the message all the same
			p.Note = string(code)
		default:
			return err
		}
	}
	return nil
}
