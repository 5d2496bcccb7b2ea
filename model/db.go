package model

import "time"

// IdempotencyKey is a request that was done, with its answer, so that a repeat gets the same one. Written by app/db.
type IdempotencyKey struct {
	Principal  string    `gorm:"primaryKey;size:64"`  // who asked: member:7, operator:2, key:5
	Route      string    `gorm:"primaryKey;size:96"`  // method and pattern
	RequestKey string    `gorm:"primaryKey;size:128"` // the Idempotency-Key header
	Hash       string    `gorm:"size:64;not null"`    // SHA-256 of the body, in hex
	Answer     JSON      `gorm:"not null;type:mediumtext"`
	CreatedAt  time.Time `gorm:"not null;precision:6;index"` // real time: old keys are purged by it
}

// Revision counts the changes of a cached set (rules, tags, …) so that no process decides by a stale one. Written by app/db.
type Revision struct {
	Name string `gorm:"primaryKey;size:64"`
	N    int64  `gorm:"not null;default:0"`
}
