package model

import "time"

// Reply is what the brand answers to something that a person does at the official account. Written by app/reply.
type Reply struct {
	ID        int64     `gorm:"primaryKey"`
	Name      string    `gorm:"size:64;not null"`
	Trigger   string    `gorm:"size:8;not null"` // follow | keyword | click | default
	Match     string    `gorm:"size:8;not null"` // exact | contains; of a keyword reply
	Words     JSON      `gorm:"not null"`        // keywords, or the keys of menu buttons
	Mode      string    `gorm:"size:8;not null"` // all | random
	Messages  JSON      `gorm:"not null"`        // reply.Message
	Position  int       `gorm:"not null"`        // the first that fits answers
	Enabled   bool      `gorm:"not null"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Triggers of replies.
const (
	ReplyFollow  = "follow"
	ReplyKeyword = "keyword"
	ReplyClick   = "click"
	ReplyDefault = "default"
)

// Matches and modes of replies.
const (
	MatchExact    = "exact"
	MatchContains = "contains"
	ReplyAll      = "all"
	ReplyRandom   = "random"
)

// ReplySend is the messages that follow a passive reply as customer messages, within the window that the person's act opened. They are
// sent in order, each at most once. Written by app/reply.
type ReplySend struct {
	ID         int64     `gorm:"primaryKey"`
	IdentityID int64     `gorm:"not null;index"`
	Source     string    `gorm:"size:48;not null"` // reply:3, channel:1
	Messages   JSON      `gorm:"not null"`
	Next       int       `gorm:"column:next_no;not null;default:0"`
	State      string    `gorm:"size:8;not null;index:ix_reply_send,priority:1"`
	Calling    bool      `gorm:"not null;default:false"`       // committed before the call
	Paid       bool      `gorm:"not null;default:false"`       // the next one's allowance is used
	Detail     string    `gorm:"size:128;not null;default:''"` // why one was not sent
	Attempts   int       `gorm:"not null;default:0"`
	DueAt      time.Time `gorm:"not null;precision:6;index:ix_reply_send,priority:2"`
	Until      time.Time `gorm:"not null;precision:6"`
	LeaseTill  time.Time `gorm:"not null;precision:6"` // real time
	CreatedAt  time.Time `gorm:"not null;precision:6"`
}

// States of a ReplySend.
const (
	ReplyPending = "pending"
	ReplyDone    = "done"    // every message was called for once; Detail says what was not sent
	ReplyDropped = "dropped" // the window closed, or the person left
)
