package model

import "time"

// Consent is one word about being reached by a channel that WeChat does not govern: given or taken back, by whom, when. Rows are never
// changed; the state follows from all of them. Written by app/consent.
type Consent struct {
	ID       int64     `gorm:"primaryKey"`
	MemberID int64     `gorm:"not null;index"`
	Kind     string    `gorm:"size:8;not null"` // sms | call
	Given    bool      `gorm:"not null"`
	Source   string    `gorm:"size:8;not null"`              // import | member | admin | reply
	Evidence string    `gorm:"size:255;not null;default:''"` // what proves it: file and line, an operator's words, the reply
	At       time.Time `gorm:"not null;precision:6"`         // when it was said
}
