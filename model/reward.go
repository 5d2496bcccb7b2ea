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

// RuleUse counts what a rule gave a member in a period: the row that holds a cap. Written by app/reward.
type RuleUse struct {
	RuleID   int64  `gorm:"primaryKey;autoIncrement:false"`
	MemberID int64  `gorm:"primaryKey;autoIncrement:false;index"`
	Period   string `gorm:"primaryKey;size:16"` // 2026-11-23 | 2026-W48 | 2026-11 | lifetime
	Account  string `gorm:"primaryKey;size:32"` // "" counts the times
	Used     int64  `gorm:"not null"`
}
