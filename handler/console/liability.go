package console

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type liabilityView struct {
	Frame
	Form     *Form
	Accounts []liabilityAccount
	Lines    []liabilityLine
}

type liabilityAccount struct {
	Label   string
	Opening int64
	ledger.Flow
}

type liabilityLine struct {
	ledger.LiabilityLine
	Label string // of the account
	Rule  string // its name
}

// liabilityDays is how far back the page looks unless it is told.
const liabilityDays = 30

func (con *Console) liability(c *gin.Context) error {
	ctx := c.Request.Context()
	v := liabilityView{Frame: con.frame(c, "liability"), Form: newForm(c.Request.URL.Query())}
	today := con.app.Zone.DayOf(con.app.Clock.Now())
	from, to := model.Day(v.Form.Get("from")), model.Day(v.Form.Get("to"))
	if from == "" && to == "" {
		from, to = today.Add(1-liabilityDays), today
		v.Form.Set("from", string(from))
		v.Form.Set("to", string(to))
	}
	report, err := con.liabilityOf(c, from, to)
	var e *errs.Error
	if errors.As(err, &e) && e.Code == errs.Invalid {
		v.Form.refuse(c, e)
		web.Page(c, http.StatusBadRequest, "console/liability", v)
		return nil
	}
	if err != nil {
		return err
	}
	names, err := con.app.Rewards.Names(ctx)
	if err != nil {
		return err
	}
	labels, err := con.accountLabels(c)
	if err != nil {
		return err
	}
	for _, code := range slices.Sorted(maps.Keys(report.Totals)) {
		v.Accounts = append(v.Accounts, liabilityAccount{labels[code], report.Opening[code], report.Totals[code]})
	}
	for _, l := range slices.Backward(report.Lines) {
		v.Lines = append(v.Lines, liabilityLine{l, labels[l.Account], names[l.RuleID]})
	}
	web.Page(c, http.StatusOK, "console/liability", v)
	return nil
}

func (con *Console) liabilityOf(c *gin.Context, from, to model.Day) (*ledger.Liability, error) {
	for name, day := range map[string]model.Day{"from": from, "to": to} {
		if _, err := model.ParseDay(string(day)); err != nil {
			return nil, errs.Field(name, "ledger.expiry_on")
		}
	}
	return con.app.Book.Liability(c.Request.Context(), from, to, "")
}

// accountLabels are the names of the accounts.
func (con *Console) accountLabels(c *gin.Context) (map[string]string, error) {
	rows, err := con.app.Book.Accounts(c.Request.Context())
	labels := map[string]string{}
	for _, a := range rows {
		labels[a.Code] = ledger.NameOf(web.Lang(c.Request.Context()), a.Code, a.Name)
	}
	return labels, err
}
