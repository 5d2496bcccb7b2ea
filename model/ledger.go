package model

import "time"

// Account is a kind of value that members hold: points, growth, experience or an operator's own. Written by app/ledger.
type Account struct {
	Code        string `gorm:"primaryKey;size:32"`
	Name        string `gorm:"size:64;not null"`            // the operator's own; empty: the locale key account.<code>
	Spendable   bool   `gorm:"not null"`                    // growth and experience only qualify
	Expiry      string `gorm:"size:16;not null"`            // ExpiryNever …: of what is earned from now on
	ExpiryCount int    `gorm:"not null;default:0"`          // days or months of it
	ExpiryOn    Day    `gorm:"size:10;not null;default:''"` // day of ExpiryDate
	Slides      bool   `gorm:"not null"`                    // some of its lots slide, by this policy or an earlier one
	GraceDays   int    `gorm:"not null;default:0"`          // life of what comes back to a lot that has expired
	Debt        bool   `gorm:"not null"`                    // taking back more than there is: below zero; false: clamped at zero
	ManualLimit int64  `gorm:"not null;default:0"`          // a grant by hand above it waits for a second operator; 0 = none does
	Position    int    `gorm:"not null;default:0"`
}

// Kinds of Account.Expiry. What expires does so at the end of a day, in the programme's zone.
const (
	ExpiryNever         = "never"
	ExpiryDays          = "days"           // ExpiryCount days after the day of earning
	ExpiryMonths        = "months"         // as many calendar months; the last day of a shorter month
	ExpiryMonthEnd      = "month_end"      // with the month of earning
	ExpiryQuarterEnd    = "quarter_end"    // with its quarter
	ExpiryYearEnd       = "year_end"       // with its year
	ExpiryNextYearEnd   = "next_year_end"  // with the year after it
	ExpiryDate          = "date"           // with ExpiryOn; what is earned later, with that day of a later year
	ExpirySlidingDays   = "sliding_days"   // as days, and counted again from every earning and spending in the account
	ExpirySlidingMonths = "sliding_months" // as months, likewise
)

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
	ActivatesAt *time.Time `gorm:"precision:6"`                                // pending until then; nil = at once
	Active      bool       `gorm:"not null;index:ix_lot_member,priority:4"`    // false: still pending
	ExpiresAt   *time.Time `gorm:"precision:6;index:ix_lot_member,priority:5"` // unusable from this instant; nil = never
	SlideDays   int        `gorm:"not null;default:0"`                         // every earning and spending in the account puts ExpiresAt off to so many days after it
	SlideMonths int        `gorm:"not null;default:0"`
	BornUntil   *time.Time `gorm:"precision:6"` // of a lot that slides: ExpiresAt when it was made
	EarnedAt    time.Time  `gorm:"not null;precision:6"`
}

// Entry is one line of the ledger, never edited, but that an erasure takes Memo from it. Written by app/ledger.
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
	Shortfall   int64     `gorm:"not null;default:0"` // of a reversal: what it was to take beside Delta, and was not there (CLAMPED)
	OccurredAt  time.Time `gorm:"not null;precision:6"`
	RecordedAt  time.Time `gorm:"not null;precision:6"`
	Key         string    `gorm:"size:128;not null;uniqueIndex"`
	Hash        string    `gorm:"size:32;not null"` // of the input: the same key with another input is a conflict
	Seal        string    `gorm:"size:32;not null"` // of the line, the lots it made and its lot moves: verify recomputes it
}

// LiabilityDay is what the lines recorded on a day add up to, for a rule in an account, as far as LiabilityMark says: a report reads it and
// the lines since. Written by app/ledger.
type LiabilityDay struct {
	Day      Day    `gorm:"primaryKey;size:10"`
	Account  string `gorm:"primaryKey;size:32"`
	RuleID   int64  `gorm:"primaryKey;autoIncrement:false"` // that once granted it; 0 = none did
	Granted  int64  `gorm:"not null"`                       // earned, what is pending included
	Issued   int64  `gorm:"not null"`                       // earned or activated
	Spent    int64  `gorm:"not null"`
	Expired  int64  `gorm:"not null"`
	Reversed int64  `gorm:"not null"`
}

// LiabilityMark says which lines are in the LiabilityDays: one row. At 0, or without it, they are summed up anew. Written by app/ledger.
type LiabilityMark struct {
	ID      int64  `gorm:"primaryKey;autoIncrement:false"`
	EntryID int64  `gorm:"not null"`         // the last of them
	Zone    string `gorm:"size:64;not null"` // of the days
}

// Kinds of entries.
const (
	EntryEarn     = "earn"
	EntrySpend    = "spend"
	EntryExpire   = "expire"
	EntryActivate = "activate"
	EntryReverse  = "reverse" // the opposite of an earlier line, or of a part of what was granted
	EntryRestore  = "restore" // what was taken by hand comes back
	EntryHold     = "hold"    // set aside: out of available, into held
	EntryRelease  = "release" // the way back
	EntryConvert  = "convert" // given for another account; the lifetime stays
	EntryMergeOut = "merge_out"
	EntryMergeIn  = "merge_in"
)

// Buckets of a balance.
const (
	BucketAvailable = "available"
	BucketPending   = "pending"
	BucketHeld      = "held"
)

// Hold is an amount set aside, for an order say, until it is committed (spent) or released. The lots that it took from are those of the
// moves of its entry: what is held does not expire. Written by app/ledger.
type Hold struct {
	ID       int64      `gorm:"primaryKey"`
	MemberID int64      `gorm:"not null;index"` // who holds it now: a merge moves it
	Account  string     `gorm:"size:32;not null"`
	Amount   int64      `gorm:"not null"`
	State    string     `gorm:"size:12;not null;index:ix_hold_due,priority:1"`
	Until    time.Time  `gorm:"not null;precision:6;index:ix_hold_due,priority:2"` // released by itself from this instant on
	Ref      string     `gorm:"size:96;not null;default:''"`                       // what it is for, in the caller's words
	Worth    int64      `gorm:"not null;default:0"`                                // what the caller gives for it, in fen; the ledger only keeps it
	EntryID  int64      `gorm:"not null;uniqueIndex"`                              // the line that took it from available
	EndID    int64      `gorm:"not null;default:0;index"`                          // the line that took it from held; 0 = it is held
	Key      string     `gorm:"size:128;not null;uniqueIndex"`
	EndKey   string     `gorm:"size:128;not null;default:''"` // of the commit or release
	EndedAt  *time.Time `gorm:"precision:6"`
}

// States of a hold.
const (
	HoldHeld      = "held"
	HoldCommitted = "committed"
	HoldReleased  = "released"
)

// ConversionRule says how an account is converted into another. Written by app/ledger.
type ConversionRule struct {
	ID          int64     `gorm:"primaryKey"`
	FromAccount string    `gorm:"size:32;not null;uniqueIndex:uq_conversion_rule,priority:1"`
	ToAccount   string    `gorm:"size:32;not null;uniqueIndex:uq_conversion_rule,priority:2"`
	Units       int64     `gorm:"not null"` // so many of From make
	Amount      int64     `gorm:"not null"` // so many of To; whole batches only
	Mode        string    `gorm:"size:12;not null"`
	Enabled     bool      `gorm:"not null"`
	UpdatedAt   time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Modes of a conversion. In both a unit that was ever earned converts once.
const (
	ConvertConsume = "consume" // the units leave the balance; the lifetime, which tiers look at, stays
	ConvertKeep    = "keep"    // the units stay
)

// Conversion is one conversion of a member. Written by app/ledger.
type Conversion struct {
	ID          int64     `gorm:"primaryKey"`
	MemberID    int64     `gorm:"not null;index:ix_conversion_member,priority:1"` // a merge moves it
	FromAccount string    `gorm:"size:32;not null;index:ix_conversion_member,priority:2"`
	ToAccount   string    `gorm:"size:32;not null"`
	Units       int64     `gorm:"not null"`
	Amount      int64     `gorm:"not null"`
	Mode        string    `gorm:"size:12;not null"`
	EntryID     int64     `gorm:"not null;uniqueIndex"` // the line that added Amount
	At          time.Time `gorm:"not null;precision:6"`
}

// DeductionSettings say what points are worth in an order: one row. Written by app/deduction.
type DeductionSettings struct {
	ID          int64     `gorm:"primaryKey;autoIncrement:false"`
	Enabled     bool      `gorm:"not null"`
	Points      int64     `gorm:"not null"` // so many points are
	Fen         int64     `gorm:"not null"` // worth so many fen; whole units only
	MaxPercent  int       `gorm:"not null"` // of the goods, at most
	HoldMinutes int       `gorm:"not null"` // how long an unpaid order keeps its points
	UpdatedAt   time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// GrantRequest is a grant by hand above the account's limit, until a second operator decides. Written by app/ledger.
type GrantRequest struct {
	ID          int64      `gorm:"primaryKey"`
	MemberID    int64      `gorm:"not null;index"`
	Account     string     `gorm:"size:32;not null"`
	Amount      int64      `gorm:"not null"`
	Memo        string     `gorm:"size:255;not null"`
	ExpiresAt   *time.Time `gorm:"precision:6"` // of what is given; nil = by the account's policy
	State       string     `gorm:"size:12;not null;index"`
	RequestedBy string     `gorm:"size:64;not null"`
	RequestedAt time.Time  `gorm:"not null;precision:6"`
	DecidedBy   string     `gorm:"size:64;not null;default:''"`
	DecidedAt   *time.Time `gorm:"precision:6"`
	EntryID     int64      `gorm:"not null;default:0"` // of an approved one
}

// States of a request.
const (
	GrantWaiting  = "waiting"
	GrantApproved = "approved"
	GrantRejected = "rejected"
)

// LotMove says how much of a lot an entry took (negative) or put back (positive). Written by app/ledger.
type LotMove struct {
	EntryID int64 `gorm:"primaryKey;autoIncrement:false"`
	LotID   int64 `gorm:"primaryKey;autoIncrement:false;index"`
	Delta   int64 `gorm:"not null"`
}

// Sliding reports whether activity puts the expiry off.
func (l *Lot) Sliding() bool { return l.SlideDays > 0 || l.SlideMonths > 0 }

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
