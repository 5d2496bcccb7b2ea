package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type tiersView struct {
	Frame
	Settings model.TierSettings
	Label    string // of the account
	Rows     []tierLine
	Below    int64
	Work     *model.Work // the last look at everybody
	Moved    tier.Evaluated
	Events   []choice
	Acts     []int
	Form     *Form // of the simulation
	Pace     *tier.Pace
}

type tierLine struct {
	tier.Tier
	Members int64
	Next    *tier.Tier
	Gap     int64 // from its threshold to the next
	Given   []string
}

func (con *Console) tiers(c *gin.Context) error {
	ctx := c.Request.Context()
	l, err := con.app.Tiers.Ladder(ctx)
	if err != nil {
		return err
	}
	v := tiersView{Frame: con.frame(c, "tiers"), Settings: l.Settings, Events: con.eventChoices(c), Form: newForm(c.Request.URL.Query())}
	in, err := con.app.Audience.Sizes(ctx, "tier")
	if err != nil {
		return err
	}
	if v.Below, err = con.app.Audience.Count(ctx, condition.Is("member", map[string]any{"field": "joined", "value": true})); err != nil {
		return err
	}
	accounts, err := con.accountLabels(c)
	if err != nil {
		return err
	}
	v.Label = accounts[l.Settings.Account]
	coupons, err := con.couponChoices(c)
	if err != nil {
		return err
	}
	for i, t := range l.Tiers {
		line := tierLine{Tier: t, Members: in[t.ID]}
		v.Below -= in[t.ID]
		if i+1 < len(l.Tiers) {
			line.Next = &l.Tiers[i+1]
			line.Gap = line.Next.Threshold - t.Threshold
		}
		for _, g := range t.Gifts {
			if g.CouponID != 0 {
				line.Given = append(line.Given, labelled(coupons, strconv.FormatInt(g.CouponID, 10)))
			} else {
				line.Given = append(line.Given, fmt.Sprintf("%s +%d", accounts[g.Account], g.Amount))
			}
		}
		v.Rows = append(v.Rows, line)
	}
	works, err := con.app.Works.List(ctx, tier.WorkKind, 0, 1)
	if err != nil {
		return err
	}
	if len(works) > 0 {
		v.Work = &works[0]
		if err := v.Work.Result.Into(&v.Moved); err != nil {
			return err
		}
	}
	status, err := con.simulate(c, &v)
	if err != nil {
		return err
	}
	if v.Acts = rows(v.Form, "times", 3); len(v.Form.Values["event"]) == 0 {
		v.Form.Values["event"] = []string{model.EventCheckin, model.EventQuiz, model.EventOrderPaid}
	}
	web.Page(c, status, "console/tiers", v)
	return nil
}

// simulate asks in which month each tier is reached, where the query says what somebody does every month. It writes nothing, so it is a GET.
func (con *Console) simulate(c *gin.Context, v *tiersView) (status int, err error) {
	f := v.Form
	var acts []tier.Act
	for i := range f.Values["times"] {
		if strings.TrimSpace(f.At("times", i)) == "" {
			continue
		}
		f.from(fmt.Sprintf("acts[%d]", len(acts)), "times")
		n, e := number("times", f.At("times", i))
		act := tier.Act{Kind: f.At("event", i), Times: n}
		if yuan := f.At("yuan", i); e == nil && yuan != "" {
			r := &reader{f: newForm(url.Values{"yuan": {yuan}})}
			act.Data = model.ToJSON(map[string]any{"amount_fen": r.yuan("yuan")})
			e = r.err
		}
		err = errors.Join(err, e)
		acts = append(acts, act)
	}
	if len(acts) == 0 {
		return http.StatusOK, nil
	}
	if err == nil {
		v.Pace, err = con.app.Tiers.Simulate(c.Request.Context(), acts)
	}
	var e *errs.Error
	if errors.As(err, &e) {
		f.refuse(c, e)
		return web.Status(e), nil
	}
	return http.StatusOK, err
}

// couponChoices are all kinds of coupons.
func (con *Console) couponChoices(c *gin.Context) (out []choice, err error) {
	rows, err := con.app.Coupons.List(c.Request.Context())
	for _, d := range rows {
		out = append(out, choice{strconv.FormatInt(d.ID, 10), d.Name})
	}
	return out, err
}

type ladderView struct {
	Frame
	Form       *Form
	Accounts   []choice
	Gifts      []choice // accounts that the tiers do not count
	Coupons    []choice
	Bases      []string
	Downgrades []string
	Rows       []ladderRow
	Preview    *tier.Preview
}

// ladderRow is a tier in the form; its controls are tier.0.name and so on.
type ladderRow struct {
	At    string // the prefix of its controls
	Gifts []int
	Spare bool // nothing is written in it yet: it is folded up, but for the first of a programme without tiers
	First bool
}

// spare is how many empty tiers the form offers.
const spare = 2

func (con *Console) ladder(c *gin.Context) error {
	l, err := con.app.Tiers.Ladder(c.Request.Context())
	if err != nil {
		return err
	}
	return con.showLadder(c, http.StatusOK, newForm(writeLadder(l)), nil)
}

func writeLadder(l *tier.Ladder) url.Values {
	s := l.Settings
	v := url.Values{
		"account": {s.Account}, "basis": {s.Basis}, "downgrade": {s.Downgrade},
		"review_days": {strconv.Itoa(s.ReviewDays)}, "notice_days": {strconv.Itoa(s.NoticeDays)},
	}
	for i, t := range l.Tiers {
		at := fmt.Sprintf("tier.%d.", i)
		v.Set(at+"id", strconv.FormatInt(t.ID, 10))
		v.Set(at+"name", t.Name)
		v.Set(at+"threshold", strconv.FormatInt(t.Threshold, 10))
		for _, g := range t.Gifts {
			what, n := g.Account, some(g.Amount)
			if g.CouponID != 0 {
				what = couponGift + strconv.FormatInt(g.CouponID, 10)
			}
			v.Add(at+"gift", what)
			v.Add(at+"amount", n)
		}
	}
	return v
}

// couponGift begins the value of a gift that is a coupon; others are accounts.
const couponGift = "coupon:"

func (con *Console) showLadder(c *gin.Context, status int, f *Form, p *tier.Preview) (err error) {
	v := ladderView{
		Frame: con.frame(c, "ladder"), Form: f, Preview: p,
		Bases: []string{coupon.Lifetime, coupon.Available}, Downgrades: []string{model.TierImmediate, model.TierReview},
	}
	v.Here = root + "/tiers/edit"
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	if v.Coupons, err = con.couponChoices(c); err != nil {
		return err
	}
	for _, a := range v.Accounts {
		if a.Value != f.Get("account") {
			v.Gifts = append(v.Gifts, a)
		}
	}
	filled := ladderRows(f)
	for n := range filled + spare {
		at := fmt.Sprintf("tier.%d.", n)
		v.Rows = append(v.Rows, ladderRow{At: at, Gifts: rows(f, at+"gift", 1), Spare: n >= filled, First: n == 0})
	}
	web.Page(c, status, "console/ladder", v)
	return nil
}

// ladderRows counts the tiers that are filled in, with those before them.
func ladderRows(f *Form) (n int) {
	for i := range maxLadder {
		if f.Get(fmt.Sprintf("tier.%d.name", i)) != "" || f.Get(fmt.Sprintf("tier.%d.threshold", i)) != "" {
			n = i + 1
		}
	}
	return n
}

// maxLadder is more tiers than there may be.
const maxLadder = 40

func (con *Console) readLadder(f *Form) (in tier.Input, err error) {
	r := &reader{f: f, zone: con.app.Zone}
	in.Settings = model.TierSettings{
		Account: f.Get("account"), Basis: f.Get("basis"), Downgrade: f.Get("downgrade"),
		ReviewDays: int(r.number("review_days")), NoticeDays: int(r.count("notice_days")),
	}
	for i := range ladderRows(f) {
		control := fmt.Sprintf("tier.%d.", i)
		if f.On(control+"remove") || f.Get(control+"name") == "" && f.Get(control+"threshold") == "" {
			continue
		}
		path := fmt.Sprintf("tiers[%d].", len(in.Tiers))
		for _, field := range []string{"name", "threshold"} {
			f.from(path+field, control+field)
		}
		f.from(path+"gifts", control+"gift")
		t := tier.Tier{ID: r.count(control + "id"), Name: f.Get(control + "name"), Threshold: r.number(control + "threshold")}
		for n, what := range f.Values[control+"gift"] {
			if what == "" {
				continue
			}
			g := tier.Gift{Account: what}
			if id, ok := strings.CutPrefix(what, couponGift); ok {
				g.Account = ""
				g.CouponID = read(r, func() (int64, error) { return number(control+"gift", id) })
			} else {
				g.Amount = read(r, func() (int64, error) { return number(control+"gift", f.At(control+"amount", n)) })
			}
			t.Gifts = append(t.Gifts, g)
		}
		in.Tiers = append(in.Tiers, t)
	}
	return in, r.err
}

// saveLadder puts the tiers as the form says, or only says what that would change.
func (con *Console) saveLadder(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	again := func(status int, f *Form) error { return con.showLadder(c, status, f, nil) }
	if f.Get("do") == "preview" {
		in, err := con.readLadder(f)
		if err != nil {
			return con.finish(c, f, "", err, again)
		}
		p, err := con.app.Tiers.Preview(c.Request.Context(), in)
		if err != nil {
			return con.finish(c, f, "", err, again)
		}
		return con.showLadder(c, http.StatusOK, f, p)
	}
	before, err := con.app.Tiers.Ladder(c.Request.Context())
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "tiers.update",
		of: func(answer any) operator.Change {
			s := answer.(tier.Saved)
			return operator.Change{Object: "tiers", Before: ladderFacts(before), After: ladderFacts(&s.Ladder)}
		},
		do: func() (string, error) {
			in, err := con.readLadder(f)
			if err != nil {
				return "", err
			}
			_, err = con.app.Tiers.Save(c.Request.Context(), in, web.Actor(c.Request.Context()))
			return done(root+"/tiers", "tiers_saved"), err
		},
		again: again,
	})
}

func ladderFacts(l *tier.Ladder) map[string]any {
	return map[string]any{"settings": l.Settings, "tiers": slices.Clone(l.Tiers)}
}
