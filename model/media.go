package model

import "time"

// Media is a picture of the brand's library: WeChat forgets what is uploaded after three days, siyu does not. Written by app/media.
type Media struct {
	ID        int64     `gorm:"primaryKey"`
	Name      string    `gorm:"size:64;not null"`
	Type      string    `gorm:"size:8;not null"` // jpg | png | gif | bmp
	Size      int64     `gorm:"not null"`
	SHA256    string    `gorm:"column:sha256;size:64;not null;uniqueIndex"` // the same picture is kept once
	Data      []byte    `gorm:"size:10485760"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// MediaUse says that something sends a picture: it is not deleted, and WeChat's copies of it are kept alive. Written by app/media.
type MediaUse struct {
	Owner   string `gorm:"primaryKey;size:48"` // reply:3, channel:1, card
	MediaID int64  `gorm:"primaryKey;autoIncrement:false;index"`
	Form    string `gorm:"primaryKey;size:8"` // media | url
}

// MediaCopy is what one account of WeChat holds of a picture. Written by app/media.
type MediaCopy struct {
	Account    string     `gorm:"primaryKey;size:32"`
	MediaID    int64      `gorm:"primaryKey;autoIncrement:false"`
	Form       string     `gorm:"primaryKey;size:8"`
	Value      string     `gorm:"size:512;not null;default:''"` // WeChat's media id, or the address; "" = not there yet
	UploadedAt *time.Time `gorm:"precision:6"`
	DiesAt     *time.Time `gorm:"precision:6"` // nil: never
	DueAt      time.Time  `gorm:"not null;precision:6;index"`
	Attempts   int        `gorm:"not null;default:0"` // since the last success
	Error      string     `gorm:"size:255;not null;default:''"`
	LeaseTill  time.Time  `gorm:"not null;precision:6"` // real time
}

// Forms of a copy.
const (
	MediaTemporary = "media" // a media id; dies three days after the upload
	MediaURL       = "url"   // an address of WeChat's picture server, for articles; lives for ever
)
