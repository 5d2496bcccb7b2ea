package model

import "time"

// Form is questions to members with a window [OpensAt, ClosesAt), which each answers once, and what answering gives. Written by app/form.
type Form struct {
	ID        int64     `gorm:"primaryKey"`
	Title     string    `gorm:"size:200;not null"`
	Text      string    `gorm:"size:2000;not null;default:''"`
	OpensAt   time.Time `gorm:"not null;precision:6"`
	ClosesAt  time.Time `gorm:"not null;precision:6;index"`
	Condition JSON      `gorm:"not null"` // who is asked
	Editable  bool      `gorm:"not null"` // until it closes
	Shown     bool      `gorm:"not null"` // who answered sees the results
	Prize     string    `gorm:"size:12;not null;default:''"`
	CouponID  int64     `gorm:"not null;default:0"` // of PrizeCoupon
	Points    int64     `gorm:"not null;default:0"` // of PrizePoints
	Stock     *int64    // how many prizes there ever are; nil = unlimited
	Taken     int64     `gorm:"not null;default:0"` // given: ≤ Stock, by a conditional UPDATE
	Answered  bool      `gorm:"not null"`           // somebody has: its questions are fixed
	Enabled   bool      `gorm:"not null"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Left is how many prizes there still are; nil = unlimited.
func (f *Form) Left() *int64 {
	if f.Stock == nil {
		return nil
	}
	left := max(*f.Stock-f.Taken, 0)
	return &left
}

// Kinds of prizes.
const (
	PrizeNone   = ""
	PrizeCoupon = "coupon"
	PrizePoints = "points"
)

// FormQuestion is one question of a form. Written by app/form.
type FormQuestion struct {
	ID       int64  `gorm:"primaryKey"`
	FormID   int64  `gorm:"not null;index"`
	Seq      int    `gorm:"not null"` // its place, from 0
	Kind     string `gorm:"size:12;not null"`
	Text     string `gorm:"size:500;not null"`
	Required bool   `gorm:"not null"`
	Min      int    `gorm:"not null;default:0"` // multi, ranking: how many options at least, of who answers it
	Max      int    `gorm:"not null;default:0"` // multi, ranking: at most, 0 = all; rating: the best mark; text: characters
}

// Kinds of questions.
const (
	QuestionSingle  = "single"
	QuestionMulti   = "multi"
	QuestionRating  = "rating"
	QuestionRanking = "ranking"
	QuestionText    = "text"
)

// Choice reports that the question has options.
func (q *FormQuestion) Choice() bool { return q.Kind != QuestionRating && q.Kind != QuestionText }

// FormOption is one option of a question. Written by app/form.
type FormOption struct {
	ID         int64  `gorm:"primaryKey"`
	FormID     int64  `gorm:"not null;index"`
	QuestionID int64  `gorm:"not null"`
	Seq        int    `gorm:"not null"`
	Text       string `gorm:"size:255;not null"`
	TagID      int64  `gorm:"not null;default:0"` // set on whoever chooses it, of a ranking on whoever puts it first
}

// FormAnswer is a member's answer to a form. Written by app/form.
type FormAnswer struct {
	ID             int64      `gorm:"primaryKey"`
	FormID         int64      `gorm:"not null;uniqueIndex:uq_form_answer,priority:1"`
	MemberID       int64      `gorm:"not null;uniqueIndex:uq_form_answer,priority:2;index"`
	EventID        int64      `gorm:"not null;default:0"`
	Prize          string     `gorm:"size:8;not null;default:''"` // what became of it; "" = the form had none
	MemberCouponID int64      `gorm:"not null;default:0"`
	Edits          int        `gorm:"not null;default:0"`
	At             time.Time  `gorm:"not null;precision:6"`
	EditedAt       *time.Time `gorm:"precision:6"` // the last time
}

// What became of a prize.
const (
	PrizeGiven = "given"
	PrizeGone  = "gone"  // none was left, or the coupon has ended
	PrizeLimit = "limit" // he has as many of the coupon as one gets
)

// FormChoice is a line of an answer: an option, a mark or a text. Written by app/form.
type FormChoice struct {
	ID         int64  `gorm:"primaryKey"`
	AnswerID   int64  `gorm:"not null;uniqueIndex:uq_form_choice,priority:1"`
	QuestionID int64  `gorm:"not null;uniqueIndex:uq_form_choice,priority:2;index:ix_form_choice,priority:1"`
	OptionID   int64  `gorm:"not null;uniqueIndex:uq_form_choice,priority:3;index:ix_form_choice,priority:2"` // 0 of a rating and a text
	Value      int    `gorm:"not null;index:ix_form_choice,priority:3"`                                       // 1 of a chosen option, the place in a ranking, the mark of a rating
	Text       string `gorm:"size:2000;not null;default:''"`
}

// Kinds of events about forms.
const (
	EventForm       = "form.submitted" // the first answer
	EventFormEdited = "form.edited"    // changes conditions, earns nothing: rules cannot name it
)
