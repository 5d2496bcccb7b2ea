package tag

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// reviewed is the ReviewAfter of a rule for which nobody waits.
const reviewed = -1

// ReviewDue is since when members wait to be re-evaluated because a rule was saved; false if none does.
func (s *Service) ReviewDue(ctx context.Context) (time.Time, bool, error) {
	rule, err := waiting(s.db.Reader(ctx))
	return rule.UpdatedAt, rule.ID != 0, err
}

// waiting is the rule that has come furthest: one after the other.
func waiting(tx *gorm.DB) (rule model.AutoTag, err error) {
	err = tx.Where("review_after > ?", reviewed).Order("review_after DESC, id").Limit(1).Find(&rule).Error
	return rule, err
}

// backfill is what a saved rule asks for: todo are the members who are not as its unit says, and those whom time alone may move, for whom the
// instant has to be noted. Who does something meanwhile is looked at then: the rule is in force. Each process finds it anew.
type backfill struct {
	mu    sync.Mutex
	of    []version
	todo  *roaring.Bitmap
	moves *roaring.Bitmap
}

// version is a rule as it stood.
type version struct {
	id int64
	n  int
}

func (u *unit) ids() []int64 {
	ids := make([]int64, len(u.rules))
	for i, r := range u.rules {
		ids[i] = r.ID
	}
	return ids
}

func (u *unit) versions() []version {
	out := make([]version, len(u.rules))
	for i, r := range u.rules {
		out[i] = version{r.ID, r.Version}
	}
	return out
}

// Review re-evaluates a saved rule for the next members in the order of their ids; it returns how many there were. How far it has come is
// stored with what it did: any number of processes may call it, and one that dies loses nothing.
func (s *Service) Review(ctx context.Context, now time.Time) (n int, err error) {
	row, err := waiting(s.db.Reader(ctx))
	if err != nil || row.ID == 0 {
		return 0, err
	}
	rules, err := s.enabled(s.db.Reader(ctx))
	if err != nil {
		return 0, err
	}
	u := rules.of(row.ID)
	if u == nil { // disabled since
		return 1, s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.AutoTag{}).Where("id = ? AND version = ?", row.ID, row.Version).UpdateColumn("review_after", reviewed).Error
		})
	}
	ids, moves, err := s.next(ctx, u, row.ReviewAfter, now)
	if err != nil {
		return 0, err
	}
	k, err := s.sort(ctx, u, ids, moves, now)
	if err != nil {
		return 0, err
	}
	last := int64(reviewed)
	if len(ids) == reviewChunk {
		last = ids[len(ids)-1]
	}
	return max(len(ids), 1), s.write(ctx, u, last, k, now)
}

// reviewChunk is how many members are looked at together, and reviewPiece how many of them are locked together.
const (
	reviewChunk = 1000
	reviewPiece = 50
)

// reviewTime is how long one transaction changes tags, in real time. On SQLite others wait for the writer meanwhile; elsewhere only who acts for
// one of the few members who are locked.
func (s *Service) reviewTime() time.Duration {
	if s.db.Dialect() == db.SQLite {
		return 8 * time.Millisecond
	}
	return 30 * time.Millisecond
}

// next finds what the unit asks for, once for each of its versions, and takes the next members of it.
func (s *Service) next(ctx context.Context, u *unit, after int64, now time.Time) (ids []int64, moves *roaring.Bitmap, err error) {
	p := &s.backfill
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.of, u.versions()) {
		if err := s.plan(ctx, p, u, now); err != nil {
			p.of = nil
			return nil, nil, fmt.Errorf("tag: review: %w", err)
		}
		p.of = u.versions()
	}
	it := p.todo.Iterator()
	it.AdvanceIfNeeded(uint32(after + 1)) //nolint:gosec // ids fit 32 bits
	for it.HasNext() && len(ids) < reviewChunk {
		ids = append(ids, int64(it.Next()))
	}
	moves = p.moves
	if len(ids) < reviewChunk { // the end
		p.of, p.todo, p.moves = nil, nil, nil
	}
	return ids, moves, nil
}

func (s *Service) plan(ctx context.Context, p *backfill, u *unit, now time.Time) error {
	if err := s.settled(ctx); err != nil {
		return err
	}
	tx := s.db.Reader(ctx)
	all, err := condition.Bitmap(tx.Model(&model.Member{}).Select("id").Where("merged_into IS NULL AND erased_at IS NULL"))
	if err != nil {
		return err
	}
	p.todo, p.moves = roaring.New(), roaring.New()
	rest := all
	for _, r := range u.rules {
		holds, err := s.conditions.Members(ctx, tx, now, rest, r.tree)
		if err != nil {
			return err
		}
		moves, err := s.conditions.Moves(ctx, tx, now, all, r.tree)
		if err != nil {
			return err
		}
		held, err := condition.Bitmap(tx.Model(&model.TagHold{}).Select("member_id").Where("cause = ? AND cause_id = ? AND tag_id = ?", model.CauseRule, r.ID, r.TagID))
		if err != nil {
			return err
		}
		p.todo.Or(roaring.Xor(holds, held))
		p.moves.Or(moves)
		rest = roaring.AndNot(rest, holds)
	}
	if u.first().Owner != "" { // what steps set that are none any more
		strange, err := condition.Bitmap(tx.Model(&model.TagHold{}).Distinct("member_id").
			Where("cause = ? AND cause_id NOT IN ? AND tag_id IN (SELECT id FROM tags WHERE group_id = ?)", model.CauseRule, u.ids(), u.first().group))
		if err != nil {
			return err
		}
		p.todo.Or(strange)
	}
	p.todo.Or(p.moves)
	p.todo.And(all)
	return nil
}

// settled returns when everybody who was in the middle of something when it was called, perhaps by the rules of before, is through: such a
// transaction holds its member's lock. SQLite writes one at a time: there all of them are.
func (s *Service) settled(ctx context.Context) error {
	if s.db.Dialect() == db.SQLite {
		return nil
	}
	const chunk = 5000
	var last int64
	if err := s.db.Reader(ctx).Model(&model.Member{}).Select("COALESCE(MAX(id), 0)").Scan(&last).Error; err != nil {
		return err
	}
	for from := int64(0); from < last; from += chunk {
		err := s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			var n int64
			return tx.Raw("SELECT COUNT(*) FROM (SELECT id FROM members WHERE id > ? AND id <= ? FOR UPDATE) locked", from, from+chunk).Scan(&n).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// kinds are what is to be done for members of a chunk, ascending: apply the unit, or only note when time changes its verdict.
type kinds struct {
	apply []int64
	flips []model.TagFlip
	left  int // of apply, how many the last transaction did
}

// sort looks at those whom time may move, without their locks, side by side; the others have to be changed.
func (s *Service) sort(ctx context.Context, u *unit, ids []int64, moves *roaring.Bitmap, now time.Time) (k kinds, err error) {
	var moved []int64
	for _, id := range ids {
		if moves.Contains(uint32(id)) { //nolint:gosec // ids fit 32 bits
			moved = append(moved, id)
		} else {
			k.apply = append(k.apply, id)
		}
	}
	if len(moved) == 0 {
		return k, nil
	}
	was, err := standingsOf(s.db.Reader(ctx), moved)
	if err != nil {
		return k, err
	}
	verdicts, subjects := make([]verdict, len(moved)), subjectsOf(moved, now)
	if err := s.warm(ctx, s.db.Reader(ctx), u, subjects); err != nil {
		return k, err
	}
	g, gctx := errgroup.WithContext(ctx)
	const beside = 4
	for part := range beside {
		g.Go(func() error {
			tx := s.db.Reader(gctx)
			for i := part; i < len(moved); i += beside {
				var err error
				if verdicts[i], err = s.ask(gctx, tx, u, subjects[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return k, err
	}
	first := u.first().ID
	for i, id := range moved {
		v, now := verdicts[i], was[id]
		if !v.stands(now.of(u)) {
			k.apply = append(k.apply, id)
		} else if _, noted := now.flips[first]; !noted && !v.flips.IsZero() {
			k.flips = append(k.flips, model.TagFlip{AutoTagID: first, MemberID: id, At: v.flips})
		}
	}
	slices.Sort(k.apply)
	return k, nil
}

func subjectsOf(ids []int64, at time.Time) []*condition.Subject {
	out := make([]*condition.Subject, len(ids))
	for i, id := range ids {
		out[i] = &condition.Subject{MemberID: id, At: at, Cache: map[string]any{}}
	}
	return out
}

func (s *Service) warm(ctx context.Context, tx *gorm.DB, u *unit, subjects []*condition.Subject) error {
	for _, r := range u.rules {
		if err := s.conditions.Warm(ctx, tx, r.tree, subjects); err != nil {
			return err
		}
	}
	return nil
}

// applyWarm applies the unit to members who are locked.
func (s *Service) applyWarm(ctx context.Context, tx *gorm.DB, u *unit, ids []int64, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	subjects := subjectsOf(ids, now)
	if err := s.warm(ctx, tx, u, subjects); err != nil {
		return err
	}
	return s.apply(ctx, tx, u, subjects...)
}

// write does what a chunk asks for, in short transactions, and stores how far it has come: up to last, and reviewed where that is the end.
// Nothing is done for a unit that was saved anew meanwhile.
func (s *Service) write(ctx context.Context, u *unit, last int64, k kinds, now time.Time) error {
	for done := false; !done; {
		err := s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			rules, err := s.enabled(tx)
			if err != nil {
				return err
			}
			live := rules.of(u.first().ID)
			if done = live == nil || !slices.Equal(live.versions(), u.versions()); done {
				return nil
			}
			if err := s.note(tx, k.flips); err != nil {
				return err
			}
			n, err := s.applyFor(ctx, tx, live, k.apply, now)
			if err != nil {
				return err
			}
			upto := last
			if done = n == len(k.apply); !done {
				upto = k.apply[n-1]
			}
			q := tx.Model(&model.AutoTag{}).Where("id IN ?", u.ids())
			if upto != reviewed { // another process may have gone further
				q = q.Where("review_after BETWEEN 0 AND ?", upto)
			}
			k.left = n
			return q.UpdateColumn("review_after", upto).Error
		})
		if err != nil {
			return fmt.Errorf("tag: review: %w", err)
		}
		k.apply, k.flips = k.apply[min(k.left, len(k.apply)):], nil
	}
	return nil
}

// applyFor applies the unit to the members, some of them locked at a time, until the time of a transaction is over; n is for how many.
func (s *Service) applyFor(ctx context.Context, tx *gorm.DB, u *unit, ids []int64, now time.Time) (n int, err error) {
	for began := clock.Real(); n < len(ids) && (n == 0 || clock.Real().Sub(began) < s.reviewTime()); {
		piece := ids[n:min(n+reviewPiece, len(ids))]
		alive, err := lockAlive(tx, piece)
		if err != nil {
			return n, err
		}
		if err := s.applyWarm(ctx, tx, u, alive, now); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

// note keeps when time changes verdicts. Whose instant stands already did something meanwhile: it is the newer one.
func (s *Service) note(tx *gorm.DB, flips []model.TagFlip) error {
	if len(flips) == 0 {
		return nil
	}
	ids := make([]int64, len(flips))
	for i, f := range flips {
		ids[i] = f.MemberID
	}
	alive, err := lockAlive(tx, ids)
	if err != nil {
		return err
	}
	var noted []int64
	err = tx.Model(&model.TagFlip{}).Where("auto_tag_id = ? AND member_id IN ?", flips[0].AutoTagID, ids).Pluck("member_id", &noted).Error
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(slices.Clone(flips), func(f model.TagFlip) bool {
		_, there := slices.BinarySearch(alive, f.MemberID)
		return !there || slices.Contains(noted, f.MemberID)
	})
	if len(rows) == 0 {
		return nil
	}
	return tx.CreateInBatches(rows, 500).Error
}

// lockAlive locks the members, ascending, and returns those who are neither erased nor merged away.
func lockAlive(tx *gorm.DB, ids []int64) (alive []int64, err error) {
	err = tx.Exec("UPDATE members SET version = version + 1 WHERE id IN ? AND merged_into IS NULL AND erased_at IS NULL", ids).Error
	if err == nil {
		err = tx.Model(&model.Member{}).Where("id IN ? AND merged_into IS NULL AND erased_at IS NULL", ids).Order("id").Pluck("id", &alive).Error
	}
	return alive, err
}
