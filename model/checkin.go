package model

import "time"

// Checkin is one check-in: at most one per member and day. Written by app/checkin.
type Checkin struct {
	ID       int64     `gorm:"primaryKey"`
	MemberID int64     `gorm:"not null;uniqueIndex:uq_checkin,priority:1"`
	Day      Day       `gorm:"size:10;not null;uniqueIndex:uq_checkin,priority:2"`
	Streak   int       `gorm:"not null"`             // days in a row up to this one, as known when it was recorded
	At       time.Time `gorm:"not null;precision:6"` // when he did it: of a make-up another day
	Via      string    `gorm:"size:8;not null"`      // api | menu | text | makeup
}

// ViaMakeup is the Via of a day that was bought back.
const ViaMakeup = "makeup"

// CheckinSettings says how missed days are made up: at most one row, made by the first change. Written by app/checkin.
type CheckinSettings struct {
	ID          int64     `gorm:"primaryKey;autoIncrement:false"`
	MakeupLimit int       `gorm:"not null"` // make-ups of a member per calendar month; 0 = none
	MakeupReach int       `gorm:"not null"` // how many days back
	MakeupPrice int64     `gorm:"not null"` // points; 0 = free
	UpdatedAt   time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}
