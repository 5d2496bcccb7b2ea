package reward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

const revision = "point_rules"

// Service is the rules and what they do.
type Service struct {
	db         *db.DB
	clock      clock.Clock
	zone       clock.Zone
	works      *work.Service
	conditions *condition.Registry
	book       *ledger.Book
	tags       *tag.Service
	coupons    *coupon.Service

	programme db.Cached[*programme]
}

// New returns the service. Its follower is registered by the app.
func New(
	d *db.DB, c clock.Clock, z clock.Zone, works *work.Service, conditions *condition.Registry, book *ledger.Book, tags *tag.Service, coupons *coupon.Service,
) *Service {
	s := &Service{db: d, clock: c, zone: z, works: works, conditions: conditions, book: book, tags: tags, coupons: coupons}
	works.Register(KindBacktest, s.backtest)
	return s
}

// rule is a rule with every version, newest first.
type rule struct {
	id         int64
	code, name string
	versions   []version
}

type version struct {
	model.PointRuleVersion
	def Definition
}

// at is the version in force at t; nil before the first.
func (r *rule) at(t time.Time) *version {
	for i := range r.versions {
		if !t.Before(r.versions[i].EffectiveAt) {
			return &r.versions[i]
		}
	}
	return nil
}

// programme is every rule and setting, as of one revision.
type programme struct {
	rules     []*rule // by priority
	byTrigger map[string][]*rule
	settings  []model.RewardSetting // newest first
	sets      map[string]model.CapSet
}

// Triggers that are no kinds of events.
const (
	AnyOrder = "order" // an order, whether the member was known when he paid or claimed it
	AnyEvent = "*"     // every event: for multipliers only
)

// concerned gives the rules that may grant for the event, in the version of its time: switched on and in their window.
func (p *programme) concerned(ev *model.Event) iter.Seq[matched] {
	triggers := []string{ev.Kind, AnyEvent}
	if ev.Order() {
		triggers = append(triggers, AnyOrder)
	}
	return func(yield func(matched) bool) {
		for _, t := range triggers {
			for _, r := range p.byTrigger[t] {
				v := r.at(ev.OccurredAt)
				if outside(v, ev) == "" && v.Trigger == t && !yield(matched{r, v}) {
					return
				}
			}
		}
	}
}

// inForce returns the programme, reloading it where another process changed it.
func (s *Service) inForce(tx *gorm.DB) (*programme, error) {
	return s.programme.Get(tx, revision, load)
}

func load(tx *gorm.DB) (*programme, error) {
	p := &programme{sets: map[string]model.CapSet{}}
	if err := tx.Order("id DESC").Find(&p.settings).Error; err != nil {
		return nil, fmt.Errorf("reward: settings: %w", err)
	}
	var rows []model.PointRule
	if err := tx.Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reward: rules: %w", err)
	}
	var versions []model.PointRuleVersion
	if err := tx.Order("rule_id, version DESC").Find(&versions).Error; err != nil {
		return nil, fmt.Errorf("reward: versions: %w", err)
	}
	var sets []model.CapSet // at last: what a version names is there, and stays while one does
	if err := tx.Find(&sets).Error; err != nil {
		return nil, fmt.Errorf("reward: cap sets: %w", err)
	}
	for _, set := range sets {
		p.sets[set.Code] = set
	}
	byID := map[int64]*rule{}
	for _, row := range rows {
		r := &rule{id: row.ID, code: row.Code, name: row.Name}
		byID[row.ID] = r
		p.rules = append(p.rules, r)
	}
	for _, v := range versions {
		var d Definition
		if err := v.Definition.Into(&d); err != nil {
			return nil, fmt.Errorf("reward: rule %d version %d: %w", v.RuleID, v.Version, err)
		}
		if r := byID[v.RuleID]; r != nil { // nil: saved since the rules were read; the revision says so at the next look
			r.versions = append(r.versions, version{v, d})
		}
	}
	p.rules = slices.DeleteFunc(p.rules, func(r *rule) bool { return len(r.versions) == 0 })
	slices.SortStableFunc(p.rules, func(a, b *rule) int {
		return cmp.Or(-cmp.Compare(a.versions[0].def.Priority, b.versions[0].def.Priority), cmp.Compare(a.id, b.id))
	})
	p.index()
	return p, nil
}

// index finds the rules that ever had each trigger.
func (p *programme) index() {
	p.byTrigger = map[string][]*rule{}
	for _, r := range p.rules {
		for i := range r.versions {
			if t := r.versions[i].Trigger; !slices.Contains(p.byTrigger[t], r) {
				p.byTrigger[t] = append(p.byTrigger[t], r)
			}
		}
	}
}

// Input is what an operator writes.
type Input struct {
	ID         int64 // 0: a new one
	Code, Name string
	Enabled    bool
	Trigger    string
	Definition Definition
}

// Rule is a rule as it reads back.
type Rule struct {
	model.PointRule
	Trigger    string     `json:"trigger"`
	Definition Definition `json:"definition"`
	Sentence   string     `json:"sentence"`
	Spent      *Spent     `json:"spent,omitempty"` // nil: no budget
}

var code = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// Save makes a rule or a new version of one. Events that happened before now keep the version of their time.
func (s *Service) Save(ctx context.Context, in Input, lang string) (*Rule, error) {
	if in.ID == 0 && !code.MatchString(in.Code) {
		return nil, errs.Field("code", "reward.code")
	}
	if err := s.checkInput(&in); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Rule, error) { return s.saveTx(ctx, tx, in, lang) })
	return &out, err
}

// checkInput refuses what needs no table to be refused.
func (s *Service) checkInput(in *Input) error {
	in.Name = strings.TrimSpace(in.Name)
	if n := utf8.RuneCountInString(in.Name); n == 0 || n > 64 {
		return errs.Field("name", "reward.name", "limit", 64)
	}
	if err := refuseForbidden(in.Trigger, in.Definition.Condition); err != nil {
		return err
	}
	multiplies := in.Definition.multiplier() != nil
	if !event.Known(in.Trigger) && in.Trigger != AnyOrder && (in.Trigger != AnyEvent || !multiplies) {
		return errs.Field("trigger", "event.unknown_kind", "kind", in.Trigger)
	}
	if i := slices.IndexFunc(in.Definition.Grants, func(g Spec) bool { return g.Kind == Tag }); i >= 0 && in.Trigger == model.EventTag {
		return errs.Field(fmt.Sprintf("grants[%d].kind", i), "reward.tag_on_tag") // it could wait for itself
	}
	return nil
}

func (s *Service) saveTx(ctx context.Context, tx *gorm.DB, in Input, lang string) (r Rule, err error) {
	if err := db.Bump(tx, revision); err != nil { // first: it holds off who deletes what the rule names
		return r, fmt.Errorf("reward: save: %w", err)
	}
	if err := s.checkTx(ctx, tx, &in.Definition); err != nil {
		return r, err
	}
	now := s.clock.Now()
	row := model.PointRule{ID: in.ID, Code: in.Code, Name: in.Name, Enabled: in.Enabled, Version: 1, CreatedAt: now, UpdatedAt: now}
	if in.ID == 0 {
		dup, err := db.Insert(tx, &row)
		if dup {
			return r, errs.New(errs.Conflict, "reward.code_taken", "field", "code")
		}
		if err != nil {
			return r, fmt.Errorf("reward: save: %w", err)
		}
	} else {
		var old model.PointRule
		if err := tx.Take(&old, in.ID).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return r, errs.New(errs.NotFound, "reward.not_found")
		} else if err != nil {
			return r, fmt.Errorf("reward: save: %w", err)
		}
		row.Code, row.CreatedAt, row.Version = old.Code, old.CreatedAt, old.Version+1
		res := tx.Model(&model.PointRule{}).Where("id = ? AND version = ?", in.ID, old.Version).
			Updates(map[string]any{"name": row.Name, "enabled": row.Enabled, "version": row.Version, "updated_at": now})
		if res.Error != nil {
			return r, fmt.Errorf("reward: save: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return r, errs.New(errs.Conflict, "reward.changed_meanwhile")
		}
	}
	// WeChat's times have whole seconds: a version counts from the second in which it was saved.
	v := model.PointRuleVersion{
		RuleID: row.ID, Version: row.Version, EffectiveAt: now.Truncate(time.Second),
		Enabled: row.Enabled, Trigger: in.Trigger, Definition: model.ToJSON(in.Definition),
	}
	if err := tx.Create(&v).Error; err != nil {
		return r, fmt.Errorf("reward: save: %w", err)
	}
	sentence, err := s.sentence(ctx, tx, lang, in.Trigger, &in.Definition)
	if err != nil {
		return r, err
	}
	spent, err := s.spent(tx, row.ID, in.Definition.Budget, now)
	return Rule{row, in.Trigger, in.Definition, sentence, spent}, err
}

func (s *Service) checkTx(ctx context.Context, tx *gorm.DB, d *Definition) error {
	accounts, err := accountCodes(tx)
	if err != nil {
		return err
	}
	if err := d.check(accounts); err != nil {
		return err
	}
	if err := checkSets(tx, d.CapSets); err != nil {
		return err
	}
	for i, g := range d.Grants {
		if err := checkRules(tx, fmt.Sprintf("grants[%d].rules", i), g.Rules); err != nil {
			return err
		}
		if g.Kind == Coupon {
			if _, err := coupon.Get(tx, g.CouponID); err != nil {
				return errs.AtField(err, fmt.Sprintf("grants[%d].coupon_id", i))
			}
		}
		if g.Kind != Tag {
			continue
		}
		if _, err := tag.Get(tx, g.TagID); err != nil {
			return errs.AtField(err, fmt.Sprintf("grants[%d].tag_id", i))
		}
	}
	return s.conditions.Check(ctx, tx, d.Condition)
}

// checkRules refuses codes that name no rule.
func checkRules(tx *gorm.DB, at string, codes []string) error {
	for _, c := range codes {
		var n int64
		if err := tx.Model(&model.PointRule{}).Where("code = ?", c).Count(&n).Error; err != nil {
			return fmt.Errorf("reward: rules of a multiplier: %w", err)
		}
		if n == 0 {
			return errs.Field(at, "reward.rule_unknown", "code", c)
		}
	}
	return nil
}

// List lists the rules as they are now, with their sentences.
func (s *Service) List(ctx context.Context, lang string) ([]Rule, error) {
	tx := s.db.Reader(ctx)
	var rows []model.PointRule
	if err := tx.Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Rule, 0, len(rows))
	for _, row := range rows {
		r, err := s.view(ctx, tx, lang, row)
		if err != nil {
			return nil, err
		}
		out = append(out, *r)
	}
	return out, nil
}

// Get reads one rule.
func (s *Service) Get(ctx context.Context, id int64, lang string) (*Rule, error) {
	tx := s.db.Reader(ctx)
	var row model.PointRule
	if err := tx.Take(&row, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "reward.not_found")
	} else if err != nil {
		return nil, err
	}
	return s.view(ctx, tx, lang, row)
}

func (s *Service) view(ctx context.Context, tx *gorm.DB, lang string, row model.PointRule) (*Rule, error) {
	var v model.PointRuleVersion
	if err := tx.Where("rule_id = ? AND version = ?", row.ID, row.Version).Take(&v).Error; err != nil {
		return nil, fmt.Errorf("reward: rule %d: %w", row.ID, err)
	}
	var d Definition
	if err := v.Definition.Into(&d); err != nil {
		return nil, fmt.Errorf("reward: rule %d: %w", row.ID, err)
	}
	sentence, err := s.sentence(ctx, tx, lang, v.Trigger, &d)
	if err != nil {
		return nil, err
	}
	spent, err := s.spent(tx, row.ID, d.Budget, s.clock.Now())
	return &Rule{row, v.Trigger, d, sentence, spent}, err
}

// Names gives the names of rules, for ledger lines.
func (s *Service) Names(ctx context.Context) (map[int64]string, error) {
	var rows []model.PointRule
	if err := s.db.Reader(ctx).Select("id", "name").Find(&rows).Error; err != nil {
		return nil, err
	}
	names := make(map[int64]string, len(rows))
	for _, r := range rows {
		names[r.ID] = r.Name
	}
	return names, nil
}
