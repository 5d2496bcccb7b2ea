package model

import "time"

// Audience is a group of people with a name: whoever meets a condition at the moment of asking, or, once FrozenAt is set, exactly those
// who did then, or who stood on a list. Written by app/audience.
type Audience struct {
	ID        int64      `gorm:"primaryKey"`
	Name      string     `gorm:"size:64;not null;uniqueIndex"`
	Condition JSON       `gorm:"not null"` // of a frozen one: what it was frozen from; {} of a list
	FrozenAt  *time.Time `gorm:"precision:6"`
	Members   []byte     `gorm:"size:67108864"`      // frozen: roaring bitmap of member ids
	Count     int64      `gorm:"not null;default:0"` // frozen: of Members
	WorkID    int64      `gorm:"not null;default:0"` // the job that reads the list; 0 = no list
	Actor     string     `gorm:"size:64;not null"`   // who wrote it last
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// List reports whether the group is a list that was given.
func (a *Audience) List() bool { return a.WorkID != 0 }

// Frozen reports whether the group stays as it is.
func (a *Audience) Frozen() bool { return a.FrozenAt != nil }
