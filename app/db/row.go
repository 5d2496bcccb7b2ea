package db

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
)

// ByID reads the row with the id; errs.NotFound with the key and args if there is none.
func ByID[T any](tx *gorm.DB, id int64, key string, args ...any) (*T, error) {
	var row T
	if err := tx.Take(&row, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, key, args...)
	} else if err != nil {
		return nil, fmt.Errorf("read %T %d: %w", row, id, err)
	}
	return &row, nil
}

// OnlyID is the id of the row of settings, of which a table has at most one.
const OnlyID = 1

// Only reads that row; before the first change it is fallback.
func Only[T any](tx *gorm.DB, fallback T) (*T, error) {
	var rows []T
	if err := tx.Limit(1).Find(&rows, OnlyID).Error; err != nil {
		return nil, fmt.Errorf("read %T: %w", fallback, err)
	}
	if len(rows) == 0 {
		return &fallback, nil
	}
	return &rows[0], nil
}

// SaveOnly writes it; its ID is OnlyID.
func SaveOnly(tx *gorm.DB, row any) error {
	dup, err := Insert(tx, row)
	if err == nil && dup {
		err = tx.Save(row).Error
	}
	if err != nil {
		return fmt.Errorf("save %T: %w", row, err)
	}
	return nil
}
