package console

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"
	"rsc.io/qr"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

type totpView struct {
	Frame
	Form  *Form
	On    bool
	Left  int64               // recovery codes
	New   *operator.Enrolment // while it is off
	QR    template.URL
	Codes []string // shown once
}

func (con *Console) totp(c *gin.Context) error {
	return con.showTOTP(c, http.StatusOK, newForm(nil), nil)
}

func (con *Console) showTOTP(c *gin.Context, status int, f *Form, codes []string) error {
	ctx := c.Request.Context()
	op, err := con.app.Operators.User(ctx, operatorOf(c).ID) // as he is now
	if err != nil {
		return err
	}
	v := totpView{Frame: con.frame(c, "totp"), Form: f, On: op.TwoStep(), Codes: codes}
	if v.Left, err = con.app.Operators.RecoveryLeft(ctx, op.ID); err != nil {
		return err
	}
	if !v.On {
		v.New = con.app.Operators.Enrolled(op, f.Get("sealed"))
		code, err := qr.Encode(v.New.URL, qr.M)
		if err != nil {
			return fmt.Errorf("console: qr of an authenticator: %w", err)
		}
		code.Scale = 5
		v.QR = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())) //nolint:gosec // a picture that we made
	}
	web.Page(c, status, "console/totp", v)
	return nil
}

// changeTOTP turns the second step on or off, or makes new recovery codes. Those are on the answer alone: no address leads to them.
func (con *Console) changeTOTP(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	session, err := c.Cookie(sessionCookie(c.Request))
	if err != nil {
		return fmt.Errorf("console: session cookie: %w", err)
	}
	ctx, id, password := c.Request.Context(), operatorOf(c).ID, f.Values.Get("password")
	f.Del("password")
	var codes []string
	switch f.Name = f.Get("do"); f.Name {
	case "off":
		err = con.app.Operators.DisableCodes(ctx, id, password)
	case "recovery":
		codes, err = con.app.Operators.RenewRecovery(ctx, id, password)
	default:
		codes, err = con.app.Operators.EnableCodes(ctx, id, session, password, f.Get("sealed"), f.Get("code"))
	}
	if err == nil && codes != nil {
		return con.showTOTP(c, http.StatusOK, newForm(nil), codes)
	}
	return con.finish(c, f, done(root+"/totp", "saved"), err, func(status int, f *Form) error { return con.showTOTP(c, status, f, nil) })
}

// resetTOTP helps an operator who lost his authenticator.
func (con *Console) resetTOTP(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	f.Name = "change"
	return con.write(c, f, change{
		do: func() (string, error) {
			ctx := c.Request.Context()
			_, err := con.app.Operators.ResetCodes(ctx, web.Caller(ctx), id)
			return done(root+"/operators", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showOperators(c, status, f, nil) },
	})
}
