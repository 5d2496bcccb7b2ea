package customer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
)

// Import is the kind of files of customers.
const Import = "customer.import"

// maxLines bounds a file.
const maxLines = 1_000_000

// Consents.
const (
	yes = "yes"
	no  = "no"
)

var consents = []string{yes, no}

var columns = map[string][]string{
	"phone": {"手机号", "手机", "电话"}, "name": {"姓名", "称呼"}, "level": {"等级", "会员等级", "外部等级"}, "last_order_at": {"最近下单", "最近下单时间", "最后下单时间"},
	"tags": {"标签"}, "consent": {"营销同意", "同意营销"},
}

// Options come with a file.
type Options struct {
	Levels map[string]int64 `json:"levels"` // which tier an outside level is: 天猫V3 → the id of 二星
}

// Import reads a file of customers and starts the job that lands it. A number that is no mobile number, one that stood in the file before, a level
// that is not mapped and a tag that is none are reported; the other lines land. The same file again changes nothing.
func (s *Service) Import(ctx context.Context, name string, data []byte, o Options, actor string) (*model.Import, error) {
	l, err := s.tiers.Ladder(ctx)
	if err != nil {
		return nil, err
	}
	for level, id := range o.Levels {
		if !slices.ContainsFunc(l.Tiers, func(t tier.Tier) bool { return t.ID == id }) {
			return nil, errs.Field("levels", "customer.tier", "level", level)
		}
	}
	return s.sheets.Import(ctx, Import, name, data, o, actor)
}

// Sheet is what the lines of a file of customers say and do.
func (s *Service) Sheet() sheet.Kind {
	return sheet.Kind{
		Name: Import, Columns: columns, Required: []string{"phone"}, MaxLines: maxLines,
		Label: func(r *sheet.Reader) []string {
			_, _, masked, ok := s.members.SealPhone(r.Text("phone"))
			if !ok {
				masked = member.Mask(r.Text("phone"))
			}
			return []string{masked}
		},
		Read: s.read,
		Open: s.open,
	}
}

// told is what a line says.
type told struct {
	Index       string     `json:"index"`
	Sealed      string     `json:"sealed"`
	Name        string     `json:"name,omitempty"`
	Level       string     `json:"level,omitempty"`
	LastOrderAt *time.Time `json:"last_order_at,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
	Consent     string     `json:"consent,omitempty"`
}

func (s *Service) read(r *sheet.Reader) (any, error) {
	index, sealed, _, ok := s.members.SealPhone(r.Text("phone"))
	if !ok {
		r.Fail("phone", "customer.phone")
	}
	t := told{
		Index: index, Sealed: sealed, Name: r.Text("name"), Level: r.Text("level"), LastOrderAt: r.Time("last_order_at"),
		Consent: r.OneOf("consent", "customer.consent.", consents),
		Tags:    strings.FieldsFunc(r.Text("tags"), func(c rune) bool { return strings.ContainsRune(";；,，、", c) }),
	}
	for column, text := range map[string]string{"name": t.Name, "level": t.Level} {
		if utf8.RuneCountInString(text) > 64 {
			r.Fail(column, "customer.long", "limit", 64)
		}
	}
	if t.Consent != "" && !slices.Contains(consents, t.Consent) {
		r.Fail("consent", "customer.consent")
	}
	return t, r.Err()
}

// landing is what the lines of a batch need, read at once.
type landing struct {
	*Service
	b       *sheet.Batch
	told    []told
	options Options
	there   map[string]*model.Customer // by index
	members map[string]int64           // by index; locked
	tags    map[string]int64           // by name, and by group:name
}

// open reads what is there of a batch and locks the members whom it is about.
func (s *Service) open(_ context.Context, tx *gorm.DB, b *sheet.Batch) (sheet.Land, error) {
	l := &landing{Service: s, b: b, told: make([]told, len(b.Lines)), there: map[string]*model.Customer{}, tags: map[string]int64{}}
	if err := b.Options.Into(&l.options); err != nil {
		return nil, err
	}
	indexes := make([]string, 0, len(b.Lines))
	for i, line := range b.Lines {
		if err := line.Body.Into(&l.told[i]); err != nil {
			return nil, err
		}
		if line.State == model.LinePending {
			indexes = append(indexes, l.told[i].Index)
		}
	}
	var err error
	if l.members, err = member.ByPhones(tx, indexes); err != nil {
		return nil, fmt.Errorf("customer: members: %w", err)
	}
	for _, id := range slices.Sorted(maps.Values(l.members)) {
		if err := member.LockTx(tx, id); err != nil {
			return nil, err
		}
	}
	var rows []model.Customer
	if err := tx.Where("phone_index IN ?", indexes).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("customer: there: %w", err)
	}
	for i := range rows {
		l.there[rows[i].PhoneIndex] = &rows[i]
	}
	return l.land, l.readTags(tx)
}

func (l *landing) readTags(tx *gorm.DB) error {
	if !slices.ContainsFunc(l.told, func(t told) bool { return len(t.Tags) > 0 }) {
		return nil
	}
	var rows []struct {
		ID          int64
		Name, Group string
	}
	err := tx.Table("tags AS t").Joins("JOIN tag_groups AS g ON g.id = t.group_id").Select("t.id, t.name, g.name AS `group`").Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("customer: tags: %w", err)
	}
	for _, r := range rows {
		l.tags[r.Group+":"+r.Name] = r.ID
		if _, twice := l.tags[r.Name]; twice {
			l.tags[r.Name] = 0 // of two groups: which one has to be said
		} else {
			l.tags[r.Name] = r.ID
		}
	}
	return nil
}

// land keeps what the i-th line says, and gives it to the member who has the number.
func (l *landing) land(ctx context.Context, tx *gorm.DB, i int) (string, error) {
	t, now := l.told[i], l.clock.Now()
	old := l.there[t.Index]
	if old != nil && old.ImportID == l.b.ImportID {
		return "", errs.Field("phone", "customer.duplicate", "line", old.Line)
	}
	c := model.Customer{PhoneIndex: t.Index, PhoneSealed: t.Sealed, Tags: model.JSON("[]"), CreatedAt: now}
	if old != nil {
		c = *old
	}
	if err := l.adopt(&c, &t); err != nil {
		return "", err
	}
	state := model.LineNew
	switch {
	case old == nil:
	case same(&c, old):
		state = model.LineSame
	default:
		state = model.LineChanged
	}
	c.ImportID, c.Line = l.b.ImportID, l.b.Lines[i].Line
	if state != model.LineSame {
		c.UpdatedAt = now
	}
	if err := tx.Save(&c).Error; err != nil {
		return "", fmt.Errorf("customer: save: %w", err)
	}
	l.there[t.Index] = &c
	id := l.members[t.Index]
	switch {
	case state == model.LineSame && c.MatchedAt != nil:
		return state, nil
	case id != 0:
		return state, l.giveTx(ctx, tx, &c, id)
	case c.MemberID == 0:
		return state, nil
	}
	m, err := member.SurvivorTx(tx, c.MemberID) // known by his number alone
	if err != nil {
		return "", err
	}
	return state, l.consentTx(tx, &c, m.ID)
}

// adopt takes over what the line says; what it leaves empty stays.
func (l *landing) adopt(c *model.Customer, t *told) error {
	if t.Name != "" {
		c.Name = t.Name
	}
	if t.Level != "" {
		id, ok := l.options.Levels[t.Level]
		if !ok {
			return errs.Field("level", "customer.level", "level", t.Level)
		}
		c.Level, c.TierID = t.Level, id
	}
	if t.LastOrderAt != nil {
		c.LastOrderAt = t.LastOrderAt
	}
	if t.Consent != "" {
		c.Consent = t.Consent
	}
	if len(t.Tags) == 0 {
		return nil
	}
	tags := []given{}
	for _, name := range t.Tags {
		name = strings.TrimSpace(strings.ReplaceAll(name, "：", ":"))
		id := l.tags[name]
		if id == 0 {
			return errs.Field("tags", "customer.tag", "tag", name)
		}
		tags = append(tags, given{id})
	}
	c.Tags = model.ToJSON(tags)
	return nil
}

func same(a, b *model.Customer) bool {
	return a.Name == b.Name && a.Level == b.Level && a.TierID == b.TierID && string(a.Tags) == string(b.Tags) && a.Consent == b.Consent &&
		(a.LastOrderAt == nil) == (b.LastOrderAt == nil) && (a.LastOrderAt == nil || a.LastOrderAt.Equal(*b.LastOrderAt))
}
