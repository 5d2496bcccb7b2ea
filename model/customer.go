package model

import "time"

// Customer is somebody whom the brand knew before siyu: what a file said of a phone number. He becomes a member's once a member has the
// number. Written by app/customer.
type Customer struct {
	ID          int64      `gorm:"primaryKey"`
	PhoneIndex  string     `gorm:"size:64;not null;uniqueIndex"` // blind index of the number
	PhoneSealed string     `gorm:"size:255;not null"`            // encrypted
	Name        string     `gorm:"size:64;not null"`
	Level       string     `gorm:"size:64;not null"`         // outside, as the file says it
	TierID      int64      `gorm:"not null"`                 // the tier that the file's mapping makes of it; 0 = none
	Tags        JSON       `gorm:"not null"`                 // that the file gives him: [{"tag_id":3}]
	LastOrderAt *time.Time `gorm:"precision:6"`              // elsewhere
	Consent     string     `gorm:"size:3;not null"`          // to marketing: yes | no | "" = the file says nothing
	ImportID    int64      `gorm:"not null;index"`           // the last file that told of him
	Line        int64      `gorm:"not null"`                 // of it
	MemberID    int64      `gorm:"not null;default:0;index"` // the person that he is; 0 = none was made yet
	MatchedAt   *time.Time `gorm:"precision:6"`              // when he appeared as a member; nil = not yet
	CreatedAt   time.Time  `gorm:"not null;precision:6"`
	UpdatedAt   time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}
