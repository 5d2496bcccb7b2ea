package model

import "time"

// Recall is a campaign that brings back the customers of a file, by SMS and, some days later, a call. Written by app/recall.
type Recall struct {
	ID        int64      `gorm:"primaryKey"`
	Version   int64      `gorm:"not null;default:0"`
	Name      string     `gorm:"size:64;not null"`
	ImportID  int64      `gorm:"not null"`
	SMS       JSON       `gorm:"column:sms;not null"`       // reach.PhoneContent
	Call      JSON       `gorm:"column:call_json;not null"` // reach.PhoneContent; null: no call
	CallAfter int        `gorm:"not null;default:0"`        // days after the SMS
	Days      int        `gorm:"not null"`                  // who comes within them was recalled
	TagID     int64      `gorm:"not null"`                  // what he gets
	State     string     `gorm:"size:12;not null"`          // draft | starting | started
	StartedAt *time.Time `gorm:"precision:6"`               // the window begins
	EndsAt    *time.Time `gorm:"precision:6"`               // and ends, half-open
	CallAt    *time.Time `gorm:"precision:6;index"`         // the calls are due; nil = none are
	CreatedAt time.Time  `gorm:"not null;precision:6"`
}

// States of a recall.
const (
	RecallDraft    = "draft"
	RecallStarting = "starting" // its people are being made
	RecallStarted  = "started"
)

// RecallPerson is one whom a recall is for; he comes back once. Written by app/recall.
type RecallPerson struct {
	RecallID   int64      `gorm:"primaryKey;autoIncrement:false"`
	MemberID   int64      `gorm:"primaryKey;autoIncrement:false;index"`
	CustomerID int64      `gorm:"not null"`
	CameAt     *time.Time `gorm:"precision:6"`
	CameBy     string     `gorm:"size:12;not null;default:''"` // registered | followed
}
