package console

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type keysView struct {
	Frame
	Rows   []keyLine
	Scopes []string
	Form   *Form
	Made   *operator.NewKey // with the token that is shown once
}

type keyLine struct {
	model.APIKey
	Scopes []string
}

func (con *Console) keys(c *gin.Context) error {
	return con.showKeys(c, http.StatusOK, newForm(nil), nil)
}

func (con *Console) showKeys(c *gin.Context, status int, f *Form, made *operator.NewKey) error {
	rows, err := con.app.Operators.Keys(c.Request.Context())
	if err != nil {
		return err
	}
	v := keysView{Frame: con.frame(c, "keys"), Scopes: operator.Scopes(), Form: f, Made: made}
	v.Here = root + "/keys"
	for _, k := range rows {
		v.Rows = append(v.Rows, keyLine{k, strings.Fields(k.Scopes)})
	}
	web.Page(c, status, "console/keys", v)
	return nil
}

func (con *Console) createKey(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	var made *operator.NewKey
	return con.write(c, f, change{
		do: func() (to string, err error) {
			ctx := c.Request.Context()
			made, err = con.app.Operators.CreateKey(ctx, web.Caller(ctx), f.Get("name"), f.Values["scopes"])
			return "", err
		},
		shown: func() error { return con.showKeys(c, http.StatusOK, newForm(nil), made) },
		again: func(status int, f *Form) error { return con.showKeys(c, status, f, nil) },
	})
}

func (con *Console) deleteKey(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		do: func() (string, error) {
			ctx := c.Request.Context()
			return done(root+"/keys", "deleted"), con.app.Operators.DeleteKey(ctx, web.Actor(ctx), id)
		},
		again: func(status int, f *Form) error { return con.showKeys(c, status, f, nil) },
	})
}
