package db

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Key identifies a request that may be repeated: who asks what under which Idempotency-Key, and the SHA-256 of the body.
type Key struct {
	Principal, Route, Key string
	Hash                  [32]byte
}

type keyKey struct{}

// keyState is a key in a ctx. The first Do of the request takes it.
type keyState struct {
	Key
	taken atomic.Bool
}

// WithKey returns ctx with the key of the request.
func WithKey(ctx context.Context, k Key) context.Context {
	return context.WithValue(ctx, keyKey{}, &keyState{Key: k})
}

type alsoKey struct{}

// also is what goes with a use case in its transaction. The first Do of the request takes it.
type also struct {
	fn    func(tx *gorm.DB, answer any) error
	taken atomic.Bool
}

// Also returns ctx with something that the first Do of the request writes in its transaction after the use case, such as a line of the
// audit log: both are kept, or neither. answer is what the use case returned. A repeat under the request's key does not run it again.
func Also(ctx context.Context, fn func(tx *gorm.DB, answer any) error) context.Context {
	return context.WithValue(ctx, alsoKey{}, &also{fn: fn})
}

// with runs fn and then what goes with it.
func with[T any](ctx context.Context, fn func(ctx context.Context, tx *gorm.DB) (T, error)) func(ctx context.Context, tx *gorm.DB) (T, error) {
	a, _ := ctx.Value(alsoKey{}).(*also)
	if a == nil || !a.taken.CompareAndSwap(false, true) {
		return fn
	}
	return func(ctx context.Context, tx *gorm.DB) (T, error) {
		out, err := fn(ctx, tx)
		if err == nil {
			err = a.fn(tx, out)
		}
		return out, err
	}
}

// Do is Tx for a use case with an answer. If ctx has a key, the key and the answer are stored in the same transaction, and a repeat gets
// the stored answer instead of running fn: T must survive JSON. The same key with another body is errs.Conflict ("idempotency.reused").
// Errors of fn undo everything and are not stored. Only the first Do of a request uses the key; later ones run plain.
func Do[T any](ctx context.Context, d *DB, fn func(ctx context.Context, tx *gorm.DB) (T, error)) (T, error) {
	var out, zero T
	k, _ := ctx.Value(keyKey{}).(*keyState)
	if inside(ctx) {
		return zero, errNested
	}
	if k != nil && !k.taken.CompareAndSwap(false, true) {
		k = nil
	}
	fn = with(ctx, fn)
	err := d.Tx(ctx, func(ctx context.Context, tx *gorm.DB) (err error) {
		out = zero
		if k == nil {
			out, err = fn(ctx, tx)
			return err
		}
		first, err := k.claim(tx)
		if err != nil {
			return err
		}
		if !first {
			_, err = k.stored(tx, &out)
			return err
		}
		if out, err = fn(ctx, tx); err != nil {
			return err
		}
		return k.store(tx, out)
	})
	if err != nil {
		return zero, err
	}
	return out, nil
}

// Done is the stored answer for the key in ctx, if there is one: to be asked before a call to the outside, which must not be repeated.
// It does not take the key.
func Done[T any](ctx context.Context, d *DB) (answer T, done bool, err error) {
	k, _ := ctx.Value(keyKey{}).(*keyState)
	if k == nil || k.taken.Load() {
		return answer, false, nil
	}
	done, err = k.stored(d.Reader(ctx), &answer)
	return answer, done, err
}

// PurgeKeys forgets keys older than before, at most limit of them; it reports how many.
func (d *DB) PurgeKeys(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	err = d.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var old []model.IdempotencyKey
		n = 0
		err := tx.Select("principal", "route", "request_key").Where("created_at < ?", before).Limit(limit).Find(&old).Error
		if err != nil {
			return err
		}
		for i := range old {
			res := tx.Delete(&old[i])
			if res.Error != nil {
				return res.Error
			}
			n += res.RowsAffected
		}
		return nil
	})
	return n, err
}

// ForgetKeys forgets every key of a caller and what was answered to him.
func ForgetKeys(tx *gorm.DB, principal string) error {
	return tx.Where("principal = ?", principal).Delete(&model.IdempotencyKey{}).Error
}

// claim inserts the key; false means that the request was done before.
func (k *keyState) claim(tx *gorm.DB) (first bool, err error) {
	if len(k.Key.Key) > 128 {
		return false, errs.New(errs.Invalid, "idempotency.too_long", "field", "Idempotency-Key", "limit", 128)
	}
	row := k.row()
	row.Hash, row.CreatedAt = hex.EncodeToString(k.Hash[:]), clock.Real()
	dup, err := Insert(tx, row)
	if err != nil {
		return false, fmt.Errorf("db: store the idempotency key: %w", err)
	}
	return !dup, nil
}

func (k *keyState) row() *model.IdempotencyKey {
	return &model.IdempotencyKey{Principal: k.Principal, Route: k.Route, RequestKey: k.Key.Key}
}

// stored reads the answer into out; false means that there is none.
func (k *keyState) stored(tx *gorm.DB, out any) (bool, error) {
	var rows []model.IdempotencyKey
	err := tx.Where("principal = ? AND route = ? AND request_key = ?", k.Principal, k.Route, k.Key.Key).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return false, err
	}
	if rows[0].Hash != hex.EncodeToString(k.Hash[:]) {
		return false, errs.New(errs.Conflict, "idempotency.reused")
	}
	if err := json.Unmarshal(rows[0].Answer, out); err != nil {
		return false, fmt.Errorf("db: the stored answer is not a %T: %w", out, err)
	}
	return true, nil
}

func (k *keyState) store(tx *gorm.DB, answer any) error {
	b, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("db: store the answer: %w", err)
	}
	return tx.Model(k.row()).Update("answer", model.JSON(b)).Error
}
