// Package reward turns events into grants by rules that an operator writes: points in accounts, and tags.
// decide is pure; apply writes what it decided, in the transaction of the event.
package reward

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Definition is one version of a rule. It either grants, or it is a multiplier of what other rules grant.
type Definition struct {
	Condition condition.Tree `json:"condition"`
	Grants    []Spec         `json:"grants"`
	Caps      []Cap          `json:"caps,omitempty"`
	From      *time.Time     `json:"from,omitempty"`  // the rule counts for events in [From, Until)
	Until     *time.Time     `json:"until,omitempty"` //
	Priority  int            `json:"priority,omitempty"`
	Exclusive string         `json:"exclusive,omitempty"` // of the rules that match and have this name only the first by priority applies
	CapSets   []string       `json:"cap_sets,omitempty"`  // codes of the cap sets that it shares with other rules
	Budget    *Budget        `json:"budget,omitempty"`
}

// Budget limits what all members together get by the rule in one account.
type Budget struct {
	Account string `json:"account"`
	Amount  int64  `json:"amount"`
	Period  Period `json:"period"` // month or lifetime
}

// noteBudget is what a line says that a budget cut.
const noteBudget = "BUDGET"

// Bracket is one line of a table: what is counted reaches From, and earns the amount.
type Bracket struct {
	From   int64 `json:"from"`
	Amount int64 `json:"amount"`
}

// Spec is one thing that a rule grants.
type Spec struct {
	Kind      Kind        `json:"kind"`
	Account   string      `json:"account,omitempty"`  // every kind but tag
	Amount    int64       `json:"amount,omitempty"`   // fixed: as it is; per_unit: per unit of Field; per_yuan: per Per yuan of Field
	Field     string      `json:"field,omitempty"`    // per_unit, per_yuan, bracket: field of the event's data that is counted
	Per       int64       `json:"per,omitempty"`      // per_yuan: yuan; 0 = 1
	Brackets  []Bracket   `json:"brackets,omitempty"` // bracket: the last one reached counts
	Table     []Step      `json:"table,omitempty"`    // streak: what each length of the streak earns
	Cycle     int         `json:"cycle,omitempty"`    // streak: the table starts over after so many days; 0 = never
	TagID     int64       `json:"tag_id,string,omitempty"`
	CouponID  int64       `json:"coupon_id,string,omitempty"`
	Count     int64       `json:"count,omitempty"`               // coupon: how many; 0 = 1
	Factor    json.Number `json:"factor,omitempty"`              // multiply: above 1, at most 4 decimals, never a float
	Rules     []string    `json:"rules,omitempty"`               // multiply: codes of the rules whose grants it touches; none = all
	DelayDays int         `json:"activate_after_days,omitempty"` // the lot is pending for so many times 24 hours
}

// Kind says how the amount of a grant comes about.
type Kind string

// The kinds of grants.
const (
	Fixed     Kind = "fixed"
	PerUnit   Kind = "per_unit"
	PerYuan   Kind = "per_yuan"
	ByBracket Kind = "bracket"
	Streak    Kind = "streak"
	Tag       Kind = "tag"
	Coupon    Kind = "coupon"
	Multiply  Kind = "multiply" // not a grant: it touches those of other rules in Account
)

// Kinds are all of them.
var Kinds = []Kind{Fixed, PerUnit, PerYuan, ByBracket, Streak, Tag, Coupon, Multiply}

// Step is one line of a streak table: reaching the length earns the amount.
type Step struct {
	Days   int   `json:"days"`
	Amount int64 `json:"amount"`
}

// Bounds of rules.
const (
	maxAmount = 1_000_000         // of every amount of a rule
	maxNumber = 1_000_000_000_000 // of a field that is counted, and of one line: an order has at most 10^10 fen
	maxDelay  = 366
	maxCount  = 10 // coupons of one grant
	maxBudget = 1_000_000_000_000_000
)

// counts is the field of the event's data that the grant counts.
func (s *Spec) counts() string {
	if s.Field == "" && (s.Kind == PerYuan || s.Kind == ByBracket) {
		return model.OrderAmount
	}
	return s.Field
}

// thing reports a grant of something that is no amount in an account.
func (s *Spec) thing() bool { return s.Kind == Tag || s.Kind == Coupon }

// proportional reports a grant that follows what the event says: multipliers touch it on orders too.
func (s *Spec) proportional() bool {
	return s.Kind == PerUnit || s.Kind == PerYuan || s.Kind == ByBracket
}

// multiplier is the multiplier that the rule is; nil where it grants.
func (d *Definition) multiplier() *Spec {
	if len(d.Grants) == 1 && d.Grants[0].Kind == Multiply {
		return &d.Grants[0]
	}
	return nil
}

var exclusive = regexp.MustCompile(`^([a-z0-9][a-z0-9_.-]{0,63})?$`)

var factor = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4})?$`)

// rat is the factor, exactly; nil where it is none.
func rat(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok || !factor.MatchString(n.String()) || r.Cmp(one) <= 0 || r.Cmp(maxFactor) > 0 {
		return nil
	}
	return r
}

var (
	one       = big.NewRat(1, 1)
	maxFactor = big.NewRat(1000, 1)
)

// check refuses what can never be meant. accounts are those that exist.
func (d *Definition) check(accounts []string) error {
	if len(d.Grants) == 0 || len(d.Grants) > 20 {
		return errs.Field("grants", "reward.grants", "limit", 20)
	}
	for i, g := range d.Grants {
		if err := g.check(fmt.Sprintf("grants[%d]", i), accounts); err != nil {
			return err
		}
		if g.Kind == Multiply && len(d.Grants) > 1 {
			return errs.Field(fmt.Sprintf("grants[%d].kind", i), "reward.multiply_alone")
		}
	}
	if d.multiplier() != nil && (len(d.Caps) > 0 || len(d.CapSets) > 0 || d.Budget != nil) {
		return errs.Field("caps", "reward.multiply_caps")
	}
	if !exclusive.MatchString(d.Exclusive) {
		return errs.Field("exclusive", "reward.exclusive")
	}
	if b := d.Budget; b != nil && (b.Amount <= 0 || b.Amount > maxBudget || b.Period != Month && b.Period != Lifetime || !slices.Contains(accounts, b.Account)) {
		return errs.Field("budget", "reward.budget")
	}
	if err := checkCaps(d.Caps, accounts); err != nil {
		return err
	}
	if d.From != nil && d.Until != nil && !d.From.Before(*d.Until) {
		return errs.Field("until", "reward.until")
	}
	return nil
}

func (s *Spec) check(at string, accounts []string) error {
	if s.Kind == Tag {
		if s.TagID <= 0 || s.Account != "" || s.Amount != 0 {
			return errs.Field(at+".tag_id", "reward.tag_id")
		}
		return nil
	}
	if s.Kind == Coupon {
		if s.CouponID <= 0 || s.Account != "" || s.Amount != 0 || s.Count < 0 || s.Count > maxCount {
			return errs.Field(at+".coupon_id", "reward.coupon_id", "limit", maxCount)
		}
		return nil
	}
	if !slices.Contains(accounts, s.Account) {
		return errs.Field(at+".account", "reward.account", "accounts", strings.Join(accounts, ", "))
	}
	if err := s.checkStrangers(at); err != nil {
		return err
	}
	switch s.Kind {
	case Fixed, PerUnit, PerYuan:
		if s.Amount <= 0 || s.Amount > maxAmount {
			return errs.Field(at+".amount", "reward.amount", "limit", maxAmount)
		}
		if s.Per < 0 || s.Per > maxAmount {
			return errs.Field(at+".per", "reward.amount", "limit", maxAmount)
		}
	case ByBracket:
		return s.checkBrackets(at)
	case Streak:
		return s.checkTable(at)
	case Multiply:
		if rat(s.Factor) == nil {
			return errs.Field(at+".factor", "reward.factor", "limit", maxFactor.Num())
		}
	default:
		return errs.Field(at+".kind", "reward.kind", "kinds", Kinds)
	}
	return nil
}

// checkStrangers refuses what belongs to another kind of grant.
func (s *Spec) checkStrangers(at string) error {
	if s.Cycle != 0 && s.Kind != Streak {
		return errs.Field(at+".cycle", "reward.cycle", "days", 0, "limit", 366)
	}
	if s.Field != "" && !s.proportional() || s.Field == "" && s.Kind == PerUnit {
		return errs.Field(at+".field", "reward.field")
	}
	if len(s.Brackets) > 0 && s.Kind != ByBracket {
		return errs.Field(at+".brackets", "reward.table", "limit", 0)
	}
	if s.Per != 0 && s.Kind != PerYuan {
		return errs.Field(at+".per", "reward.per")
	}
	if (s.Factor != "" || len(s.Rules) > 0) && s.Kind != Multiply {
		return errs.Field(at+".factor", "reward.factor", "limit", maxFactor.Num())
	}
	if s.DelayDays < 0 || s.DelayDays > maxDelay || s.DelayDays > 0 && s.Kind == Multiply {
		return errs.Field(at+".activate_after_days", "reward.delay", "limit", maxDelay)
	}
	return nil
}

func (s *Spec) checkBrackets(at string) error {
	if len(s.Brackets) == 0 || len(s.Brackets) > 100 {
		return errs.Field(at+".brackets", "reward.table", "limit", 100)
	}
	for i, b := range s.Brackets {
		if b.From <= 0 || b.From > maxNumber || b.Amount <= 0 || b.Amount > maxAmount || i > 0 && b.From <= s.Brackets[i-1].From {
			return errs.Field(fmt.Sprintf("%s.brackets[%d]", at, i), "reward.bracket", "limit", maxAmount)
		}
	}
	return nil
}

func (s *Spec) checkTable(at string) error {
	if len(s.Table) == 0 || len(s.Table) > 100 {
		return errs.Field(at+".table", "reward.table", "limit", 100)
	}
	if last := s.Table[len(s.Table)-1].Days; s.Cycle < 0 || s.Cycle > 366 || s.Cycle > 0 && s.Cycle < last {
		return errs.Field(at+".cycle", "reward.cycle", "days", last, "limit", 366)
	}
	for i, step := range s.Table {
		if step.Days <= 0 || step.Amount <= 0 || step.Amount > maxAmount || i > 0 && step.Days <= s.Table[i-1].Days {
			return errs.Field(fmt.Sprintf("%s.table[%d]", at, i), "reward.step", "limit", maxAmount)
		}
	}
	return nil
}
