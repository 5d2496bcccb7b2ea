package sheet

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Kind is what the lines of a file are about.
type Kind struct {
	Name     string              // of the long jobs too: order.import
	Columns  map[string][]string // the heads, each with other names that it may have
	Required []string            // heads without which the file is none
	MaxLines int
	Batch    int // lines that land in one transaction; 0 = 100

	// Label says in the report which thing a line is about, in the cells of the head that the locale files have as <Name>_report. It is kept:
	// nothing of a person may be in it.
	Label func(r *Reader) []string

	// Read reads a line into what is kept of it until it lands. A refusal names the column.
	Read func(r *Reader) (body any, err error)
	// Started is told of a file in the transaction that starts its job; nil = nobody.
	Started func(tx *gorm.DB, in *model.Import, options model.JSON) error
	// Open prepares to land lines in a transaction: what they need is read, and locked, at once.
	Open func(ctx context.Context, tx *gorm.DB, b *Batch) (Land, error)
}

// Batch is some lines of a file that land in one transaction.
type Batch struct {
	ImportID int64
	Options  model.JSON // what was given with the file
	Lines    []model.ImportLine
	Last     bool // no lines come after these
}

// Land does what the i-th line of a batch says, and tells what that was: model.LineNew, LineChanged or LineSame. A refusal undoes that line only.
type Land func(ctx context.Context, tx *gorm.DB, i int) (state string, err error)

// Service keeps the files.
type Service struct {
	db    *db.DB
	clock clock.Clock
	zone  clock.Zone
	works *work.Service
	kinds map[string]*Kind
}

// New returns the service. Kinds are registered while the app is built.
func New(d *db.DB, c clock.Clock, z clock.Zone, works *work.Service) *Service {
	return &Service{db: d, clock: c, zone: z, works: works, kinds: map[string]*Kind{}}
}

// Register makes files of the kind known.
func (s *Service) Register(k Kind) {
	s.kinds[k.Name] = &k
	s.works.Register(k.Name, s.slice)
}

const keepLines = 500 // stored in one statement

// job is what a long job is about.
type job struct {
	ImportID int64      `json:"import_id,string"`
	Name     string     `json:"name"`
	Options  model.JSON `json:"options,omitempty"`
}

// Outcome counts the lines of a file by what became of them.
type Outcome struct {
	New     int64 `json:"new"`
	Changed int64 `json:"changed"`
	Same    int64 `json:"same"`
	Failed  int64 `json:"failed"`
}

func (o *Outcome) add(state string, n int64) {
	*map[string]*int64{model.LineNew: &o.New, model.LineChanged: &o.Changed, model.LineSame: &o.Same, model.LineFailed: &o.Failed}[state] += n
}

// Import reads a file and starts the job that lands its lines. A line that cannot be read is kept with the reason.
func (s *Service) Import(ctx context.Context, kind, name string, data []byte, options any, actor string) (*model.Import, error) {
	k := s.kinds[kind]
	if k == nil {
		return nil, fmt.Errorf("sheet: unknown kind %q", kind)
	}
	if done, ok, err := db.Done[model.Import](ctx, s.db); ok || err != nil {
		return &done, err
	}
	in := model.Import{Kind: kind, Name: model.Cut(name, 200), Actor: actor, CreatedAt: s.clock.Now()}
	err := s.read(k, data, func(int64, *Reader) error { // nothing is kept of a file that is refused
		if in.Lines++; in.Lines > int64(k.MaxLines) {
			return errs.New(errs.TooLarge, "sheet.too_many_lines", "limit", k.MaxLines)
		}
		return nil
	})
	if err == nil && in.Lines == 0 {
		err = errs.Field("data", "sheet.empty_file")
	}
	if err != nil {
		return nil, err
	}
	if err := s.keep(ctx, k, data, &in); err != nil {
		return nil, fmt.Errorf("sheet: import: %w", err)
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Import, error) {
		o := model.ToJSON(options)
		w, err := s.works.StartTx(tx, kind, job{in.ID, in.Name, o}, in.Lines, actor)
		if err != nil {
			return in, err
		}
		in.WorkID = w.ID
		err = tx.Model(&model.Import{}).Where("id = ?", in.ID).Updates(map[string]any{"work_id": w.ID, "bad": in.Bad}).Error
		if err == nil && k.Started != nil {
			err = k.Started(tx, &in, o)
		}
		return in, err
	})
	return &out, err
}

// keep stores the file and each of its lines, the bad ones with their reason.
func (s *Service) keep(ctx context.Context, k *Kind, data []byte, in *model.Import) error {
	if err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { in.ID = 0; return tx.Create(in).Error }); err != nil {
		return err
	}
	lines := make([]model.ImportLine, 0, keepLines)
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		err := s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Create(&lines).Error })
		lines = lines[:0]
		return err
	}
	err := s.read(k, data, func(n int64, r *Reader) error {
		l := k.line(n, r)
		if l.ImportID = in.ID; l.State == model.LineFailed {
			in.Bad++
		}
		if lines = append(lines, l); len(lines) < keepLines {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// read gives every line below the head to fn, with its number in the file.
func (s *Service) read(k *Kind, data []byte, fn func(n int64, r *Reader) error) error {
	var at map[string]int
	return table(data, func(n int64, cells []string) (err error) {
		if at == nil {
			at, err = k.head(cells)
			return err
		}
		return fn(n, &Reader{at: at, cells: cells, zone: s.zone})
	})
}

func (k *Kind) line(n int64, r *Reader) model.ImportLine {
	label := k.Label(r)
	for i := range label {
		label[i] = strings.ReplaceAll(model.Cut(label[i], 64), "\t", " ")
	}
	l := model.ImportLine{Line: n, Label: strings.Join(label, "\t"), State: model.LinePending, Error: model.JSON("{}"), Body: model.JSON("{}")}
	body, err := k.Read(r)
	if err != nil {
		l.State, l.Error = model.LineFailed, reason(err)
	} else {
		l.Body = model.ToJSON(body)
	}
	return l
}

// reason is a refusal as a line keeps it; nil where err is none.
func reason(err error) model.JSON {
	var e *errs.Error
	if !errors.As(err, &e) {
		return nil
	}
	return model.ToJSON(e)
}

// Imported is a file with what became of it so far.
type Imported struct {
	model.Import
	State  string // of the job
	Done   int64  // lines
	Result Outcome
}

// List lists the last files of a kind, newest first; before is the id of the last one of the page before, 0 = the first page.
func (s *Service) List(ctx context.Context, kind string, before int64, limit int) ([]Imported, error) {
	tx := s.db.Reader(ctx).Where("kind = ? AND work_id > 0", kind).Order("id DESC").Limit(limit)
	if before > 0 {
		tx = tx.Where("id < ?", before)
	}
	var rows []model.Import
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sheet: imports: %w", err)
	}
	out := make([]Imported, len(rows))
	for i, r := range rows {
		w, err := s.works.Get(ctx, r.WorkID)
		if err != nil {
			return nil, err
		}
		out[i] = Imported{Import: r, State: w.State, Done: w.Done}
		if err := w.Result.Into(&out[i].Result); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Get reads one file of a kind.
func (s *Service) Get(ctx context.Context, kind string, id int64) (*Imported, error) {
	list, err := s.List(ctx, kind, id+1, 1)
	if err == nil && (len(list) == 0 || list[0].ID != id) {
		err = errs.New(errs.NotFound, "sheet.no_import")
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// Report writes what became of each line of a file as CSV, in UTF-8 with BOM: line, the kind's label, state, column, reason.
func (s *Service) Report(ctx context.Context, in *Imported, lang string, to io.Writer) error {
	if _, err := io.WriteString(to, "\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(to)
	_ = w.Write(strings.Split(templates.T(lang, in.Kind+"_report", nil), ",")) // Error tells
	for last := int64(0); ; {
		var lines []model.ImportLine
		err := s.db.Reader(ctx).Where("import_id = ? AND line > ?", in.ID, last).Order("line").Limit(1000).Find(&lines).Error
		if err != nil {
			return fmt.Errorf("sheet: report: %w", err)
		}
		for _, l := range lines {
			field, why := said(lang, l.Error)
			cells := []string{strconv.FormatInt(l.Line, 10)}
			for label := range strings.SplitSeq(l.Label, "\t") {
				cells = append(cells, Plain(label))
			}
			_ = w.Write(append(cells, templates.T(lang, "sheet.line."+l.State, nil), field, why))
			last = l.Line
		}
		if len(lines) == 0 {
			w.Flush()
			return w.Error()
		}
	}
}

// said is a kept refusal as the column that it names and a sentence.
func said(lang string, j model.JSON) (field, why string) {
	var e errs.Error
	if err := json.Unmarshal(j, &e); err != nil || e.Key == "" {
		return "", ""
	}
	field, _ = e.Args["field"].(string)
	return field, templates.T(lang, e.Key, e.Args)
}

// Plain keeps a spreadsheet from taking a cell for a formula.
func Plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
