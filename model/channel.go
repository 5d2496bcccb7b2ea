package model

import "time"

// ChannelCode is a QR code whose picture stays while its welcome changes. Written by app/channel.
type ChannelCode struct {
	ID        int64     `gorm:"primaryKey"`
	Code      string    `gorm:"size:64;not null;uniqueIndex"` // the scene
	Name      string    `gorm:"size:64;not null"`
	Welcome   string    `gorm:"size:2000;not null;default:''"` // passive reply; "" = the default welcome
	CardTitle string    `gorm:"size:64;not null;default:''"`   // mini-program card that follows; "" = none
	CardPath  string    `gorm:"size:255;not null;default:''"`
	CardImage int64     `gorm:"not null;default:0"` // of the library; 0 = the picture that siyu has
	ImageID   int64     `gorm:"not null;default:0"` // a picture that comes with the welcome; 0 = none
	Article   JSON      `gorm:"type:text"`          // an article that comes with it; nil = none
	TagID     int64     `gorm:"not null;default:0"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// ChannelVisit is one follow, scan or registration by a channel code. Written by app/channel.
type ChannelVisit struct {
	ID        int64     `gorm:"primaryKey"`
	ChannelID int64     `gorm:"not null;index:ix_visit,priority:1"`
	MemberID  int64     `gorm:"not null;index"`
	Kind      string    `gorm:"size:12;not null;index:ix_visit,priority:2"` // new | returning | scan | registered
	EventID   int64     `gorm:"not null"`
	At        time.Time `gorm:"not null;precision:6"`
}

// Kinds of visits.
const (
	VisitNew        = "new"
	VisitReturning  = "returning"
	VisitScan       = "scan"
	VisitRegistered = "registered"
)
