package model

import "time"

// Checkin is one check-in: at most one per member and day. Written by app/checkin.
type Checkin struct {
	ID       int64     `gorm:"primaryKey"`
	MemberID int64     `gorm:"not null;uniqueIndex:uq_checkin,priority:1"`
	Day      Day       `gorm:"size:10;not null;uniqueIndex:uq_checkin,priority:2"`
	Streak   int       `gorm:"not null"` // days in a row up to this one, as known when it was recorded
	At       time.Time `gorm:"not null;precision:6"`
	Via      string    `gorm:"size:8;not null"` // api | menu | text
}
