package db

import (
	"github.com/libtnb/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
)

// sqliteDialect is libtnb's, but Create reads the new id from the connection, as on MySQL, and not with RETURNING: it costs SQLite a
// temporary table per row.
type sqliteDialect struct{ *sqlite.Dialector }

func sqliteOver(conn gorm.ConnPool) gorm.Dialector {
	return sqliteDialect{sqlite.New(sqlite.Config{Conn: conn}).(*sqlite.Dialector)}
}

// Initialize implements gorm.Dialector.
func (d sqliteDialect) Initialize(g *gorm.DB) error {
	if err := d.Dialector.Initialize(g); err != nil {
		return err
	}
	return g.Callback().Create().Replace("gorm:create", callbacks.Create(&callbacks.Config{
		CreateClauses:        []string{"INSERT", "VALUES", "ON CONFLICT"},
		LastInsertIDReversed: true,
	}))
}
