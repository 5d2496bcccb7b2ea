package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type customersView struct {
	Frame
	Form    *Form
	Imports []sheet.Imported
	Running bool
	Rows    []customerLine
	Next    string
}

type customerLine struct {
	model.Customer
	Phone string
}

func (con *Console) customers(c *gin.Context) error {
	return con.showCustomers(c, http.StatusOK, newForm(nil))
}

func (con *Console) showCustomers(c *gin.Context, status int, f *Form) (err error) {
	ctx := c.Request.Context()
	v := customersView{Frame: con.frame(c, "customers"), Form: f}
	if v.Imports, v.Running, err = con.lastImports(c, customer.Import); err != nil {
		return err
	}
	rows, err := con.app.Customers.List(ctx, customer.Query{Before: after(c), Limit: perPage + 1})
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	for _, r := range rows {
		v.Rows = append(v.Rows, customerLine{r, con.app.Customers.Phone(&r)})
	}
	web.Page(c, status, "console/customers", v)
	return nil
}

func (con *Console) saveCustomers(c *gin.Context) error {
	return con.takeFile(c, customer.Import, func(f *Form, name string, data []byte) (string, error) {
		o, err := con.levels(c, f)
		if err != nil {
			return "", err
		}
		_, err = con.app.Customers.Import(c.Request.Context(), name, data, o, web.Actor(c.Request.Context()))
		return done(root+"/customers", "import_started"), err
	}, con.showCustomers)
}

// levels reads which tier each outside level is: a line of "outside=tier" each.
func (con *Console) levels(c *gin.Context, f *Form) (customer.Options, error) {
	o := customer.Options{Levels: map[string]int64{}}
	l, err := con.app.Tiers.Ladder(c.Request.Context())
	if err != nil {
		return o, err
	}
	ids := map[string]int64{}
	for _, t := range l.Tiers {
		ids[t.Name] = t.ID
	}
	n := 0
	for line := range strings.Lines(f.Get("levels")) {
		if n++; strings.TrimSpace(line) == "" {
			continue
		}
		outside, name, ok := strings.Cut(strings.ReplaceAll(line, "＝", "="), "=")
		outside = strings.TrimSpace(outside)
		id := ids[strings.TrimSpace(name)]
		if !ok || outside == "" || id == 0 {
			return o, errs.Field("levels", "console.customers_level_line", "line", n)
		}
		o.Levels[outside] = id
	}
	return o, nil
}

func (con *Console) forgetCustomer(c *gin.Context) error {
	return con.remove(c, removing{
		kind: "customer", list: "/customers",
		old: func(ctx context.Context, id int64) (any, error) {
			old, err := con.app.Customers.Get(ctx, id)
			if err != nil {
				return nil, err
			}
			return map[string]any{"phone": con.app.Customers.Phone(old), "level": old.Level}, nil
		},
		do:    con.app.Customers.Forget,
		again: func(status int, _ int64, f *Form) error { return con.showCustomers(c, status, f) },
	})
}
