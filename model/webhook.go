package model

import "time"

// WebhookEndpoint is an address of the brand's that is told of events. Written by app/webhook.
type WebhookEndpoint struct {
	ID        int64      `gorm:"primaryKey"`
	URL       string     `gorm:"column:url;size:500;not null"`
	Kinds     JSON       `gorm:"not null"`                     // of events; [] = all
	Secret    string     `gorm:"size:255;not null"`            // sealed
	OldSecret string     `gorm:"size:255;not null;default:''"` // sealed; signs beside the other until OldUntil
	OldUntil  *time.Time `gorm:"precision:6"`
	State     string     `gorm:"size:8;not null"`             // active | off
	Reason    string     `gorm:"size:16;not null;default:''"` // why off: operator, gone, failing
	CreatedAt time.Time  `gorm:"not null;precision:6"`
	UpdatedAt time.Time  `gorm:"not null;precision:6"`
}

// States of an endpoint, and why one is off.
const (
	WebhookActive  = "active"
	WebhookOff     = "off"
	WebhookByHand  = "operator"
	WebhookGone    = "gone"    // it answered 410
	WebhookAtFault = "failing" // a delivery was tried for three days and none got through
)

// WebhookDelivery is an event that an endpoint is told of, once: made in the transaction of the event. It holds nothing of the event
// itself, so that what is erased there is erased. Written by app/webhook.
type WebhookDelivery struct {
	ID         int64      `gorm:"primaryKey"`
	EndpointID int64      `gorm:"not null;uniqueIndex:uq_webhook_delivery,priority:1"`
	EventID    int64      `gorm:"not null;uniqueIndex:uq_webhook_delivery,priority:2"`
	Kind       string     `gorm:"size:32;not null"`
	State      string     `gorm:"size:8;not null;index:ix_webhook_due,priority:1"`      // pending | done | failed
	DueAt      time.Time  `gorm:"not null;precision:6;index:ix_webhook_due,priority:2"` // app time
	LeaseTill  time.Time  `gorm:"not null;precision:6"`                                 // real time
	Attempts   int        `gorm:"not null;default:0"`                                   // ever: the fence of a lease
	Step       int        `gorm:"not null;default:0"`                                   // place in the schedule; a replay begins again
	Error      string     `gorm:"size:255;not null;default:''"`                         // of the last attempt
	CreatedAt  time.Time  `gorm:"not null;precision:6;index"`
	DoneAt     *time.Time `gorm:"precision:6"`
}

// States of a delivery.
const (
	WebhookPending = "pending"
	WebhookDone    = "done"
	WebhookFailed  = "failed" // given up, or the endpoint is off
)

// WebhookAttempt is one call of an endpoint. Written by app/webhook.
type WebhookAttempt struct {
	ID         int64     `gorm:"primaryKey"`
	DeliveryID int64     `gorm:"not null;index"`
	At         time.Time `gorm:"not null;precision:6"`
	Status     int       `gorm:"not null;default:0"` // HTTP; 0: no answer
	TookMS     int64     `gorm:"not null;default:0"`
	Error      string    `gorm:"size:255;not null;default:''"`
	Excerpt    string    `gorm:"size:1024;not null;default:''"` // of the answer
}
