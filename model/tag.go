package model

import "time"

// TagGroup is one dimension of tags, or a group that an operator made. Written by app/tag.
type TagGroup struct {
	ID        int64  `gorm:"primaryKey"`
	Code      string `gorm:"size:32;not null;uniqueIndex"`
	Name      string `gorm:"size:64;not null"`
	Exclusive bool   `gorm:"not null;default:false"` // a member holds at most one tag of the group
	Position  int    `gorm:"not null;default:0"`
}

// Tag is a label that members hold. Written by app/tag.
type Tag struct {
	ID        int64     `gorm:"primaryKey"`
	GroupID   int64     `gorm:"not null;uniqueIndex:uq_tag,priority:1"`
	Name      string    `gorm:"size:64;not null;uniqueIndex:uq_tag,priority:2"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// TagHold says that a cause gives a member a tag; he holds the tag while any cause stands. Written by app/tag.
type TagHold struct {
	ID       int64     `gorm:"primaryKey"`
	TagID    int64     `gorm:"not null;uniqueIndex:uq_tag_hold,priority:1"`
	MemberID int64     `gorm:"not null;uniqueIndex:uq_tag_hold,priority:2;index"`
	Cause    string    `gorm:"size:12;not null;uniqueIndex:uq_tag_hold,priority:3"` // manual | rule | channel | quiz | form | reward | import | radar
	CauseID  int64     `gorm:"not null;uniqueIndex:uq_tag_hold,priority:4"`         // operator, auto-tag rule, channel code, quiz, form, point rule, import, radar link
	EventID  int64     `gorm:"not null;default:0"`
	Version  int       `gorm:"not null;default:0"`            // of the auto-tag rule
	Evidence JSON      `gorm:"column:evidence_json;not null"` // what the rule saw: a list of leaves and values
	At       time.Time `gorm:"not null;precision:6"`
}

// Causes of a tag.
const (
	CauseManual  = "manual"
	CauseRule    = "rule"
	CauseChannel = "channel"
	CauseQuiz    = "quiz"
	CauseForm    = "form"
	CauseReward  = "reward"
	CauseImport  = "import"
	CauseRadar   = "radar"
	CauseRecall  = "recall"
)

// TagChange is the history of a member's tags. Written by app/tag.
type TagChange struct {
	ID       int64     `gorm:"primaryKey"`
	MemberID int64     `gorm:"not null;index"`
	TagID    int64     `gorm:"not null;index:ix_tag_change_tag,priority:1"`
	FromTag  int64     `gorm:"not null;default:0"` // in an exclusive group: the tag that this one replaced
	Set      bool      `gorm:"column:is_set;not null"`
	Cause    string    `gorm:"size:12;not null"`
	CauseID  int64     `gorm:"not null"`
	EventID  int64     `gorm:"not null;default:0"`
	Version  int       `gorm:"not null;default:0"` // of the auto-tag rule
	Reason   string    `gorm:"size:255;not null;default:''"`
	At       time.Time `gorm:"not null;precision:6;index:ix_tag_change_tag,priority:2"`
}

// AutoTag is a rule that sets a tag: on an event (a word in a message; stays), or while a condition holds. Written by app/tag.
type AutoTag struct {
	ID        int64  `gorm:"primaryKey"`
	TagID     int64  `gorm:"not null;index"`
	Name      string `gorm:"size:64;not null"`
	Enabled   bool   `gorm:"not null"`
	Condition JSON   `gorm:"not null"`
	Version   int    `gorm:"not null;default:1"` // raised whenever it is saved
	// Owner is the ladder whose step the rule is ("": an operator's own). Of the rules of a ladder the first that holds, by Position, sets its tag.
	Owner    string `gorm:"size:16;not null;default:''"`
	Position int    `gorm:"not null;default:0"`
	// ReviewAfter: since the rule was saved, members with a higher id wait to be re-evaluated; -1: nobody waits.
	ReviewAfter int64     `gorm:"not null;index"`
	CreatedAt   time.Time `gorm:"not null;precision:6"`
	UpdatedAt   time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// TagFlip is the instant at which time alone changes the verdict of a rule for a member. Written by app/tag.
type TagFlip struct {
	AutoTagID int64     `gorm:"primaryKey;autoIncrement:false"`
	MemberID  int64     `gorm:"primaryKey;autoIncrement:false;index"`
	At        time.Time `gorm:"not null;precision:6;index"`
}

// TagLadder is a list of steps of which every member stands on one at most: a dimension of RFM, the value pyramid. Its rules are generated
// from what the operator wrote. Written by app/tag.
type TagLadder struct {
	Code       string    `gorm:"primaryKey;size:16"` // owner of its rules, and code of its tag group
	Definition JSON      `gorm:"not null"`
	UpdatedAt  time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}
