package model

import "time"

// Article is something to read. Written by app/content.
type Article struct {
	ID         int64     `gorm:"primaryKey"`
	Title      string    `gorm:"size:200;not null"`
	URL        string    `gorm:"size:512;not null"`
	MinSeconds int       `gorm:"not null"` // that a reading takes at least to count
	Enabled    bool      `gorm:"not null"`
	CreatedAt  time.Time `gorm:"not null;precision:6"`
}

// ArticleRead is what a member read of an article. Written by app/content.
type ArticleRead struct {
	ID        int64      `gorm:"primaryKey"`
	ArticleID int64      `gorm:"not null;uniqueIndex:uq_article_read,priority:1"`
	MemberID  int64      `gorm:"not null;uniqueIndex:uq_article_read,priority:2;index"`
	StartedAt *time.Time `gorm:"precision:6"` // of the reading that goes on; nil = none
	Times     int        `gorm:"not null"`    // readings that counted
	Seconds   int64      `gorm:"not null"`    // of all of them
	LastAt    *time.Time `gorm:"precision:6"`
	FirstID   int64      `gorm:"not null;default:0"` // the event of the first that counted
}

// ReadingClock is how far a member's reading has been counted: of two tabs the time counts once. Written by app/content.
type ReadingClock struct {
	MemberID int64     `gorm:"primaryKey;autoIncrement:false"`
	Till     time.Time `gorm:"not null;precision:6"`
	Day      Day       `gorm:"size:10;not null"`
	Seconds  int64     `gorm:"not null"` // counted on Day
}

// LiveSession is a live broadcast with a window [OpensAt, ClosesAt). Written by app/content.
type LiveSession struct {
	ID         int64     `gorm:"primaryKey"`
	Title      string    `gorm:"size:200;not null"`
	URL        string    `gorm:"size:512;not null;default:''"`
	OpensAt    time.Time `gorm:"not null;precision:6"`
	ClosesAt   time.Time `gorm:"not null;precision:6;index"`
	MinSeconds int       `gorm:"not null"` // watched in all, once per member
	Enabled    bool      `gorm:"not null"`
	CreatedAt  time.Time `gorm:"not null;precision:6"`
}

// LiveVisit is a stretch of time in which a member watched. Written by app/content.
type LiveVisit struct {
	ID        int64      `gorm:"primaryKey"`
	SessionID int64      `gorm:"not null;index:ix_live_visit,priority:1"`
	MemberID  int64      `gorm:"not null;index:ix_live_visit,priority:2;index"`
	Visit     string     `gorm:"size:64;not null"` // who tells of it: app, or push: and the visit's own name
	Since     *time.Time `gorm:"precision:6"`      // nil: its beginning has not been told yet
	Till      *time.Time `gorm:"precision:6"`      // nil: its end has not been told yet
}

// LiveView is how long a member watched a session. Written by app/content.
type LiveView struct {
	SessionID int64      `gorm:"primaryKey;autoIncrement:false"`
	MemberID  int64      `gorm:"primaryKey;autoIncrement:false;index"`
	Seconds   int64      `gorm:"not null"` // of the union of his visits, inside the window
	ReachedAt *time.Time `gorm:"precision:6"`
	EventID   int64      `gorm:"not null;default:0"` // live.watched
}
