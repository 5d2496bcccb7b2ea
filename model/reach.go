package model

import "time"

// Run is one frozen send to an exact set of members. Written by app/reach.
type Run struct {
	ID        int64      `gorm:"primaryKey"`
	Source    string     `gorm:"size:16;not null;uniqueIndex:uq_run,priority:1"` // broadcast
	SourceID  int64      `gorm:"not null;uniqueIndex:uq_run,priority:2"`
	Slot      string     `gorm:"size:40;not null;uniqueIndex:uq_run,priority:3"` // the firing; two processes make one run
	State     string     `gorm:"size:12;not null;index"`
	Paused    bool       `gorm:"not null;default:false"`        // nothing is sent until it goes on
	PausedFor string     `gorm:"size:160;not null;default:''"`  // it paused itself: "23/60 48001 api unauthorized"; empty: an operator did
	Stops     int64      `gorm:"not null;default:0"`            // how often it paused itself
	Class     string     `gorm:"size:12;not null"`              // marketing | service
	Message   JSON       `gorm:"not null"`                      // reach.Message: text, channels, templates, as frozen
	Rules     JSON       `gorm:"not null"`                      // reach.Rules, as frozen
	Until     *time.Time `gorm:"column:send_until;precision:6"` // nobody is sent to from then on
	Reserves  int        `gorm:"not null;default:0"`            // how many more important sends of the day hold places in the caps: its rows of RunReserve
	Variant   string     `gorm:"size:1;not null;default:''"`    // A, B or C, where contents are tried; all of one firing have its slot, B and C with #B and #C
	Held      int64      `gorm:"not null;default:0"`            // people of the firing who are held back: in no run; see RunHeld
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
	Again      bool      `gorm:"not null;default:false"` // those of its rejected rows who may be sent to again are pending from the next lease on
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
	Channel    string     `gorm:"size:12;not null;default:''"`  // as reach.Channels
	IdentityID int64      `gorm:"not null;default:0"`           // to whom a mass send goes
	Reason     string     `gorm:"size:16;not null;default:''"`  // skip reason; QUIET_HOURS and the like while deferred
	Detail     string     `gorm:"size:128;not null;default:''"` // window_closed …, WeChat's code and words
	NoMass     bool       `gorm:"not null;default:false"`       // the mass send could not take him: the other channels are tried
	BatchNo    int64      `gorm:"not null;default:0"`           // mass batch, from 1
	MsgID      string     `gorm:"size:64;not null;default:''"`  // WeChat's, or the provider's; that of a notice, which has none, is ours
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

// Receipt joins the message id of a subscribe or template message, an SMS or a call with its delivery and with the later report, whichever comes first.
// Written by app/reach.
type Receipt struct {
	Account string    `gorm:"primaryKey;size:32"`
	MsgID   string    `gorm:"primaryKey;size:64"`
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
	ExpiresAt  time.Time `gorm:"not null;precision:6;index"`
}

// Acceptance counts how many messages of a template a person has accepted and not yet received. Written by app/reach.
type Acceptance struct {
	IdentityID int64     `gorm:"primaryKey;autoIncrement:false"`
	TemplateID string    `gorm:"primaryKey;size:64"`
	Count      int       `gorm:"column:accepted_count;not null"`
	UpdatedAt  time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// ReachUse counts messages: each at its second, for the caps, and the mass sends of a month, WeChat's quota. Written by app/reach.
type ReachUse struct {
	MemberID int64  `gorm:"primaryKey;autoIncrement:false"`
	Kind     string `gorm:"primaryKey;size:40"` // marketing/customer, service/subscribe … | mass:<account>
	Period   string `gorm:"primaryKey;size:16"` // 20261124040000, UTC | 2026-11, in the programme's zone
	Used     int    `gorm:"not null"`
}

// PathUse counts the calls of a day that were taken from WeChat's quota of a channel of an account. Written by app/reach.
type PathUse struct {
	Channel string `gorm:"primaryKey;size:12"`
	Account string `gorm:"primaryKey;size:32"`
	Day     string `gorm:"primaryKey;size:10"` // in the programme's zone
	Used    int64  `gorm:"not null;default:0"`
	Step    int64  `gorm:"not null;default:0"`
}

// ReachCap bounds how many messages one person gets. While there is none, the one of the settings holds: so many marketing messages per
// person and calendar day. Written by app/reach.
type ReachCap struct {
	ID        int64     `gorm:"primaryKey"`
	Class     string    `gorm:"size:12;not null"`            // marketing | service | all
	Channel   string    `gorm:"size:12;not null;default:''"` // "" = all together
	Per       string    `gorm:"size:8;not null"`             // hours | day | week | month
	Hours     int       `gorm:"not null;default:0"`          // of hours: the last so many, rolling
	Limit     int       `gorm:"column:at_most;not null"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// ReachSettings are what every send obeys beside the caps: at most one row, made by the first change. Written by app/reach.
type ReachSettings struct {
	ID          int64     `gorm:"primaryKey;autoIncrement:false"`
	QuietFrom   string    `gorm:"size:5;not null"` // no marketing from this time of day, "22:00" …
	QuietTo     string    `gorm:"size:5;not null"` // … to this one, up to "24:00"; both "" = always
	StopPercent int64     `gorm:"not null"`        // a run pauses itself when more of its last calls failed; 0 = never for that
	StopCalls   int64     `gorm:"not null"`        // of at least so many
	UpdatedAt   time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// What a cap counts in: the last hours, or the calendar's day, week (from Monday) or month in the programme's zone.
const (
	PerHours = "hours"
	PerDay   = "day"
	PerWeek  = "week"
	PerMonth = "month"
)

// ClassAll is the class of a cap for all messages.
const ClassAll = "all"

// OnceSend says that a person received a message of a key, whichever run it came from. Written by app/reach.
type OnceSend struct {
	OnceKey  string `gorm:"primaryKey;size:64"`
	MemberID int64  `gorm:"primaryKey;autoIncrement:false;index"`
	RunID    int64  `gorm:"not null"`
}

// RunHeld are those who met the condition of a firing and get nothing, to see what the messages bring. Audience, over the firing's runs, and
// they together are who met it. Written by app/reach.
type RunHeld struct {
	RunID   int64  `gorm:"primaryKey;autoIncrement:false"` // the first of the firing
	Members []byte `gorm:"size:67108864"`                  // roaring bitmap
}

// RunReserve is a more important send of the same day: those whom it is for have one message less left for the run. Written by app/reach.
type RunReserve struct {
	RunID    int64     `gorm:"primaryKey;autoIncrement:false"`
	SourceID int64     `gorm:"primaryKey;autoIncrement:false"` // the broadcast
	At       time.Time `gorm:"not null;precision:6"`           // when it is sent
	Channels JSON      `gorm:"not null"`
	Members  []byte    `gorm:"size:67108864"` // roaring bitmap
}

// InboxMessage is a message kept for the mini-program. Written by app/reach.
type InboxMessage struct {
	ID       int64      `gorm:"primaryKey"`
	RunID    int64      `gorm:"not null;uniqueIndex:uq_inbox_message,priority:1"`
	Seq      int64      `gorm:"not null;uniqueIndex:uq_inbox_message,priority:2"`
	MemberID int64      `gorm:"not null;index"`
	Title    string     `gorm:"size:128;not null;default:''"`
	Text     string     `gorm:"type:text;not null"`
	Page     string     `gorm:"size:1024;not null;default:''"`
	At       time.Time  `gorm:"not null;precision:6"`
	ReadAt   *time.Time `gorm:"precision:6"`
}
