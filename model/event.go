package model

import "time"

// Event is something a member did, recorded once under (Source, Key). Written by app/event.
type Event struct {
	ID         int64     `gorm:"primaryKey"`
	MemberID   int64     `gorm:"not null;index:ix_event_member,priority:1"`
	Kind       string    `gorm:"size:32;not null;index:ix_event_member,priority:2"` // checkin.done, quiz.answered, …
	Source     string    `gorm:"size:32;not null;uniqueIndex:uq_event,priority:1"`  // who numbers the keys: checkin, quiz, wechat:oa, …
	Key        string    `gorm:"size:128;not null;uniqueIndex:uq_event,priority:2"` // what a retry repeats
	Hash       string    `gorm:"size:64;not null"`                                  // of the input: same key, other input is a conflict
	OccurredAt time.Time `gorm:"not null;precision:6;index:ix_event_member,priority:3"`
	RecordedAt time.Time `gorm:"not null;precision:6"`
	Data       JSON      `gorm:"not null"`
	// Joined: whoever records the event knows, under the lock, that the member had registered by then.
	Joined bool `gorm:"-"`
}

// Kinds of events.
const (
	EventFollowed        = "member.followed"
	EventUnfollowed      = "member.unfollowed"
	EventScanned         = "channel.scanned"
	EventRegistered      = "member.registered"
	EventNickname        = "profile.nickname" // a member said it for the first time
	EventGender          = "profile.gender"
	EventBirthday        = "profile.birthday"
	EventAddress         = "profile.address"
	EventBirthdayChanged = "profile.birthday_changed"
	EventPhone           = "profile.phone"
	EventMessage         = "message.received"
	EventMenu            = "menu.clicked"
	EventCheckin         = "checkin.done"
	EventMakeup          = "checkin.made_up" // a missed day was bought back; its streak earns, by the rules on check-ins
	EventQuiz            = "quiz.answered"
	EventGroup           = "community.interacted"
	EventArticle         = "article.read"
	EventLive            = "live.watched"
	EventRadarViewed     = "radar.viewed"    // a radar link was opened; Data holds its kind
	EventRadarForwarded  = "radar.forwarded" // never rewarded
	EventRadarGraded     = "radar.graded"    // nor this: forwards make it
	EventTag             = "tag.changed"
	EventTask            = "task.claimed" // Data holds task, its code
	EventCoupon          = "coupon.claimed"
	EventCouponUsed      = "coupon.used"
	EventCouponBack      = "coupon.returned" // a use was cancelled
	EventSend            = "message.send"    // a message that another system is to bring to him; like the next
	EventAlert           = "alert.raised"    // nobody's: what operators should look at; like the next
	EventErased          = "member.erased"   // for webhooks: other systems forget him too; rules and conditions cannot name it
	EventBehavior        = "behavior"        // pushed by other systems; Data holds action

	EventOrderPaid      = "order.paid"      // the member was known when the order was pushed; it occurred when it was paid
	EventOrderClaimed   = "order.claimed"   // a member claimed it; it occurred then. An order has exactly one of the two
	EventOrderRefunded  = "order.refunded"  // less remains of it; Data as of the order, with what remains
	EventOrderCorrected = "order.corrected" // its amount or items changed otherwise
)

// OrderAmount is the field of an order event's Data that holds the net goods paid, in fen.
const OrderAmount = "amount_fen"

// Order reports an event by which a member got an order.
func (e *Event) Order() bool { return e.Kind == EventOrderPaid || e.Kind == EventOrderClaimed }

// Outbox is work that follows an event after its transaction, in order within a member. Written by app/event.
type Outbox struct {
	ID        int64     `gorm:"primaryKey"`
	EventID   int64     `gorm:"not null;uniqueIndex"`
	MemberID  int64     `gorm:"not null;index:ix_outbox_member,priority:1"`
	State     string    `gorm:"size:8;not null;index:ix_outbox_due,priority:1;index:ix_outbox_member,priority:2"` // pending | done | parked
	DueAt     time.Time `gorm:"not null;precision:6;index:ix_outbox_due,priority:2"`                              // app time
	Owner     string    `gorm:"size:32;not null;default:''"`
	LeaseTill time.Time `gorm:"not null;precision:6"` // real time
	Attempts  int       `gorm:"not null;default:0"`
	Error     string    `gorm:"size:512;not null;default:''"`
}

// States of an outbox row.
const (
	OutboxPending = "pending"
	OutboxDone    = "done"
	OutboxParked  = "parked" // failed for good: an operator looks at it
)
