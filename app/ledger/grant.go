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

// Reason codes of what operators do by hand.
const (
	ReasonManual = "manual"
	ReasonUndone = "manual_undone" // the opposite of a manual line
)

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

// Granted is what became of an adjustment: a line, or above the account's limit a request that waits for a second operator.
type Granted struct {
	*model.Entry
	Request *model.GrantRequest `json:",omitempty"`
}

// Grant gives or takes by hand. Taking is a correction: it works in accounts that cannot be spent and lowers the lifetime. Taking
// more than is usable is errs.Insufficient or errs.PointsDebt, unless AllowDebt. Giving more than the account's ManualLimit
// waits for a second operator (Decide). A repeat under the request's idempotency key (db.WithKey) returns the first answer. A merged
// member is errs.Conflict, and names the survivor.
func (b *Book) Grant(ctx context.Context, m Manual) (*Granted, error) {
	m.Memo = strings.TrimSpace(m.Memo)
	if m.Amount == 0 || m.Amount > maxManual || m.Amount < -maxManual {
		return nil, errs.Field("amount", "ledger.manual_amount", "limit", maxManual)
	}
	if err := checkMemo(m.Memo); err != nil {
		return nil, err
	}
	if m.ExpiresAt != nil && !m.ExpiresAt.After(b.clock.Now()) {
		return nil, errs.Field("expires_at", "ledger.never_usable")
	}
	key := "manual:" + rand.Text()
	return db.Do(ctx, b.db, func(ctx context.Context, tx *gorm.DB) (*Granted, error) {
		policies, err := b.accounts(tx, []string{m.Account})
		if err != nil {
			return nil, err
		}
		if limit := policies[m.Account].ManualLimit; limit > 0 && m.Amount > limit {
			return b.request(tx, m)
		}
		e, err := b.grantTx(ctx, tx, m, key)
		return &Granted{Entry: e}, err
	})
}

func checkMemo(memo string) error {
	if n := utf8.RuneCountInString(memo); n == 0 || n > 255 {
		return errs.Field("memo", "ledger.memo", "limit", 255)
	}
	return nil
}

// grantTx writes the line of an adjustment.
func (b *Book) grantTx(ctx context.Context, tx *gorm.DB, m Manual, key string) (*model.Entry, error) {
	if err := lockAlive(tx, m.MemberID); err != nil {
		return nil, err
	}
	p := Posting{
		MemberID: m.MemberID, Account: m.Account, Amount: m.Amount, Reason: ReasonManual, Memo: m.Memo, Actor: m.Actor,
		ExpiresAt: m.ExpiresAt, AllowDebt: m.AllowDebt, Key: key,
	}
	if m.Amount < 0 {
		p.Kind = model.EntryReverse
	}
	return b.PostTx(ctx, tx, p)
}

// lockAlive locks a member who was not merged away.
func lockAlive(tx *gorm.DB, memberID int64) error {
	if err := member.LockTx(tx, memberID); err != nil {
		return err
	}
	var row model.Member
	if err := tx.Select("merged_into").Take(&row, memberID).Error; err != nil {
		return err
	}
	if row.MergedInto != nil {
		return errs.New(errs.Conflict, "ledger.member_merged", "member_id", *row.MergedInto)
	}
	return nil
}

// Undo is an operator's answer to an adjustment that was a mistake.
type Undo struct {
	EntryID int64
	Memo    string // why: 1 to 255 characters
	Actor   string // who
}

// Undo writes the opposite of a line that an operator wrote by hand, once: a second time is errs.Conflict. What was given is taken by
// the account's policy, debt or clamp, as a refund takes it; what was taken comes back to its lots.
func (b *Book) Undo(ctx context.Context, u Undo) (*model.Entry, error) {
	u.Memo = strings.TrimSpace(u.Memo)
	if err := checkMemo(u.Memo); err != nil {
		return nil, err
	}
	key := "manual:" + rand.Text()
	return db.Do(ctx, b.db, func(ctx context.Context, tx *gorm.DB) (*model.Entry, error) {
		var orig model.Entry
		err := tx.Where("id = ? AND reason = ?", u.EntryID, ReasonManual).Limit(1).Find(&orig).Error
		if err != nil {
			return nil, err
		}
		if orig.ID == 0 {
			return nil, errs.New(errs.NotFound, "ledger.entry_unknown")
		}
		if err := lockHolder(tx, &orig); err != nil {
			return nil, err
		}
		return b.reverseTx(ctx, tx, reversal{entry: orig.ID, manual: true, line: model.Entry{
			Reason: ReasonUndone, Memo: u.Memo, Actor: u.Actor, OccurredAt: micro(b.clock.Now()), Key: key, Hash: digest([]byte(key)),
		}})
	})
}

// lockHolder locks who holds now what the entry moved.
func lockHolder(tx *gorm.DB, e *model.Entry) error {
	for locked := int64(0); ; {
		id, err := holder(tx, e.MemberID, e.Account)
		if err != nil || id == locked {
			return err
		}
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		locked = id
	}
}
