package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/templates"
)

const (
	operatorKey    = "operator"
	languageCookie = "siyu_lang"
	languageYears  = 365 * 24 * 3600
)

// secure reports whether the browser speaks TLS, here or at the proxy before us. Who lies about it only loses his own cookie.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// sessionCookie is bound to the host where the browser lets it be; browsers refuse that name without TLS.
func sessionCookie(r *http.Request) string {
	if secure(r) {
		return "__Host-siyu"
	}
	return "siyu_session"
}

func setCookie(c *gin.Context, name, value string, seconds int) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure(c.Request),
	})
}

// chosenLanguage lets the operator's choice overrule his browser's.
func chosenLanguage(c *gin.Context) {
	if lang, err := c.Cookie(languageCookie); err == nil {
		web.SetLang(c.Request.Context(), lang)
	}
}

func (con *Console) setLanguage(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	setCookie(c, languageCookie, templates.Lang(f.Get("lang")), languageYears)
	c.Redirect(http.StatusSeeOther, inside(f.Get("next")))
	return nil
}

// inside is a path of the console, whatever a link says: nobody is sent elsewhere after he signed in.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path != root && !strings.HasPrefix(u.Path, root+"/") || strings.Contains(next, "\\") {
		return root
	}
	return u.RequestURI()
}

// signedIn lets operators in and sends all others to the login.
func (con *Console) signedIn(c *gin.Context) {
	token, err := c.Cookie(sessionCookie(c.Request))
	if err != nil {
		askLogin(c)
		return
	}
	op, err := con.app.Operators.Session(c.Request.Context(), token)
	switch {
	case errs.CodeOf(err) == errs.Unauthorized:
		askLogin(c)
		return
	case err != nil:
		web.Fail(c, err)
		return
	}
	c.Set(operatorKey, op)
	if op.MustChange && c.FullPath() != root+"/password" {
		c.Redirect(http.StatusSeeOther, root+"/password")
		c.Abort()
		return
	}
	web.SetCaller(c.Request.Context(), operator.Caller{Name: fmt.Sprintf("operator:%d", op.ID), Rights: operator.Role(op.Role).Rights()})
}

func askLogin(c *gin.Context) {
	if strings.HasSuffix(c.Request.URL.Path, ".json") {
		web.Fail(c, errs.New(errs.Unauthorized, "web.unauthorized"))
		return
	}
	next := ""
	if c.Request.Method == http.MethodGet && c.Request.URL.Path != root {
		next = "?next=" + url.QueryEscape(c.Request.URL.RequestURI())
	}
	c.Redirect(http.StatusSeeOther, root+"/login"+next)
	c.Abort()
}

type loginView struct {
	Frame
	Form   *Form
	Next   string
	Ticket string // a code is asked for
}

func (con *Console) loginPage(c *gin.Context) error {
	return con.showLogin(c, http.StatusOK, newForm(nil))
}

func (con *Console) showLogin(c *gin.Context, status int, f *Form) error {
	next := f.Get("next")
	if next == "" {
		next = c.Query("next")
	}
	f.Del("password")
	f.Del("code")
	web.Page(c, status, "console/login", loginView{Frame: con.frame(c, "login"), Form: f, Next: next, Ticket: f.Get("ticket")})
	return nil
}

func (con *Console) login(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	in := operator.Opened{Ticket: f.Get("ticket")}
	if in.Ticket == "" {
		in, err = con.app.Operators.Login(c.Request.Context(), f.Get("login"), f.Values.Get("password"), c.ClientIP())
	} else {
		in.Token, err = con.app.Operators.LoginCode(c.Request.Context(), in.Ticket, f.Get("code"))
	}
	var e *errs.Error
	if errors.As(err, &e) && web.Status(err) < http.StatusInternalServerError {
		if f.refuse(c, e); e.Key == "operator.ticket_over" {
			f.Del("ticket")
		}
		return con.showLogin(c, web.Status(err), f)
	}
	if err != nil {
		return err
	}
	if in.Token == "" { // the password was right; the code comes next
		f.Set("ticket", in.Ticket)
		return con.showLogin(c, http.StatusOK, f)
	}
	setCookie(c, sessionCookie(c.Request), in.Token, int(operator.SessionTTL.Seconds()))
	c.Redirect(http.StatusSeeOther, inside(f.Get("next")))
	return nil
}

func (con *Console) logout(c *gin.Context) error {
	if token, err := c.Cookie(sessionCookie(c.Request)); err == nil {
		if err := con.app.Operators.Logout(c.Request.Context(), token); err != nil {
			return err
		}
	}
	setCookie(c, sessionCookie(c.Request), "", -1)
	c.Redirect(http.StatusSeeOther, root+"/login")
	return nil
}
