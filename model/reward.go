package model

import "time"

// PointRule turns an event into grants. Its definition is versioned. Written by app/reward.
type PointRule struct {
	ID        int64     `gorm:"primaryKey"`
	Code      string    `gorm:"size:64;not null;uniqueIndex"`
	Name      string    `gorm:"size:64;not null"`
	Enabled   bool      `gorm:"not null"`
	Version   int       `gorm:"not null"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// PointRuleVersion is a rule as it was defined from EffectiveAt on, until the next version. Written by app/reward.
type PointRuleVersion struct {
	RuleID      int64     `gorm:"primaryKey;autoIncrement:false"`
	Version     int       `gorm:"primaryKey;autoIncrement:false"`
	EffectiveAt time.Time `gorm:"not null;precision:6"`
	Enabled     bool      `gorm:"not null"`
	Trigger     string    `gorm:"column:trigger_kind;size:32;not null"`
	Definition  JSON      `gorm:"not null"` // reward.Definition
}

// CapSet is a cap over several rules: a version of a rule names those it belongs to. Written by app/reward.
type CapSet struct {
	ID        int64     `gorm:"primaryKey"`
	Code      string    `gorm:"size:64;not null;uniqueIndex"`
	Name      string    `gorm:"size:64;not null"`
	Period    string    `gorm:"size:8;not null"`
	Times     int64     `gorm:"not null"` // either this
	Account   string    `gorm:"size:32;not null"`
	Amount    int64     `gorm:"not null"` // or so much in Account; the limit may change, what is counted stays
	CreatedAt time.Time `gorm:"not null;precision:6"`
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// RuleBudget counts what a rule gave to all members in a period. Written by app/reward.
type RuleBudget struct {
	RuleID  int64  `gorm:"primaryKey;autoIncrement:false"`
	Period  string `gorm:"primaryKey;size:16"` // 2026-11 | lifetime
	Account string `gorm:"primaryKey;size:32"`
	Seq     int64  `gorm:"not null"` // counted up by who decides about the budget: that locks the row
	Used    int64  `gorm:"not null"`
}

// RuleUse counts what a rule, or the rules of a cap set, gave a member in a period: the row that holds a cap. Written by app/reward.
type RuleUse struct {
	RuleID   int64  `gorm:"primaryKey;autoIncrement:false"` // 0: of a cap set
	SetID    int64  `gorm:"primaryKey;autoIncrement:false"` // 0: of a rule
	MemberID int64  `gorm:"primaryKey;autoIncrement:false;index"`
	Period   string `gorm:"primaryKey;size:16"` // 2026-11-23 | 2026-W48 | 2026-11 | lifetime
	Account  string `gorm:"primaryKey;size:32"` // "" counts the times
	Used     int64  `gorm:"not null"`
}

// RewardSetting says how multipliers combine, from EffectiveAt on until the next row: rows are only added. Written by app/reward.
type RewardSetting struct {
	ID          int64     `gorm:"primaryKey"`
	EffectiveAt time.Time `gorm:"not null;precision:6"`
	Combine     string    `gorm:"size:8;not null"`             // max | add | multiply
	MaxFactor   string    `gorm:"size:16;not null;default:''"` // a decimal; "" = no bound
}

// Ways in which multipliers in force at the same time combine (PLAYBOOKS H6).
const (
	CombineMax      = "max"      // the highest wins
	CombineAdd      = "add"      // 1 + Σ(m−1)
	CombineMultiply = "multiply" // Πm
)

// RuleGrant is what one grant of a rule gave for an order, with what a refund needs to know: f of PLAYBOOKS H10. Written by app/reward.
type RuleGrant struct {
	EventID     int64  `gorm:"primaryKey;autoIncrement:false"`
	RuleID      int64  `gorm:"primaryKey;autoIncrement:false"`
	GrantIndex  int    `gorm:"primaryKey;autoIncrement:false"`
	RuleVersion int    `gorm:"not null"`
	Account     string `gorm:"size:32;not null"`
	Multiplier  string `gorm:"size:64;not null"` // a decimal, exactly
	Factors     JSON   `gorm:"not null"`         // []reward.Factor: which multipliers gave it
	Room        *int64 // what the caps left at the grant; nil = no cap
	Granted     int64  `gorm:"not null"` // base and bonus at first
	Peak        int64  `gorm:"not null"` // the most that base and bonus were since: what the caps have counted
	Base        int64  `gorm:"not null"` // what stands now
	Bonus       int64  `gorm:"not null"`
}
