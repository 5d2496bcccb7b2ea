package model

import "time"

// Gift gives an amount to everybody who meets a condition: once, as a campaign, or by the clock, as a benefit. Written by app/gift.
type Gift struct {
	ID        int64      `gorm:"primaryKey"`
	Name      string     `gorm:"size:64;not null"`
	Account   string     `gorm:"size:32;not null"`
	Amount    int64      `gorm:"not null"`
	Memo      string     `gorm:"size:255;not null"` // on each line
	Condition JSON       `gorm:"not null"`
	Cron      string     `gorm:"size:64;not null"` // "" = once
	Enabled   bool       `gorm:"not null"`
	Actor     string     `gorm:"size:64;not null"` // who wrote it last
	NextAt    *time.Time `gorm:"precision:6;index"`
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// GiftRun is one giving: whom exactly was decided when it began. A member gets one line of it. Written by app/gift.
type GiftRun struct {
	ID        int64     `gorm:"primaryKey"`
	GiftID    int64     `gorm:"not null;uniqueIndex:uq_gift_run,priority:1"`
	Slot      string    `gorm:"size:32;not null;uniqueIndex:uq_gift_run,priority:2"` // the firing; once
	WorkID    int64     `gorm:"not null;default:0"`
	Account   string    `gorm:"size:32;not null"`
	Amount    int64     `gorm:"not null"`
	Memo      string    `gorm:"size:255;not null"`
	Audience  int64     `gorm:"not null"`
	Members   []byte    `gorm:"size:67108864"` // roaring bitmap of member ids
	Actor     string    `gorm:"size:64;not null"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
}
