package tag

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Codes of the ladders, which are those of their tag groups.
const (
	Recency   = "rfm_recency"
	Frequency = "rfm_frequency"
	Money     = "rfm_money"
	Pyramid   = "pyramid"
)

// Step is one step of a ladder: of the steps that hold for a member the first is his.
type Step struct {
	Name      string
	Condition condition.Tree
}

// Layer is a step as it reads back.
type Layer struct {
	Name      string     `json:"name"`
	Condition model.JSON `json:"condition"`
	Sentence  string     `json:"sentence"`
	TagID     int64      `json:"tag_id,string"`
	Holders   int64      `json:"holders"`
}

const maxSteps = 10

// saveLadderTx makes the ladder's group, tags and rules what the steps say. A step is known by its name: it keeps its tag, so that a member
// who stays on it sees no change. Everybody is then evaluated in the background.
func (s *Service) saveLadderTx(ctx context.Context, tx *gorm.DB, code, group, field string, steps []Step) error {
	if err := checkSteps(s.conditions, field, steps); err != nil {
		return err
	}
	names := make([]string, len(steps))
	for i, step := range steps {
		names[i] = step.Name
	}
	tags, err := s.EnsureExclusiveTx(tx, code, group, names...)
	if err != nil {
		return err
	}
	var old []model.AutoTag
	if err := tx.Where("owner = ?", code).Find(&old).Error; err != nil {
		return fmt.Errorf("tag: ladder %s: %w", code, err)
	}
	first, kept := int64(0), []int64{0}
	for i, step := range steps {
		in := Rule{TagID: tags[i], Name: step.Name, Enabled: true, owner: code, position: i + 1}
		if j := slices.IndexFunc(old, func(r model.AutoTag) bool { return r.TagID == tags[i] }); j >= 0 {
			in.ID = old[j].ID
		}
		row, err := s.saveRuleTx(ctx, tx, in, step.Condition)
		if err != nil {
			return condition.At(fmt.Sprintf("%s[%d].condition", field, i), err)
		}
		if i == 0 {
			first = row.ID
		}
		kept = append(kept, row.ID)
	}
	gone := tx.Where("owner = ? AND id NOT IN ?", code, kept).Delete(&model.AutoTag{}).Error
	once := tx.Model(&model.AutoTag{}).Where("owner = ? AND id <> ?", code, first).UpdateColumn("review_after", reviewed).Error // the first stands for all
	return errors.Join(gone, once)
}

func checkSteps(r *condition.Registry, field string, steps []Step) error {
	if len(steps) == 0 || len(steps) > maxSteps {
		return errs.Field(field, "tag.ladder_steps", "limit", maxSteps)
	}
	seen := map[string]bool{}
	for i := range steps {
		at := fmt.Sprintf("%s[%d]", field, i)
		steps[i].Name = strings.TrimSpace(steps[i].Name)
		switch n := utf8.RuneCountInString(steps[i].Name); {
		case n == 0 || n > 32:
			return errs.Field(at+".name", "tag.name", "limit", 32)
		case seen[steps[i].Name]:
			return errs.Field(at+".name", "tag.ladder_twice")
		case steps[i].Condition.Empty():
			return errs.Field(at+".condition", "tag.rule_for_all")
		case r.EventScoped(steps[i].Condition):
			return errs.Field(at+".condition", "tag.ladder_event")
		}
		seen[steps[i].Name] = true
	}
	return nil
}

// layers are the steps of a ladder from the top, with how many stand on each.
func (s *Service) layers(ctx context.Context, code, lang string) ([]Layer, error) {
	tx := s.db.Reader(ctx)
	var rows []model.AutoTag
	if err := tx.Where("owner = ?", code).Order("position").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("tag: ladder %s: %w", code, err)
	}
	holders, err := s.Holders(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Layer, len(rows))
	for i, row := range rows {
		tree, err := s.conditions.Parse(row.Condition)
		if err != nil {
			return nil, fmt.Errorf("tag: rule %d: %w", row.ID, err)
		}
		out[i] = Layer{Name: row.Name, Condition: row.Condition, TagID: row.TagID}
		if out[i].Sentence, err = s.conditions.Sentence(ctx, tx, lang, tree); err != nil {
			return nil, err
		}
		out[i].Holders = holders[row.TagID]
	}
	return out, nil
}

// storeLadder keeps what the operator wrote.
func (s *Service) storeLadder(tx *gorm.DB, code string, definition any) error {
	row := model.TagLadder{Code: code, Definition: model.ToJSON(definition), UpdatedAt: s.clock.Now()}
	if err := tx.Save(&row).Error; err != nil {
		return fmt.Errorf("tag: ladder %s: %w", code, err)
	}
	return nil
}

// PyramidLayers are the layers of the value pyramid from the top; none before the first SavePyramid.
func (s *Service) PyramidLayers(ctx context.Context, lang string) ([]Layer, error) {
	return s.layers(ctx, Pyramid, lang)
}

// SavePyramid says which layers there are, from the top: a member is in the first that holds (PLAYBOOKS P24).
func (s *Service) SavePyramid(ctx context.Context, steps []Step, lang string) ([]Layer, error) {
	_, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (string, error) {
		return Pyramid, s.saveLadderTx(ctx, tx, Pyramid, "价值金字塔", "layers", steps)
	})
	if err != nil {
		return nil, err
	}
	return s.PyramidLayers(ctx, lang)
}

// DefaultPyramid are the five layers of P24.
func DefaultPyramid() []Step {
	orders := func(n int) condition.Tree {
		return condition.Is("orders", map[string]any{"measure": "count", "op": "gte", "value": n, "window": "365d"})
	}
	days := func(op condition.Op, n int) condition.Tree {
		return condition.Is("member", map[string]any{"field": "joined_days", "op": op, "value": n})
	}
	return []Step{
		{"粉丝", orders(5)},
		{"付费", orders(1)},
		{"活跃", condition.And(days(condition.Gte, 0), condition.Is("active_days", map[string]any{"op": "gte", "count": 4, "days": 30}))},
		{"新激活", days(condition.Lte, 7)},
		{"普通", days(condition.Gte, 8)},
	}
}

// Move is how many went from one tag to another.
type Move struct {
	From    string `json:"from"` // "": from none
	To      string `json:"to"`   // "": to none
	Members int64  `json:"members"`
}

// Flow is how many members went from one layer of the pyramid to another in [from, to): who did so twice counts once.
func (s *Service) Flow(ctx context.Context, from, to time.Time) ([]Move, error) {
	var rows []Move
	err := s.db.Reader(ctx).Table("tag_changes c").
		Select("COALESCE(f.name, '') AS `from`, t.name AS `to`, COUNT(DISTINCT c.member_id) AS members").
		Joins("JOIN tags t ON t.id = c.tag_id").Joins("JOIN tag_groups g ON g.id = t.group_id AND g.code = ?", Pyramid).Joins("LEFT JOIN tags f ON f.id = c.from_tag").
		Where("c.is_set AND c.at >= ? AND c.at < ?", from, to).Group("f.name, t.name").Order("members DESC, `from`, `to`").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("tag: flow: %w", err)
	}
	return rows, nil
}

// Band is one band of a dimension of RFM: from so much up to the next band.
type Band struct {
	Name string `json:"name"`
	From int64  `json:"from"` // days since the last paid order, orders, fen
}

// RFM is how an operator cuts recency, frequency and money into bands, each from the lowest upwards. Who has no order is in none.
type RFM struct {
	WindowDays int    `json:"window_days"` // of frequency and money
	Recency    []Band `json:"recency"`
	Frequency  []Band `json:"frequency"`
	Money      []Band `json:"money"`
}

// DefaultRFM is that of P01-C.
func DefaultRFM() RFM {
	return RFM{
		WindowDays: 365,
		Recency:    []Band{{"常购客户", 0}, {"低频客户", 31}, {"接近流失客户", 91}, {"流失客户", 181}},
		Frequency:  []Band{{"尝鲜用户", 1}, {"复购用户", 2}, {"忠诚用户", 5}},
		Money:      []Band{{"低", 0}, {"中", 20000}, {"高", 100000}},
	}
}

// rfmCode is the key of the definition of all three ladders.
const rfmCode = "rfm"

// dimensions are the ladders of RFM in their order.
var dimensions = []string{Recency, Frequency, Money}

// RFM reads the bands; nil before the first SaveRFM.
func (s *Service) RFM(ctx context.Context) (*RFM, error) {
	var rows []model.TagLadder
	if err := s.db.Reader(ctx).Where("code = ?", rfmCode).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	var out RFM
	return &out, json.Unmarshal(rows[0].Definition, &out)
}

// SaveRFM changes the bands; each is a tag in the exclusive group of its dimension, kept at once on an order or a refund and at the day on
// which time alone changes it (PLAYBOOKS P01-C).
func (s *Service) SaveRFM(ctx context.Context, in RFM) (*RFM, error) {
	if in.WindowDays < 1 || in.WindowDays > 3660 {
		return nil, errs.Field("window_days", "condition.arg_days", "limit", 3660)
	}
	window := fmt.Sprint(in.WindowDays, "d")
	orders := func(measure, window string, n int64) condition.Tree {
		args := map[string]any{"measure": measure, "op": "gte", "value": n}
		if window != "" {
			args["window"] = window
		}
		return condition.Is("orders", args)
	}
	ladders := []struct {
		code, name, field string
		least             int64
		bands             []Band
		of                func(from int64) condition.Tree
	}{
		{Recency, "RFM 最近购买", "recency", 0, in.Recency, func(n int64) condition.Tree { return orders("days", "", n) }},
		{Frequency, "RFM 购买次数", "frequency", 1, in.Frequency, func(n int64) condition.Tree { return orders("count", window, n) }},
		{Money, "RFM 购买金额", "money", 0, in.Money, func(n int64) condition.Tree {
			return condition.And(orders("count", window, 1), orders("amount", window, n))
		}},
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (RFM, error) {
		for _, l := range ladders {
			var steps []Step
			for i, b := range l.bands {
				switch {
				case i == 0 && b.From != l.least:
					return in, errs.Field(l.field+"[0].from", "tag.rfm_first", "least", l.least)
				case i > 0 && b.From <= l.bands[i-1].From:
					return in, errs.Field(fmt.Sprintf("%s[%d].from", l.field, i), "tag.rfm_order")
				}
				steps = append(steps, Step{b.Name, l.of(b.From)})
			}
			slices.Reverse(steps)
			if err := s.saveLadderTx(ctx, tx, l.code, l.name, l.field, steps); err != nil {
				return in, err
			}
		}
		return in, s.storeLadder(tx, rfmCode, in)
	})
	return &out, err
}

// Cell is a place in the RFM matrix; a name is "" where a member has no tag of the dimension.
type Cell struct {
	Recency   string `json:"recency"`
	Frequency string `json:"frequency"`
	Money     string `json:"money"`
}

// Names are those that it has, to be shown; "" for none.
func (c Cell) Names() string {
	return strings.Join(slices.DeleteFunc([]string{c.Recency, c.Frequency, c.Money}, func(s string) bool { return s == "" }), " · ")
}

// Count is how many members are in a cell.
type Count struct {
	Cell
	Members int64 `json:"members"`
}

// Matrix is how many members are in each cell; empty ones are left out.
func (s *Service) Matrix(ctx context.Context) ([]Count, error) {
	held := func(code string) string {
		return "(SELECT DISTINCT h.member_id, t.name FROM tag_holds h JOIN tags t ON t.id = h.tag_id JOIN tag_groups g ON g.id = t.group_id AND g.code = '" + code + "')"
	}
	var rows []Count
	err := s.db.Reader(ctx).Raw("SELECT r.name AS recency, COALESCE(f.name, '') AS frequency, COALESCE(m.name, '') AS money, COUNT(*) AS members FROM " + held(Recency) +
		" r LEFT JOIN " + held(Frequency) + " f ON f.member_id = r.member_id LEFT JOIN " + held(Money) + " m ON m.member_id = r.member_id GROUP BY r.name, f.name, m.name").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("tag: matrix: %w", err)
	}
	return rows, nil
}

// CellMove is how many members were in one cell at the beginning and in another at the end.
type CellMove struct {
	From    Cell  `json:"from"`
	To      Cell  `json:"to"`
	Members int64 `json:"members"`
}

// CellMoves compares the cells of members at two instants.
func (s *Service) CellMoves(ctx context.Context, from, to time.Time) ([]CellMove, error) {
	rows, err := s.db.Reader(ctx).Table("tag_changes c").Select("c.member_id, g.code, t.name, c.is_set, c.at").
		Joins("JOIN tags t ON t.id = c.tag_id").Joins("JOIN tag_groups g ON g.id = t.group_id AND g.code IN ?", dimensions).
		Where("c.at < ?", to).Order("c.id").Rows()
	if err != nil {
		return nil, fmt.Errorf("tag: moves: %w", err)
	}
	defer rows.Close()
	is, was := map[int64]Cell{}, map[int64]Cell{} // was: of those who moved at all
	for rows.Next() {
		var id int64
		var code, name string
		var set bool
		var at time.Time
		if err := rows.Scan(&id, &code, &name, &set, &at); err != nil {
			return nil, fmt.Errorf("tag: moves: %w", err)
		}
		cell := is[id]
		if _, moved := was[id]; !moved && !at.Before(from) {
			was[id] = cell
		}
		place := map[string]*string{Recency: &cell.Recency, Frequency: &cell.Frequency, Money: &cell.Money}[code]
		if set {
			*place = name
		} else if *place == name {
			*place = ""
		}
		is[id] = cell
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("tag: moves: %w", err)
	}
	counts := map[[2]Cell]int64{}
	for id, before := range was {
		if now := is[id]; now != before {
			counts[[2]Cell{before, now}]++
		}
	}
	out := make([]CellMove, 0, len(counts))
	for k, n := range counts {
		out = append(out, CellMove{k[0], k[1], n})
	}
	slices.SortFunc(out, func(a, b CellMove) int {
		return cmp.Or(cmp.Compare(b.Members, a.Members), strings.Compare(fmt.Sprint(a.From, a.To), fmt.Sprint(b.From, b.To)))
	})
	return out, nil
}
