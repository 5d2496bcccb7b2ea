package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// undoFor is how long a merge can be undone.
const undoFor = 7 * 24 * time.Hour

// Merged is a merge that can still be looked at, for the page of the survivor.
type Merged struct {
	model.Merge
	No        string // of the one who was merged away
	UndoUntil time.Time
}

// Merges lists who was merged into the member and can be parted again, the latest first.
func (s *Service) Merges(ctx context.Context, id int64) (list []Merged, err error) {
	err = s.db.Reader(ctx).Table("merges").Select("merges.*, members.no").Joins("JOIN members ON members.id = merges.loser_id").
		Where("winner_id = ? AND at > ?", id, s.clock.Now().Add(-undoFor)).Order("merges.id DESC").Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("member: merges of %d: %w", id, err)
	}
	for i := range list {
		list[i].UndoUntil = list[i].At.Add(undoFor)
	}
	return list, nil
}

// UndoMerge parts two persons again who were made one: see UndoTx. It answers the id of the one who was merged away.
func (s *Service) UndoMerge(ctx context.Context, loser int64) (int64, error) {
	return db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (int64, error) { return loser, s.UndoTx(ctx, tx, loser) })
}

// UndoTx undoes the merge of the member into another, within 7 days and while nothing was spent (PLAYBOOKS §3). What the merge moved goes
// back, what it dropped is there again, what it united is parted as it was; the ledger does so by lines of its own. What came since stays
// with the survivor. A later merge of the survivor is undone first.
func (s *Service) UndoTx(ctx context.Context, tx *gorm.DB, loser int64) error {
	row, err := undoable(tx, loser, s.clock.Now())
	if err != nil {
		return err
	}
	m := MergeOf{Loser: row.LoserID, Winner: row.WinnerID, At: row.At}
	tables := map[string]Table{}
	for _, p := range s.parts {
		for _, t := range p.Tables {
			tables[t.shape().Table] = t
		}
	}
	var changes []model.MergeChange
	if err := tx.Where("merge_id = ?", row.ID).Order("id DESC").Find(&changes).Error; err != nil {
		return fmt.Errorf("member: undo: %w", err)
	}
	for _, c := range changes {
		if err := tables[c.Name].revert(ctx, tx, m, c); err != nil {
			return fmt.Errorf("member: undo: %s: %w", c.Name, err)
		}
	}
	for _, p := range slices.Backward(s.parts) {
		if p.Undo == nil {
			continue
		}
		if err := p.Undo(ctx, tx, m); err != nil {
			return fmt.Errorf("member: undo: %s: %w", p.Name, err)
		}
	}
	if err := tx.Where("merge_id = ?", row.ID).Delete(&model.MergeChange{}).Error; err != nil {
		return fmt.Errorf("member: undo: %w", err)
	}
	if err := ChangedTx(tx, m.Loser, m.Winner); err != nil {
		return err
	}
	return tx.Delete(row).Error
}

// undoable locks both members of the merge and says why it cannot be undone, if so.
func undoable(tx *gorm.DB, loser int64, now time.Time) (*model.Merge, error) {
	read := func() (*model.Merge, error) {
		var row model.Merge
		err := tx.Where("loser_id = ?", loser).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = errs.New(errs.NotFound, "member.not_merged")
		}
		return &row, err
	}
	row, err := read()
	if err != nil {
		return nil, err
	}
	if err := LockTx(tx, row.LoserID, row.WinnerID); err != nil {
		return nil, err
	}
	if row, err = read(); err != nil { // under the locks
		return nil, err
	}
	if !now.Before(row.At.Add(undoFor)) {
		return nil, errs.New(errs.Conflict, "member.undo_late", "until", row.At.Add(undoFor))
	}
	var later int64
	err = tx.Model(&model.Merge{}).Where("id > ? AND (winner_id = ? OR loser_id = ?)", row.ID, row.WinnerID, row.WinnerID).Count(&later).Error
	if err == nil && later > 0 {
		err = errs.New(errs.Conflict, "member.undo_order")
	}
	return row, err
}

// ForgetMerges drops what would undo merges that are too old for it; it reports how many rows.
func (s *Service) ForgetMerges(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var ids []int64
		err := tx.Model(&model.MergeChange{}).Where("merge_id IN (SELECT id FROM merges WHERE at <= ?)", now.Add(-undoFor)).Limit(500).Pluck("id", &ids).Error
		if n = int64(len(ids)); err != nil || n == 0 {
			return err
		}
		return tx.Where("id IN ?", ids).Delete(&model.MergeChange{}).Error
	})
	return n, err
}

// image is rows as they stand: by table and primary key, columns as JSON.
type image map[string]map[string]map[string]json.RawMessage

// imageOf reads the rows of both that a merge may change, and only the ids of the loser's where rows just move.
func (s *Service) imageOf(ctx context.Context, tx *gorm.DB, m MergeOf) (image, map[string][]int64, error) {
	img, moving := image{}, map[string][]int64{}
	for _, p := range s.parts {
		for _, t := range p.Tables {
			name := t.shape().Table
			var err error
			switch t.Undo {
			case Restore:
				img[name], err = t.read(ctx, tx, m)
			case Return:
				var ids []int64
				err = t.rows(tx, []int64{m.Loser}).Order("id").Pluck("id", &ids).Error
				moving[name] = ids
			}
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return img, moving, nil
}

// unseen are columns that change by themselves.
var unseen = []string{"version", "active_at"}

func (t Table) read(ctx context.Context, tx *gorm.DB, m MergeOf) (map[string]map[string]json.RawMessage, error) {
	shape := t.shape()
	rows := reflect.New(reflect.SliceOf(shape.ModelType))
	if err := t.rows(tx, []int64{m.Loser, m.Winner}).Find(rows.Interface()).Error; err != nil {
		return nil, err
	}
	out := map[string]map[string]json.RawMessage{}
	for i := range rows.Elem().Len() {
		row := map[string]json.RawMessage{}
		for _, f := range shape.Fields {
			if f.DBName == "" || slices.Contains(unseen, f.DBName) {
				continue
			}
			v, _ := f.ValueOf(ctx, rows.Elem().Index(i))
			b, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			row[f.DBName] = b
		}
		key := ""
		for _, c := range shape.PrimaryFieldDBNames {
			key += string(row[c]) + "/"
		}
		out[key] = row
	}
	return out, nil
}

// journal writes what the merge changed.
func (s *Service) journal(ctx context.Context, tx *gorm.DB, id int64, m MergeOf, before image, moved map[string][]int64) error {
	after, _, err := s.imageOf(ctx, tx, m)
	if err != nil {
		return err
	}
	var changes []model.MergeChange
	for _, name := range slices.Sorted(mapsKeys(before)) {
		keys := map[string]bool{}
		for k := range before[name] {
			keys[k] = true
		}
		for k := range after[name] {
			keys[k] = true
		}
		for _, k := range slices.Sorted(mapsKeys(keys)) {
			was, is := before[name][k], after[name][k]
			if !reflect.DeepEqual(was, is) {
				changes = append(changes, model.MergeChange{MergeID: id, Name: name, Before: model.ToJSON(was), After: model.ToJSON(is)})
			}
		}
	}
	for _, name := range slices.Sorted(mapsKeys(moved)) {
		for ids := range slices.Chunk(moved[name], 500) {
			changes = append(changes, model.MergeChange{MergeID: id, Name: name, Before: model.ToJSON(ids), After: model.JSON("null")})
		}
	}
	for some := range slices.Chunk(changes, 100) {
		if err := tx.Create(some).Error; err != nil {
			return err
		}
	}
	return nil
}
