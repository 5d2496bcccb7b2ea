package model

import "time"

// RadarLink is a tracked link: where it leads, and how grave the interest in it must be for each grade. Written by app/radar.
type RadarLink struct {
	ID            int64     `gorm:"primaryKey"`
	Name          string    `gorm:"size:64;not null"`
	Kind          string    `gorm:"size:32;not null;default:''"` // what conditions ask for, such as new-product
	Target        string    `gorm:"size:8;not null"`
	URL           string    `gorm:"size:512;not null"` // the article's address, or the page's path
	HighSeconds   int64     `gorm:"not null"`          // looked at for so long, or
	HighForwards  int64     `gorm:"not null"`          // forwarded so often: high
	MediumSeconds int64     `gorm:"not null"`
	LowHours      int       `gorm:"not null"` // delivered and not opened for so long: low
	HighTag       int64     `gorm:"not null"` // the tags stand in one exclusive group
	MediumTag     int64     `gorm:"not null"`
	LowTag        int64     `gorm:"not null"`
	CreatedAt     time.Time `gorm:"not null;precision:6"`
}

// Targets of a radar link.
const (
	RadarArticle = "article"
	RadarPage    = "page" // of the mini-program
)

// Grades of interest, the lowest first; "" is none.
const (
	RadarLow    = "low"
	RadarMedium = "medium"
	RadarHigh   = "high"
)

// RadarRank orders grades.
func RadarRank(grade string) int {
	switch grade {
	case RadarLow:
		return 1
	case RadarMedium:
		return 2
	case RadarHigh:
		return 3
	}
	return 0
}

// Grade is what looking and forwarding deserves; "" if it is too little.
func (l *RadarLink) Grade(seconds, forwards int64) string {
	switch {
	case seconds >= l.HighSeconds || forwards >= l.HighForwards:
		return RadarHigh
	case seconds >= l.MediumSeconds:
		return RadarMedium
	}
	return ""
}

// TagOf is the tag of a grade.
func (l *RadarLink) TagOf(grade string) int64 {
	return map[string]int64{RadarLow: l.LowTag, RadarMedium: l.MediumTag, RadarHigh: l.HighTag}[grade]
}

// RadarSend is a link that a run of reach delivered to a member. Written by app/radar.
type RadarSend struct {
	LinkID   int64      `gorm:"primaryKey;autoIncrement:false"`
	RunID    int64      `gorm:"primaryKey;autoIncrement:false;index"`
	MemberID int64      `gorm:"primaryKey;autoIncrement:false;index"`
	At       time.Time  `gorm:"not null;precision:6"`
	DueAt    *time.Time `gorm:"precision:6;index"` // when who has not opened it by then gets the low grade; nil: it was looked at
}

// RadarShare is what a token stands for: a link in somebody's hands, sent to him or forwarded by him. Parent is the share through which he
// who forwards had come. Written by app/radar.
type RadarShare struct {
	ID        int64     `gorm:"primaryKey"`
	LinkID    int64     `gorm:"not null;index"`
	RunID     int64     `gorm:"not null;default:0"`       // the send at the root of it; 0 = none
	ParentID  int64     `gorm:"not null;default:0;index"` // 0: it was sent
	MemberID  int64     `gorm:"not null;default:0;index"` // who holds it; 0: a visitor
	VisitorID int64     `gorm:"not null;default:0;index"` // who forwarded it without being known; of one that was sent the browser that opened it first
	ViewID    int64     `gorm:"not null;default:0"`       // from which it was forwarded
	Slot      *string   `gorm:"size:64;uniqueIndex"`      // of one that was sent: link, run and member, as its token says them
	At        time.Time `gorm:"not null;precision:6"`
}

// RadarVisitor is a browser or phone whose holder is not known, or was not when it came first. Written by app/radar.
type RadarVisitor struct {
	ID        int64     `gorm:"primaryKey"`
	Version   int64     `gorm:"not null;default:0"`
	MemberID  int64     `gorm:"not null;default:0;index"` // once he logged in
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// RadarView is one opening of a link. Written by app/radar.
type RadarView struct {
	ID          int64      `gorm:"primaryKey"`
	LinkID      int64      `gorm:"not null;index:ix_radar_view,priority:1"`
	MemberID    int64      `gorm:"not null;default:0;index:ix_radar_view,priority:2;index"` // 0: a visitor
	VisitorID   int64      `gorm:"not null;default:0;index"`
	ShareID     int64      `gorm:"not null;index:ix_radar_share,priority:1"` // through which it was opened
	OpenedAt    time.Time  `gorm:"not null;precision:6;index:ix_radar_share,priority:2"`
	Beat        int64      `gorm:"not null;default:0"` // number of the last heartbeat
	CountedTill *time.Time `gorm:"precision:6"`        // until when time has been counted for it
	Seconds     int64      `gorm:"not null;default:0"`
	Forwards    int64      `gorm:"not null;default:0"`
}

// RadarReader is what a member did with a link in all. Written by app/radar.
type RadarReader struct {
	LinkID   int64      `gorm:"primaryKey;autoIncrement:false"`
	MemberID int64      `gorm:"primaryKey;autoIncrement:false;index"`
	Opens    int64      `gorm:"not null;default:0"`
	Seconds  int64      `gorm:"not null;default:0"`
	Forwards int64      `gorm:"not null;default:0"`
	Grade    string     `gorm:"size:8;not null;default:''"`
	GradedAt *time.Time `gorm:"precision:6"`
	LastAt   *time.Time `gorm:"precision:6"` // of the last opening
}
