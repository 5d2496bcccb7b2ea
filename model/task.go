package model

import "time"

// Task is an entry of the task list that an operator wrote: it dresses a rule, which would stand in the list by itself, or counts acts
// towards a goal, or only leads somewhere. Written by app/task.
type Task struct {
	ID        int64      `gorm:"primaryKey"`
	Code      string     `gorm:"size:64;not null;uniqueIndex"`
	RuleID    int64      `gorm:"not null;default:0;index"` // the rule whose grants it shows; 0 = none
	TitleZH   string     `gorm:"size:64;not null;default:''"`
	TitleEN   string     `gorm:"size:64;not null;default:''"`
	TextZH    string     `gorm:"size:255;not null;default:''"`
	TextEN    string     `gorm:"size:255;not null;default:''"`
	Icon      string     `gorm:"size:512;not null;default:''"`
	Link      string     `gorm:"size:512;not null;default:''"`
	Counts    string     `gorm:"size:32;not null;default:''"` // kind of events counted towards Goal
	Goal      int64      `gorm:"not null;default:0"`          // 0 = nothing is counted
	Period    string     `gorm:"size:8;not null;default:''"`  // day | week | month | lifetime: over which it counts
	Claimed   bool       `gorm:"not null;default:false"`      // reaching the goal is claimed by a tap, which is an event
	StartsAt  *time.Time `gorm:"precision:6"`                 // shown in [StartsAt, EndsAt)
	EndsAt    *time.Time `gorm:"precision:6"`
	Position  int        `gorm:"not null;default:0"` // the lowest first; rules without an entry come after all entries
	Enabled   bool       `gorm:"not null"`           // false: not in the list, nor the rule that it dresses
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// TaskClaim is a goal that a member reached and claimed: once in a period. Written by app/task.
type TaskClaim struct {
	ID       int64     `gorm:"primaryKey"`
	TaskID   int64     `gorm:"not null;uniqueIndex:uq_task_claim,priority:2"`
	MemberID int64     `gorm:"not null;uniqueIndex:uq_task_claim,priority:1"`
	Period   string    `gorm:"size:16;not null;uniqueIndex:uq_task_claim,priority:3"` // 2026-11-23 | 2026-W48 | 2026-11 | lifetime
	At       time.Time `gorm:"not null;precision:6"`
}

// GrantRead is how far a member has read what he was granted. Written by app/task.
type GrantRead struct {
	MemberID int64     `gorm:"primaryKey;autoIncrement:false"`
	EntryID  int64     `gorm:"not null"` // lines of the ledger up to this one
	At       time.Time `gorm:"not null;precision:6"`
}
