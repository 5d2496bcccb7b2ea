package model

import "time"

// Inbox is one push of WeChat, kept once under (Account, Key). Written by app/inbox.
type Inbox struct {
	ID         int64     `gorm:"primaryKey"`
	Account    string    `gorm:"size:32;not null;uniqueIndex:uq_inbox,priority:1"`
	Key        string    `gorm:"size:191;not null;uniqueIndex:uq_inbox,priority:2"` // tells retries from new events; outlives Raw
	Kind       string    `gorm:"size:48;not null"`                                  // MsgType or event.<Event>
	OpenID     string    `gorm:"size:64;not null"`
	State      string    `gorm:"size:8;not null;index:ix_inbox_state,priority:1"`
	Raw        []byte    `gorm:"size:262144"` // decrypted body; nil after the retention time
	Reply      JSON      `gorm:"not null"`    // what was answered: a retry gets it again
	Error      string    `gorm:"size:512;not null;default:''"`
	Attempts   int       `gorm:"not null;default:0"`
	Owner      string    `gorm:"size:32;not null;default:''"`
	LeaseTill  time.Time `gorm:"not null;precision:6"` // real time
	OccurredAt time.Time `gorm:"not null;precision:6"` // CreateTime of the push
	ReceivedAt time.Time `gorm:"not null;precision:6;index:ix_inbox_state,priority:2"`
}

// States of an inbox row.
const (
	InboxPending = "pending" // kept, not run yet
	InboxDone    = "done"
	InboxRefused = "refused" // the use case said no: a recorded outcome
	InboxUnknown = "unknown" // no use case for it: kept
	InboxFailed  = "failed"  // a bug: may be replayed
)
