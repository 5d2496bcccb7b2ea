package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type operatorsView struct {
	Frame
	Rows   []model.Operator
	Roles  []roleLine
	Rights operator.Rights
	Form   *Form
	Made   *operator.NewUser // with the password that is shown once
}

// roleLine is a column of the table of rights.
type roleLine struct {
	operator.Role
	operator.Rights
}

func (con *Console) operators(c *gin.Context) error {
	return con.showOperators(c, http.StatusOK, newForm(nil), nil)
}

func (con *Console) showOperators(c *gin.Context, status int, f *Form, made *operator.NewUser) (err error) {
	v := operatorsView{Frame: con.frame(c, "operators"), Form: f, Made: made}
	v.Here = root + "/operators"
	for _, r := range operator.Roles {
		v.Roles = append(v.Roles, roleLine{r, r.Rights()})
	}
	v.Rights = operator.RoleManager.Rights() // what only an owner holds stands below the table
	if v.Rows, err = con.app.Operators.Users(c.Request.Context()); err != nil {
		return err
	}
	web.Page(c, status, "console/operators", v)
	return nil
}

func (con *Console) createOperator(c *gin.Context) error {
	return con.secretOnce(c, "new", func(f *Form) (*operator.NewUser, error) {
		ctx := c.Request.Context()
		return con.app.Operators.CreateUser(ctx, web.Caller(ctx), f.Get("login"), operator.Role(f.Get("role")))
	})
}

func (con *Console) resetPassword(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	return con.secretOnce(c, "change", func(*Form) (*operator.NewUser, error) {
		ctx := c.Request.Context()
		return con.app.Operators.ResetPassword(ctx, web.Caller(ctx), id)
	})
}

// secretOnce shows the page with the password that was made. It does not redirect: no address may lead to a secret, and a reload
// repeats the form under its key, which changes nothing.
func (con *Console) secretOnce(c *gin.Context, name string, do func(f *Form) (*operator.NewUser, error)) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	f.Name = name
	var made *operator.NewUser
	return con.write(c, f, change{
		do: func() (to string, err error) {
			made, err = do(f)
			return "", err
		},
		shown: func() error { return con.showOperators(c, http.StatusOK, newForm(nil), made) },
		again: func(status int, f *Form) error { return con.showOperators(c, status, f, nil) },
	})
}

func (con *Console) changeOperator(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	f.Name = "change"
	var in operator.UserChange
	if role := operator.Role(f.Get("role")); role != "" {
		in.Role = &role
	}
	if do := f.Get("do"); do != "" {
		disabled := do == "disable"
		in.Disabled = &disabled
	}
	return con.write(c, f, change{
		do: func() (string, error) {
			ctx := c.Request.Context()
			_, err := con.app.Operators.ChangeUser(ctx, web.Caller(ctx), id, in)
			return done(root+"/operators", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showOperators(c, status, f, nil) },
	})
}

type passwordView struct {
	Frame
	Must bool // before anything else

	TwoStep bool
	Form    *Form
}

func (con *Console) password(c *gin.Context) error {
	return con.showPassword(c, http.StatusOK, newForm(nil))
}

func (con *Console) showPassword(c *gin.Context, status int, f *Form) error {
	v := passwordView{Frame: con.frame(c, "password"), Must: operatorOf(c).MustChange, TwoStep: operatorOf(c).TwoStep(), Form: f}
	web.Page(c, status, "console/password", v)
	return nil
}

func (con *Console) changePassword(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	session, err := c.Cookie(sessionCookie(c.Request))
	if err != nil {
		return fmt.Errorf("console: session cookie: %w", err)
	}
	err = con.app.Operators.ChangePassword(c.Request.Context(), operatorOf(c).ID, session, f.Values.Get("old"), f.Values.Get("password"))
	f.Del("old")
	f.Del("password")
	return con.finish(c, f, done(root+"/password", "password"), err, func(status int, f *Form) error { return con.showPassword(c, status, f) })
}
