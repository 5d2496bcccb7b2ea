package ledger

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// settled is how old a line is when it is added to the sums of its day: no transaction that was given an id before it is open so long, so
// that none comes late, with an id that the sums went over.
const settled = 10 * time.Minute

// Fewer lines are not worth a sum, more no single piece of work.
const (
	worthIt = 1_000
	atOnce  = 20_000
)

// SumUp adds the next lines to the stored sums of their days, if there are enough of them; the others are cheap to read. A sum is by the
// day of recording and not closed with it: what comes to an old day is added to it.
func (b *Book) SumUp(ctx context.Context) (did bool, err error) { return b.sumUp(ctx, worthIt, atOnce) }

func (b *Book) sumUp(ctx context.Context, few, many int) (did bool, err error) {
	r := &liabilityReader{zone: b.zone, to: lastDay, sums: map[flowKey]*sums{}}
	var mark, next model.LiabilityMark
	var after int64
	err = b.db.Snapshot(ctx, func(tx *gorm.DB) (err error) {
		if mark, after, err = b.marked(tx); err != nil {
			return err
		}
		n, last, err := nextLines(tx.Where("id > ? AND recorded_at < ?", after, b.clock.Now().Add(-settled)), many)
		if err != nil || n < few {
			return err
		}
		next = model.LiabilityMark{ID: 1, EntryID: last, Zone: b.zone.Location().String()}
		return r.lines(tx, after, next.EntryID)
	})
	if err != nil || next.EntryID == 0 {
		return false, err
	}
	err = b.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if mark.ID == 0 {
			if dup, err := db.Insert(tx, &model.LiabilityMark{ID: 1}); dup || err != nil {
				return err // another process was faster; likewise below
			}
		}
		res := tx.Exec("UPDATE liability_marks SET entry_id = ?, zone = ? WHERE entry_id = ? AND zone = ?", next.EntryID, next.Zone, mark.EntryID, mark.Zone)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		if after == 0 {
			if err := tx.Where("1 = 1").Delete(&model.LiabilityDay{}).Error; err != nil {
				return err
			}
		}
		for k, f := range r.sums {
			if err := addDay(tx, k, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("ledger: sum up to line %d: %w", next.EntryID, err)
	}
	return true, nil
}

// addDay adds to the sums of a day.
func addDay(tx *gorm.DB, k flowKey, f *sums) error {
	if *f == (sums{}) {
		return nil
	}
	res := tx.Exec("UPDATE liability_days SET granted = granted + ?, issued = issued + ?, spent = spent + ?, expired = expired + ?, reversed = reversed + ?"+
		" WHERE day = ? AND account = ? AND rule_id = ?", f.Granted, f.Issued, f.Spent, f.Expired, f.Reversed, k.day, k.account, k.rule)
	if res.Error != nil || res.RowsAffected > 0 {
		return res.Error
	}
	return tx.Create(&model.LiabilityDay{
		Day: k.day, Account: k.account, RuleID: k.rule, Granted: f.Granted, Issued: f.Issued, Spent: f.Spent, Expired: f.Expired, Reversed: f.Reversed,
	}).Error
}

// lastDay is after every day of a line.
const lastDay model.Day = "9999-12-31"

// marked is the mark, and up to which line the days hold the sums: 0 where they were summed up for another zone, of which the days are others.
func (b *Book) marked(tx *gorm.DB) (mark model.LiabilityMark, upto int64, err error) {
	if err = tx.Limit(1).Find(&mark).Error; err != nil {
		err = fmt.Errorf("ledger: liability: %w", err)
	}
	if mark.Zone == b.zone.Location().String() {
		upto = mark.EntryID
	}
	return mark, upto, err
}

// nextLines is how many of the lines of q there are, at most limit, and the last of them.
func nextLines(q *gorm.DB, limit int) (n int, last int64, err error) {
	var some struct {
		N    int
		Last int64
	}
	first := q.Model(&model.Entry{}).Select("id").Order("id").Limit(limit)
	err = q.Session(&gorm.Session{NewDB: true}).Table("(?) AS some", first).Select("COUNT(*) AS n, COALESCE(MAX(id), 0) AS last").Scan(&some).Error
	if err != nil {
		err = fmt.Errorf("ledger: next lines: %w", err)
	}
	return some.N, some.Last, err
}

// days checks the stored sums against those of the lines.
func (v *verifier) days(ctx context.Context) error {
	var stored []model.LiabilityDay
	var last int64
	err := v.book.db.Snapshot(ctx, func(tx *gorm.DB) (err error) {
		if _, last, err = v.book.marked(tx); err == nil && last > 0 {
			err = tx.Find(&stored).Error
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	r := &liabilityReader{zone: v.book.zone, to: lastDay, sums: map[flowKey]*sums{}}
	for after := int64(0); after < last; {
		tx := v.book.db.Reader(ctx)
		n, upto, err := nextLines(tx.Where("id > ? AND id <= ?", after, last), atOnce)
		if err != nil {
			return err
		}
		if n == 0 {
			same(v, Mismatch{Table: "liability_marks", ID: 1}, "entry_id", after, last)
			break
		}
		if err := r.lines(tx, after, upto); err != nil { // as where a number is none
			v.differ(Mismatch{Table: "entries", Column: "delta"}, fmt.Sprintf("lines %d to %d that add up", after+1, upto), err.Error())
			return nil
		}
		after = upto
	}
	for _, d := range stored {
		k := flowKey{d.Day, d.Account, d.RuleID}
		v.day(k, *r.sum(k), *sumsIn(&d))
		delete(r.sums, k)
	}
	for k, f := range r.sums {
		v.day(k, *f, sums{})
	}
	return nil
}

func (v *verifier) day(k flowKey, want, got sums) {
	same(v, Mismatch{Table: "liability_days", Account: k.account, ID: k.rule}, string(k.day), want, got)
}
