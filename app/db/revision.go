package db

import (
	"context"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// revisions are those that a transaction or a Question has read: they are few, and all of it stands on the same ones.
type revisions struct {
	inside bool             // a transaction
	read   map[string]int64 // nil until the first
	bumped bool             // by this transaction, which may yet be undone
}

type revisionsKey struct{}

// Question is ctx for the Reader of something that asks for several cached sets, one after the other: their revisions are read once.
func Question(ctx context.Context) context.Context {
	if inside(ctx) {
		return ctx
	}
	return context.WithValue(ctx, revisionsKey{}, &revisions{})
}

// revisionsOf are those of ctx; of a reader they are not kept.
func revisionsOf(ctx context.Context) *revisions {
	if r, ok := ctx.Value(revisionsKey{}).(*revisions); ok {
		return r
	}
	return &revisions{}
}

// Revision is the number of changes of a cached set so far; 0 for a set never changed. Works on tx and on a reader.
func Revision(tx *gorm.DB, name string) (int64, error) {
	r := revisionsOf(tx.Statement.Context)
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
	r := revisionsOf(tx.Statement.Context)
	r.read, r.bumped = nil, true
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

// Cached is a set of rows that everybody asks for and that seldom changes, as of a revision. What it gives is shared: nobody changes it.
// The zero value is empty. No lock is held while it is loaded: who waits for one inside a transaction has a connection, and who loads may
// need one that is not left.
type Cached[T any] struct {
	mu       sync.Mutex
	loaded   bool
	revision int64
	value    T
}

// Get is the set that the revision of that name counts the changes of. load reads it, with tx; several may do that at once.
func (c *Cached[T]) Get(tx *gorm.DB, name string, load func(tx *gorm.DB) (T, error)) (T, error) {
	var none T
	rev, err := Revision(tx, name)
	if err != nil {
		return none, err
	}
	own := revisionsOf(tx.Statement.Context).bumped // what it reads may never be committed: it is nobody else's
	if !own {
		c.mu.Lock()
		hit, value := c.loaded && c.revision == rev, c.value
		c.mu.Unlock()
		if hit {
			return value, nil
		}
	}
	value, err := load(tx)
	if err != nil || own {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded, c.revision, c.value = true, rev, value
	return value, nil
}

// Fixed keeps the last few of a kind of rows that never change, by id, shared as those of Cached are and loaded as they are.
type Fixed[T any] struct {
	mu  sync.Mutex
	are map[int64]T
}

// Get is the row of that id. It keeps up to most of them.
func (f *Fixed[T]) Get(id int64, most int, load func() (T, error)) (T, error) {
	f.mu.Lock()
	value, hit := f.are[id]
	f.mu.Unlock()
	if hit {
		return value, nil
	}
	value, err := load()
	if err != nil {
		return value, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.are == nil || len(f.are) >= most {
		f.are = map[int64]T{}
	}
	f.are[id] = value
	return value, nil
}
