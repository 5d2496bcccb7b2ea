package model

import "time"

// Operator is a console user. Written by app/operator.
type Operator struct {
	ID           int64      `gorm:"primaryKey"`
	Login        string     `gorm:"size:64;not null;uniqueIndex"`
	PasswordHash string     `gorm:"size:255;not null"`
	Role         string     `gorm:"size:16;not null"`       // owner | manager | operator | analyst | support
	MustChange   bool       `gorm:"not null;default:false"` // the password was made for him: he has to choose his own first
	DisabledAt   *time.Time `gorm:"precision:6"`
	CreatedAt    time.Time  `gorm:"not null;precision:6"`
	TOTPSealed   string     `gorm:"column:totp_sealed;size:255;not null;default:''"` // the key of his authenticator, sealed; "" = the password alone opens
	TOTPStep     int64      `gorm:"column:totp_step;not null;default:0"`             // of the last code that he used: none up to it is taken again
	CodeFails    int        `gorm:"not null;default:0"`                              // wrong codes since the last right one
	CodesFrom    *time.Time `gorm:"precision:6"`                                     // real time: after too many wrong ones no code is taken before
}

// TwoStep reports that a code is asked for after the password.
func (o *Operator) TwoStep() bool { return o.TOTPSealed != "" }

// RecoveryCode opens once, in place of a code of the authenticator. Written by app/operator.
type RecoveryCode struct {
	OperatorID int64  `gorm:"primaryKey;autoIncrement:false"`
	Hash       string `gorm:"primaryKey;size:64"` // keyed: of no use without the secret key
}

// Session is a console login. Written by app/operator.
type Session struct {
	TokenHash  string    `gorm:"primaryKey;size:64"` // sha256 of the cookie
	OperatorID int64     `gorm:"not null;index"`
	ExpiresAt  time.Time `gorm:"not null;precision:6"` // real time
}

// APIKey opens the admin or the open API. Written by app/operator.
type APIKey struct {
	ID        int64     `gorm:"primaryKey"`
	Name      string    `gorm:"size:64;not null;uniqueIndex"`
	TokenHash string    `gorm:"size:64;not null;uniqueIndex"`
	Scopes    string    `gorm:"size:512;not null"` // separated by spaces: "admin", "open.behaviors.write open.members.read"
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// Audit is one change by an operator. Written by app/operator.
type Audit struct {
	ID     int64     `gorm:"primaryKey"`
	Actor  string    `gorm:"size:64;not null;index"`
	Action string    `gorm:"size:64;not null"`
	Object string    `gorm:"size:128;not null;index"`
	Before JSON      `gorm:"column:before_json;not null"`
	After  JSON      `gorm:"column:after_json;not null"`
	At     time.Time `gorm:"not null;precision:6;index"`
}

// Job is a line of the schedule and what came of it last. One by the calendar is claimed by compare-and-set on NextAt and LeaseTill; of the
// others, which look for work all the time, each process writes a line once a minute at most. Written by app/automation.
type Job struct {
	Name      string     `gorm:"primaryKey;size:64"`
	NextAt    *time.Time `gorm:"precision:6"` // app time; nil: not by the calendar
	Owner     string     `gorm:"size:32;not null;default:''"`
	LeaseTill time.Time  `gorm:"not null;precision:6"`       // real time
	State     string     `gorm:"size:8;not null;default:''"` // "" = has not run yet
	LastAt    *time.Time `gorm:"precision:6"`                // app time of the last run that did something
	TookMS    int64      `gorm:"not null;default:0"`         // of it, in real time
	Error     string     `gorm:"size:512;not null;default:''"`
}

// States of a job.
const (
	JobRunning = "running"
	JobDone    = "done"
	JobFailed  = "failed"
)

// Secret is a value shared by all processes: access tokens of WeChat, sealed. Written by app/operator.
type Secret struct {
	Name      string    `gorm:"primaryKey;size:128"`
	Sealed    string    `gorm:"size:2000;not null"`
	ExpiresAt time.Time `gorm:"not null;precision:6"`
}

// BoardDay is what people did on a day that is over, as it was known in the night after it: how many, each once. Written by app/report.
type BoardDay struct {
	Day        Day   `gorm:"primaryKey;size:10"`
	Registered int64 `gorm:"not null"`
	Followed   int64 `gorm:"not null"`
	Unfollowed int64 `gorm:"not null"`
	Active     int64 `gorm:"not null"` // did anything
	Checkins   int64 `gorm:"not null"`
	Ending7    int64 `gorm:"not null"` // points that end within so many days of the next one
	Ending30   int64 `gorm:"not null"`
}
