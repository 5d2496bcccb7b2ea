package order

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// ImportWork is the kind of the long job that pushes the lines of a file.
const ImportWork = "order.import"

const (
	batchLines = 100 // pushed in one transaction
	keepLines  = 500 // stored in one statement
)

// importArgs are what the job is about.
type importArgs struct {
	ImportID int64  `json:"import_id,string"`
	Name     string `json:"name"`
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

// Import reads a file of orders, one line for each order or refund, and starts the job that pushes them. A line that cannot be read is kept with the
// reason; the same file again does nothing twice.
func (s *Service) Import(ctx context.Context, name string, data []byte, actor string) (*model.OrderImport, error) {
	if done, ok, err := db.Done[model.OrderImport](ctx, s.db); ok || err != nil {
		return &done, err
	}
	lines, err := s.readFile(data)
	if err != nil {
		return nil, err
	}
	in := model.OrderImport{Name: model.Cut(name, 200), Lines: int64(len(lines)), Actor: actor, CreatedAt: s.clock.Now()}
	for _, l := range lines {
		if l.State == model.LineFailed {
			in.Bad++
		}
	}
	if err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { in.ID = 0; return tx.Create(&in).Error }); err != nil {
		return nil, fmt.Errorf("order: import: %w", err)
	}
	for i := range lines {
		lines[i].ImportID = in.ID
	}
	for some := range slices.Chunk(lines, keepLines) {
		if err := s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Create(&some).Error }); err != nil {
			return nil, fmt.Errorf("order: keep lines: %w", err)
		}
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.OrderImport, error) {
		w, err := s.works.StartTx(tx, ImportWork, importArgs{in.ID, in.Name}, in.Lines, actor)
		if err != nil {
			return in, err
		}
		in.WorkID = w.ID
		return in, tx.Model(&model.OrderImport{}).Where("id = ?", in.ID).Update("work_id", w.ID).Error
	})
	return &out, err
}

// readFile reads every line, the bad ones with their reason.
func (s *Service) readFile(data []byte) ([]model.OrderImportLine, error) {
	var lines []model.OrderImportLine
	var at map[string]int
	err := table(data, func(n int64, cells []string) (err error) {
		if at == nil {
			at, err = head(cells)
			return err
		}
		if len(lines) == maxLines {
			return errs.New(errs.TooLarge, "order.too_many_lines", "limit", maxLines)
		}
		lines = append(lines, s.readLine(n, &reader{at: at, cells: cells, zone: s.zone}))
		return nil
	})
	if err == nil && len(lines) == 0 {
		err = errs.Field("data", "order.empty_file")
	}
	return lines, err
}

func (s *Service) readLine(n int64, r *reader) model.OrderImportLine {
	p, err := r.push()
	if err == nil {
		err = s.clean(&p)
	}
	l := model.OrderImportLine{Line: n, Platform: model.Cut(p.Platform, 64), No: model.Cut(p.No, 128), State: model.LinePending, Error: model.JSON("{}"), Push: model.JSON("{}")}
	if err != nil {
		l.State, l.Error = model.LineFailed, reason(err)
	} else {
		l.Push = model.ToJSON(p)
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

// cursor is how far a job is.
type cursor struct {
	Line int64 `json:"line"`
}

// Slice pushes the next lines of a file, in one transaction with how far the job is. Where one is refused the batch is done again with each line
// in a savepoint, so that the others land.
func (s *Service) Slice(ctx context.Context, w *model.Work) (done bool, err error) {
	b := batch{Service: s, w: w, done: w.Done}
	if err := errors.Join(w.Args.Into(&b.args), w.Cursor.Into(&b.at), w.Result.Into(&b.result)); err != nil {
		return false, err
	}
	err = s.db.Reader(ctx).Where("import_id = ? AND line > ?", b.args.ImportID, b.at.Line).Order("line").Limit(batchLines).Find(&b.lines).Error
	if err != nil {
		return false, fmt.Errorf("order: import: %w", err)
	}
	if len(b.lines) == 0 {
		return true, nil
	}
	err = s.db.BulkTx(ctx, b.runTx)
	if errs.CodeOf(err) != "" {
		b.apart = true
		err = s.db.BulkTx(ctx, b.runTx)
	}
	if errs.CodeOf(err) != "" { // of the database: it may be tried again
		err = errors.New(err.Error())
	}
	return len(b.lines) < batchLines, err
}

// batch is some lines of a file.
type batch struct {
	*Service
	w      *model.Work
	done   int64 // lines before
	args   importArgs
	at     cursor
	result Outcome
	lines  []model.OrderImportLine
	apart  bool // each line in its savepoint
}

func (b *batch) runTx(ctx context.Context, tx *gorm.DB) error {
	set, err := settings(tx)
	if err != nil {
		return err
	}
	pushes, k, err := b.open(tx)
	if err != nil {
		return err
	}
	result, by := b.result, map[string][]int64{}
	for i, l := range b.lines {
		state, refusal := l.State, error(nil)
		if l.State == model.LinePending {
			if state, refusal, err = b.line(ctx, tx, pushes[i], set, k); err != nil {
				return err
			}
			by[state] = append(by[state], l.Line)
		}
		if refusal != nil {
			err := tx.Model(&model.OrderImportLine{}).Where("import_id = ? AND line = ?", l.ImportID, l.Line).Update("error_json", reason(refusal)).Error
			if err != nil {
				return err
			}
		}
		result.add(state, 1)
	}
	for state, lines := range by {
		err := tx.Model(&model.OrderImportLine{}).Where("import_id = ? AND line IN ?", b.args.ImportID, lines).
			Updates(map[string]any{"state": state, "push_json": model.JSON("{}")}).Error
		if err != nil {
			return fmt.Errorf("order: lines: %w", err)
		}
	}
	last := b.lines[len(b.lines)-1].Line
	return b.works.ProgressTx(tx, b.w, cursor{last}, b.done+int64(len(b.lines)), result)
}

// open reads what is to be pushed, which of it is there, and the members that it names, whom it locks.
func (b *batch) open(tx *gorm.DB) ([]Push, known, error) {
	pushes := make([]Push, len(b.lines))
	k := known{locks: locks{}, absent: map[string]bool{}}
	var nos []string
	var platforms, orders []string
	for i, l := range b.lines {
		if err := l.Push.Into(&pushes[i]); err != nil {
			return nil, k, err
		}
		if l.State == model.LinePending {
			platforms, orders = append(platforms, pushes[i].Platform), append(orders, pushes[i].No)
			k.absent[orderKey(pushes[i].Platform, pushes[i].No)] = true
		}
		if no := pushes[i].MemberNo; no != "" {
			nos = append(nos, no)
		}
	}
	var err error
	if len(nos) > 0 {
		err = b.members(tx, &k, pushes, nos)
	}
	if err != nil || len(orders) == 0 {
		return pushes, k, err
	}
	var there []model.Order
	if err := tx.Select("platform", "no").Where("platform IN ? AND no IN ?", slices.Compact(platforms), orders).Find(&there).Error; err != nil {
		return nil, k, fmt.Errorf("order: open: %w", err)
	}
	for _, o := range there {
		delete(k.absent, orderKey(o.Platform, o.No))
	}
	return pushes, k, nil
}

// members knows the members with the numbers, and locks them.
func (b *batch) members(tx *gorm.DB, k *known, pushes []Push, nos []string) error {
	var rows []model.Member
	if err := tx.Select("id", "no").Where("no IN ?", nos).Find(&rows).Error; err != nil {
		return fmt.Errorf("order: members: %w", err)
	}
	ids, of := []int64{}, map[string]int64{}
	for _, m := range rows {
		of[m.No] = m.ID
		ids = append(ids, m.ID)
	}
	for i := range pushes {
		pushes[i].MemberID = of[pushes[i].MemberNo]
	}
	if err := k.take(tx, ids...); err != nil {
		return err
	}
	k.members = map[int64]buyer{}
	var locked []model.Member
	var watched []int64
	err := errors.Join(
		tx.Select("id", "joined_at").Where("id IN ? AND merged_into IS NULL", ids).Find(&locked).Error,
		tx.Model(&model.LiveView{}).Distinct("member_id").Where("member_id IN ? AND seconds > 0", ids).Pluck("member_id", &watched).Error)
	for _, m := range locked {
		k.members[m.ID] = buyer{m.JoinedAt, slices.Contains(watched, m.ID)}
	}
	return err
}

// line pushes one line. A refusal fails it – at once where the line has a savepoint, else the whole batch.
func (b *batch) line(ctx context.Context, tx *gorm.DB, p Push, set *model.OrderSettings, k known) (state string, refusal, err error) {
	var out Pushed
	run := func(tx *gorm.DB) (err error) {
		if p.MemberNo != "" && p.MemberID == 0 {
			return errs.New(errs.NotFound, "member.not_found", "field", "member_no")
		}
		out, err = b.pushTx(ctx, tx, p, set, k)
		return err
	}
	if b.apart {
		if err = tx.Transaction(run); errs.CodeOf(err) != "" {
			return model.LineFailed, err, nil
		}
	} else {
		err = run(tx)
	}
	switch {
	case out.New:
		return model.LineNew, nil, err
	case out.Applied:
		return model.LineChanged, nil, err
	}
	return model.LineSame, nil, err
}

// Imported is a file with what became of it so far.
type Imported struct {
	model.OrderImport
	State  string // of the job
	Done   int64  // lines
	Result Outcome
}

// Imports lists the last files, newest first; before is the id of the last one of the page before, 0 = the first page.
func (s *Service) Imports(ctx context.Context, before int64, limit int) ([]Imported, error) {
	tx := s.db.Reader(ctx).Where("work_id > 0").Order("id DESC").Limit(limit)
	if before > 0 {
		tx = tx.Where("id < ?", before)
	}
	var rows []model.OrderImport
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("order: imports: %w", err)
	}
	out := make([]Imported, len(rows))
	for i, r := range rows {
		w, err := s.works.Get(ctx, r.WorkID)
		if err != nil {
			return nil, err
		}
		out[i] = Imported{OrderImport: r, State: w.State, Done: w.Done}
		if err := w.Result.Into(&out[i].Result); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ImportOf reads one file.
func (s *Service) ImportOf(ctx context.Context, id int64) (*Imported, error) {
	list, err := s.Imports(ctx, id+1, 1)
	if err == nil && (len(list) == 0 || list[0].ID != id) {
		err = errs.New(errs.NotFound, "order.no_import")
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// Report writes what became of each line of a file as CSV, in UTF-8 with BOM: line, platform, number, state, column, reason.
func (s *Service) Report(ctx context.Context, id int64, lang string, to io.Writer) error {
	if _, err := io.WriteString(to, "\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(to)
	_ = w.Write(strings.Split(templates.T(lang, "order.report_head", nil), ",")) // Error tells
	for last := int64(0); ; {
		var lines []model.OrderImportLine
		err := s.db.Reader(ctx).Where("import_id = ? AND line > ?", id, last).Order("line").Limit(1000).Find(&lines).Error
		if err != nil {
			return fmt.Errorf("order: report: %w", err)
		}
		for _, l := range lines {
			field, why := said(lang, l.Error)
			_ = w.Write([]string{strconv.FormatInt(l.Line, 10), plain(l.Platform), plain(l.No), templates.T(lang, "order.line."+l.State, nil), field, why})
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

// plain keeps a spreadsheet from taking a cell for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
