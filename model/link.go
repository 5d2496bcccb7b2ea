package model

import "time"

// LinkCode is the one-time code by which a person says in the official account who he is in the mini-program, and how often he asked for
// one and typed a wrong one of late. Written by app/link.
type LinkCode struct {
	MemberID  int64     `gorm:"primaryKey;autoIncrement:false"`
	Hash      *string   `gorm:"size:64;uniqueIndex"` // keyed hash of the code; nil: none, or used
	ExpiresAt time.Time `gorm:"not null;precision:6"`
	WindowAt  time.Time `gorm:"not null;precision:6"` // since when the two count
	Issued    int       `gorm:"not null;default:0"`
	Wrong     int       `gorm:"not null;default:0"`
}
