package db

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// revisions are those that a transaction has read: they are few, and every decision of it stands on the same ones.
type revisions struct {
	read map[string]int64 // nil until the first
}

// Revision is the number of changes of a cached set so far; 0 for a set never changed. Works on tx and on a reader.
func Revision(tx *gorm.DB, name string) (int64, error) {
	r, _ := tx.Statement.Context.Value(insideKey{}).(*revisions)
	if r == nil {
		r = &revisions{}
	}
	if r.read == nil {
		var rows []model.Revision
		if err := tx.Find(&rows).Error; err != nil {
			return 0, fmt.Errorf("db: revisions: %w", err)
		}
		r.read = make(map[string]int64, len(rows))
		for _, row := range rows {
			r.read[row.Name] = row.N
		}
	}
	return r.read[name], nil
}

// Bump counts a change of a cached set, in the transaction that changes it: every process reloads it before it decides again.
func Bump(tx *gorm.DB, name string) error {
	if r, ok := tx.Statement.Context.Value(insideKey{}).(*revisions); ok {
		r.read = nil
	}
	for range 2 {
		res := tx.Exec("UPDATE revisions SET n = n + 1 WHERE name = ?", name)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		if dup, err := Insert(tx, &model.Revision{Name: name, N: 1}); err != nil || !dup {
			return err
		}
	}
	return nil
}
