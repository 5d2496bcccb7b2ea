package model

import "time"

// Member is a person, made at first contact: a follower, a member (JoinedAt is set), or both. Written by app/member.
// Its row is the lock of every decision about the person: version is bumped first.
type Member struct {
	ID          int64      `gorm:"primaryKey"`
	Version     int64      `gorm:"not null;default:0"`
	No          string     `gorm:"size:32;not null;uniqueIndex"` // what people see; survives erasure
	JoinedAt    *time.Time `gorm:"precision:6"`
	MergedInto  *int64     `gorm:"index"` // set on the loser of a merge
	MergedAt    *time.Time `gorm:"precision:6"`
	Nickname    string     `gorm:"size:64;not null;default:''"`
	Gender      string     `gorm:"size:8;not null;default:''"` // male | female | ""
	Birthday    Day        `gorm:"size:10;not null;default:''"`
	BirthdayAt  *time.Time `gorm:"precision:6"`                       // last change: once in 365 days
	PhoneSealed string     `gorm:"size:255;not null;default:''"`      // encrypted
	PhoneIndex  string     `gorm:"size:64;not null;default:'';index"` // blind index of the number
	// AddressSealed is where he lives, in his own words, encrypted: only he sees it, and who may export what is kept of him.
	AddressSealed string     `gorm:"size:1024;not null;default:''"`
	Lang          string     `gorm:"size:8;not null;default:'zh-CN'"`
	FirstChannel  int64      `gorm:"not null;default:0"` // channel code of the first touch; 0 = none
	LastChannel   int64      `gorm:"not null;default:0"`
	OptedOutAt    *time.Time `gorm:"precision:6"`                 // no marketing since then
	LocationOK    bool       `gorm:"not null;default:false"`      // consent to keep positions
	PrivacyRead   string     `gorm:"size:32;not null;default:''"` // version of the privacy text that he accepted last
	LeftAt        *time.Time `gorm:"precision:6;index"`           // a follower who never registered follows nothing since: he is erased some hours later
	ErasedAt      *time.Time `gorm:"precision:6"`                 // nothing says any more who he was; what he held stays under No
	Former        bool       `gorm:"not null;default:false"`      // somebody with his openid or unionid was erased: he is no newcomer
	TokenVersion  int64      `gorm:"not null;default:0"`
	CreatedAt     time.Time  `gorm:"not null;precision:6"`
	ActiveAt      time.Time  `gorm:"not null;precision:6"` // last thing the person did
}

// Joined reports whether the person has registered.
func (m *Member) Joined() bool { return m.JoinedAt != nil }

// Identity is one openid of a person at one WeChat account. Written by app/member.
type Identity struct {
	ID             int64      `gorm:"primaryKey"`
	MemberID       int64      `gorm:"not null;index"`
	Account        string     `gorm:"size:32;not null;uniqueIndex:uq_identity,priority:2"` // name of the account in the configuration
	OpenID         string     `gorm:"size:64;not null;uniqueIndex:uq_identity,priority:1"` // first: one looks for it alone too
	Kind           string     `gorm:"size:8;not null"`                                     // oa | mp
	UnionID        string     `gorm:"size:64;not null;default:'';index"`
	Subscribed     bool       `gorm:"not null;default:false"`
	SubscribedAt   *time.Time `gorm:"precision:6"` // of the last follow
	UnsubscribedAt *time.Time `gorm:"precision:6"`
	StateAt        *time.Time `gorm:"precision:6"` // CreateTime of the push that set Subscribed: an older push does not flip it
	SubscribeScene string     `gorm:"size:64;not null;default:''"`
	SessionSealed  string     `gorm:"size:255;not null;default:''"` // encrypted session_key of the last login
	AskedAt        *time.Time `gorm:"precision:6"`                  // when unionid was last asked of WeChat
	Former         bool       `gorm:"not null;default:false"`       // somebody with this openid was erased: his next follow is not the first
	CreatedAt      time.Time  `gorm:"not null;precision:6"`
}

// Kinds of accounts and identities.
const (
	KindOA = "oa"
	KindMP = "mp"
)

// Union says which member a unionid belongs to: its key decides the race of two first contacts. Written by app/member.
type Union struct {
	UnionID  string `gorm:"primaryKey;size:64"`
	MemberID int64  `gorm:"not null;index"`
}

// Merge records that one member's things went to another. Written by app/member.
type Merge struct {
	ID       int64     `gorm:"primaryKey"`
	LoserID  int64     `gorm:"not null;uniqueIndex"` // a member is merged away once
	WinnerID int64     `gorm:"not null;index"`
	Reason   string    `gorm:"size:64;not null"`
	At       time.Time `gorm:"not null;precision:6"`
}

// MergeChange is one row as it was before a merge and after it, so that the merge can be undone for some days. Written by app/member.
type MergeChange struct {
	ID      int64  `gorm:"primaryKey"`
	MergeID int64  `gorm:"not null;index"`
	Name    string `gorm:"column:table_name;size:64;not null"`
	Before  JSON   `gorm:"column:before_json;not null"` // columns; of a table whose rows just move the ids of those that did; null: no row
	After   JSON   `gorm:"column:after_json;not null"`
}

// Former is an openid or unionid of somebody who was erased, as a keyed hash: who comes back is a new person, but no newcomer. Nothing
// leads from it to what he held. Written by app/member.
type Former struct {
	Hash string    `gorm:"primaryKey;size:64"`
	At   time.Time `gorm:"not null;precision:6"`
}

// Position is where a consenting member was last. Written by app/member.
type Position struct {
	MemberID int64     `gorm:"primaryKey;autoIncrement:false"`
	Lat      float64   `gorm:"not null"`
	Lng      float64   `gorm:"not null"`
	At       time.Time `gorm:"not null;precision:6"`
}

// MemberChange says that under which sets some members stand may have changed: their tags, their tier, what is known of them. Who keeps sets
// in memory reads it and looks at the members anew. Kept for an hour. Written by app/member.
type MemberChange struct {
	ID      int64     `gorm:"primaryKey"`
	Members string    `gorm:"type:text;not null"`   // ids, with commas between them
	At      time.Time `gorm:"not null;precision:6"` // real time
}

// BirthdayUse is the birthday for which a member was rewarded in a year: no other one is celebrated in it. Written by app/member.
type BirthdayUse struct {
	MemberID int64  `gorm:"primaryKey;autoIncrement:false"`
	Year     int    `gorm:"primaryKey;autoIncrement:false"`
	Day      string `gorm:"size:5;not null"` // 11-30
}
