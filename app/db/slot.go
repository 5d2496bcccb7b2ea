package db

import (
	"time"

	"gorm.io/gorm"
)

// Slot is SQL for the quarter of an hour in which the instant of a column lies, counted from 1970. A day of any zone is whole quarters, so
// that a report by days groups by it and leaves zones to Go.
func Slot(tx *gorm.DB, column string) string {
	if tx.Name() == MySQL {
		return "TIMESTAMPDIFF(SECOND, '1970-01-01', " + column + ") DIV 900"
	}
	return "CAST(strftime('%s', " + column + ") AS INTEGER) / 900"
}

// SlotStart is when a quarter of an hour begins.
func SlotStart(slot int64) time.Time { return time.Unix(slot*900, 0) }
