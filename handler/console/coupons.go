package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type couponsView struct {
	Frame
	Rows []couponLine
}

// couponLine is a kind of coupon, and what became of those that were given out.
type couponLine struct {
	coupon.Definition
	coupon.Tally
	Worth string
	Says  []string // the terms of a claim
}

func (con *Console) coupons(c *gin.Context) error {
	ctx := c.Request.Context()
	v := couponsView{Frame: con.frame(c, "coupons")}
	rows, err := con.app.Coupons.List(ctx)
	if err != nil {
		return err
	}
	tallies, err := con.app.Coupons.Tallies(ctx, v.Now)
	if err != nil {
		return err
	}
	choices, err := con.termsChoices(c)
	if err != nil {
		return err
	}
	for _, d := range rows {
		line := couponLine{Definition: d, Tally: tallies[d.ID], Worth: coupon.Face(web.Lang(ctx), &d.Coupon)}
		if line.Says, err = con.terms(c, d.Terms, choices); err != nil {
			return err
		}
		v.Rows = append(v.Rows, line)
	}
	web.Page(c, http.StatusOK, "console/coupons", v)
	return nil
}

type couponView struct {
	Frame
	termsChoices
	ID    int64
	Form  *Form
	Saved *couponLine // nil: a new one
	Kinds []string
	Face  []string // the controls of what it is worth: fixed once one was given out
	Give  *Form
	Row   *Form // of what is done to one that was given out
	Rows  []heldLine
	Next  string
}

var faceFields = []string{"kind", "threshold_fen", "off_fen", "percent_off", "pay_fen", "quantity", "stackable", "products", "categories"}

// heldLine is a coupon in somebody's hands. Its code is masked: it is as good as the coupon.
type heldLine struct {
	coupon.Held
	Worth string
	State string // at this moment
	Soon  bool   // it expires in a week
	Tail  string
	Who   string
}

func (con *Console) coupon(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"kind": {model.CouponCashOff}, "per_member": {"1"}, "valid_days": {"30"}, "quantity": {"1"}, "enabled": {"on"}}
	noTerms(values)
	if id != 0 {
		d, err := con.app.Coupons.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = con.writeCoupon(d)
	}
	return con.showCoupon(c, http.StatusOK, id, forms{"coupon": newForm(values)})
}

func (con *Console) writeCoupon(d *coupon.Definition) url.Values {
	var products, categories []string
	_ = d.Products.Into(&products)     // checked when it was saved
	_ = d.Categories.Into(&categories) //
	v := url.Values{
		"code": {d.Code}, "name": {d.Name}, "kind": {d.Kind}, "threshold_fen": {yuan(d.ThresholdFen)}, "off_fen": {yuan(d.OffFen)},
		"percent_off": {some(int64(d.PercentOff))}, "pay_fen": {yuan(d.PayFen)}, "quantity": {some(int64(d.Quantity))},
		"products": {strings.Join(products, "\n")}, "categories": {strings.Join(categories, "\n")}, "text": {d.Text}, "stock": {limited(d.Stock)},
		"per_member": {some(int64(d.PerMember))}, "valid_days": {some(int64(d.ValidDays))}, "position": {some(int64(d.Position))},
		"usable_from": {written(d.UsableFrom, con.app.Zone)}, "usable_until": {written(d.UsableUntil, con.app.Zone)},
	}
	for field, on := range map[string]bool{"stackable": d.Stackable, "claimable": d.Claimable, "enabled": d.Enabled} {
		if on {
			v.Set(field, "on")
		}
	}
	con.writeTerms(v, d.Terms)
	return v
}

func (con *Console) showCoupon(c *gin.Context, status int, id int64, f forms) (err error) {
	ctx := c.Request.Context()
	v := couponView{
		Frame: con.frame(c, "coupon"), ID: id, Form: f["coupon"], Give: f.get("give"), Row: f.get("row"), Kinds: coupon.Kinds, Face: faceFields,
	}
	if v.termsChoices, err = con.termsChoices(c); err != nil {
		return err
	}
	if id != 0 {
		v.Here = fmt.Sprintf("%s/coupons/%d", root, id)
		d, err := con.app.Coupons.Get(ctx, id)
		if err != nil {
			return err
		}
		tallies, err := con.app.Coupons.Tallies(ctx, v.Now)
		if err != nil {
			return err
		}
		v.Saved = &couponLine{Definition: *d, Tally: tallies[id], Worth: coupon.Face(web.Lang(ctx), &d.Coupon)}
		if v.Saved.Says, err = con.terms(c, d.Terms, v.termsChoices); err != nil {
			return err
		}
		if v.Form == nil {
			v.Form = newForm(con.writeCoupon(d))
		}
	}
	if id != 0 && v.May(string(operator.MembersRead)) {
		rows, err := con.app.Coupons.Given(ctx, id, after(c), perPage+1)
		if err != nil {
			return err
		}
		if len(rows) > perPage {
			rows = rows[:perPage]
			v.Next = nextPage(c, rows[perPage-1].ID) + "#given"
		}
		if v.Rows, err = con.heldLines(c, rows); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/coupon", v)
	return nil
}

// heldLines shows coupons as they are now, and whose they are.
func (con *Console) heldLines(c *gin.Context, rows []coupon.Held) ([]heldLine, error) {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.MemberID
	}
	people, err := con.report.People(c.Request.Context(), ids)
	if err != nil {
		return nil, err
	}
	now := con.app.Clock.Now()
	out := make([]heldLine, len(rows))
	for i, r := range rows {
		who := people[r.MemberID]
		out[i] = heldLine{
			Held: r, Worth: coupon.Face(web.Lang(c.Request.Context()), &r.Coupon), State: r.StateAt(now), Soon: r.ExpiresSoon(now),
			Tail: tail(r.Code), Who: who.Nickname,
		}
		if out[i].Who == "" {
			out[i].Who = who.No
		}
	}
	return out, nil
}

// tail is what is shown of a code.
func tail(code string) string { return "…" + code[max(0, len(code)-4):] }

// readCoupon reads what the kind uses; the other controls are hidden.
func (con *Console) readCoupon(f *Form, id int64) (d coupon.Definition, err error) {
	r := &reader{f: f, zone: con.app.Zone}
	d.Coupon = model.Coupon{
		ID: id, Code: f.Get("code"), Name: f.Get("name"), Kind: f.Get("kind"), Text: f.Get("text"), Stackable: f.On("stackable"), Claimable: f.On("claimable"), Enabled: f.On("enabled"),
		Products:     model.ToJSON(append([]string{}, lines(f.Get("products"))...)),
		Categories:   model.ToJSON(append([]string{}, lines(f.Get("categories"))...)),
		ThresholdFen: r.yuan("threshold_fen"), Stock: r.limit("stock"), PerMember: int(r.count("per_member")), ValidDays: int(r.count("valid_days")),
		UsableFrom: r.time("usable_from"), UsableUntil: r.time("usable_until"), Position: int(r.count("position")),
	}
	switch d.Kind {
	case model.CouponCashOff:
		if d.OffFen = r.yuan("off_fen"); d.OffFen == 0 && r.err == nil {
			return d, errs.Field("off_fen", "console.required")
		}
	case model.CouponShipping:
		d.OffFen = r.yuan("off_fen")
	case model.CouponDiscount:
		d.PercentOff = int(r.number("percent_off"))
	case model.CouponExchange:
		d.PayFen, d.Quantity = r.yuan("pay_fen"), int(r.number("quantity"))
	case model.CouponFreeItem:
		d.Quantity = int(r.number("quantity"))
	}
	if r.err != nil {
		return d, r.err
	}
	if d.Claimable { // else nobody asks for the terms
		d.Terms, err = con.readTerms(r)
	}
	return d, err
}

func (con *Console) saveCoupon(c *gin.Context) error {
	return save(con, c, saving[coupon.Definition]{
		kind: "coupon",
		get: func(id int64) (any, error) {
			d, err := con.app.Coupons.Get(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return d.Coupon, nil
		},
		facts: func(d coupon.Definition) (int64, any) { return d.ID, d.Coupon },
		do: func(f *Form, id int64) (string, error) {
			d, err := con.readCoupon(f, id)
			if err != nil {
				return "", err
			}
			saved, err := con.app.Coupons.Save(c.Request.Context(), d)
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/coupons/%d", root, saved.ID), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showCoupon(c, status, id, forms{"coupon": f}) },
	})
}
