package model

import (
	"strings"
	"time"
)

// CommunityGroup is a WeChat group that the brand runs. Written by app/community.
type CommunityGroup struct {
	ID        int64      `gorm:"primaryKey"`
	Name      string     `gorm:"size:64;not null;uniqueIndex"`
	OpenGID   *string    `gorm:"column:opengid;size:64;uniqueIndex"` // WeChat's id of the group for the mini-program; nil until bound
	BindCode  string     `gorm:"size:32;not null;default:''"`        // the first proof that brings it binds the group; "" once bound
	BoundAt   *time.Time `gorm:"precision:6"`
	Enabled   bool       `gorm:"not null"`
	CreatedAt time.Time  `gorm:"not null;precision:6"`
}

// GroupMember says that a member proved to be in a group. Written by app/community.
type GroupMember struct {
	GroupID  int64     `gorm:"primaryKey;autoIncrement:false"`
	MemberID int64     `gorm:"primaryKey;autoIncrement:false;index"`
	Via      string    `gorm:"size:8;not null"`
	JoinedAt time.Time `gorm:"not null;precision:6"` // of his first proof
}

// GroupDay is what an operator planned for a group's day. Written by app/community.
type GroupDay struct {
	GroupID int64   `gorm:"primaryKey;autoIncrement:false"`
	Day     Day     `gorm:"primaryKey;size:10;uniqueIndex:uq_group_word,priority:1"`
	Topic   string  `gorm:"size:500;not null;default:''"`
	Word    *string `gorm:"size:64;uniqueIndex:uq_group_word,priority:2"` // as compared; nil: the generated one counts
}

// Interaction is one proof that a member took part in a group, each kind of proof once a day. Written by app/community.
type Interaction struct {
	ID       int64     `gorm:"primaryKey"`
	MemberID int64     `gorm:"not null;uniqueIndex:uq_interaction,priority:1"`
	GroupID  int64     `gorm:"not null;uniqueIndex:uq_interaction,priority:2;index:ix_interaction_group,priority:1"`
	Day      Day       `gorm:"size:10;not null;uniqueIndex:uq_interaction,priority:3;index:ix_interaction_group,priority:2"`
	Proof    string    `gorm:"size:24;not null;uniqueIndex:uq_interaction,priority:4"` // enter | word | push:<event>
	At       time.Time `gorm:"not null;precision:6"`
	EventID  int64     `gorm:"not null;default:0"` // community.interacted
}

// GroupGuess counts a member's wrong words of a day. Written by app/community.
type GroupGuess struct {
	MemberID int64 `gorm:"primaryKey;autoIncrement:false"`
	Day      Day   `gorm:"primaryKey;size:10"`
	Wrong    int   `gorm:"not null"`
}

// Via is the kind of proof.
func (i *Interaction) Via() string {
	via, _, _ := strings.Cut(i.Proof, ":")
	return via
}
