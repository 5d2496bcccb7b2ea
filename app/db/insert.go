package db

import (
	"errors"

	"gorm.io/gorm"
)

// Insert inserts row. dup reports that a unique key already holds it; the transaction stays usable then.
func Insert(tx *gorm.DB, row any) (dup bool, err error) {
	err = tx.Create(row).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return true, nil
	}
	return false, err
}
