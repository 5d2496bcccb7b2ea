// Package audience says who meets a condition: the exact set, its size, a sample. How many of them a message would reach is
// reach's to say, since only the live send's own decision is a true forecast: see broadcast.Preview.
package audience

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
)

// Service reads audiences.
type Service struct {
	db         *db.DB
	clock      clock.Clock
	zone       clock.Zone
	conditions *condition.Registry
	people     *member.Service
	sheets     *sheet.Service
	index      *index
	holders    []Holder

	sets db.Fixed[*roaring.Bitmap] // of frozen audiences
}

// New returns the audiences of a database.
func New(d *db.DB, c clock.Clock, z clock.Zone, conditions *condition.Registry, people *member.Service, sheets *sheet.Service) *Service {
	return &Service{
		db: d, clock: c, zone: z, conditions: conditions, people: people, sheets: sheets, index: &index{db: d, conditions: conditions},
	}
}

// universe is everybody: each person who was not merged into another nor erased, followers who never registered too.
func (s *Service) universe(ctx context.Context, tx *gorm.DB) (*roaring.Bitmap, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(ctx, "SELECT id FROM members WHERE merged_into IS NULL AND erased_at IS NULL ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("audience: universe: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := roaring.New()
	chunk := make([]uint32, 0, 4096)
	for rows.Next() {
		var id uint32
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("audience: universe: %w", err)
		}
		if chunk = append(chunk, id); len(chunk) == cap(chunk) {
			all.AddMany(chunk)
			chunk = chunk[:0]
		}
	}
	all.AddMany(chunk)
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("audience: universe: %w", err)
	}
	return all, nil
}

// Members are those who meet the condition at the instant, and how many people there are at all, as tx reads it in the tables: for what
// is decided by it.
func (s *Service) Members(ctx context.Context, tx *gorm.DB, at time.Time, t condition.Tree) (found *roaring.Bitmap, everybody int64, err error) {
	all, err := s.universe(ctx, tx)
	if err != nil {
		return nil, 0, err
	}
	n := int64(all.GetCardinality()) //nolint:gosec // ids fit 32 bits
	if t.Empty() {
		return all, n, nil
	}
	ctx = context.WithValue(ctx, callKey{}, &call{found: map[int64]*roaring.Bitmap{}, all: all})
	found, err = s.conditions.Members(ctx, tx, at, all, t)
	return found, n, err
}

// Now are those who meet the condition now, and how many people there are at all, by the sets in memory: to be shown. Of what no set
// can answer, such as what was done in a window, an answer for many people may be a minute old. It refuses what
// condition.Registry.Check refuses.
func (s *Service) Now(ctx context.Context, t condition.Tree) (found *roaring.Bitmap, everybody int64, err error) {
	r := s.db.Reader(db.Question(ctx))
	if err := s.conditions.Check(ctx, r, t); err != nil {
		return nil, 0, err
	}
	if err := s.index.refresh(ctx); err != nil {
		return nil, 0, err
	}
	all := s.index.everybody()
	n := int64(all.GetCardinality()) //nolint:gosec // ids fit 32 bits
	ctx = context.WithValue(ctx, callKey{}, &call{found: map[int64]*roaring.Bitmap{}, all: all, sets: s.index})
	found, err = s.conditions.MembersIn(ctx, r, s.clock.Now(), all, t, s.index)
	return found, n, err
}

// Count is how many meet the condition: see Now.
func (s *Service) Count(ctx context.Context, t condition.Tree) (int64, error) {
	found, _, err := s.Now(ctx, t)
	if err != nil {
		return 0, err
	}
	return int64(found.GetCardinality()), nil //nolint:gosec // ids fit 32 bits
}

// Sizes is how many people each set of a leaf has now, by its key: of the leaf "tag", how many hold each tag.
func (s *Service) Sizes(ctx context.Context, leaf string) (map[int64]int64, error) {
	if err := s.index.refresh(ctx); err != nil {
		return nil, err
	}
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	sizes := map[int64]int64{}
	for key, set := range s.index.sets[leaf] {
		sizes[key] = int64(set.GetCardinality()) //nolint:gosec // ids fit 32 bits
	}
	return sizes, nil
}

// Crowded is how many sets of a leaf each person is in who is in more than some: of the leaf "tag", who holds many tags.
func (s *Service) Crowded(ctx context.Context, leaf string, above int) (map[int64]int64, error) {
	if err := s.index.refresh(ctx); err != nil {
		return nil, err
	}
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	var in []uint16
	for _, set := range s.index.sets[leaf] {
		if !set.IsEmpty() && int(set.Maximum()) >= len(in) {
			in = append(in, make([]uint16, int(set.Maximum())+1-len(in))...)
		}
		for chunk, it := make([]uint32, 4096), set.ManyIterator(); ; {
			n := it.NextMany(chunk)
			if n == 0 {
				break
			}
			for _, id := range chunk[:n] {
				in[id]++
			}
		}
	}
	many := map[int64]int64{}
	for id, n := range in {
		if int(n) > above {
			many[int64(id)] = int64(n)
		}
	}
	return many, nil
}

// Audit says in what the sets in memory, followed by the changes, differ from the tables: nothing, unless somebody changed rows without
// member.ChangedTx.
func (s *Service) Audit(ctx context.Context) ([]string, error) {
	if err := s.index.refresh(ctx); err != nil {
		return nil, err
	}
	return s.index.audit(ctx)
}

// Sample are n people of a set, spread over it.
func (s *Service) Sample(ctx context.Context, set *roaring.Bitmap, n int) ([]model.Member, error) {
	total := int(set.GetCardinality()) //nolint:gosec // ids fit 32 bits
	n = min(n, total)
	ids := make([]uint32, 0, n)
	for i := range n {
		id, err := set.Select(uint32(i * total / n)) //nolint:gosec // below total
		if err != nil {
			return nil, fmt.Errorf("audience: sample: %w", err)
		}
		ids = append(ids, id)
	}
	var rows []model.Member
	if len(ids) > 0 {
		if err := s.db.Reader(ctx).Find(&rows, ids).Error; err != nil {
			return nil, fmt.Errorf("audience: sample: %w", err)
		}
	}
	slices.SortFunc(rows, func(a, b model.Member) int { return int(a.ID - b.ID) })
	return rows, nil
}
