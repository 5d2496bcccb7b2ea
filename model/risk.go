package model

import "time"

// Risk is something about a member that an operator should look at, once for its kind and subject. Written by app/risk.
type Risk struct {
	ID       int64      `gorm:"primaryKey"`
	Kind     string     `gorm:"size:32;not null;uniqueIndex:uq_risk,priority:1"`
	Subject  string     `gorm:"size:128;not null;uniqueIndex:uq_risk,priority:2"` // what it is about: "order:7", "entry:12"
	MemberID int64      `gorm:"not null;uniqueIndex:uq_risk,priority:3;index"`    // 0: nobody's
	Data     JSON       `gorm:"not null"`
	At       time.Time  `gorm:"not null;precision:6"`
	DoneAt   *time.Time `gorm:"precision:6;index"` // an operator looked at it
}

// Kinds of risks.
const (
	RiskShortfall     = "points.shortfall"  // a refund came after the points were spent, and the account does not go into debt
	RiskBenefitUsed   = "benefit.used"      // the order that a used benefit asked for was refunded
	RiskBudget        = "rule.budget"       // a rule has used up most of its budget
	RiskClaimTaken    = "order.claim_taken" // he claimed an order that is another's
	RiskClaimWrong    = "order.claim_wrong" // he claimed wrongly as often as a day allows
	RiskOverRefund    = "order.over_refund" // more was refunded than was paid
	RiskRunStopped    = "run.stopped"       // a run paused itself: WeChat refuses its messages
	RiskRunMissed     = "run.missed"        // a firing that nobody was up for was not sent
	RiskRunUnanswered = "run.unanswered"    // WeChat does not say whether it has made a mass send
)

// RiskKinds are all of them.
var RiskKinds = []string{RiskShortfall, RiskBenefitUsed, RiskBudget, RiskClaimTaken, RiskClaimWrong, RiskOverRefund, RiskRunStopped, RiskRunMissed, RiskRunUnanswered}
