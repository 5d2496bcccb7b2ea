package member

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

func mapsKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// columns are a row's columns as JSON.
type columns map[string]json.RawMessage

// revert undoes one change of a merge. What was changed again since stays as it is now.
func (t Table) revert(ctx context.Context, tx *gorm.DB, m MergeOf, c model.MergeChange) error {
	if t.Undo == Return {
		var ids []int64
		if err := c.Before.Into(&ids); err != nil {
			return err
		}
		return tx.Table(c.Name).Where("id IN ? AND member_id = ?", ids, m.Winner).Update("member_id", m.Loser).Error
	}
	var was, is columns
	if err := c.Before.Into(&was); err != nil {
		return err
	}
	if err := c.After.Into(&is); err != nil {
		return err
	}
	switch {
	case is == nil:
		return t.restore(ctx, tx, was)
	case was == nil:
		return t.unmake(tx, is)
	}
	return t.reset(tx, was, is)
}

// restore inserts a row that the merge dropped, unless another has its place now.
func (t Table) restore(ctx context.Context, tx *gorm.DB, was columns) error {
	row := reflect.New(t.shape().ModelType)
	for name, raw := range was {
		f := t.shape().LookUpField(name)
		v := reflect.New(f.FieldType)
		if err := json.Unmarshal(raw, v.Interface()); err != nil {
			return err
		}
		if err := f.Set(ctx, row, v.Elem().Interface()); err != nil {
			return err
		}
	}
	_, err := db.Insert(tx, row.Interface())
	return err
}

// unmake takes a row that the merge made, or of a counter that it made what the merge put there.
func (t Table) unmake(tx *gorm.DB, is columns) error {
	row, err := t.row(tx, is)
	if err != nil || len(t.Counters) == 0 {
		if err == nil {
			err = row.Delete(t.Row).Error
		}
		return err
	}
	for _, name := range t.Counters {
		if err := t.subtract(tx, is, name, is[name], json.RawMessage("0")); err != nil {
			return err
		}
		if row, err = t.row(tx, is); err != nil {
			return err
		}
		row = row.Where("`" + name + "` <= 0")
	}
	return row.Delete(t.Row).Error
}

// reset sets the columns that the merge changed to what they were; of a counter it takes what the merge added.
func (t Table) reset(tx *gorm.DB, was, is columns) error {
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if string(was[name]) == string(is[name]) {
			continue
		}
		if slices.Contains(t.Counters, name) {
			if err := t.subtract(tx, is, name, is[name], was[name]); err != nil {
				return err
			}
			continue
		}
		f := t.shape().LookUpField(name)
		old, err := value(f, was[name])
		if err != nil {
			return err
		}
		now, err := value(f, is[name])
		if err != nil {
			return err
		}
		row, err := t.row(tx, is)
		if err != nil {
			return err
		}
		row = row.Where(map[string]any{name: now}) // nil: IS NULL
		if err := row.UpdateColumn(name, old).Error; err != nil {
			return err
		}
	}
	return nil
}

// subtract takes from a counter what stood there after the merge beyond what stood there before.
func (t Table) subtract(tx *gorm.DB, key columns, name string, is, was json.RawMessage) error {
	var more, less int64
	if err := json.Unmarshal(is, &more); err != nil {
		return err
	}
	if err := json.Unmarshal(was, &less); err != nil {
		return err
	}
	row, err := t.row(tx, key)
	if err != nil || more == less {
		return err
	}
	return row.UpdateColumn(name, gorm.Expr("`"+name+"` - ?", more-less)).Error
}

// row finds a row by its primary key.
func (t Table) row(tx *gorm.DB, key columns) (*gorm.DB, error) {
	q := tx.Table(t.shape().Table)
	for _, f := range t.shape().PrimaryFields {
		v, err := value(f, key[f.DBName])
		if err != nil {
			return nil, err
		}
		q = q.Where(map[string]any{f.DBName: v})
	}
	return q, nil
}

// value is a column's value; nil for null.
func value(f *schema.Field, raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	v := reflect.New(f.IndirectFieldType)
	err := json.Unmarshal(raw, v.Interface())
	return v.Elem().Interface(), err
}
