package model

import "time"

// Reminder is a message that goes to whom it concerns, by the clock or when something happens, with the figures of the moment at which it is
// sent.
// Written by app/reminder.
type Reminder struct {
	ID        int64      `gorm:"primaryKey"`
	Kind      string     `gorm:"size:16;not null"` // streak | spend | expiring | coupon | event
	Name      string     `gorm:"size:64;not null"`
	Enabled   bool       `gorm:"not null"`
	Cron      string     `gorm:"size:64;not null"`
	Days      int        `gorm:"not null"`                    // streak: its length up to yesterday, at least; expiring, coupon: how far ahead
	Account   string     `gorm:"size:32;not null"`            // spend, expiring
	AtLeast   int64      `gorm:"not null"`                    // spend: of the account
	Event     string     `gorm:"size:64;not null;default:''"` // event: its kind
	Condition JSON       `gorm:"not null"`                    // spend, event: whom; empty = everybody
	Message   JSON       `gorm:"not null"`                    // reach.Message
	NextAt    *time.Time `gorm:"precision:6;index"`           // nil = off
	Covered   Day        `gorm:"size:10;not null"`            // expiring, coupon: what ends up to this day was announced
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Kinds of reminders.
const (
	ReminderStreak   = "streak"   // a streak of check-ins is about to be lost
	ReminderSpend    = "spend"    // there is something to spend
	ReminderExpiring = "expiring" // something in an account is about to expire
	ReminderCoupon   = "coupon"   // a coupon is
	ReminderEvent    = "event"    // something has just happened to the member
)
