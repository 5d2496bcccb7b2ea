package event

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// AnyBehavior is the trigger of a leaf that every behaviour which other systems push may change.
const AnyBehavior = model.EventBehavior + ".*"

// acts are the kinds of what a person does himself: what siyu or an operator does with him is no activity of his.
var acts = []string{
	model.EventFollowed, model.EventScanned, model.EventRegistered, model.EventMessage, model.EventMenu,
	model.EventNickname, model.EventGender, model.EventBirthday, model.EventBirthdayChanged, model.EventAddress, model.EventPhone,
	model.EventCheckin, model.EventMakeup, model.EventQuiz, model.EventForm, model.EventFormEdited, model.EventGroup, model.EventArticle, model.EventLive,
	model.EventRadarViewed, model.EventRadarForwarded, model.EventTask,
	model.EventOrderPaid, model.EventOrderClaimed, model.EventCoupon, model.EventCouponUsed, model.EventRedeemed,
}

// Act reports whether an event of the kind is something that the person did.
func Act(kind string) bool {
	return slices.Contains(acts, kind) || strings.HasPrefix(kind, model.EventBehavior+".")
}

// ActTriggers are the triggers of a leaf that every act may change.
func ActTriggers() []string { return append(slices.Clone(acts), AnyBehavior) }

// ActsOnly restricts a query of events to acts.
func ActsOnly(q *gorm.DB) *gorm.DB {
	return q.Where("(kind IN ? OR kind LIKE ?)", acts, model.EventBehavior+".%")
}
