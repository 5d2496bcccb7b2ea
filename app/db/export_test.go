package db

import (
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
)

// Expire makes the closure of tx as old as a closure may get.
func Expire(tx *gorm.DB) { tx.Statement.ConnPool.(*session).until = clock.Real().Add(-1) }

// Raw executes query on the writer's connection past the session, as SQLite does when it rolls back by itself.
func (d *DB) Raw(query string) error { return d.writer.conn.exec(query) }

// SetAge lets a group take closures for so long.
func (d *DB) SetAge(age time.Duration) { d.writer.age = age }

// PassBulk pretends that as many groups went before the waiting bulk closure as may.
func (d *DB) PassBulk() {
	d.writer.mu.Lock()
	defer d.writer.mu.Unlock()
	d.writer.passed = fairness
}

// MaxGroup is the bound of closures per commit.
const MaxGroup = maxGroup
