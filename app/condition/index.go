package condition

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"
)

// Index is how a leaf is answered from sets kept in memory: under each of its keys stands a set of members. Whoever changes under which
// keys a member stands says so with member.ChangedTx, in the same transaction.
type Index struct {
	// Rows puts each of the members with the ids, or all of them where ids is nil, under every key under which he stands now.
	Rows func(ctx context.Context, tx *gorm.DB, ids []int64, put func(key int64, member uint32)) error
	// Keys says for whom the leaf holds: for those under one of the keys; where but is true, for all others. ErrNotIndexed: only Members can.
	Keys func(ctx context.Context, tx *gorm.DB, args json.RawMessage) (keys []int64, but bool, err error)
}

// ErrNotIndexed is the answer of Index.Keys to args about which no set is kept, such as what time changes.
var ErrNotIndexed = errors.New("condition: no set in memory answers these args")

// Sets answers leaves from memory.
type Sets interface {
	// Among are those of within who stand under one of a leaf's keys; the answer is the caller's own.
	Among(within *roaring.Bitmap, leaf string, keys []int64) *roaring.Bitmap
	// Kept is the answer of ask, or one of not long ago: of a leaf without an Index.
	Kept(leaf string, args json.RawMessage, ask func() (*roaring.Bitmap, error)) (*roaring.Bitmap, error)
}

// MembersIn is Members by what stands in memory, where a leaf has an Index: for counts, not for decisions.
func (r *Registry) MembersIn(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, t Tree, sets Sets) (*roaring.Bitmap, error) {
	return r.search(ctx, tx, at, universe, t, sets)
}

// Indexed are the indexes of the leaves, by the leaf's name.
func (r *Registry) Indexed() map[string]*Index {
	all := map[string]*Index{}
	for name, l := range r.leaves {
		if l.Index != nil {
			all[name] = l.Index
		}
	}
	return all
}

// Placed is a list of ids for SQL, "(?,?,…)", and its arguments.
func Placed(ids []int64) (string, []any) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return "(" + strings.TrimSuffix(strings.Repeat("?,", len(ids)), ",") + ")", args
}

// Pair is the one column of a query for Pairs: a key, below 2^31 either way, and a member id, as SQL says them.
func Pair(key, member string) string { return key + " * 4294967296 + " + member }

// Pairs reads a query of keys and member ids for Index.Rows: as one number each, since of millions of rows the columns cost most.
func Pairs(ctx context.Context, tx *gorm.DB, put func(key int64, member uint32), query string, args ...any) error {
	rows, err := tx.Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var both int64
	for rows.Next() {
		if err := rows.Scan(&both); err != nil {
			return err
		}
		put(both>>32, uint32(both&math.MaxUint32)) //nolint:gosec // as Pair made it
	}
	return errors.Join(rows.Err(), rows.Close())
}
