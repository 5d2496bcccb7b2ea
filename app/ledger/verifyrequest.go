package ledger

import (
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// requestKey is the key of the line of an approved request.
func requestKey(id int64) string { return "request:" + strconv.FormatInt(id, 10) }

// asked is a request and the line that it names.
type asked struct {
	model.GrantRequest
	LineKey, LineHash, LineMemo, LineAccount string
	LineMember, LineDelta                    int64
}

// requests checks the grants that waited for a second operator: who was approved has the line that was asked for, and nobody else has one.
func (v *verifier) requests(r *gorm.DB) error {
	err := each(r.Raw("SELECT q.*, COALESCE(e.`key`, '') AS line_key, COALESCE(e.hash, '') AS line_hash,"+
		" COALESCE(e.memo, '') AS line_memo, COALESCE(e.account, '') AS line_account, COALESCE(e.member_id, 0) AS line_member, COALESCE(e.delta, 0) AS line_delta FROM grant_requests q"+
		" LEFT JOIN entries e ON e.id = q.entry_id"), v.request)
	if err != nil {
		return err
	}
	return each(r.Raw("SELECT e.* FROM entries e LEFT JOIN grant_requests q ON q.entry_id = e.id WHERE e.`key` >= 'request:' AND e.`key` < 'request;'"+
		" AND q.id IS NULL"), func(e *model.Entry) {
		v.differ(Mismatch{Table: "grant_requests", Column: "*", MemberID: e.MemberID, Account: e.Account}, fmt.Sprintf("a request of entry %d", e.ID), "none")
	})
}

func (v *verifier) request(q *asked) {
	at := Mismatch{Table: "grant_requests", ID: q.ID, MemberID: q.MemberID, Account: q.Account}
	same(v, at, "decided_at", q.State != model.GrantWaiting, q.DecidedAt != nil)
	same(v, at, "decided_by", q.State != model.GrantWaiting, q.DecidedBy != "" && q.DecidedBy != q.RequestedBy)
	if q.State != model.GrantApproved {
		same(v, at, "state", true, q.State == model.GrantWaiting || q.State == model.GrantRejected)
		same(v, at, "entry_id", 0, q.EntryID)
		return
	}
	same(v, at, "entry_id", requestKey(q.ID), q.LineKey)
	if q.Memo == "" && q.LineMemo == "" { // an erasure took the words that the hash covers
		same(v, at, "member_id", q.LineMember, q.MemberID)
		same(v, at, "account", q.LineAccount, q.Account)
		same(v, at, "amount", q.LineDelta, q.Amount)
		return
	}
	same(v, at, "*", q.LineHash, inputHash(Posting{
		MemberID: q.MemberID, Account: q.Account, Amount: q.Amount, Kind: model.EntryEarn, Reason: ReasonManual, Memo: q.Memo, Actor: q.RequestedBy,
		ExpiresAt: q.ExpiresAt,
	}))
}
