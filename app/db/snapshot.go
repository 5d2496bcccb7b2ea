package db

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// Snapshot runs fn, which only reads, on one state of the database.
func (d *DB) Snapshot(ctx context.Context, fn func(tx *gorm.DB) error) error {
	opts := &sql.TxOptions{}
	if d.dialect == MySQL {
		opts = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return d.Reader(ctx).Transaction(fn, opts)
}
