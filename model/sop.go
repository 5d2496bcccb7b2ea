package model

import "time"

// SOP is a plan of steps per member. Written by app/sop.
type SOP struct {
	ID        int64      `gorm:"primaryKey"`
	Name      string     `gorm:"size:64;not null"`
	State     string     `gorm:"size:8;not null;index"` // draft | active | paused | ended
	Version   int        `gorm:"not null"`              // by which members enter
	Turn      int64      `gorm:"not null;default:0"`    // counts the changes of this row
	NextAt    *time.Time `gorm:"precision:6"`           // of an entry by the clock, while active
	ResumedAt *time.Time `gorm:"precision:6"`           // what fell due before is not sent any more
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// States of a SOP.
const (
	SOPDraft  = "draft"
	SOPActive = "active"
	SOPPaused = "paused"
	SOPEnded  = "ended" // whoever was in it is out
)

// SOPVersion is what a SOP said since it was saved. Written by app/sop.
type SOPVersion struct {
	SOPID      int64     `gorm:"column:sop_id;primaryKey;autoIncrement:false"`
	Version    int       `gorm:"primaryKey;autoIncrement:false"`
	Definition JSON      `gorm:"not null"` // sop.Definition
	Actor      string    `gorm:"size:64;not null"`
	CreatedAt  time.Time `gorm:"not null;precision:6"`
}

// SOPEnrolment is one way of a member through a SOP. Written by app/sop.
type SOPEnrolment struct {
	ID        int64      `gorm:"primaryKey"`
	SOPID     int64      `gorm:"column:sop_id;not null;uniqueIndex:uq_sop_running,priority:1;index:ix_sop_due,priority:1"`
	MemberID  int64      `gorm:"not null;uniqueIndex:uq_sop_running,priority:2;index:ix_sop_member,priority:1"`
	Running   *int       `gorm:"uniqueIndex:uq_sop_running,priority:3"` // 1 while running, else nil: he is in it once at a time
	No        int        `gorm:"not null"`                              // his first entry is 1
	Version   int        `gorm:"not null"`
	Moved     bool       `gorm:"not null;default:false"` // to another version than he entered by
	Step      string     `gorm:"size:32;not null"`       // where he stands
	ReachedAt time.Time  `gorm:"not null;precision:6"`   // when he came there, as planned
	DueAt     *time.Time `gorm:"precision:6;index:ix_sop_due,priority:2"`
	State     string     `gorm:"size:8;not null"`             // running | leaving | ended
	Reason    string     `gorm:"size:12;not null;default:''"` // of leaving and ended
	EnteredAt time.Time  `gorm:"not null;precision:6"`
	EndedAt   *time.Time `gorm:"precision:6"`
	ExitedAt  *time.Time `gorm:"precision:6"`                                         // what still waits to be sent is not
	GoalAt    *time.Time `gorm:"precision:6"`                                         // the goal was reached
	WatchTill time.Time  `gorm:"not null;precision:6;index:ix_sop_member,priority:2"` // until when his events concern it
}

// States of an enrolment.
const (
	EnrolmentRunning = "running"
	EnrolmentLeaving = "leaving" // he has left; the step at which he stands will show it when it is due
	EnrolmentEnded   = "ended"
)

// Why an enrolment ended.
const (
	EnrolmentDone   = "done"
	EnrolmentExited = "exited"
	EnrolmentMerged = "merged" // he was in it as another member too
	EnrolmentCut    = "cut"    // the version that he was moved to has not his step
	EnrolmentErased = "erased"
)

// SOPFiring is what happens to many members of a SOP at once: whom exactly was decided when it began. Written by app/sop.
type SOPFiring struct {
	ID        int64      `gorm:"primaryKey"`
	SOPID     int64      `gorm:"column:sop_id;not null;index:ix_sop_firing,priority:1"`
	Step      string     `gorm:"size:32;not null;index:ix_sop_firing,priority:2"` // of step
	Kind      string     `gorm:"size:8;not null"`                                 // step | entry | move
	Version   int        `gorm:"not null"`
	State     string     `gorm:"size:8;not null;index"`  // open | done | missed
	Late      bool       `gorm:"not null;default:false"` // its members pass the step without it
	At        time.Time  `gorm:"not null;precision:6"`
	Cursor    int64      `gorm:"column:cursor_id;not null;default:0"` // the last of those who were moved on
	Audience  int64      `gorm:"not null;default:0"`
	RunID     int64      `gorm:"not null;default:0;index"`
	Members   []byte     `gorm:"size:67108864"` // roaring bitmap: of entry of members, of step of enrolments
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	DoneAt    *time.Time `gorm:"precision:6"`
}

// Kinds and states of a firing.
const (
	FiringStep   = "step"
	FiringEntry  = "entry"
	FiringMove   = "move" // those who run by older versions are moved to this one
	FiringOpen   = "open"
	FiringDone   = "done"
	FiringMissed = "missed" // an entry by the clock that nobody was up for
)

// SOPPass is how an enrolment passed a step. Written by app/sop.
type SOPPass struct {
	EnrolmentID    int64     `gorm:"primaryKey;autoIncrement:false"`
	Step           string    `gorm:"primaryKey;size:32;index:ix_sop_pass,priority:2"`
	SOPID          int64     `gorm:"column:sop_id;not null;index:ix_sop_pass,priority:1"`
	FiringID       int64     `gorm:"not null;default:0"`
	MemberID       int64     `gorm:"not null;index"` // as he was then: a merge leaves it
	Outcome        string    `gorm:"size:12;not null;index:ix_sop_pass,priority:3"`
	Account        string    `gorm:"size:32;not null;default:''"`
	Granted        int64     `gorm:"not null;default:0"` // of the account
	MemberCouponID int64     `gorm:"not null;default:0"`
	Note           string    `gorm:"size:24;not null;default:''"` // why the coupon was not given
	At             time.Time `gorm:"not null;precision:6"`
}

// Outcomes of a step.
const (
	PassRun       = "run" // handed to reach: the delivery says what came of it
	PassCondition = "condition"
	PassExited    = "exited"
	PassMissed    = "missed"
	PassYes       = "yes" // of a branch
	PassNo        = "no"
	PassHappened  = "happened" // of a wait
	PassTimeout   = "timeout"
)
