package model

import "time"

// Tier is what a member reaches with so much of one account. Written by app/tier.
type Tier struct {
	ID        int64     `gorm:"primaryKey"`
	Name      string    `gorm:"size:32;not null"`
	Threshold int64     `gorm:"not null"`
	Gifts     JSON      `gorm:"not null"` // list of tier.Gift, given to who reaches it, each once in a lifetime
	Removed   bool      `gorm:"not null"` // kept for the history
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// TierSettings is how tiers are reached and lost: one row, ID 1. Written by app/tier.
type TierSettings struct {
	ID         int64  `gorm:"primaryKey;autoIncrement:false"`
	Account    string `gorm:"size:32;not null"`
	Basis      string `gorm:"size:12;not null"` // lifetime | available
	Downgrade  string `gorm:"size:12;not null"` // immediate | review
	ReviewDays int    `gorm:"not null"`         // review: so many days after the upgrade, and again each time that it is kept
	NoticeDays int    `gorm:"not null"`         // before a review that would lower him
}

// Ways down.
const (
	TierImmediate = "immediate"
	TierReview    = "review"
)

// MemberTier is a stretch of a member's life in a tier, [From, Until). Written by app/tier.
type MemberTier struct {
	ID        int64      `gorm:"primaryKey"`
	MemberID  int64      `gorm:"not null;uniqueIndex:uq_member_tier,priority:1;index:ix_member_tier,priority:1"`
	Open      *bool      `gorm:"uniqueIndex:uq_member_tier,priority:2"` // true in the one row that counts now; nil in the others
	TierID    int64      `gorm:"not null;index"`                        // 0 = below every tier
	FromAt    time.Time  `gorm:"not null;precision:6;index:ix_member_tier,priority:2"`
	UntilAt   *time.Time `gorm:"precision:6"`
	EventID   int64      `gorm:"not null;default:0"` // that lifted or lowered him; it stands at the tier before
	Cause     string     `gorm:"size:12;not null"`   // joined | change | review | settings | operator
	ReviewAt  *time.Time `gorm:"precision:6;index"`  // when it is looked at whether he keeps it; nil = never
	NoticedAt *time.Time `gorm:"precision:6"`        // he was told that he would not
}

// Why somebody came to a tier.
const (
	TierByJoining  = "joined"
	TierByChange   = "change"
	TierByReview   = "review"
	TierBySettings = "settings"
	TierByOperator = "operator" // a TierHold began or ended
)

// TierHold is a tier that an operator set by hand: until it ends, the member is in it or in a higher one, whatever he earned. For somebody
// who has yet to register it waits. Written by app/tier.
type TierHold struct {
	ID       int64      `gorm:"primaryKey"`
	MemberID int64      `gorm:"not null;uniqueIndex:uq_tier_hold,priority:1"`
	Open     *bool      `gorm:"uniqueIndex:uq_tier_hold,priority:2"` // true in the one that counts; nil in those that ended
	TierID   int64      `gorm:"not null"`
	UntilAt  *time.Time `gorm:"precision:6;index"` // it ends by itself; nil = only by an operator
	Reason   string     `gorm:"size:255;not null"`
	Actor    string     `gorm:"size:64;not null"`
	At       time.Time  `gorm:"not null;precision:6"`
	EndedAt  *time.Time `gorm:"precision:6"`
	EndedBy  string     `gorm:"size:64;not null;default:''"` // the actor; "" = by itself, or by a merge
}

// TierGift is a gift of a tier that a member got, once in his life. Written by app/tier.
type TierGift struct {
	MemberID       int64     `gorm:"primaryKey;autoIncrement:false"`
	TierID         int64     `gorm:"primaryKey;autoIncrement:false"`
	N              int       `gorm:"primaryKey;autoIncrement:false"` // place in the list of the tier
	MemberCouponID int64     `gorm:"not null;default:0"`             // the coupon that it was; given again only if that was revoked unused
	At             time.Time `gorm:"not null;precision:6"`
}

// Kinds of events about tiers.
const (
	EventTierUp   = "tier.upgraded"   // Data holds from, to (names) and crossed, the tiers reached
	EventTierDown = "tier.downgraded" // Data holds from, to and lost
	EventTierSoon = "tier.review_soon"
)
