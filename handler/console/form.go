package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/templates"
)

// Form is what stands in the controls of a form, from a row or as the operator typed it, and what was refused about it.
type Form struct {
	url.Values
	Name  string // of the form, where a page has several
	Key   string // of this filling-in: a double click does nothing twice
	Error string // the sentence of the refusal
	Field string // the control that it is about; "" = the whole
	Path  string // of what is wrong, where no single control stands for it

	controls map[string]string // path of the input → the control that it was read from
}

// keyField holds Form.Key.
const keyField = "_key"

func newForm(values url.Values) *Form {
	if values == nil {
		values = url.Values{}
	}
	return &Form{Values: values, Key: rand.Text()}
}

// readForm reads a posted form. The values that it keeps have no spaces around them but for long texts.
func readForm(c *gin.Context) (*Form, error) {
	if err := c.Request.ParseForm(); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, errs.New(errs.TooLarge, "web.too_large", "limit", big.Limit)
		}
		return nil, errs.New(errs.Malformed, "web.malformed")
	}
	f := newForm(c.Request.PostForm)
	if k := f.Values.Get(keyField); k != "" && len(k) <= 64 {
		f.Key = k
	}
	return f, nil
}

// Get is the first value of a field, without spaces around it.
func (f *Form) Get(name string) string { return strings.TrimSpace(f.Values.Get(name)) }

// At is the n-th value of a field that the form repeats.
func (f *Form) At(name string, n int) string {
	if list := f.Values[name]; n < len(list) {
		return list[n]
	}
	return ""
}

// Is reports whether the field has the value, among others.
func (f *Form) Is(name, value string) bool { return slices.Contains(f.Values[name], value) }

// On reports whether a checkbox is set.
func (f *Form) On(name string) bool { return f.Get(name) != "" }

// Bad reports whether the refusal is about the field: of "grants[0].amount" the field is "grants".
func (f *Form) Bad(name string) bool {
	if f.Error == "" || f.Field == "" {
		return false
	}
	if f.Field == name {
		return true
	}
	rest, ok := strings.CutPrefix(f.Field, name)
	return ok && (rest[0] == '.' || rest[0] == '[')
}

// refuse notes why the form was not accepted. Another filling-in has another key.
func (f *Form) refuse(c *gin.Context, e *errs.Error) {
	f.Error = templates.T(web.Lang(c.Request.Context()), e.Key, e.Args)
	f.Field, _ = e.Args["field"].(string)
	f.Path = ""
	switch control := f.controlOf(f.Field); {
	case control != "":
		f.Field = control
	case strings.ContainsAny(f.Field, ".[") && !f.Has(f.Field):
		f.Path = f.Field
	}
	f.Key = rand.Text()
	if after, ok := e.Args["retry_after"].(int); ok {
		c.Header("Retry-After", strconv.Itoa(after))
	}
}

// controls are those of inputs that have another name in the use case.
var controls = map[string]string{"tag_id": "tag"}

// controlOf is the control that stands for a path such as grants[0].amount or message.subscribe.data.thing1; "" if none does.
func (f *Form) controlOf(path string) string {
	for path != "" {
		if c, ok := f.controls[path]; ok {
			return c
		}
		if c, ok := controls[path]; ok {
			return c
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return ""
}

// from notes that an input was read from a control.
func (f *Form) from(path, control string) {
	if f.controls == nil {
		f.controls = map[string]string{}
	}
	f.controls[path] = control
}

// ID reads an id; 0 for none.
func (f *Form) ID(name string) (int64, error) {
	s := f.Get(name)
	if s == "" {
		return 0, nil
	}
	return number(name, s)
}

// Number reads a whole number; none for an empty field.
func (f *Form) Number(name string) (int64, error) {
	if s := f.Get(name); s != "" {
		return number(name, s)
	}
	return 0, errs.Field(name, "console.required")
}

func number(name, s string) (int64, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 10, 64)
	if err != nil {
		return 0, errs.Field(name, "console.number")
	}
	return n, nil
}

// localTime is how <input type="datetime-local"> writes a moment.
const localTime = "2006-01-02T15:04"

// Time reads a moment of the programme's zone; nil for an empty field.
func (f *Form) Time(name string, z clock.Zone) (*time.Time, error) {
	s := f.Get(name)
	if s == "" {
		return nil, nil
	}
	for _, layout := range []string{localTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, z.Location()); err == nil {
			t = t.UTC()
			return &t, nil
		}
	}
	return nil, errs.Field(name, "console.time")
}

// written is t for a datetime-local control; seconds only where there are some.
func written(t *time.Time, z clock.Zone) string {
	if t == nil || t.IsZero() {
		return ""
	}
	in := z.In(*t)
	if in.Second() != 0 {
		return in.Format("2006-01-02T15:04:05")
	}
	return in.Format(localTime)
}

// Lines are the non-empty lines of a textarea.
func lines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// write carries a change out under the form's key, with its line in the audit log: both are kept, or neither. A use case that refuses
// shows the form again, with the sentence and what was typed; any other end redirects or fails.
func (con *Console) write(c *gin.Context, f *Form, w change) error {
	ctx := c.Request.Context()
	actor := web.Actor(ctx)
	ctx = db.WithKey(ctx, db.Key{
		Principal: actor, Route: "POST " + c.FullPath(), Key: f.Key, Hash: sha256.Sum256([]byte(c.Request.URL.Path + "\n" + f.Encode())),
	})
	if w.action != "" {
		ctx = con.app.Operators.Audited(ctx, actor, w.action, w.of)
	}
	c.Request = c.Request.WithContext(ctx)
	to, err := w.do()
	if err == nil && w.shown != nil {
		return w.shown()
	}
	return con.finish(c, f, to, err, w.again)
}

// change is a write of a form.
type change struct {
	action string                           // of the audit log
	of     func(answer any) operator.Change // what it says there
	do     func() (to string, err error)    // the use case; the page to go to
	again  func(status int, f *Form) error  // the page of the form
	shown  func() error                     // instead of a redirect, for what is shown once
}

// saving is the form of one kind of thing that operators write, new or known.
type saving[T any] struct {
	kind  string // in the audit log: "quiz"
	get   func(id int64) (any, error)
	facts func(answer T) (id int64, facts any)           // what the audit log says of it
	do    func(f *Form, id int64) (to string, err error) // under the request's context of that moment: the audit line is in it
	again func(status int, id int64, f *Form) error
}

// save reads the form, carries it out with its audit line, and shows it again after a refusal.
func save[T any](con *Console, c *gin.Context, s saving[T]) error {
	f, id, err := typedIn(c)
	if err != nil {
		return err
	}
	var before any
	if id != 0 {
		if before, err = s.get(id); err != nil {
			return err
		}
	}
	return con.write(c, f, change{
		action: s.kind + ".save",
		of: func(answer any) operator.Change {
			saved, facts := s.facts(answer.(T))
			return operator.Change{Object: fmt.Sprintf("%s:%d", s.kind, saved), Before: before, After: facts}
		},
		do:    func() (string, error) { return s.do(f, id) },
		again: func(status int, f *Form) error { return s.again(status, id, f) },
	})
}

// removing is the button that removes one of them.
type removing struct {
	kind  string // in the audit log
	list  string // the page that is shown then
	old   func(ctx context.Context, id int64) (facts any, err error)
	do    func(ctx context.Context, id int64) error
	again func(status int, id int64, f *Form) error
}

func (con *Console) remove(c *gin.Context, r removing) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := r.old(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: r.kind + ".delete",
		of: func(any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("%s:%d", r.kind, id), Before: old}
		},
		do:    func() (string, error) { return done(root+r.list, "deleted"), r.do(c.Request.Context(), id) },
		again: func(status int, f *Form) error { return r.again(status, id, f) },
	})
}

// refused is the form of a thing as it is, with the refusal of another form on its page.
func refused(values url.Values, f *Form) *Form {
	form := newForm(values)
	form.Error = f.Error
	return form
}

// asRefusal is the refusal that a caller must know; nil for any other error.
func asRefusal(err error) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) && web.Status(err) < http.StatusInternalServerError && e.Code != errs.NotFound {
		return e
	}
	return nil
}

// finish redirects after a success, and shows the form again after a refusal.
func (con *Console) finish(c *gin.Context, f *Form, to string, err error, again func(int, *Form) error) error {
	if e := asRefusal(err); e != nil {
		f.refuse(c, e)
		return again(web.Status(err), f)
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

// idOf reads the id of the path; "new", or a path without one, is 0 where a new row may be made.
func idOf(c *gin.Context, canBeNew bool) (int64, error) {
	s := c.Param("id")
	if canBeNew && (s == "new" || s == "") {
		return 0, nil
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 {
		return 0, errs.New(errs.NotFound, "web.not_found")
	}
	return id, nil
}

// postedTo is the form that was posted to the page of a thing.
func postedTo(c *gin.Context) (*Form, int64, error) { return posted(c, false) }

// typedIn is postedTo for a thing that may be new.
func typedIn(c *gin.Context) (*Form, int64, error) { return posted(c, true) }

func posted(c *gin.Context, canBeNew bool) (*Form, int64, error) {
	f, err := readForm(c)
	if err != nil {
		return nil, 0, err
	}
	id, err := idOf(c, canBeNew)
	return f, id, err
}
