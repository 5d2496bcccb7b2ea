package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/templates"
)

// Frame is what stands around every page.
type Frame struct {
	Title   string
	Here    string // the page itself, for the switch of languages
	Login   string // of the operator; "" before the login
	Menu    []Entry
	Done    string // what the operator has just done, as a sentence
	Sandbox bool
	Now     time.Time
	Frozen  bool // the sandbox's clock
	Zone    string

	caller operator.Caller
}

// May reports whether the operator holds the right, for what pages offer: {{if .May "programme.write"}}.
func (f Frame) May(right string) bool { return f.caller.May(operator.Right(right)) }

// Entry is a line of the navigation.
type Entry struct {
	Group    string // above the first that is shown of a group
	Key, URL string
	Active   bool
}

// frame makes the frame of a page whose title is the key console.title.<title>.
func (con *Console) frame(c *gin.Context, title string) Frame {
	f := Frame{Title: con.t(c, "console.title."+title), Here: c.Request.URL.RequestURI(), Now: con.app.Clock.Now(), Zone: con.app.Zone.Location().String()}
	if c.Request.Method != http.MethodGet {
		f.Here = c.Request.URL.Path
	}
	if done := "console.done." + c.Query("done"); c.Query("done") != "" && templates.Has(done) {
		f.Done = con.t(c, done)
	}
	if sim := con.app.Simulation; sim != nil {
		f.Sandbox, f.Frozen = true, sim.Clock().Frozen()
	}
	if op := operatorOf(c); op != nil {
		f.Login = op.Login
		active := entry(c.Request.URL.Path)
		f.caller = web.Caller(c.Request.Context())
		last := ""
		for _, m := range menu {
			if !f.caller.May(con.needs[m.path]) {
				continue
			}
			e := Entry{Key: m.key, URL: root + m.path, Active: m.key == active}
			if m.group != last {
				e.Group, last = m.group, m.group
			}
			f.Menu = append(f.Menu, e)
		}
	}
	return f
}

func (con *Console) t(c *gin.Context, key string) string {
	return templates.T(web.Lang(c.Request.Context()), key, nil)
}

// done is the address of a page that says what was done.
func done(path, what string) string { return path + "?done=" + what }

// nextPage is the address of the page of a list behind the row with this id: the same filters, another place.
func nextPage(c *gin.Context, after int64) string {
	q := url.Values{}
	for k, v := range c.Request.URL.Query() {
		if k != "done" {
			q[k] = v
		}
	}
	q.Set("after", strconv.FormatInt(after, 10))
	return c.Request.URL.Path + "?" + q.Encode()
}

// after reads the place in a list; what is no number is its beginning.
func after(c *gin.Context) int64 {
	n, _ := strconv.ParseInt(c.Query("after"), 10, 64)
	return max(0, n)
}

const perPage = 50
