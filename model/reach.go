package model

import "time"

// Run is one frozen send to an exact set of members. Written by app/reach.
type Run struct {
	ID        int64      `gorm:"primaryKey"`
	Source    string     `gorm:"size:16;not null;uniqueIndex:uq_run,priority:1"` // broadcast
	SourceID  int64      `gorm:"not null;uniqueIndex:uq_run,priority:2"`
	Slot      string     `gorm:"size:40;not null;uniqueIndex:uq_run,priority:3"` // the firing; two processes make one run
	State     string     `gorm:"size:12;not null;index"`
	Paused    bool       `gorm:"not null;default:false"` // nothing is sent until it goes on
	Class     string     `gorm:"size:12;not null"`       // marketing | service
	Message   JSON       `gorm:"not null"`               // reach.Message: text, channels, templates, as frozen
	Audience  int64      `gorm:"not null"`
	Step      int64      `gorm:"not null;default:0"` // counts the changes of state
	RangeSize int64      `gorm:"not null"`           // recipients per range: seq / RangeSize is the range's number
	Members   []byte     `gorm:"size:67108864"`      // roaring bitmap of member ids; the n-th id is seq n
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	DoneAt    *time.Time `gorm:"precision:6"`
}

// States of a run.
const (
	RunSending    = "sending"
	RunMassing    = "massing" // every person was looked at; the mass batches are made and sent
	RunCancelling = "cancelling"
	RunDone       = "done"
	RunCancelled  = "cancelled"
	RunMissed     = "missed" // never started: the process was down over the firing for too long
)

// Range is a stretch of a run's recipients that one worker sends at a time, with the counters of their states. Written by app/reach.
// ToSeq - FromSeq = Pending + Accepted + Rejected + Unknown + Suppressed + Deferred + Cancelled, always.
type Range struct {
	RunID      int64     `gorm:"primaryKey;autoIncrement:false;index:ix_range_due,priority:1"`
	No         int64     `gorm:"primaryKey;autoIncrement:false"`
	FromSeq    int64     `gorm:"not null"` // [FromSeq, ToSeq)
	ToSeq      int64     `gorm:"not null"`
	Made       bool      `gorm:"not null;default:false"` // its delivery rows exist
	Cursor     int64     `gorm:"column:cursor_seq;not null"`
	State      string    `gorm:"size:8;not null;index:ix_range_due,priority:2"`
	DueAt      time.Time `gorm:"not null;precision:6;index:ix_range_due,priority:3"`
	Owner      string    `gorm:"size:32;not null;default:''"`
	LeaseTill  time.Time `gorm:"not null;precision:6"` // real time
	Fence      int64     `gorm:"not null;default:0"`
	Step       int64     `gorm:"not null;default:0"` // counts the changes of this row
	Pending    int64     `gorm:"not null"`
	Mass       int64     `gorm:"not null;default:0"` // of Pending, those who wait for the mass send
	Accepted   int64     `gorm:"not null;default:0"`
	Rejected   int64     `gorm:"not null;default:0"`
	Unknown    int64     `gorm:"column:unknown_count;not null;default:0"`
	Suppressed int64     `gorm:"not null;default:0"`
	Deferred   int64     `gorm:"column:deferred_count;not null;default:0"`
	Cancelled  int64     `gorm:"not null;default:0"`
	Reasons    JSON      `gorm:"not null"` // of Suppressed: "NO_QUOTA/monthly_used" → count
}

// States of a range.
const (
	RangeOpen   = "open"   // somebody in it is to be looked at, when it is due
	RangeWalked = "walked" // everybody has an end or waits for the mass send
)

// Delivery is one message to one person. Written by app/reach.
type Delivery struct {
	RunID      int64      `gorm:"primaryKey;autoIncrement:false"`
	Seq        int64      `gorm:"primaryKey;autoIncrement:false"`
	MemberID   int64      `gorm:"not null;index"` // as frozen; a merge leaves it
	State      string     `gorm:"size:12;not null"`
	Channel    string     `gorm:"size:12;not null;default:''"`  // customer | mass | subscribe
	IdentityID int64      `gorm:"not null;default:0"`           // to whom a mass send goes
	Reason     string     `gorm:"size:16;not null;default:''"`  // skip reason; QUIET_HOURS and the like while deferred
	Detail     string     `gorm:"size:128;not null;default:''"` // window_closed …, WeChat's code and words
	NoMass     bool       `gorm:"not null;default:false"`       // the mass send could not take him: the other channels are tried
	BatchNo    int64      `gorm:"not null;default:0"`           // mass batch, from 1
	MsgID      string     `gorm:"size:32;not null;default:''"`  // WeChat's
	DueAt      *time.Time `gorm:"precision:6"`                  // deferred until
	At         *time.Time `gorm:"precision:6"`                  // last change
}

// States of a delivery.
const (
	DeliveryPending    = "pending"
	DeliveryAttempting = "attempting" // committed before the call; counted as pending
	DeliveryAccepted   = "accepted"
	DeliveryRejected   = "rejected"
	DeliveryUnknown    = "unknown"
	DeliverySuppressed = "suppressed"
	DeliveryDeferred   = "deferred"
	DeliveryCancelled  = "cancelled"
)

// Batch is one mass send: its list is the deliveries that carry its number. Written by app/reach.
type Batch struct {
	RunID       int64      `gorm:"primaryKey;autoIncrement:false"`
	No          int64      `gorm:"primaryKey;autoIncrement:false"` // from 1
	Account     string     `gorm:"size:32;not null"`
	FromSeq     int64      `gorm:"not null"` // its people stand in [FromSeq, ToSeq)
	ToSeq       int64      `gorm:"not null"`
	Cursor      int64      `gorm:"column:cursor_seq;not null"`
	State       string     `gorm:"size:12;not null"`
	Result      string     `gorm:"size:12;not null;default:''"` // while settling: the state that follows
	ClientMsgID string     `gorm:"size:64;not null"`
	Size        int64      `gorm:"not null;default:0"`
	MsgID       string     `gorm:"size:32;not null;default:'';index"`
	Detail      string     `gorm:"size:128;not null;default:''"` // WeChat's code and words
	ReservedAt  *time.Time `gorm:"precision:6"`                  // the day and month whose caps its people used
	CalledAt    *time.Time `gorm:"precision:6"`                  // of the first call: a retry comes after a minute, within 24 h
	DueAt       time.Time  `gorm:"not null;precision:6"`
	Owner       string     `gorm:"size:32;not null;default:''"`
	LeaseTill   time.Time  `gorm:"not null;precision:6"` // real time
	Fence       int64      `gorm:"not null;default:0"`
	Step        int64      `gorm:"not null;default:0"` // counts the changes of this row
}

// States of a batch.
const (
	BatchFilling  = "filling"  // its people are looked at again, caps and quotas are used
	BatchReady    = "ready"    // the list stands
	BatchCalling  = "calling"  // committed before the call
	BatchSettling = "settling" // the answer is known, its people get it chunk by chunk
	BatchAccepted = "accepted"
	BatchRejected = "rejected"
	BatchUnknown  = "unknown"
	BatchEmpty    = "empty" // nobody, or one person alone, was left
)

// MassResult is WeChat's report on a mass send (MASSSENDJOBFINISH); it may come before the answer to the call. Written by app/reach.
type MassResult struct {
	Account    string    `gorm:"primaryKey;size:32"`
	MsgID      string    `gorm:"primaryKey;size:32"`
	Status     string    `gorm:"size:64;not null"` // send success | send fail | err(…)
	Total      int64     `gorm:"not null;default:0"`
	Filtered   int64     `gorm:"not null;default:0"`
	Sent       int64     `gorm:"not null;default:0"`
	Errors     int64     `gorm:"not null;default:0"`
	FinishedAt time.Time `gorm:"not null;precision:6"`
}

// Receipt joins the message id of a subscribe message with its delivery and with WeChat's later report, whichever comes first.
// Written by app/reach.
type Receipt struct {
	Account string    `gorm:"primaryKey;size:32"`
	MsgID   string    `gorm:"primaryKey;size:32"`
	RunID   int64     `gorm:"not null;default:0"` // 0: the report came first
	Seq     int64     `gorm:"not null;default:0"`
	Failure string    `gorm:"size:128;not null;default:''"` // code and words of a failed delivery
	At      time.Time `gorm:"not null;precision:6"`
}

// Allowance is the customer messages that the last action of a kind opened, as siyu knows it. Written by app/reach.
// A newer action of the kind replaces it: whether WeChat adds them up is not documented.
type Allowance struct {
	IdentityID int64     `gorm:"primaryKey;autoIncrement:false"`
	Kind       string    `gorm:"primaryKey;size:12"` // message | menu | follow | scan
	Remaining  int       `gorm:"not null"`
	ExpiresAt  time.Time `gorm:"not null;precision:6"`
}

// Acceptance counts how many messages of a template a person has accepted and not yet received. Written by app/reach.
type Acceptance struct {
	IdentityID int64     `gorm:"primaryKey;autoIncrement:false"`
	TemplateID string    `gorm:"primaryKey;size:64"`
	Count      int       `gorm:"column:accepted_count;not null"`
	UpdatedAt  time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// ReachUse counts messages against a cap: the daily marketing cap, the monthly mass quota. Written by app/reach.
type ReachUse struct {
	MemberID int64  `gorm:"primaryKey;autoIncrement:false"`
	Kind     string `gorm:"primaryKey;size:40"` // marketing | mass:<account>
	Period   string `gorm:"primaryKey;size:16"` // 2026-11-24 | 2026-11
	Used     int    `gorm:"not null"`
}
