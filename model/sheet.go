package model

import "time"

// Import is a file of things, one in each line. Written by app/sheet.
type Import struct {
	ID        int64     `gorm:"primaryKey"`
	Kind      string    `gorm:"size:32;not null;index"`   // order.import, …
	WorkID    int64     `gorm:"not null;default:0;index"` // the long job; 0: the file is being read
	Name      string    `gorm:"size:200;not null"`
	Lines     int64     `gorm:"not null"`
	Bad       int64     `gorm:"not null"` // lines that could not be read
	Actor     string    `gorm:"size:64;not null"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
}

// ImportLine is one line of it. Written by app/sheet.
type ImportLine struct {
	ImportID int64  `gorm:"primaryKey;autoIncrement:false"`
	Line     int64  `gorm:"primaryKey;autoIncrement:false"` // of the file, its head being 1
	Label    string `gorm:"size:255;not null"`              // which thing it is about: cells with tabs between them
	State    string `gorm:"size:8;not null"`
	Error    JSON   `gorm:"column:error_json;not null"` // the refusal: code, key and facts
	Body     JSON   `gorm:"column:body_json;not null"`  // what is to be done; emptied when it is
}

// States of a line.
const (
	LinePending = "pending"
	LineNew     = "new"     // a thing that was not there
	LineChanged = "changed" // one that was there is another now
	LineSame    = "same"    // nothing new
	LineFailed  = "failed"
)
