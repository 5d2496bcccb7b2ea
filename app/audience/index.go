package audience

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
)

const (
	memberLeaf = "member" // its index knows everybody

	lookBack  = 60 * time.Second       // how long a gap in the ids of changes may still be filled: ids do not tell the order of commits
	behind    = 100_000                // ids before the newest one that may belong to transactions in flight when the sets are read
	away      = member.ChangesKept / 2 // after so long without a look the sets are read anew
	anew      = 200_000                // with more changes than that too
	chunkSize = 1_000                  // members whose rows are read in one statement
	keepAbove = 50_000                 // people: below, no answer is kept
	keepMost  = 60 * time.Second       // the age of an answer that is kept
	keepTimes = 30                     // … and in times that it took to find
	keepCount = 64                     // answers
)

// index holds the sets of members under the keys of every leaf that has an Index, as of the last refresh. It is refreshed before each
// question, by the rows of member_changes since: an answer is as fresh as the question, whichever process made the change. Nothing is read
// before the first question.
type index struct {
	db         *db.DB
	conditions *condition.Registry

	refreshing sync.Mutex // guards what follows
	last       int64      // the newest change that was seen
	gaps       []gap      // ids below last that were not seen
	lookedAt   time.Time  // real time
	names      *names     // nil until somebody looks for one

	mu   sync.RWMutex // guards what follows
	sets map[string]map[int64]*roaring.Bitmap
	all  *roaring.Bitmap // a copy of everybody, shared and never changed; nil until somebody asks
	kept map[string]answer
}

// gap is ids that were missing at a moment.
type gap struct {
	at  time.Time
	ids *roaring64.Bitmap
}

// answer is one of a leaf without an Index.
type answer struct {
	found *roaring.Bitmap
	until time.Time // real time
}

// refresh brings the sets up to what is committed now.
func (x *index) refresh(ctx context.Context) error {
	x.refreshing.Lock()
	defer x.refreshing.Unlock()
	r, now := x.db.Reader(ctx), clock.Real()
	if x.sets == nil || now.Sub(x.lookedAt) > away {
		return x.load(r, now)
	}
	changed, n, err := x.changes(r, now)
	if err != nil {
		x.lookedAt = time.Time{} // some changes may count as seen: all is read anew
		return fmt.Errorf("audience: changes: %w", err)
	}
	if n > anew {
		return x.load(r, now)
	}
	x.lookedAt = now
	if changed.IsEmpty() {
		return nil
	}
	fresh, err := x.read(ctx, r, changed)
	if err == nil {
		err = x.rename(ctx, r, changed)
	}
	if err != nil {
		x.lookedAt = time.Time{}
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = nil
	for leaf, keys := range x.sets {
		for key, set := range keys {
			set.AndNot(changed)
			if more := fresh[leaf][key]; more != nil {
				set.Or(more)
				delete(fresh[leaf], key)
			}
		}
		maps.Copy(keys, fresh[leaf])
	}
	return nil
}

// load reads all sets. An id of a change that is there before they are read is in them; one that is not may be in flight.
func (x *index) load(r *gorm.DB, now time.Time) error {
	if err := r.Raw("SELECT COALESCE(MAX(id), 0) FROM member_changes").Scan(&x.last).Error; err != nil {
		return fmt.Errorf("audience: load: %w", err)
	}
	var there []int64
	from := max(x.last-behind, 0) + 1
	if err := r.Raw("SELECT id FROM member_changes WHERE id BETWEEN ? AND ?", from, x.last).Scan(&there).Error; err != nil {
		return fmt.Errorf("audience: load: %w", err)
	}
	x.gaps, x.names = nil, nil
	x.missing(now, from, x.last+1)
	x.seen(there)
	sets, err := x.read(r.Statement.Context, r, nil)
	if err != nil {
		x.sets = nil
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sets, x.all, x.lookedAt, x.kept = sets, nil, now, map[string]answer{}
	return nil
}

// read are the sets of these members, or of all with nil, those of the leaves side by side.
func (x *index) read(ctx context.Context, r *gorm.DB, only *roaring.Bitmap) (map[string]map[int64]*roaring.Bitmap, error) {
	leaves := x.conditions.Indexed()
	leaves[memberLeaf] = member.Sets()
	var wg sync.WaitGroup
	var mu sync.Mutex // guards what follows
	sets, failed := map[string]map[int64]*roaring.Bitmap{}, error(nil)
	for name, leaf := range leaves {
		wg.Go(func() {
			found, err := setsOf(ctx, r, leaf, only)
			mu.Lock()
			defer mu.Unlock()
			if sets[name] = found; err != nil {
				failed = fmt.Errorf("audience: sets of %s: %w", name, err)
			}
		})
	}
	wg.Wait()
	return sets, failed
}

func setsOf(ctx context.Context, r *gorm.DB, leaf *condition.Index, only *roaring.Bitmap) (map[int64]*roaring.Bitmap, error) {
	f := filler{sets: map[int64]*roaring.Bitmap{}}
	if only != nil {
		for ids := range chunks(only) {
			if err := leaf.Rows(ctx, r, ids, f.put); err != nil {
				return nil, err
			}
		}
		return f.sets, nil
	}
	err := leaf.Rows(ctx, r, nil, f.put)
	for _, set := range f.sets {
		set.RunOptimize()
	}
	return f.sets, err
}

// chunks are the ids of a set, some at a time.
func chunks(set *roaring.Bitmap) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) {
		for some := range slices.Chunk(set.ToArray(), chunkSize) {
			ids := make([]int64, len(some))
			for i, id := range some {
				ids[i] = int64(id)
			}
			if !yield(ids) {
				return
			}
		}
	}
}

// filler makes sets of pairs; they come key by key, mostly.
type filler struct {
	sets map[int64]*roaring.Bitmap
	key  int64
	set  *roaring.Bitmap
}

func (f *filler) put(key int64, id uint32) {
	if f.set == nil || f.key != key {
		f.key = key
		if f.set = f.sets[key]; f.set == nil {
			f.set = roaring.New()
			f.sets[key] = f.set
		}
	}
	f.set.Add(id)
}

// missing notes that the ids [from, to) were not seen.
func (x *index) missing(now time.Time, from, to int64) {
	if from < to {
		ids := roaring64.New()
		ids.AddRange(uint64(from), uint64(to)) //nolint:gosec // not negative
		x.gaps = append(x.gaps, gap{now, ids})
	}
}

// changes are the members of the changes that were not seen yet, and how many changes that were.
func (x *index) changes(r *gorm.DB, now time.Time) (*roaring.Bitmap, int, error) {
	changed, n, from := roaring.New(), 0, x.last
	err := member.Changes(r.Raw("SELECT id, members FROM member_changes WHERE id > ? ORDER BY id LIMIT ?", from, anew+1), func(id int64, members []uint32) {
		changed.AddMany(members)
		n += len(members)
		x.missing(now, x.last+1, id)
		x.last = id
	})
	if err != nil || len(x.gaps) == 0 {
		return changed, n, err
	}
	low, high := x.gaps[0].ids.Minimum(), uint64(0)
	for _, g := range x.gaps {
		low, high = min(low, g.ids.Minimum()), max(high, g.ids.Maximum())
	}
	var there []int64
	if err := r.Raw("SELECT id FROM member_changes WHERE id BETWEEN ? AND ?", low, high).Scan(&there).Error; err != nil {
		return nil, 0, err
	}
	for ids := range slices.Chunk(x.seen(there), chunkSize) {
		err = member.Changes(r.Raw("SELECT id, members FROM member_changes WHERE id IN ?", ids), func(_ int64, members []uint32) {
			changed.AddMany(members)
			n += len(members)
		})
		if err != nil {
			return nil, 0, err
		}
	}
	x.gaps = slices.DeleteFunc(x.gaps, func(g gap) bool { return now.Sub(g.at) > lookBack })
	return changed, n, nil
}

// seen takes ids out of the gaps, and says which of them were there.
func (x *index) seen(ids []int64) (late []int64) {
	for _, id := range ids {
		for _, g := range x.gaps {
			if g.ids.CheckedRemove(uint64(id)) { //nolint:gosec // not negative
				late = append(late, id)
			}
		}
	}
	x.gaps = slices.DeleteFunc(x.gaps, func(g gap) bool { return g.ids.IsEmpty() })
	return late
}

// everybody is shared: nobody changes it.
func (x *index) everybody() *roaring.Bitmap {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all == nil {
		x.all = roaring.New()
		if all := x.sets[memberLeaf][member.KeyEverybody]; all != nil {
			x.all = all.Clone()
		}
	}
	return x.all
}

// Among implements condition.Sets.
func (x *index) Among(within *roaring.Bitmap, leaf string, keys []int64) *roaring.Bitmap {
	x.mu.RLock()
	defer x.mu.RUnlock()
	found := roaring.New()
	for i, key := range keys {
		set := x.sets[leaf][key]
		switch {
		case set == nil:
		case i == 0:
			found = roaring.And(within, set)
		default:
			found.Or(roaring.And(within, set))
		}
	}
	return found
}

// Kept implements condition.Sets: where there are many people, what took long to find is good for some time.
func (x *index) Kept(leaf string, args json.RawMessage, ask func() (*roaring.Bitmap, error)) (*roaring.Bitmap, error) {
	if leaf == leafName { // what it stands on is kept
		return ask()
	}
	name, began := leaf+string(args), clock.Real()
	x.mu.RLock()
	a, ok := x.kept[name]
	all := x.sets[memberLeaf][member.KeyEverybody]
	many := all != nil && all.GetCardinality() >= keepAbove
	x.mu.RUnlock()
	if ok && began.Before(a.until) {
		return a.found, nil
	}
	found, err := ask()
	if err != nil || !many {
		return found, err
	}
	now := clock.Real()
	x.mu.Lock()
	defer x.mu.Unlock()
	maps.DeleteFunc(x.kept, func(_ string, a answer) bool { return now.After(a.until) })
	if len(x.kept) >= keepCount {
		clear(x.kept)
	}
	x.kept[name] = answer{found, now.Add(min(keepTimes*now.Sub(began), keepMost))}
	return found, nil
}

// audit compares the sets with the tables.
func (x *index) audit(ctx context.Context) (differ []string, err error) {
	now, err := x.read(ctx, x.db.Reader(ctx), nil)
	if err != nil {
		return nil, err
	}
	if differ, err = x.auditNames(ctx); err != nil {
		return nil, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	empty := roaring.New()
	for leaf, keys := range now {
		for key := range x.sets[leaf] {
			if keys[key] == nil {
				keys[key] = empty
			}
		}
		for key, want := range keys {
			have := x.sets[leaf][key]
			if have == nil {
				have = empty
			}
			if off := roaring.Xor(want, have); !off.IsEmpty() {
				differ = append(differ, fmt.Sprintf("%s %d: members %v", leaf, key, off.ToArray()[:min(5, off.GetCardinality())]))
			}
		}
	}
	return differ, nil
}
