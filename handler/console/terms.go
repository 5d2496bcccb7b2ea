package console

import (
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// termsChoices is what the terms of a coupon or an item can name.
type termsChoices struct {
	Accounts   []choice
	Tiers      []choice
	Tags       []tagGroup
	Audiences  []choice
	Leaves     []string
	OrderBases []string
	HeldBases  []string
}

func (con *Console) termsChoices(c *gin.Context) (v termsChoices, err error) {
	v = termsChoices{
		Leaves: con.app.Conditions.Names(), OrderBases: []string{coupon.Single, coupon.Cumulative}, HeldBases: []string{coupon.Available, coupon.Lifetime},
	}
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return v, err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return v, err
	}
	if v.Audiences, err = con.audienceChoices(c); err != nil {
		return v, err
	}
	l, err := con.app.Tiers.Ladder(c.Request.Context())
	if err != nil {
		return v, err
	}
	for _, t := range l.Tiers {
		v.Tiers = append(v.Tiers, choice{strconv.FormatInt(t.ID, 10), t.Name})
	}
	return v, nil
}

// noTerms is what the controls of terms show before anything was chosen.
func noTerms(v url.Values) {
	v.Set("shape", shapeTags)
	v.Set("match", "all")
	v.Set("terms.order.basis", coupon.Single)
	v.Set("terms.account.basis", coupon.Lifetime)
	v.Set("terms.account", model.AccountGrowth)
}

func (con *Console) writeTerms(v url.Values, t coupon.Terms) {
	noTerms(v)
	v.Set("terms.from", written(t.From, con.app.Zone))
	v.Set("terms.until", written(t.Until, con.app.Zone))
	v.Set("terms.tier_id", some(t.TierID))
	if t.Order != nil {
		v.Set("terms.order.basis", t.Order.Basis)
		v.Set("terms.order.fen", yuan(t.Order.Fen))
	}
	if t.Account != nil {
		v.Set("terms.account", t.Account.Account)
		v.Set("terms.account.basis", t.Account.Basis)
		v.Set("terms.account.at_least", some(t.Account.AtLeast))
	}
	writeCrowd(v, model.ToJSON(t.Condition))
}

// readTerms reads the partial terms. What has no number asks for nothing.
func (con *Console) readTerms(r *reader) (t coupon.Terms, err error) {
	f := r.f
	t.From, t.Until, t.TierID = r.time("terms.from"), r.time("terms.until"), r.count("terms.tier_id")
	if fen := r.yuan("terms.order.fen"); fen > 0 {
		t.Order = &coupon.OrderTerm{Basis: f.Get("terms.order.basis"), Fen: fen}
	}
	if f.Get("terms.account.at_least") != "" {
		t.Account = &coupon.AccountTerm{Account: f.Get("terms.account"), Basis: f.Get("terms.account.basis"), AtLeast: r.number("terms.account.at_least")}
	}
	if r.err != nil {
		return t, r.err
	}
	f.from("terms.account.account", "terms.account")
	f.from("terms.condition", "condition")
	raw, err := readCrowd(f)
	if err != nil {
		return t, err
	}
	if f.Get("shape") == shapeJSON && f.Get("condition") == "" {
		return t, errs.Field("condition", "console.required")
	}
	t.Condition, err = con.app.Conditions.Parse(raw)
	return t, err
}

// terms says who may have a thing, a clause each.
func (con *Console) terms(c *gin.Context, t coupon.Terms, v termsChoices) (says []string, err error) {
	ctx := c.Request.Context()
	say := func(key string, args map[string]any) { says = append(says, templates.T(web.Lang(ctx), key, args)) }
	if t.From != nil {
		say("console.terms_says.from", map[string]any{"at": con.app.Zone.In(*t.From)})
	}
	if t.Until != nil {
		say("console.terms_says.until", map[string]any{"at": con.app.Zone.In(*t.Until)})
	}
	if t.TierID != 0 {
		say("console.terms_says.tier", map[string]any{"tier": labelled(v.Tiers, strconv.FormatInt(t.TierID, 10))})
	}
	if t.Account != nil {
		say("console.terms_says.account."+t.Account.Basis, map[string]any{"account": labelled(v.Accounts, t.Account.Account), "n": t.Account.AtLeast})
	}
	if t.Order != nil {
		say("console.terms_says.order."+t.Order.Basis, map[string]any{"yuan": coupon.Yuan(t.Order.Fen)})
	}
	if t.Condition.Empty() {
		return says, nil
	}
	s, err := con.app.Conditions.Sentence(ctx, con.app.DB.Reader(ctx), web.Lang(ctx), t.Condition)
	return append(says, s), err
}

// labelled is the label of a choice; what is no longer among them stands for itself.
func labelled(choices []choice, value string) string {
	for _, ch := range choices {
		if ch.Value == value {
			return ch.Label
		}
	}
	return value
}
