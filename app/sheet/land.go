package sheet

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// cursor is how far a job is.
type cursor struct {
	Line int64 `json:"line"`
}

// landing is a batch on its way.
type landing struct {
	Batch
	*Service
	kind   *Kind
	w      *model.Work
	done   int64 // lines before
	result Outcome
	apart  bool // each line in its savepoint
}

// slice lands the next lines of a file, in one transaction with how far the job is. Where one is refused the batch is done again with each line
// in a savepoint, so that the others land.
func (s *Service) slice(ctx context.Context, w *model.Work) (done bool, err error) {
	l := landing{Service: s, kind: s.kinds[w.Kind], w: w, done: w.Done}
	var j job
	var at cursor
	if err := errors.Join(w.Args.Into(&j), w.Cursor.Into(&at), w.Result.Into(&l.result)); err != nil {
		return false, err
	}
	l.ImportID, l.Options = j.ImportID, j.Options
	size := cmp.Or(l.kind.Batch, 100)
	err = s.db.Reader(ctx).Where("import_id = ? AND line > ?", j.ImportID, at.Line).Order("line").Limit(size).Find(&l.Lines).Error
	if err != nil {
		return false, fmt.Errorf("sheet: lines: %w", err)
	}
	if len(l.Lines) == 0 {
		return true, nil
	}
	l.Last = l.done+int64(len(l.Lines)) == w.Total
	err = s.db.BulkTx(ctx, l.runTx)
	if errs.CodeOf(err) != "" {
		l.apart = true
		err = s.db.BulkTx(ctx, l.runTx)
	}
	if errs.CodeOf(err) != "" { // of the database: it may be tried again
		err = errors.New(err.Error())
	}
	return l.Last, err
}

func (l *landing) runTx(ctx context.Context, tx *gorm.DB) error {
	land, err := l.kind.Open(ctx, tx, &l.Batch)
	if err != nil {
		return err
	}
	result, by := l.result, map[string][]int64{}
	for i, line := range l.Lines {
		state, refusal := line.State, error(nil)
		if state == model.LinePending {
			if state, refusal, err = l.line(ctx, tx, land, i); err != nil {
				return err
			}
			by[state] = append(by[state], line.Line)
		}
		if refusal != nil {
			err := tx.Model(&model.ImportLine{}).Where("import_id = ? AND line = ?", l.ImportID, line.Line).Update("error_json", reason(refusal)).Error
			if err != nil {
				return err
			}
		}
		result.add(state, 1)
	}
	for state, lines := range by {
		err := tx.Model(&model.ImportLine{}).Where("import_id = ? AND line IN ?", l.ImportID, lines).
			Updates(map[string]any{"state": state, "body_json": model.JSON("{}")}).Error
		if err != nil {
			return fmt.Errorf("sheet: lines: %w", err)
		}
	}
	last := l.Lines[len(l.Lines)-1].Line
	return l.works.ProgressTx(tx, l.w, cursor{last}, l.done+int64(len(l.Lines)), result)
}

// line lands one line. A refusal fails it – at once where the line has a savepoint, else the whole batch.
func (l *landing) line(ctx context.Context, tx *gorm.DB, land Land, i int) (state string, refusal, err error) {
	if !l.apart {
		state, err = land(ctx, tx, i)
		return state, nil, err
	}
	err = tx.Transaction(func(tx *gorm.DB) (err error) { state, err = land(ctx, tx, i); return err })
	if errs.CodeOf(err) != "" {
		return model.LineFailed, err, nil
	}
	return state, nil, err
}
