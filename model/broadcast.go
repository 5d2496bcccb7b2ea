package model

import "time"

// Broadcast is a message to whoever meets a condition, once or by a cron line. Written by app/broadcast.
type Broadcast struct {
	ID        int64      `gorm:"primaryKey"`
	Version   int64      `gorm:"not null;default:0"`
	Name      string     `gorm:"size:64;not null"`
	Class     string     `gorm:"size:12;not null"` // marketing | service
	Condition JSON       `gorm:"not null"`
	Message   JSON       `gorm:"not null"`                                           // reach.Message
	Rules     JSON       `gorm:"not null"`                                           // reach.Rules
	Trial     JSON       `gorm:"not null"`                                           // broadcast.Trial: who is held back, other contents
	Cron      string     `gorm:"size:64;not null;default:''"`                        // "" = once
	At        *time.Time `gorm:"precision:6"`                                        // once: when; nil = only by hand
	State     string     `gorm:"size:12;not null;index:ix_broadcast_due,priority:1"` // active | paused | done
	NextAt    *time.Time `gorm:"precision:6;index:ix_broadcast_due,priority:2"`      // next firing
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// States of a broadcast.
const (
	BroadcastActive = "active"
	BroadcastPaused = "paused"
	BroadcastDone   = "done"
)

// Classes of messages (PLAYBOOKS H16).
const (
	ClassMarketing = "marketing"
	ClassService   = "service"
)
