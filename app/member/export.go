package member

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// Export writes all that siyu keeps of a member, and of those who were merged into him, as one JSON document: exported_at, phone, address, and
// tables, each an array of rows under its table's name. It reads one state of the database and holds one row at a time.
func (s *Service) Export(ctx context.Context, id int64, w io.Writer) error {
	m, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `{"exported_at":%s,"phone":%s,"address":%s,"tables":{`, quoted(s.zone.In(s.clock.Now()).Format(time.RFC3339)), quoted(s.number(m)), quoted(s.Address(m)))
	err = s.db.Snapshot(ctx, func(tx *gorm.DB) error {
		ids, err := family(tx, m.ID)
		if err != nil {
			return err
		}
		between := ""
		for _, p := range s.parts {
			for _, t := range p.Tables {
				if t.Hidden != "" {
					continue
				}
				_, _ = out.WriteString(between)
				between = ","
				if err := t.export(tx, out, s.zone, ids); err != nil {
					return fmt.Errorf("member: export: %s: %w", p.Name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, _ = out.WriteString("}}\n")
	return out.Flush()
}

// family is the member and everybody who was merged into him, one after the other.
func family(tx *gorm.DB, id int64) ([]int64, error) {
	all := []int64{id}
	for next := all; len(next) > 0; all = append(all, next...) {
		var found []int64
		if err := tx.Model(&model.Member{}).Where("merged_into IN ?", next).Pluck("id", &found).Error; err != nil {
			return nil, fmt.Errorf("member: who was merged into %d: %w", id, err)
		}
		next = found
	}
	return all, nil
}

var schemas sync.Map

// shape is what gorm knows of the table's row.
func (t Table) shape() *schema.Schema {
	s, err := schema.Parse(t.Row, &schemas, schema.NamingStrategy{})
	if err != nil {
		panic(fmt.Sprintf("member: row %T: %v", t.Row, err))
	}
	return s
}

// rows are the member's rows.
func (t Table) rows(tx *gorm.DB, ids []int64) *gorm.DB {
	by := t.By
	if by == "" {
		by = "member_id IN @ids"
	}
	return tx.Table(t.shape().Table).Where(by, map[string]any{"ids": ids})
}

var named = regexp.MustCompile(`^.+ AS ([a-z_]+)$`)

// columns are the names under which the export shows what it selects, and something to scan each into.
func (t Table) columns() (names []string, into []any) {
	for _, c := range t.Export {
		if m := named.FindStringSubmatch(c); m != nil {
			names, into = append(names, m[1]), append(into, new(*string))
			continue
		}
		f := t.shape().LookUpField(c)
		names, into = append(names, c), append(into, reflect.New(reflect.PointerTo(f.IndirectFieldType)).Interface())
	}
	return names, into
}

func (t Table) export(tx *gorm.DB, out *bufio.Writer, zone clock.Zone, ids []int64) error {
	columns := slices.Clone(t.Export)
	names, into := t.columns()
	heads := make([]string, len(names)) // what stands before each value
	for i, n := range names {
		heads[i] = "," + quoted(n) + ":"
	}
	heads[0] = "{" + heads[0][1:]
	for i, n := range names {
		if n == columns[i] {
			columns[i] = "`" + n + "`"
		}
	}
	rows, err := t.rows(tx, ids).Select(strings.Join(columns, ", ")).Order(strings.Join(t.shape().PrimaryFieldDBNames, ", ")).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	fmt.Fprintf(out, `%s:[`, quoted(t.shape().Table))
	between := ""
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		_, _ = out.WriteString(between)
		between = ","
		if err := writeRow(out, zone, heads, into); err != nil {
			return err
		}
	}
	_, _ = out.WriteString("]")
	return rows.Err()
}

// writeRow writes a row; heads[i] stands before the value of into[i].
func writeRow(out *bufio.Writer, zone clock.Zone, heads []string, into []any) error {
	b := out.AvailableBuffer()
	for i, head := range heads {
		b = append(b, head...)
		var err error
		if b, err = appendValue(b, zone, into[i]); err != nil {
			return err
		}
	}
	_, err := out.Write(append(b, '}'))
	return err
}

// appendValue appends what was scanned as JSON; most of it is of a few kinds, which need no reflection.
func appendValue(b []byte, zone clock.Zone, from any) ([]byte, error) {
	switch v := from.(type) {
	case **int64:
		if *v != nil {
			return strconv.AppendInt(b, **v, 10), nil
		}
	case **bool:
		if *v != nil {
			return strconv.AppendBool(b, **v), nil
		}
	case **time.Time:
		if *v != nil {
			return append(zone.In(**v).AppendFormat(append(b, '"'), time.RFC3339Nano), '"'), nil
		}
	}
	j, err := json.Marshal(reflect.ValueOf(from).Elem().Interface())
	return append(b, j...), err
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}
