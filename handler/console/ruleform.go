package console

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// shapeForm is a rule whose definition the form can say.
const shapeForm = "form"

// writeRule fills the controls of a rule.
func (con *Console) writeRule(r *reward.Rule) url.Values {
	v := url.Values{"name": {r.Name}, "code": {r.Code}, "trigger": {r.Trigger}, "shape": {shapeJSON}}
	if r.Enabled {
		v.Set("enabled", "on")
	}
	d := r.Definition
	v.Set("definition", pretty(model.ToJSON(d)))
	if !d.Condition.Empty() {
		v.Set("condition", pretty(model.ToJSON(d.Condition)))
	}
	if d.Priority != 0 {
		v.Set("priority", fmt.Sprint(d.Priority))
	}
	v.Set("from", written(d.From, con.app.Zone))
	v.Set("until", written(d.Until, con.app.Zone))
	for _, c := range d.Caps {
		v.Add("cap_period", string(c.Period))
		v.Add("cap_account", c.Account)
		v.Add("cap_limit", fmt.Sprint(max(c.Times, c.Amount)))
	}
	if writeGrants(v, d.Grants) && d.Exclusive == "" && len(d.CapSets) == 0 && d.Budget == nil {
		v.Set("shape", shapeForm)
	}
	return v
}

// writeGrants fills the controls of what a rule grants; false if they cannot say it: two amounts in one account, two streak tables.
func writeGrants(v url.Values, grants []reward.Spec) bool {
	for _, g := range grants {
		switch field := "fixed." + g.Account; {
		case g.DelayDays > 0:
			return false
		case g.Kind == reward.Fixed && !v.Has(field):
			v.Set(field, fmt.Sprint(g.Amount))
		case g.Kind == reward.Streak && !v.Has("streak_account"):
			v.Set("streak_account", g.Account)
			if g.Cycle > 0 {
				v.Set("streak_cycle", fmt.Sprint(g.Cycle))
			}
			for _, s := range g.Table {
				v.Add("step_days", fmt.Sprint(s.Days))
				v.Add("step_amount", fmt.Sprint(s.Amount))
			}
		case g.Kind == reward.PerUnit && !v.Has("unit_account"):
			v.Set("unit_account", g.Account)
			v.Set("unit_field", g.Field)
			v.Set("unit_amount", fmt.Sprint(g.Amount))
		case g.Kind == reward.Tag && !v.Has("grant_tag"):
			v.Set("grant_tag", fmt.Sprint(g.TagID))
		default:
			return false
		}
	}
	return true
}

// readRule makes the definition of a rule from its controls.
func (con *Console) readRule(f *Form) (*reward.Definition, error) {
	d := &reward.Definition{}
	if f.Get("shape") == shapeJSON {
		if !exactly([]byte(f.Get("definition")), d) {
			return nil, errs.Field("definition", "console.json")
		}
		return d, nil
	}
	if err := d.Condition.UnmarshalJSON([]byte(f.Get("condition"))); err != nil {
		return nil, condition.At("condition", err)
	}
	for _, read := range []func(*Form, *reward.Definition, clock.Zone) error{readFixed, readStreak, readUnit, readGrantTag, readCaps, readValidity} {
		if err := read(f, d, con.app.Zone); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// readFixed reads the amounts in the order of the form, which is that of the accounts.
func readFixed(f *Form, d *reward.Definition, _ clock.Zone) error {
	for _, account := range f.Values["account"] {
		field := "fixed." + account
		if f.Get(field) == "" {
			continue
		}
		n, err := f.Number(field)
		if err != nil {
			return err
		}
		if n != 0 {
			f.from(grantPath(d), field)
			d.Grants = append(d.Grants, reward.Spec{Kind: reward.Fixed, Account: account, Amount: n})
		}
	}
	return nil
}

// grantPath is the path of the grant that is added next.
func grantPath(d *reward.Definition) string { return fmt.Sprintf("grants[%d]", len(d.Grants)) }

func readStreak(f *Form, d *reward.Definition, _ clock.Zone) error {
	spec := reward.Spec{Kind: reward.Streak, Account: f.Get("streak_account")}
	for i := range f.Values["step_days"] {
		days, amount := strings.TrimSpace(f.At("step_days", i)), strings.TrimSpace(f.At("step_amount", i))
		if days == "" && amount == "" {
			continue
		}
		n, err := number("step_days", days)
		if err != nil {
			return err
		}
		sum, err := number("step_amount", amount)
		if err != nil {
			return err
		}
		spec.Table = append(spec.Table, reward.Step{Days: int(n), Amount: sum})
	}
	if len(spec.Table) > 0 {
		f.from(grantPath(d), "step_days")
		f.from(grantPath(d)+".cycle", "streak_cycle")
		if f.Get("streak_cycle") != "" {
			n, err := f.Number("streak_cycle")
			if err != nil {
				return err
			}
			spec.Cycle = int(n)
		}
		d.Grants = append(d.Grants, spec)
	}
	return nil
}

func readUnit(f *Form, d *reward.Definition, _ clock.Zone) error {
	if f.Get("unit_amount") == "" && f.Get("unit_field") == "" {
		return nil
	}
	n, err := f.Number("unit_amount")
	if err != nil {
		return err
	}
	f.from(grantPath(d), "unit_amount")
	d.Grants = append(d.Grants, reward.Spec{Kind: reward.PerUnit, Account: f.Get("unit_account"), Field: f.Get("unit_field"), Amount: n})
	return nil
}

func readGrantTag(f *Form, d *reward.Definition, _ clock.Zone) error {
	id, err := f.ID("grant_tag")
	if err == nil && id != 0 {
		f.from(grantPath(d), "grant_tag")
		d.Grants = append(d.Grants, reward.Spec{Kind: reward.Tag, TagID: id})
	}
	return err
}

// readCaps reads the rows of caps: without an account the limit counts the times, else the amount in it.
func readCaps(f *Form, d *reward.Definition, _ clock.Zone) error {
	for i, period := range f.Values["cap_period"] {
		limit := strings.TrimSpace(f.At("cap_limit", i))
		if limit == "" {
			continue
		}
		n, err := number("cap_limit", limit)
		if err != nil {
			return err
		}
		f.from(fmt.Sprintf("caps[%d]", len(d.Caps)), "cap_limit")
		c := reward.Cap{Period: reward.Period(period), Times: n}
		if account := f.At("cap_account", i); account != "" {
			c = reward.Cap{Period: reward.Period(period), Account: account, Amount: n}
		}
		d.Caps = append(d.Caps, c)
	}
	return nil
}

func readValidity(f *Form, d *reward.Definition, z clock.Zone) (err error) {
	if d.From, err = f.Time("from", z); err != nil {
		return err
	}
	if d.Until, err = f.Time("until", z); err != nil {
		return err
	}
	if f.Get("priority") != "" {
		n, err := f.Number("priority")
		d.Priority = int(n)
		return err
	}
	return nil
}
