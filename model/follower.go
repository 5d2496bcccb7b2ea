package model

import "time"

// FollowerSync is the taking over of the followers that an account had before siyu: one row per official account, started again and
// again. Written by app/follower. Progress is committed with the rows that it counts.
type FollowerSync struct {
	Account   string     `gorm:"primaryKey;size:32"`
	Version   int64      `gorm:"not null;default:0"` // raised by every change: the fence of who works on it
	State     string     `gorm:"size:16;not null;index:ix_follower_sync"`
	Cursor    string     `gorm:"size:64;not null;default:''"` // the openid up to which everybody is taken over
	Total     int64      `gorm:"not null;default:0"`          // followers, as WeChat counts
	Seen      int64      `gorm:"not null;default:0"`          // of them looked at = taken + known + gone
	Taken     int64      `gorm:"not null;default:0"`          // siyu did not know them as followers of the account
	Known     int64      `gorm:"not null;default:0"`          // siyu knew their openid
	Gone      int64      `gorm:"not null;default:0"`          // left between two questions to WeChat
	Linked    int64      `gorm:"not null;default:0"`          // found by unionid to be a person known otherwise
	Unions    int64      `gorm:"not null;default:0"`          // whose unionid WeChat gave
	BusyMS    int64      `gorm:"not null;default:0"`          // real time of work
	Problem   string     `gorm:"size:16;not null;default:''"` // class of the last failure; "" since the last success
	Error     string     `gorm:"size:500;not null;default:''"`
	RetryAt   time.Time  `gorm:"not null;precision:6"` // app time: not before
	Owner     string     `gorm:"size:32;not null;default:''"`
	LeaseTill time.Time  `gorm:"not null;precision:6"` // real time
	StartedAt time.Time  `gorm:"not null;precision:6"`
	EndedAt   *time.Time `gorm:"precision:6"`
}

// States of a synchronisation.
const (
	SyncRunning = "running" // also while it waits for RetryAt
	SyncDone    = "done"
	SyncFailed  = "failed" // until an operator starts it again: it goes on where it stopped
)
