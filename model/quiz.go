package model

import "time"

// Quiz is a question with a window [OpensAt, ClosesAt). Written by app/quiz.
type Quiz struct {
	ID          int64     `gorm:"primaryKey"`
	Question    string    `gorm:"size:1000;not null"`
	OpensAt     time.Time `gorm:"not null;precision:6"`
	ClosesAt    time.Time `gorm:"not null;precision:6;index"`
	Attempts    int       `gorm:"not null"` // tries a member has until he is right
	Explanation string    `gorm:"size:1000;not null;default:''"`
	Link        string    `gorm:"size:512;not null;default:''"`
	Enabled     bool      `gorm:"not null"`
	CreatedAt   time.Time `gorm:"not null;precision:6"`
}

// QuizOption is one answer of a quiz. Written by app/quiz.
type QuizOption struct {
	ID      int64  `gorm:"primaryKey"`
	QuizID  int64  `gorm:"not null;uniqueIndex:uq_quiz_option,priority:1"`
	Letter  string `gorm:"size:1;not null;uniqueIndex:uq_quiz_option,priority:2"` // A…Z
	Text    string `gorm:"size:255;not null"`
	Correct bool   `gorm:"not null"`
	TagID   int64  `gorm:"not null;default:0"` // set on whoever chooses it
}

// QuizAnswer is one try of a member. Written by app/quiz.
type QuizAnswer struct {
	ID       int64     `gorm:"primaryKey"`
	QuizID   int64     `gorm:"not null;uniqueIndex:uq_quiz_answer,priority:1"`
	MemberID int64     `gorm:"not null;uniqueIndex:uq_quiz_answer,priority:2;index"`
	Attempt  int       `gorm:"not null;uniqueIndex:uq_quiz_answer,priority:3"` // from 1
	OptionID int64     `gorm:"not null"`
	Correct  bool      `gorm:"not null"`
	Via      string    `gorm:"size:8;not null"` // api | text
	At       time.Time `gorm:"not null;precision:6"`
}
