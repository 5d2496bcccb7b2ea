package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// shapeForm is a rule whose definition the form can say.
const shapeForm = "form"

// Rows that a form may have: as many as a definition.
const (
	maxGrants = 20
	maxCaps   = 20
)

// writeRule fills the controls of a rule. The form is offered where it says exactly the definition: saving it changes nothing.
func (con *Console) writeRule(r *reward.Rule) url.Values {
	v := url.Values{"name": {r.Name}, "code": {r.Code}, "trigger": {r.Trigger}, "shape": {shapeForm}}
	if r.Enabled {
		v.Set("enabled", "on")
	}
	d := r.Definition
	v.Set("definition", pretty(model.ToJSON(d)))
	con.writeFacts(v, "", d.Condition)
	for i, g := range d.Grants {
		writeGrant(v, fmt.Sprintf("grant.%d.", i), g)
	}
	for i, c := range d.Caps {
		at := fmt.Sprintf("cap.%d.", i)
		v.Set(at+"period", string(c.Period))
		v.Set(at+"account", c.Account)
		v.Set(at+"limit", fmt.Sprint(max(c.Times, c.Amount)))
	}
	v["cap_sets"] = d.CapSets
	if b := d.Budget; b != nil {
		v.Set("budget_account", b.Account)
		v.Set("budget_period", string(b.Period))
		v.Set("budget_amount", fmt.Sprint(b.Amount))
	}
	put(v, "priority", int64(d.Priority))
	v.Set("exclusive", d.Exclusive)
	v.Set("from", written(d.From, con.app.Zone))
	v.Set("until", written(d.Until, con.app.Zone))
	if back, err := con.readRule(newForm(v)); err != nil || !sameDefinition(*back, d) {
		v.Set("shape", shapeJSON)
	}
	return v
}

func sameDefinition(a, b reward.Definition) bool {
	if !sameTree(a.Condition, b.Condition) {
		return false
	}
	a.Condition, b.Condition = condition.Tree{}, condition.Tree{}
	return string(model.ToJSON(a)) == string(model.ToJSON(b))
}

// put fills a control with a number but for nought.
func put(v url.Values, name string, n int64) {
	if n != 0 {
		v.Set(name, fmt.Sprint(n))
	}
}

func writeGrant(v url.Values, at string, g reward.Spec) {
	v.Set(at+"kind", string(g.Kind))
	v.Set(at+"account", g.Account)
	v.Set(at+"field", g.Field)
	v.Set(at+"factor", g.Factor.String())
	v[at+"rules"] = g.Rules
	for name, n := range map[string]int64{
		"amount": g.Amount, "per": g.Per, "cycle": int64(g.Cycle), "tag": g.TagID, "coupon": g.CouponID, "count": g.Count, "delay": int64(g.DelayDays),
	} {
		put(v, at+name, n)
	}
	for _, b := range g.Brackets {
		v.Add(at+"from", fmt.Sprint(b.From))
		v.Add(at+"gets", fmt.Sprint(b.Amount))
	}
	for _, s := range g.Table {
		v.Add(at+"days", fmt.Sprint(s.Days))
		v.Add(at+"more", fmt.Sprint(s.Amount))
	}
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
	var err error
	if d.Condition, err = con.readFacts(f, "", "condition"); err != nil {
		return nil, err
	}
	for _, read := range []func(*Form, *reward.Definition, clock.Zone) error{readGrants, readCaps, readBudget, readValidity} {
		if err := read(f, d, con.app.Zone); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// grantControls are the controls of a grant by its field; those of a kind are in grantFields.
var grantControls = map[string]string{
	"": "kind", ".kind": "kind", ".account": "account", ".amount": "amount", ".field": "field", ".per": "per", ".brackets": "from", ".table": "days", ".cycle": "cycle",
	".tag_id": "tag", ".coupon_id": "coupon", ".factor": "factor", ".rules": "rules", ".activate_after_days": "delay",
}

// grantFields are the controls that a kind of grant shows, but for the kind itself.
var grantFields = map[reward.Kind][]string{
	reward.Fixed: {"account", "amount", "delay"}, reward.PerUnit: {"account", "amount", "field", "delay"}, reward.PerYuan: {"account", "amount", "per", "field", "delay"},
	reward.ByBracket: {"account", "field", "from", "delay"}, reward.Streak: {"account", "days", "cycle", "delay"}, reward.Tag: {"tag"},
	reward.Coupon: {"coupon", "count"}, reward.Multiply: {"account", "factor", "rules"},
}

// readGrants reads the rows of grants; what a kind does not show is not read.
func readGrants(f *Form, d *reward.Definition, _ clock.Zone) error {
	for row := range maxGrants {
		at := fmt.Sprintf("grant.%d.", row)
		kind := reward.Kind(f.Get(at + "kind"))
		if kind == "" {
			continue
		}
		for field, control := range grantControls {
			f.from(fmt.Sprintf("grants[%d]%s", len(d.Grants), field), at+control)
		}
		g, err := readGrant(f, at, kind)
		if err != nil {
			return err
		}
		d.Grants = append(d.Grants, g)
	}
	f.from("grants", "grant.0.kind")
	return nil
}

func readGrant(f *Form, at string, kind reward.Kind) (g reward.Spec, err error) {
	g.Kind = kind
	n := map[string]int64{}
	for _, name := range grantFields[kind] {
		switch name {
		case "account":
			g.Account = f.Get(at + name)
		case "field":
			g.Field = f.Get(at + name)
		case "factor":
			g.Factor = json.Number(f.Get(at + name))
		case "rules":
			g.Rules = f.Values[at+name]
		case "from":
			err = f.pairs(at+"from", at+"gets", func(a, b int64) { g.Brackets = append(g.Brackets, reward.Bracket{From: a, Amount: b}) })
		case "days":
			err = f.pairs(at+"days", at+"more", func(a, b int64) { g.Table = append(g.Table, reward.Step{Days: int(a), Amount: b}) })
		default:
			if f.Get(at+name) != "" {
				n[name], err = f.Number(at + name)
			}
		}
		if err != nil {
			return g, err
		}
	}
	g.Amount, g.Per, g.Cycle, g.TagID, g.CouponID, g.Count = n["amount"], n["per"], int(n["cycle"]), n["tag"], n["coupon"], n["count"]
	g.DelayDays = int(n["delay"])
	return g, nil
}

// pairs reads rows of two numbers; empty rows are none.
func (f *Form) pairs(one, two string, add func(a, b int64)) error {
	for i := range f.Values[one] {
		a, b := strings.TrimSpace(f.At(one, i)), strings.TrimSpace(f.At(two, i))
		if a == "" && b == "" {
			continue
		}
		n, err := number(one, a)
		if err != nil {
			return err
		}
		sum, err := number(two, b)
		if err != nil {
			return err
		}
		add(n, sum)
	}
	return nil
}

// readCaps reads the rows of caps: without an account the limit counts the times, else the amount in it.
func readCaps(f *Form, d *reward.Definition, _ clock.Zone) error {
	for row := range maxCaps {
		at := fmt.Sprintf("cap.%d.", row)
		if f.Get(at+"limit") == "" {
			continue
		}
		n, err := f.Number(at + "limit")
		if err != nil {
			return err
		}
		path := fmt.Sprintf("caps[%d]", len(d.Caps))
		f.from(path, at+"limit")
		f.from(path+".period", at+"period")
		c := reward.Cap{Period: reward.Period(f.Get(at + "period")), Times: n}
		if account := f.Get(at + "account"); account != "" {
			c = reward.Cap{Period: c.Period, Account: account, Amount: n}
		}
		d.Caps = append(d.Caps, c)
	}
	f.from("caps", "cap.0.limit")
	d.CapSets = slices.DeleteFunc(slices.Clone(f.Values["cap_sets"]), func(code string) bool { return code == "" })
	return nil
}

func readBudget(f *Form, d *reward.Definition, _ clock.Zone) error {
	f.from("budget", "budget_amount")
	if f.Get("budget_amount") == "" {
		return nil
	}
	n, err := f.Number("budget_amount")
	d.Budget = &reward.Budget{Account: f.Get("budget_account"), Amount: n, Period: reward.Period(f.Get("budget_period"))}
	return err
}

func readValidity(f *Form, d *reward.Definition, z clock.Zone) (err error) {
	d.Exclusive = f.Get("exclusive")
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
