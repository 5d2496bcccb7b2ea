package gift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Kind is that of the works, and Reason that of the ledger's lines.
const (
	Kind   = "gift"
	Reason = "gift"
)

// batch is how many members a transaction gives to.
const batch = 100

type args struct {
	RunID int64  `json:"run_id,string"`
	Name  string `json:"name"`
}

// cursor is the last member that was looked at.
type cursor struct {
	After uint32 `json:"after"`
}

// Result is what came of a giving.
type Result struct {
	Given   int64 `json:"given"`
	Skipped int64 `json:"skipped"` // erased, or given to as somebody whom he was merged with
}

// slice gives to the next members of a run.
func (s *Service) slice(ctx context.Context, w *model.Work) (done bool, err error) {
	var a args
	var at cursor
	var sum Result
	if err := errors.Join(w.Args.Into(&a), w.Cursor.Into(&at), w.Result.Into(&sum)); err != nil {
		return false, fmt.Errorf("gift: %w", err)
	}
	var run model.GiftRun
	if err := s.DB.Reader(ctx).Take(&run, a.RunID).Error; err != nil {
		return false, fmt.Errorf("gift: run %d: %w", a.RunID, err)
	}
	ids, err := next(&run, at.After)
	if err != nil || len(ids) == 0 {
		return err == nil, err
	}
	err = s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		given, err := s.giveTx(ctx, tx, &run, ids)
		if err != nil {
			return err
		}
		to := Result{sum.Given + given, sum.Skipped + int64(len(ids)) - given}
		return s.Works.ProgressTx(tx, w, cursor{uint32(ids[len(ids)-1])}, to.Given+to.Skipped, to) //nolint:gosec // ids fit 32 bits
	})
	return false, err
}

// next are the members of the run behind one of them, ascending.
func next(run *model.GiftRun, after uint32) (ids []int64, err error) {
	who := roaring.New()
	if _, err := who.ReadFrom(bytes.NewReader(run.Members)); err != nil {
		return nil, fmt.Errorf("gift: members of run %d: %w", run.ID, err)
	}
	for i := who.Iterator(); len(ids) < batch; {
		if len(ids) == 0 {
			i.AdvanceIfNeeded(after + 1)
		}
		if !i.HasNext() {
			break
		}
		ids = append(ids, int64(i.Next()))
	}
	return ids, nil
}

// giveTx gives to those of the members who are still there; who was merged away meanwhile is somebody else now, and skipped.
func (s *Service) giveTx(ctx context.Context, tx *gorm.DB, run *model.GiftRun, ids []int64) (int64, error) {
	for _, id := range ids {
		if err := member.LockTx(tx, id); err != nil && errs.CodeOf(err) != errs.NotFound { // erased
			return 0, err
		}
	}
	var there []int64
	err := tx.Model(&model.Member{}).Where("id IN ? AND merged_into IS NULL AND erased_at IS NULL", ids).Order("id").Pluck("id", &there).Error
	if err != nil {
		return 0, fmt.Errorf("gift: who is there: %w", err)
	}
	had, err := s.had(tx, run, there)
	if err != nil {
		return 0, err
	}
	var ps []ledger.Posting
	for _, id := range there {
		if !had[id] {
			ps = append(ps, ledger.Posting{
				MemberID: id, Account: run.Account, Amount: run.Amount, Reason: Reason, Memo: run.Memo, Actor: run.Actor, OccurredAt: run.CreatedAt, Key: key(run.ID, id),
			})
		}
	}
	_, err = s.Book.PostAllTx(ctx, tx, ps)
	return int64(len(ps)), err
}

func key(runID, memberID int64) string { return fmt.Sprintf("gift:%d:%d", runID, memberID) }

// had are those of the members who got it as somebody whom they were merged with since.
func (s *Service) had(tx *gorm.DB, run *model.GiftRun, ids []int64) (map[int64]bool, error) {
	var merged []model.Member
	if err := tx.Select("id", "merged_into").Where("merged_into IN ?", ids).Find(&merged).Error; err != nil {
		return nil, fmt.Errorf("gift: who was merged: %w", err)
	}
	into := map[string]int64{}
	var keys []string
	for _, m := range merged {
		k := key(run.ID, m.ID)
		into[k], keys = *m.MergedInto, append(keys, k)
	}
	had := map[int64]bool{}
	if len(keys) == 0 {
		return had, nil
	}
	var found []string
	if err := tx.Model(&model.Entry{}).Where("`key` IN ?", keys).Pluck("key", &found).Error; err != nil {
		return nil, fmt.Errorf("gift: who had it: %w", err)
	}
	for _, k := range found {
		had[into[k]] = true
	}
	return had, nil
}

// RunDue begins what is due: one firing of each benefit. Firings that nobody was up for are given late, each once: they are owed.
func (s *Service) RunDue(ctx context.Context, now time.Time) (n int, err error) {
	var due []model.Gift
	if err := s.DB.Reader(ctx).Where("next_at <= ?", now).Order("next_at").Limit(20).Find(&due).Error; err != nil {
		return 0, fmt.Errorf("gift: due: %w", err)
	}
	for i := range due {
		fired, e := s.fire(ctx, &due[i], now)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("gift: fire %d: %w", due[i].ID, e))
		}
		if fired {
			n++
		}
	}
	return n, err
}

// Due is the next firing; false if there is none.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.Gift
	err := s.DB.Reader(ctx).Where("next_at IS NOT NULL").Order("next_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].NextAt.UTC(), true, nil
}

// fire begins one giving of a benefit, unless another process did.
func (s *Service) fire(ctx context.Context, g *model.Gift, now time.Time) (fired bool, err error) {
	var t condition.Tree
	if err := g.Condition.Into(&t); err != nil {
		return false, fmt.Errorf("condition: %w", err)
	}
	line, err := clock.ParseCron(g.Cron, s.Zone)
	if err != nil { // was checked
		return false, err
	}
	set := map[string]any{"next_at": nil}
	if then := line.Next(*g.NextAt); !then.IsZero() {
		set["next_at"] = then
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		fired = false
		res := tx.Model(&model.Gift{}).Where("id = ? AND next_at = ?", g.ID, g.NextAt).Updates(set)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		fired = true
		slot := g.NextAt.UTC().Format(time.RFC3339)
		var n int64
		if err := tx.Model(&model.GiftRun{}).Where("gift_id = ? AND slot = ?", g.ID, slot).Count(&n).Error; err != nil || n > 0 {
			return err // the cron line was changed and changed back
		}
		who, _, err := s.Audience.Members(ctx, tx, now, t)
		if err != nil || who.IsEmpty() {
			return err
		}
		_, err = s.startTx(tx, g, slot, who)
		return err
	})
	if errs.CodeOf(err) == errs.Duplicate {
		return false, nil // another process began it
	}
	return fired, err
}
