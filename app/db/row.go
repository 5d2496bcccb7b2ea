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
