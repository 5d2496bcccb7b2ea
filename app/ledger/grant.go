package ledger

import (
	"context"
	"crypto/rand"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// maxManual bounds what an operator gives or takes at once.
const maxManual = 1_000_000

// ReasonManual is the reason code of an operator's adjustment.
const ReasonManual = "manual"

// Manual is an operator's adjustment of what one member holds.
type Manual struct {
	MemberID  int64
	Account   string
	Amount    int64      // above 0 gives, below 0 takes; never 0, at most a million either way
	Memo      string     // why, in his words: 1 to 255 characters
	Actor     string     // who
	ExpiresAt *time.Time // of what is given; nil = by the account's policy
	AllowDebt bool       // take more than there is
}

// Grant gives or takes by hand. Taking is a correction: it works in accounts that cannot be spent and lowers the lifetime. Taking
// more than is usable is errs.Insufficient or errs.PointsDebt, unless AllowDebt. A repeat under the request's idempotency
// key (db.WithKey) returns the first entry. A merged member is errs.Conflict, and names the survivor.
func (b *Book) Grant(ctx context.Context, m Manual) (*model.Entry, error) {
	m.Memo = strings.TrimSpace(m.Memo)
	switch n := utf8.RuneCountInString(m.Memo); {
	case m.Amount == 0 || m.Amount > maxManual || m.Amount < -maxManual:
		return nil, errs.Field("amount", "ledger.manual_amount", "limit", maxManual)
	case n == 0 || n > 255:
		return nil, errs.Field("memo", "ledger.memo", "limit", 255)
	case m.ExpiresAt != nil && !m.ExpiresAt.After(b.clock.Now()):
		return nil, errs.Field("expires_at", "ledger.never_usable")
	}
	p := Posting{
		MemberID: m.MemberID, Account: m.Account, Amount: m.Amount, Reason: ReasonManual, Memo: m.Memo, Actor: m.Actor,
		ExpiresAt: m.ExpiresAt, AllowDebt: m.AllowDebt, Key: "manual:" + rand.Text(),
	}
	if m.Amount < 0 {
		p.Kind = model.EntryReverse
	}
	return db.Do(ctx, b.db, func(ctx context.Context, tx *gorm.DB) (*model.Entry, error) {
		if err := member.LockTx(tx, m.MemberID); err != nil {
			return nil, err
		}
		var row model.Member
		if err := tx.Select("merged_into").Take(&row, m.MemberID).Error; err != nil {
			return nil, err
		}
		if row.MergedInto != nil {
			return nil, errs.New(errs.Conflict, "ledger.member_merged", "member_id", *row.MergedInto)
		}
		return b.PostTx(ctx, tx, p)
	})
}
