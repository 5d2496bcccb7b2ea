package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type ordersView struct {
	Frame
	Platform, No, Owned string
	Platforms           []string
	Rows                []model.Order
	Next                string
}

func (con *Console) orders(c *gin.Context) (err error) {
	v := ordersView{Frame: con.frame(c, "orders"), Platform: c.Query("platform"), No: c.Query("no"), Owned: c.Query("owned"), Platforms: model.Platforms}
	q := order.Query{Platform: v.Platform, No: v.No, Before: after(c), Limit: perPage + 1}
	if v.Owned == "yes" || v.Owned == "no" {
		owned := v.Owned == "yes"
		q.Owned = &owned
	}
	if v.Rows, err = con.app.Orders.List(c.Request.Context(), q); err != nil {
		return err
	}
	if len(v.Rows) > perPage {
		v.Rows = v.Rows[:perPage]
		v.Next = nextPage(c, v.Rows[perPage-1].ID)
	}
	web.Page(c, http.StatusOK, "console/orders", v)
	return nil
}

type orderPage struct {
	Frame
	Order  *order.Whole
	Events []orderEvent
	Form   *Form
}

type orderEvent struct {
	model.Event
	Says string
}

func (con *Console) order(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	return con.showOrder(c, http.StatusOK, id, newForm(nil))
}

func (con *Console) showOrder(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := orderPage{Frame: con.frame(c, "order"), Form: f}
	if v.Order, err = con.app.Orders.Get(c.Request.Context(), id); err != nil {
		return err
	}
	for _, e := range v.Order.Events {
		v.Events = append(v.Events, orderEvent{e, event.KindName(web.Lang(c.Request.Context()), e.Kind)})
	}
	web.Page(c, status, "console/order", v)
	return nil
}

// assignOrder gives an order to the member whose number is typed in.
func (con *Console) assignOrder(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.Orders.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "order.assign",
		of: func(answer any) operator.Change {
			p, _ := answer.(order.Pushed)
			return operator.Change{
				Object: fmt.Sprintf("order:%d", id), Before: map[string]any{"member_id": web.IDOf(old.MemberID)},
				After: map[string]any{"member_id": web.IDOf(p.Order.MemberID), "reason": f.Get("reason")},
			}
		},
		do: func() (string, error) {
			m, err := con.app.Members.Find(c.Request.Context(), member.Ref{No: f.Get("no")})
			if err != nil {
				return "", inForm(err)
			}
			_, err = con.app.Orders.Assign(c.Request.Context(), id, m.ID)
			return done(fmt.Sprintf("%s/orders/%d", root, id), "saved"), err
		},
		again: func(status int, f *Form) error { return con.showOrder(c, status, id, f) },
	})
}

// inForm lets the form say that what was typed in names nobody, where a missing row would be a missing page.
func inForm(err error) error {
	if errs.CodeOf(err) == errs.NotFound {
		return errs.Field("no", "member.not_found")
	}
	return err
}

type claimsView struct {
	Frame
	State  string
	States []string
	Rows   []model.OrderClaim
	Next   string
	Form   *Form // of the settings
	All    []string
}

func (con *Console) claims(c *gin.Context) error {
	s, err := con.app.Orders.Settings(c.Request.Context())
	if err != nil {
		return err
	}
	var platforms []string
	if err := s.Platforms.Into(&platforms); err != nil {
		return err
	}
	values := url.Values{
		"claim_days": {fmt.Sprint(s.ClaimDays)}, "pending_days": {fmt.Sprint(s.PendingDays)}, "wrong_limit": {fmt.Sprint(s.WrongLimit)},
		"pending_limit": {fmt.Sprint(s.PendingLimit)}, "platforms": platforms,
	}
	if s.MatchPhone {
		values.Set("match_phone", "on")
	}
	return con.showClaims(c, http.StatusOK, newForm(values))
}

func (con *Console) showClaims(c *gin.Context, status int, f *Form) (err error) {
	v := claimsView{
		Frame: con.frame(c, "claims"), State: c.Query("state"), Form: f, All: model.Platforms,
		States: []string{model.ClaimPending, model.ClaimDone, model.ClaimRefused, model.ClaimLapsed},
	}
	v.Rows, err = con.app.Orders.Claims(c.Request.Context(), order.ClaimQuery{State: v.State, Before: after(c), Limit: perPage + 1})
	if err != nil {
		return err
	}
	if len(v.Rows) > perPage {
		v.Rows = v.Rows[:perPage]
		v.Next = nextPage(c, v.Rows[perPage-1].ID)
	}
	web.Page(c, status, "console/claims", v)
	return nil
}

func (con *Console) saveClaims(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	before, err := con.app.Orders.Settings(c.Request.Context())
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "order.settings",
		of: func(answer any) operator.Change {
			return operator.Change{Object: "order:settings", Before: before, After: answer}
		},
		do: func() (string, error) {
			in := model.OrderSettings{MatchPhone: f.On("match_phone"), Platforms: model.ToJSON(append([]string{}, f.Values["platforms"]...))}
			var n [4]int64
			for i, field := range []string{"claim_days", "pending_days", "wrong_limit", "pending_limit"} {
				if n[i], err = f.Number(field); err != nil {
					return "", err
				}
			}
			in.ClaimDays, in.PendingDays, in.WrongLimit, in.PendingLimit = int(n[0]), int(n[1]), n[2], n[3]
			_, err := con.app.Orders.SaveSettings(c.Request.Context(), in)
			return done(root+"/orders/claims", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showClaims(c, status, f) },
	})
}

type importsView struct {
	Frame
	Rows    []sheet.Imported
	Running bool
	Form    *Form
}

func (con *Console) imports(c *gin.Context) error {
	return con.showImports(c, http.StatusOK, newForm(nil))
}

func (con *Console) showImports(c *gin.Context, status int, f *Form) (err error) {
	v := importsView{Frame: con.frame(c, "imports"), Form: f}
	v.Here = root + "/orders/imports"
	if v.Rows, err = con.app.Sheets.List(c.Request.Context(), order.Import, 0, perPage); err != nil {
		return err
	}
	for _, r := range v.Rows {
		v.Running = v.Running || r.State == model.WorkRunning
	}
	web.Page(c, status, "console/imports", v)
	return nil
}

func (con *Console) saveImport(c *gin.Context) error {
	return con.takeFile(c, order.Import, func(_ *Form, name string, data []byte) (string, error) {
		_, err := con.app.Sheets.Import(c.Request.Context(), order.Import, name, data, nil, web.Actor(c.Request.Context()))
		return done(root+"/orders/imports", "import_started"), err
	}, con.showImports)
}

// takeFile gives the file of a form to do, which starts an import of the kind.
func (con *Console) takeFile(
	c *gin.Context, kind string, do func(f *Form, name string, data []byte) (string, error), again func(c *gin.Context, status int, f *Form) error,
) error {
	if err := parseUpload(c); err != nil {
		return err
	}
	f, err := readForm(c)
	if err != nil {
		return err
	}
	name, data, err := upload(c)
	if err != nil {
		return err
	}
	f.Set("size", fmt.Sprint(len(data)))
	return con.write(c, f, change{
		action: kind,
		of: func(answer any) operator.Change {
			i, _ := answer.(model.Import)
			return operator.Change{Object: fmt.Sprintf("import:%d", i.ID), After: map[string]any{"name": i.Name, "lines": i.Lines, "bad": i.Bad}}
		},
		do:    func() (string, error) { return do(f, name, data) },
		again: func(status int, f *Form) error { return again(c, status, f) },
	})
}

// lastImports are the last files of a kind, and whether one is still on its way.
func (con *Console) lastImports(c *gin.Context, kind string) (rows []sheet.Imported, running bool, err error) {
	const many = 5
	rows, err = con.app.Sheets.List(c.Request.Context(), kind, 0, many)
	return rows, slices.ContainsFunc(rows, func(i sheet.Imported) bool { return i.State == model.WorkRunning }), err
}

// importReport is what became of each line of a file of a kind.
func (con *Console) importReport(kind string) func(c *gin.Context) error {
	return func(c *gin.Context) error { return con.showReport(c, kind) }
}

func (con *Console) showReport(c *gin.Context, kind string) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	i, err := con.app.Sheets.Get(c.Request.Context(), kind, id)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="import-%d.csv"`, i.ID))
	return con.app.Sheets.Report(c.Request.Context(), i, web.Lang(c.Request.Context()), c.Writer)
}
