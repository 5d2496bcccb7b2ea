package reward

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Factor is a multiplier in force at an event, and whether it was taken.
type Factor struct {
	RuleID  int64       `json:"rule_id,string"`
	Rule    string      `json:"rule"` // its name
	Version int         `json:"version"`
	Factor  json.Number `json:"factor"`
	Not     string      `json:"not,omitempty"` // why it was not taken; "" = it was
}

// Why a multiplier in force was not taken.
const (
	NotHighest  = "lower"       // another is higher
	NotFirst    = "tie"         // another of the same height has a higher priority or, with the same, a lower id
	NotThisRule = "other_rules" // it is meant for other rules
	NotFixed    = "fixed"       // on orders multipliers touch only what is proportional
)

// boost is the multiplier of a line and how it came about.
type boost struct {
	by      *big.Rat // nil = 1
	capped  bool     // by the programme's bound
	factors []Factor
}

// decimals bounds the digits of a product: it is the same when a refund reads it again.
const decimals = 20

// text is the multiplier as it is kept.
func (b boost) text() string {
	if b.by == nil {
		return "1"
	}
	s := b.by.FloatString(decimals)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// boost combines the multipliers in force that touch the grant (PLAYBOOKS H6). What a streak reached is not multiplied.
func (s *situation) boost(h matched, spec *Spec) (b boost) {
	if spec.Kind == Streak || spec.thing() {
		return b
	}
	var in []int // places in s.hits
	for i, m := range s.hits {
		x := m.v.def.multiplier()
		if x == nil || x.Account != spec.Account {
			continue
		}
		not := ""
		switch {
		case len(x.Rules) > 0 && !slices.Contains(x.Rules, h.rule.code):
			not = NotThisRule
		case s.ev.Order() && !spec.proportional():
			not = NotFixed
		default:
			in = append(in, i)
		}
		b.factors = append(b.factors, Factor{m.rule.id, m.rule.name, m.v.Version, x.Factor, not})
	}
	if len(in) == 0 {
		return b
	}
	b.by = s.combine(in, b.factors)
	if most := rat(json.Number(s.setting.MaxFactor)); most != nil && b.by.Cmp(most) > 0 {
		b.by, b.capped = most, true
	}
	b.by, _ = new(big.Rat).SetString(b.by.FloatString(decimals))
	return b
}

// combine makes one of the multipliers at the places in, and notes in factors which of them were not taken. Hits come by priority,
// then by id: the first of the highest wins.
func (s *situation) combine(in []int, factors []Factor) *big.Rat {
	of := func(i int) *big.Rat { return rat(s.hits[i].v.def.multiplier().Factor) }
	switch s.setting.Combine {
	case model.CombineAdd:
		sum := big.NewRat(1, 1)
		for _, i := range in {
			sum.Add(sum, new(big.Rat).Sub(of(i), one))
		}
		return sum
	case model.CombineMultiply:
		product := big.NewRat(1, 1)
		for _, i := range in {
			product.Mul(product, of(i))
		}
		return product
	}
	best := slices.MaxFunc(in, func(a, b int) int { return cmp.Or(of(a).Cmp(of(b)), cmp.Compare(b, a)) })
	for _, i := range in {
		if i == best {
			continue
		}
		not := NotHighest
		if of(i).Cmp(of(best)) == 0 {
			not = NotFirst
		}
		at := slices.IndexFunc(factors, func(f Factor) bool { return f.RuleID == s.hits[i].rule.id })
		factors[at].Not = not
	}
	return of(best)
}

// combineAt is how multipliers combined at t.
func (p *programme) combineAt(t time.Time) model.RewardSetting {
	for _, row := range p.settings {
		if !t.Before(row.EffectiveAt) {
			return row
		}
	}
	return model.RewardSetting{Combine: model.CombineMax}
}

// Setting reads how multipliers combine now.
func (s *Service) Setting(ctx context.Context) (*model.RewardSetting, error) {
	rows := []model.RewardSetting{}
	if err := s.db.Reader(ctx).Order("id DESC").Limit(1).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reward: setting: %w", err)
	}
	if len(rows) == 0 {
		return &model.RewardSetting{Combine: model.CombineMax}, nil
	}
	return &rows[0], nil
}

// SaveSetting changes how multipliers combine from now on. What happened before keeps the setting of its time.
func (s *Service) SaveSetting(ctx context.Context, combine, maxFactor string) (*model.RewardSetting, error) {
	if !slices.Contains([]string{model.CombineMax, model.CombineAdd, model.CombineMultiply}, combine) {
		return nil, errs.Field("combine", "reward.combine")
	}
	if maxFactor != "" && rat(json.Number(maxFactor)) == nil {
		return nil, errs.Field("max_factor", "reward.factor", "limit", 1000)
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.RewardSetting, error) {
		row := model.RewardSetting{EffectiveAt: s.clock.Now().Truncate(time.Second), Combine: combine, MaxFactor: maxFactor}
		if err := tx.Create(&row).Error; err != nil {
			return row, fmt.Errorf("reward: setting: %w", err)
		}
		return row, db.Bump(tx, revision)
	})
	return &out, err
}
