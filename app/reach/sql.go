package reach

import (
	"context"
	"database/sql"
	"math/bits"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// The engine writes its statements by hand and reads rows one by one: a batch is a handful of statements, whatever its size.

func exec(ctx context.Context, tx *gorm.DB, query string, args ...any) (int64, error) {
	res, err := tx.Statement.ConnPool.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// each runs scan on every row of a query.
func each(ctx context.Context, tx *gorm.DB, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := tx.Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// in is "column IN (?,?,…)" with its arguments. The list is filled up to a power of two with its last id, so that few different
// statements are prepared.
func in(column string, ids []int64) (string, []any) {
	n := 1 << bits.Len(uint(len(ids)-1))
	args := make([]any, n)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	return column + " IN (?" + strings.Repeat(",?", n-1) + ")", args
}

// these is in for ids that are, in their order, rows of one table: those that follow one another become a stretch.
func these(column string, ids []int64) (string, []any) {
	for i, id := range ids {
		if id != ids[0]+int64(i) {
			return in(column, ids)
		}
	}
	return column + " BETWEEN ? AND ?", []any{ids[0], ids[len(ids)-1]}
}

// inOrBetween is in for lists of any length, sorted ascending: a dense one becomes a stretch, which may hold others too.
func inOrBetween(column string, ids []int64) (string, []any) {
	first, last := ids[0], ids[len(ids)-1]
	if len(ids) > 64 && last-first < 3*int64(len(ids)) {
		return column + " BETWEEN ? AND ?", []any{first, last}
	}
	if len(ids) <= 1024 {
		return in(column, ids)
	}
	var b strings.Builder
	b.WriteString(column + " IN (")
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(')')
	return b.String(), nil
}

// args joins arguments and lists of them.
func args(list ...any) []any {
	var all []any
	for _, a := range list {
		if more, ok := a.([]any); ok {
			all = append(all, more...)
		} else {
			all = append(all, a)
		}
	}
	return all
}
