package audience

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
)

// names are the nicknames of everybody, in memory: no index of a database finds a part of a name, and to look through a million of them here
// takes milliseconds.
type names struct {
	text []byte            // in small letters, a zero byte before each, ascending by id
	at   []uint32          // where each begins
	ids  []uint32          // whose it is
	anew map[uint32]string // those that changed since; "" = he has none any more
}

// namesMost is how many changed names are looked through one by one.
const namesMost = 20_000

// readNames reads the names of these members, or of all with nil.
func readNames(ctx context.Context, tx *gorm.DB, ids []int64, do func(id uint32, name string)) error {
	where, args := "", []any(nil)
	if ids != nil {
		in, list := condition.Placed(ids)
		where, args = " AND id IN "+in, list
	}
	rows, err := tx.Statement.ConnPool.QueryContext(ctx,
		"SELECT id, nickname FROM members WHERE merged_into IS NULL AND erased_at IS NULL AND nickname <> ''"+where+" ORDER BY id", args...)
	if err != nil {
		return fmt.Errorf("audience: names: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var id uint32
	var name string
	for rows.Next() {
		if err := rows.Scan(&id, &name); err != nil {
			return fmt.Errorf("audience: names: %w", err)
		}
		do(id, small(name))
	}
	return rows.Err()
}

// small is a name, or a part of one, as it is compared.
func small(name string) string { return strings.ReplaceAll(strings.ToLower(name), "\x00", "") }

func newNames(n int) *names {
	return &names{at: make([]uint32, 0, n), ids: make([]uint32, 0, n), anew: map[uint32]string{}}
}

func (n *names) add(id uint32, name string) {
	n.at, n.ids = append(n.at, uint32(len(n.text))), append(n.ids, id) //nolint:gosec // 64 characters each
	n.text = append(append(n.text, 0), name...)
}

// name is the i-th of them.
func (n *names) name(i int) string {
	end := len(n.text)
	if i+1 < len(n.at) {
		end = int(n.at[i+1])
	}
	return string(n.text[n.at[i]+1 : end])
}

// change takes the names of some members as they are now; a name that is missing is none.
func (n *names) change(ids []int64, now map[uint32]string) *names {
	for _, id := range ids {
		n.anew[uint32(id)] = now[uint32(id)] //nolint:gosec // ids fit 32 bits
	}
	if len(n.anew) <= namesMost {
		return n
	}
	more, all := slices.Sorted(maps.Keys(n.anew)), newNames(len(n.ids))
	put := func(before uint32) {
		for len(more) > 0 && more[0] < before {
			if name := n.anew[more[0]]; name != "" {
				all.add(more[0], name)
			}
			more = more[1:]
		}
	}
	for i, id := range n.ids {
		put(id)
		if _, ok := n.anew[id]; !ok {
			all.add(id, n.name(i))
		}
	}
	put(1<<32 - 1)
	return all
}

// find is who has the part in his name.
func (n *names) find(part string) *roaring.Bitmap {
	what, found := []byte(small(part)), roaring.New()
	if len(what) == 0 {
		return found
	}
	some := make([]uint32, 0, 4096)
	for from, i := 0, 0; i < len(n.ids); i++ {
		hit := bytes.Index(n.text[from:], what)
		if hit < 0 {
			break
		}
		for i+1 < len(n.at) && int(n.at[i+1]) <= from+hit {
			i++
		}
		if _, ok := n.anew[n.ids[i]]; !ok {
			if some = append(some, n.ids[i]); len(some) == cap(some) {
				found.AddMany(some)
				some = some[:0]
			}
		}
		if i+1 == len(n.at) {
			break
		}
		from = int(n.at[i+1])
	}
	found.AddMany(some)
	for id, name := range n.anew {
		if strings.Contains(name, string(what)) {
			found.Add(id)
		}
	}
	return found
}

// named is who has the part in his name now.
func (x *index) named(ctx context.Context, part string) (*roaring.Bitmap, error) {
	if err := x.refresh(ctx); err != nil {
		return nil, err
	}
	x.refreshing.Lock() // a change that is committed now is read by the next refresh, whether or not it is here already
	defer x.refreshing.Unlock()
	if x.names == nil {
		all := newNames(0)
		if err := readNames(ctx, x.db.Reader(ctx), nil, all.add); err != nil {
			return nil, err
		}
		x.names = all
	}
	return x.names.find(part), nil
}

// rename follows the changes of some members. Called with refreshing held.
func (x *index) rename(ctx context.Context, r *gorm.DB, changed *roaring.Bitmap) error {
	if x.names == nil {
		return nil
	}
	for ids := range chunks(changed) {
		now := map[uint32]string{}
		if err := readNames(ctx, r, ids, func(id uint32, name string) { now[id] = name }); err != nil {
			return err
		}
		x.names = x.names.change(ids, now)
	}
	return nil
}

// auditNames compares the names in memory, if they are there, with the table.
func (x *index) auditNames(ctx context.Context) (differ []string, err error) {
	x.refreshing.Lock()
	defer x.refreshing.Unlock()
	if x.names == nil {
		return nil, nil
	}
	have := map[uint32]string{}
	for i, id := range x.names.ids {
		have[id] = x.names.name(i)
	}
	maps.Copy(have, x.names.anew)
	maps.DeleteFunc(have, func(_ uint32, name string) bool { return name == "" })
	err = readNames(ctx, x.db.Reader(ctx), nil, func(id uint32, name string) {
		if have[id] != name {
			differ = append(differ, fmt.Sprintf("name of member %d: %q, not %q", id, have[id], name))
		}
		delete(have, id)
	})
	for id, name := range have {
		differ = append(differ, fmt.Sprintf("name of member %d: %q, not gone", id, name))
	}
	return differ, err
}
