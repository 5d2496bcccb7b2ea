package model

import "time"

// Account is a kind of value that members hold: points, growth, experience or an operator's own. Written by app/ledger.
type Account struct {
	Code         string `gorm:"primaryKey;size:32"`
	Name         string `gorm:"size:64;not null"`   // the operator's own; empty: the locale key account.<code>
	Spendable    bool   `gorm:"not null"`           // growth and experience only qualify
	ExpiryMonths int    `gorm:"not null;default:0"` // lots expire N months after the day they are earned; 0 = never
	GraceDays    int    `gorm:"not null;default:0"` // life of what comes back to a lot that has expired
	Position     int    `gorm:"not null;default:0"`
}

// The accounts made at first start.
const (
	AccountPoints     = "points"
	AccountGrowth     = "growth"
	AccountExperience = "experience"
)

// Balance is what a member holds in one account: a projection of entries, changed only with them. Written by app/ledger.
//
// Available = Σ entries of bucket available = Σ remaining of active lots − debt; below zero it is the debt, and then no active lot
// holds anything. Pending = Σ entries of bucket pending = Σ remaining of the other lots.
type Balance struct {
	MemberID  int64      `gorm:"primaryKey;autoIncrement:false"`
	Account   string     `gorm:"primaryKey;size:32"`
	Seq       int64      `gorm:"not null;default:0"` // number of the last entry: every change compares and sets it
	Available int64      `gorm:"not null;default:0"`
	Pending   int64      `gorm:"not null;default:0"`
	Held      int64      `gorm:"not null;default:0"`
	Lifetime  int64      `gorm:"not null;default:0"` // ever earned and not taken back; spending and expiry leave it
	NextDueAt *time.Time `gorm:"precision:6;index"`  // the first instant at which time alone changes an open lot; nil = none
}

// Lot is an earned amount with its own life. Remaining = Amount + Σ lot moves. Written by app/ledger.
type Lot struct {
	ID          int64      `gorm:"primaryKey"`
	MemberID    int64      `gorm:"not null;index:ix_lot_member,priority:1"`
	Account     string     `gorm:"size:32;not null;index:ix_lot_member,priority:2"`
	Open        bool       `gorm:"not null;index:ix_lot_member,priority:3"` // something remains
	EntryID     int64      `gorm:"not null;index"`                          // the entry that put Amount in
	OriginID    int64      `gorm:"not null;default:0"`                      // the lot that this was before a merge or a grace; 0 = itself
	Amount      int64      `gorm:"not null"`                                // what was put in: earned, less the debt that it repaid
	Remaining   int64      `gorm:"not null"`
	ActivatesAt *time.Time `gorm:"precision:6"` // pending until then; nil = at once
	Active      bool       `gorm:"not null"`    // false: still pending
	ExpiresAt   *time.Time `gorm:"precision:6"` // unusable from this instant; nil = never
	EarnedAt    time.Time  `gorm:"not null;precision:6"`
}

// Entry is one line of the ledger, never edited. Written by app/ledger.
//
// In bucket available: Delta = Σ its lot moves + Σ amounts of the lots it made − change of the debt. In bucket pending the same
// without debt.
type Entry struct {
	ID          int64     `gorm:"primaryKey"`
	MemberID    int64     `gorm:"not null;index:ix_entry_member;uniqueIndex:uq_entry_seq,priority:1"`
	Account     string    `gorm:"size:32;not null;uniqueIndex:uq_entry_seq,priority:2"`
	Seq         int64     `gorm:"not null;uniqueIndex:uq_entry_seq,priority:3"` // 1, 2, 3 … of the member in the account
	Bucket      string    `gorm:"size:12;not null"`                             // available | pending | held
	Delta       int64     `gorm:"not null"`
	Balance     int64     `gorm:"not null"` // of the bucket, after this line
	Lifetime    int64     `gorm:"not null"` // change of the lifetime
	Kind        string    `gorm:"size:12;not null"`
	Reason      string    `gorm:"size:64;not null"`             // locale key or reason code: rule, manual, expire, merge, …
	Note        string    `gorm:"size:64;not null;default:''"`  // DAILY_CAP …: what was cut, and by what
	Memo        string    `gorm:"size:255;not null;default:''"` // free words of an operator
	Actor       string    `gorm:"size:64;not null;default:''"`  // who did it by hand
	RuleID      int64     `gorm:"not null;default:0"`
	RuleVersion int       `gorm:"not null;default:0"`
	Bonus       bool      `gorm:"not null;default:false"`
	EventID     int64     `gorm:"not null;default:0;index"`
	OriginID    int64     `gorm:"not null;default:0"` // the other member of a merge; 0 = none
	ReversesID  int64     `gorm:"not null;default:0;index"`
	OccurredAt  time.Time `gorm:"not null;precision:6"`
	RecordedAt  time.Time `gorm:"not null;precision:6"`
	Key         string    `gorm:"size:128;not null;uniqueIndex"`
	Hash        string    `gorm:"size:32;not null"` // of the input: the same key with another input is a conflict
	Seal        string    `gorm:"size:32;not null"` // of the line, the lots it made and its lot moves: verify recomputes it
}

// Kinds of entries.
const (
	EntryEarn     = "earn"
	EntrySpend    = "spend"
	EntryExpire   = "expire"
	EntryActivate = "activate"
	EntryReverse  = "reverse" // the opposite of an earlier line, or of a part of what was granted
	EntryMergeOut = "merge_out"
	EntryMergeIn  = "merge_in"
)

// Buckets of a balance.
const (
	BucketAvailable = "available"
	BucketPending   = "pending"
	BucketHeld      = "held"
)

// LotMove says how much of a lot an entry took (negative) or put back (positive). Written by app/ledger.
type LotMove struct {
	EntryID int64 `gorm:"primaryKey;autoIncrement:false"`
	LotID   int64 `gorm:"primaryKey;autoIncrement:false;index"`
	Delta   int64 `gorm:"not null"`
}

// Due is the next instant at which time alone changes the lot: its activation, else its expiry; nil = never.
func (l *Lot) Due() *time.Time {
	switch {
	case !l.Open:
		return nil
	case !l.Active:
		return l.ActivatesAt
	}
	return l.ExpiresAt
}
