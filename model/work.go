package model

import "time"

// Work is a long job that an operator started: an import, a backtest, a gift to many. It goes on in bounded slices, in whatever process
// is there, and survives a restart. Written by app/work; its progress is committed with the rows that it counts.
type Work struct {
	ID        int64      `gorm:"primaryKey"`
	Kind      string     `gorm:"size:32;not null"`
	State     string     `gorm:"size:12;not null;index:ix_work_due,priority:1"`
	Args      JSON       `gorm:"not null"` // what was asked for
	Cursor    JSON       `gorm:"not null"` // how far it is, as its kind knows
	Result    JSON       `gorm:"not null"` // what came of it so far
	Total     int64      `gorm:"not null"` // 0 = not known
	Done      int64      `gorm:"not null"`
	Failures  int        `gorm:"not null;default:0"` // of slices, in a row
	Error     string     `gorm:"size:500;not null;default:''"`
	Actor     string     `gorm:"size:64;not null"` // who started it
	Version   int64      `gorm:"not null;default:0"`
	Claim     string     `gorm:"size:32;not null;default:''"`                       // the fence: who works on it now
	LeaseTill time.Time  `gorm:"not null;precision:6"`                              // real time
	RetryAt   time.Time  `gorm:"not null;precision:6;index:ix_work_due,priority:2"` // app time: not before
	StartedAt time.Time  `gorm:"not null;precision:6"`
	EndedAt   *time.Time `gorm:"precision:6"`
}

// States of a work.
const (
	WorkRunning   = "running" // also while it waits for RetryAt
	WorkDone      = "done"
	WorkFailed    = "failed" // until somebody starts it again: it goes on where it stopped
	WorkCancelled = "cancelled"
)
