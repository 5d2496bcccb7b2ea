package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

// giveCoupon gives one to the member whose number is typed in.
func (con *Console) giveCoupon(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	if _, err := con.app.Coupons.Get(c.Request.Context(), id); err != nil {
		return err
	}
	return con.give(c, f, fmt.Sprintf("%s/coupons/%d", root, id), func() (memberID, couponID int64, err error) {
		m, err := con.app.Members.Find(c.Request.Context(), member.Ref{No: f.Get("no")})
		if err != nil {
			return 0, 0, inForm(err)
		}
		return m.ID, id, nil
	}, func(status int, f *Form) error { return con.showCoupon(c, status, id, forms{"give": f}) })
}

// giveMember gives the member a coupon that is chosen.
func (con *Console) giveMember(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	if _, err := con.app.Members.Get(c.Request.Context(), id); err != nil {
		return err
	}
	return con.give(c, f, fmt.Sprintf("%s/members/%d", root, id), func() (memberID, couponID int64, err error) {
		couponID, err = f.Number("coupon")
		return id, couponID, err
	}, func(status int, f *Form) error { return con.showMember(c, status, forms{"coupon": f}) })
}

func (con *Console) give(c *gin.Context, f *Form, page string, who func() (memberID, couponID int64, err error), again func(int, *Form) error) error {
	return con.write(c, f, change{
		action: "coupon.give",
		of: func(answer any) operator.Change {
			h := answer.(coupon.Held)
			return operator.Change{Object: fmt.Sprintf("member:%d", h.MemberID), After: con.heldFacts(&h)}
		},
		do: func() (string, error) {
			memberID, couponID, err := who()
			if err != nil {
				return "", err
			}
			_, err = con.app.Coupons.Give(c.Request.Context(), memberID, couponID, f.Get("reason"))
			if errs.CodeOf(err) == errs.NotFound {
				err = errs.Field("coupon", "coupon.not_found")
			}
			return done(page, "coupon_given"), err
		},
		again: again,
	})
}

// heldFacts is what the audit log says of a coupon: not its code, which is as good as the coupon.
func (con *Console) heldFacts(h *coupon.Held) map[string]any {
	facts := map[string]any{
		"id": fmt.Sprint(h.ID), "coupon_id": fmt.Sprint(h.CouponID), "coupon": h.Coupon.Name, "code": tail(h.Code), "state": h.StateAt(con.app.Clock.Now()),
	}
	for name, v := range map[string]string{"reason": h.Memo, "store": h.Store, "order_no": h.OrderNo} {
		if v != "" {
			facts[name] = v
		}
	}
	return facts
}

// revokeCoupon takes back one of the coupon's page, revokeOfMember one of the member's.
func (con *Console) revokeCoupon(c *gin.Context) error {
	return con.revoke(c, "coupons", func(h *coupon.Held) int64 { return h.CouponID }, func(status int, id int64, f *Form) error {
		return con.showCoupon(c, status, id, forms{"row": f})
	})
}

func (con *Console) revokeOfMember(c *gin.Context) error {
	return con.revoke(c, "members", func(h *coupon.Held) int64 { return h.MemberID }, func(status int, _ int64, f *Form) error {
		f.Del("reason") // that of the revoking is not that of a giving
		return con.showMember(c, status, forms{"coupon": f})
	})
}

func (con *Console) revoke(c *gin.Context, pages string, page func(*coupon.Held) int64, again func(int, int64, *Form) error) error {
	return con.changeHeld(c, "coupon.revoke", pages, page, again, func(f *Form, h *coupon.Held) error {
		_, err := con.app.Coupons.Revoke(c.Request.Context(), h.ID, f.Get("reason"))
		return err
	})
}

// returnCoupon takes back the use of a coupon.
func (con *Console) returnCoupon(c *gin.Context) error {
	return con.changeHeld(c, "coupon.return", "coupons", func(h *coupon.Held) int64 { return h.CouponID }, func(status int, id int64, f *Form) error {
		return con.showCoupon(c, status, id, forms{"row": f})
	}, func(_ *Form, h *coupon.Held) error {
		_, err := con.app.Coupons.Return(c.Request.Context(), coupon.Use{Code: h.Code}, con.app.Clock.Now())
		return err
	})
}

// changeHeld does something to a coupon that was given out, on the page that it stands on.
func (con *Console) changeHeld(
	c *gin.Context, action, pages string, page func(*coupon.Held) int64, again func(int, int64, *Form) error, do func(*Form, *coupon.Held) error,
) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	heldID, err := f.ID("held")
	if err != nil {
		return errs.New(errs.NotFound, "coupon.code_unknown")
	}
	h, err := con.app.Coupons.Held(c.Request.Context(), heldID)
	if err != nil {
		return err
	}
	if page(h) != id {
		return errs.New(errs.NotFound, "coupon.code_unknown")
	}
	before := con.heldFacts(h)
	return con.write(c, f, change{
		action: action,
		of: func(answer any) operator.Change {
			h := answer.(coupon.Held)
			return operator.Change{Object: fmt.Sprintf("member:%d", h.MemberID), Before: before, After: con.heldFacts(&h)}
		},
		do: func() (string, error) {
			return done(fmt.Sprintf("%s/%s/%d", root, pages, id), "saved"), do(f, h)
		},
		again: func(status int, f *Form) error { return again(status, id, f) },
	})
}

type tillView struct {
	Frame
	Form *Form
	Held *heldLine // that was asked for, or was just used
}

// till is where a coupon is used by its code.
func (con *Console) till(c *gin.Context) error {
	v := tillView{Frame: con.frame(c, "till"), Form: newForm(nil)}
	if id, err := newForm(c.Request.URL.Query()).ID("held"); err == nil && id > 0 {
		h, err := con.app.Coupons.Held(c.Request.Context(), id)
		if err != nil {
			return err
		}
		v.Form.Set("store", h.Store) // the next one comes to the same store
		return con.showTill(c, http.StatusOK, v, h)
	}
	return con.showTill(c, http.StatusOK, v, nil)
}

func (con *Console) showTill(c *gin.Context, status int, v tillView, h *coupon.Held) error {
	v.Here = root + "/coupons/till"
	if h != nil {
		rows, err := con.heldLines(c, []coupon.Held{*h})
		if err != nil {
			return err
		}
		v.Held = &rows[0]
	}
	web.Page(c, status, "console/till", v)
	return nil
}

// useCoupon looks at a coupon, or uses it.
func (con *Console) useCoupon(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	again := func(status int, f *Form) error {
		h, err := con.app.Coupons.Look(ctx, f.Get("code"))
		if err != nil && errs.CodeOf(err) != errs.NotFound {
			return err
		}
		return con.showTill(c, status, tillView{Frame: con.frame(c, "till"), Form: f}, h)
	}
	if f.Get("do") == "look" {
		_, err := con.app.Coupons.Look(ctx, f.Get("code"))
		if err = unknownCode(err); err != nil {
			return con.finish(c, f, "", err, again)
		}
		return again(http.StatusOK, f)
	}
	return con.write(c, f, change{
		action: "coupon.use",
		of: func(answer any) operator.Change {
			h := answer.(coupon.Held)
			return operator.Change{Object: fmt.Sprintf("member:%d", h.MemberID), Before: map[string]any{"state": "usable"}, After: con.heldFacts(&h)}
		},
		do: func() (string, error) {
			use := coupon.Use{Code: f.Get("code"), Store: f.Get("store"), OrderNo: f.Get("order_no")}
			h, err := con.app.Coupons.Verify(c.Request.Context(), use, con.app.Clock.Now())
			if err != nil {
				return "", unknownCode(err)
			}
			return fmt.Sprintf("%s&held=%d", done(root+"/coupons/till", "coupon_used"), h.ID), nil
		},
		again: again,
	})
}

// unknownCode lets the form say that there is no such coupon.
func unknownCode(err error) error {
	if errs.CodeOf(err) == errs.NotFound {
		return errs.Field("code", "coupon.code_unknown")
	}
	return err
}
