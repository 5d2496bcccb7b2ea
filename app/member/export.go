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
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// Export writes all that siyu keeps of a member, and of those who were merged into him, as one JSON document: exported_at, phone, and
// tables, each an array of rows under its table's name. It reads one state of the database and holds one row at a time.
func (s *Service) Export(ctx context.Context, id int64, w io.Writer) error {
	m, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `{"exported_at":%s,"phone":%s,"tables":{`, quoted(s.zone.In(s.clock.Now()).Format(time.RFC3339)), quoted(s.number(m)))
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
		if err := writeRow(out, zone, names, into); err != nil {
			return err
		}
	}
	_, _ = out.WriteString("]")
	return rows.Err()
}

func writeRow(out *bufio.Writer, zone clock.Zone, names []string, into []any) error {
	for i, name := range names {
		v := reflect.ValueOf(into[i]).Elem().Interface()
		if at, ok := v.(*time.Time); ok && at != nil {
			v = zone.In(*at).Format(time.RFC3339Nano)
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		open := ","
		if i == 0 {
			open = "{"
		}
		fmt.Fprintf(out, "%s%s:%s", open, quoted(name), b)
	}
	return out.WriteByte('}')
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}
