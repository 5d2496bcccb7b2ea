package console

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type accountsView struct {
	Frame
	Rows        []accountLine
	Conversions []model.ConversionRule
	Modes       []string
	Convert     *Form
	Deduction   *Form
	Changes     []auditLine // of the deduction
}

type accountLine struct {
	model.Account
	Label string
}

func (con *Console) accounts(c *gin.Context) error {
	return con.showAccounts(c, http.StatusOK, newForm(url.Values{"enabled": {"on"}}), nil)
}

func (con *Console) showAccounts(c *gin.Context, status int, convert, deduct *Form) error {
	ctx := c.Request.Context()
	rows, err := con.app.Book.Accounts(ctx)
	if err != nil {
		return err
	}
	v := accountsView{Frame: con.frame(c, "accounts"), Modes: []string{model.ConvertConsume, model.ConvertKeep}, Convert: convert, Deduction: deduct}
	v.Here = root + "/accounts"
	for _, a := range rows {
		v.Rows = append(v.Rows, accountLine{a, ledger.NameOf(web.Lang(ctx), a.Code, a.Name)})
	}
	if v.Conversions, err = con.app.Book.Conversions(ctx); err != nil {
		return err
	}
	if v.Deduction == nil {
		s, err := con.app.Deduction.Settings(ctx)
		if err != nil {
			return err
		}
		v.Deduction = newForm(url.Values{
			"points": {fmt.Sprint(s.Points)}, "fen": {fmt.Sprint(s.Fen)}, "max_percent": {fmt.Sprint(s.MaxPercent)}, "hold_minutes": {fmt.Sprint(s.HoldMinutes)},
		})
		if s.Enabled {
			v.Deduction.Set("enabled", "on")
		}
	}
	if v.Changes, err = con.changesOf(c, v.Frame, "deduction:settings"); err != nil {
		return err
	}
	web.Page(c, status, "console/accounts", v)
	return nil
}

type accountView struct {
	Frame
	Code     string // "" = a new one
	Label    string
	Form     *Form
	Expiries []string
}

func (con *Console) account(c *gin.Context) error {
	values := url.Values{"spendable": {"on"}, "shortage": {"debt"}, "expiry": {model.ExpiryMonths}, "count": {"12"}, "grace_days": {"7"}}
	if c.Param("id") != "new" {
		a, err := con.app.Book.Account(c.Request.Context(), c.Param("id"))
		if err != nil {
			return err
		}
		values = url.Values{
			"name": {a.Name}, "expiry": {a.Expiry}, "count": {fmt.Sprint(a.ExpiryCount)}, "on": {string(a.ExpiryOn)}, "grace_days": {fmt.Sprint(a.GraceDays)},
			"manual_limit": {fmt.Sprint(a.ManualLimit)}, "position": {fmt.Sprint(a.Position)}, "shortage": {"clamp"},
		}
		if a.Debt {
			values.Set("shortage", "debt")
		}
		if a.Spendable {
			values.Set("spendable", "on")
		}
	}
	return con.showAccount(c, http.StatusOK, newForm(values))
}

func (con *Console) showAccount(c *gin.Context, status int, f *Form) error {
	v := accountView{Frame: con.frame(c, "account"), Form: f, Expiries: ledger.Expiries}
	if code := c.Param("id"); code != "new" {
		a, err := con.app.Book.Account(c.Request.Context(), code)
		if err != nil {
			return err
		}
		v.Code, v.Label = code, ledger.NameOf(web.Lang(c.Request.Context()), a.Code, a.Name)
	}
	web.Page(c, status, "console/account", v)
	return nil
}

func (con *Console) saveAccount(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	ctx, code := c.Request.Context(), c.Param("id")
	action, before := "account.create", any(nil)
	if code != "new" {
		old, err := con.app.Book.Account(ctx, code)
		if err != nil {
			return err
		}
		action, before = "account.change", *old
	}
	return con.write(c, f, change{
		action: action,
		of: func(answer any) operator.Change {
			a := answer.(model.Account)
			return operator.Change{Object: "account:" + a.Code, Before: before, After: a}
		},
		do: func() (string, error) {
			a, err := readAccount(f)
			if err != nil {
				return "", err
			}
			save := con.app.Book.SaveAccount
			if a.Code = code; code == "new" {
				a.Code, save = f.Get("code"), con.app.Book.AddAccount
			}
			_, err = save(c.Request.Context(), a)
			return done(root+"/accounts", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showAccount(c, status, f) },
	})
}

func readAccount(f *Form) (a model.Account, err error) {
	f.from("expiry.kind", "expiry")
	f.from("expiry.count", "count")
	f.from("expiry.on", "on")
	a = model.Account{
		Name: f.Get("name"), Spendable: f.On("spendable"), Expiry: f.Get("expiry"), ExpiryOn: model.Day(f.Get("on")), Debt: f.Get("shortage") != "clamp",
	}
	numbers := map[string]int64{}
	for _, name := range []string{"count", "grace_days", "manual_limit", "position"} {
		if f.Get(name) == "" {
			continue
		}
		if numbers[name], err = f.Number(name); err != nil {
			return a, err
		}
	}
	a.ExpiryCount, a.GraceDays = int(numbers["count"]), int(numbers["grace_days"])
	a.ManualLimit, a.Position = numbers["manual_limit"], int(numbers["position"])
	return a, nil
}

func (con *Console) saveConversion(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "conversion.save",
		of: func(answer any) operator.Change {
			r := answer.(model.ConversionRule)
			return operator.Change{Object: fmt.Sprintf("conversion:%d", r.ID), After: r}
		},
		do: func() (string, error) {
			units, err := f.Number("units")
			if err != nil {
				return "", err
			}
			amount, err := f.Number("amount")
			if err != nil {
				return "", err
			}
			_, err = con.app.Book.SaveConversion(c.Request.Context(), model.ConversionRule{
				FromAccount: f.Get("from"), ToAccount: f.Get("to"), Units: units, Amount: amount, Mode: f.Get("mode"), Enabled: f.On("enabled"),
			})
			return done(root+"/accounts", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showAccounts(c, status, f, nil) },
	})
}

func (con *Console) saveDeduction(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	old, err := con.app.Deduction.Settings(c.Request.Context())
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "deduction.settings",
		of: func(answer any) operator.Change {
			return operator.Change{Object: "deduction:settings", Before: old, After: answer}
		},
		do: func() (string, error) {
			n := map[string]int64{}
			for _, name := range []string{"points", "fen", "max_percent", "hold_minutes"} {
				var err error
				if n[name], err = f.Number(name); err != nil {
					return "", err
				}
			}
			_, err := con.app.Deduction.Save(c.Request.Context(), model.DeductionSettings{
				Enabled: f.On("enabled"), Points: n["points"], Fen: n["fen"], MaxPercent: int(n["max_percent"]), HoldMinutes: int(n["hold_minutes"]),
			})
			return done(root+"/accounts", "saved"), err
		},
		again: func(status int, f *Form) error {
			return con.showAccounts(c, status, newForm(url.Values{"enabled": {"on"}}), f)
		},
	})
}
