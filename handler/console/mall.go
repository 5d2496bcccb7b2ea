package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type mallView struct {
	Frame
	Rows []itemLine
}

type itemLine struct {
	mall.Item
	Label  string // of the account
	Coupon string
	Says   []string // the terms
}

func (con *Console) mall(c *gin.Context) error {
	v := mallView{Frame: con.frame(c, "mall")}
	rows, err := con.app.Mall.List(c.Request.Context())
	if err != nil {
		return err
	}
	choices, err := con.termsChoices(c)
	if err != nil {
		return err
	}
	coupons, err := con.couponChoices(c)
	if err != nil {
		return err
	}
	for _, i := range rows {
		line := itemLine{Item: i, Label: labelled(choices.Accounts, i.Account)}
		if i.CouponID != 0 {
			line.Coupon = labelled(coupons, strconv.FormatInt(i.CouponID, 10))
		}
		if line.Says, err = con.terms(c, i.Terms, choices); err != nil {
			return err
		}
		v.Rows = append(v.Rows, line)
	}
	web.Page(c, http.StatusOK, "console/mall", v)
	return nil
}

type itemView struct {
	Frame
	termsChoices
	ID      int64
	Form    *Form
	Saved   *mall.Item // nil: a new one
	Says    []string
	Kinds   []string
	Coupons []choice
}

func (con *Console) item(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"kind": {model.MallGoods}, "account": {model.AccountPoints}, "per_member": {"1"}, "enabled": {"on"}}
	noTerms(values)
	if id != 0 {
		i, err := con.app.Mall.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = con.writeItem(i)
	}
	return con.showItem(c, http.StatusOK, id, newForm(values))
}

func (con *Console) writeItem(i *mall.Item) url.Values {
	v := url.Values{
		"code": {i.Code}, "name": {i.Name}, "text": {i.Text}, "picture": {i.Picture}, "kind": {i.Kind}, "coupon_id": {some(i.CouponID)},
		"account": {i.Account}, "price": {strconv.FormatInt(i.Price, 10)}, "stock": {limited(i.Stock)}, "per_member": {some(int64(i.PerMember))},
		"month_day": {some(int64(i.MonthDay))}, "month_time": {i.MonthTime}, "position": {some(int64(i.Position))},
	}
	if i.Enabled {
		v.Set("enabled", "on")
	}
	con.writeTerms(v, i.Terms)
	return v
}

func (con *Console) showItem(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := itemView{Frame: con.frame(c, "item"), ID: id, Form: f, Kinds: []string{model.MallGoods, model.MallCoupon}}
	if v.termsChoices, err = con.termsChoices(c); err != nil {
		return err
	}
	if v.Coupons, err = con.couponChoices(c); err != nil {
		return err
	}
	if id != 0 {
		if v.Saved, err = con.app.Mall.Get(c.Request.Context(), id); err != nil {
			return err
		}
		if v.Says, err = con.terms(c, v.Saved.Terms, v.termsChoices); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/item", v)
	return nil
}

func (con *Console) readItem(f *Form, id int64) (i mall.Item, err error) {
	r := &reader{f: f, zone: con.app.Zone}
	i.MallItem = model.MallItem{
		ID: id, Code: f.Get("code"), Name: f.Get("name"), Text: f.Get("text"), Picture: f.Get("picture"), Kind: f.Get("kind"), Enabled: f.On("enabled"),
		Account: f.Get("account"), Price: r.number("price"), Stock: r.limit("stock"), PerMember: int(r.count("per_member")),
		MonthDay: int(r.count("month_day")), MonthTime: f.Get("month_time"), Position: int(r.count("position")),
	}
	if i.Kind == model.MallCoupon {
		i.CouponID = r.number("coupon_id")
	}
	i.Terms, err = con.readTerms(r)
	return i, err
}

func (con *Console) saveItem(c *gin.Context) error {
	return save(con, c, saving[mall.Item]{
		kind: "mall",
		get: func(id int64) (any, error) {
			i, err := con.app.Mall.Get(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return i.MallItem, nil
		},
		facts: func(i mall.Item) (int64, any) { return i.ID, i.MallItem },
		do: func(f *Form, id int64) (string, error) {
			i, err := con.readItem(f, id)
			if err != nil {
				return "", err
			}
			_, err = con.app.Mall.Save(c.Request.Context(), i)
			return done(root+"/mall", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showItem(c, status, id, f) },
	})
}

type redemptionsView struct {
	Frame
	State  string
	States []string
	Item   string
	Items  []choice
	Who    *model.Member // only his
	Rows   []redemptionLine
	Next   string
	Form   *Form
}

type redemptionLine struct {
	mall.Redeemed
	Label string // of the account
	Who   report.Person
}

func (con *Console) redemptions(c *gin.Context) error {
	return con.showRedemptions(c, http.StatusOK, newForm(nil))
}

func (con *Console) showRedemptions(c *gin.Context, status int, f *Form) error {
	ctx := c.Request.Context()
	v := redemptionsView{
		Frame: con.frame(c, "redemptions"), State: c.Query("state"), Item: c.Query("item"), Form: f,
		States: []string{model.RedemptionOpen, model.RedemptionFulfilled, model.RedemptionCancelled},
	}
	v.Here = root + "/mall/redemptions"
	asked := newForm(c.Request.URL.Query())
	q := mall.Query{State: v.State, Before: after(c), Limit: perPage + 1}
	q.ItemID, _ = asked.ID("item") // what is no item filters nothing
	if id, _ := asked.ID("member"); id > 0 {
		m, err := con.app.Members.Get(ctx, id)
		if err != nil {
			return err
		}
		v.Who, q.MemberID = m, m.ID
	}
	found, err := con.app.Mall.Redemptions(ctx, q)
	if err != nil {
		return err
	}
	if len(found) > perPage {
		found = found[:perPage]
		v.Next = nextPage(c, found[perPage-1].ID)
	}
	items, err := con.app.Mall.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range items {
		v.Items = append(v.Items, choice{strconv.FormatInt(i.ID, 10), i.Name})
	}
	labels, err := con.accountLabels(c)
	if err != nil {
		return err
	}
	ids := make([]int64, len(found))
	for i, r := range found {
		ids[i] = r.MemberID
	}
	people, err := con.report.People(ctx, ids)
	if err != nil {
		return err
	}
	for _, r := range found {
		v.Rows = append(v.Rows, redemptionLine{r, labels[r.Account], people[r.MemberID]})
	}
	web.Page(c, status, "console/redemptions", v)
	return nil
}

func (con *Console) fulfilRedemption(c *gin.Context) error {
	return con.endRedemption(c, "redemption.fulfil", con.app.Mall.Fulfil)
}

func (con *Console) cancelRedemption(c *gin.Context) error {
	return con.endRedemption(c, "redemption.cancel", func(ctx context.Context, id int64) (*mall.Redeemed, error) {
		return con.app.Mall.Cancel(ctx, 0, id)
	})
}

func (con *Console) endRedemption(c *gin.Context, action string, end func(context.Context, int64) (*mall.Redeemed, error)) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: action,
		of: func(answer any) operator.Change {
			r := answer.(mall.Redeemed)
			return operator.Change{
				Object: fmt.Sprintf("redemption:%d", r.ID), Before: map[string]any{"state": model.RedemptionOpen},
				After: map[string]any{"state": r.State, "item": r.Item.Name, "member_id": web.IDOf(r.MemberID), "account": r.Account, "price": r.Price},
			}
		},
		do: func() (string, error) {
			r, err := end(c.Request.Context(), id)
			to := done(root+"/mall/redemptions", "saved")
			if err == nil && f.Get("member") != "" {
				to += "&member=" + string(web.IDOf(r.MemberID))
			}
			return to, err
		},
		again: func(status int, f *Form) error { return con.showRedemptions(c, status, f) },
	})
}
