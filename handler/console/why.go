package console

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type whyView struct {
	Frame
	Traced *reward.Traced // nil: nothing was asked yet
	Kind   string
	Form   *Form
	Events []choice
	Trial  bool
}

// why shows why an event earned what it did.
func (con *Console) why(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	t, err := con.app.Rewards.Explain(c.Request.Context(), id, 0)
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/why", whyView{Frame: con.frame(c, "why"), Traced: t, Kind: event.KindName(web.Lang(c.Request.Context()), t.Event.Kind)})
	return nil
}

// try says what the rules would give for an event that has not happened. It writes nothing, so it is a GET.
func (con *Console) try(c *gin.Context) error {
	f := newForm(c.Request.URL.Query())
	v := whyView{Frame: con.frame(c, "try"), Form: f, Events: con.eventChoices(c), Trial: true}
	status := http.StatusOK
	if f.Get("member_id") != "" {
		var err error
		if v.Traced, err = con.tried(c, f); err != nil {
			var e *errs.Error
			if !errors.As(err, &e) {
				return err
			}
			f.refuse(c, e)
			status = web.Status(err)
		} else {
			v.Kind = event.KindName(web.Lang(c.Request.Context()), v.Traced.Event.Kind)
		}
	}
	web.Page(c, status, "console/why", v)
	return nil
}

func (con *Console) tried(c *gin.Context, f *Form) (*reward.Traced, error) {
	id, err := f.ID("member_id")
	if err != nil {
		return nil, err
	}
	at, err := f.Time("at", con.app.Zone)
	if err != nil {
		return nil, err
	}
	t := reward.Trial{MemberID: id, Kind: f.Get("kind"), Data: model.JSON(f.Get("data"))}
	if len(t.Data) == 0 {
		t.Data = model.JSON("{}")
	}
	if condition.DataFields(t.Data) == nil {
		return nil, errs.Field("data", "console.json")
	}
	if at != nil {
		t.At = *at
	}
	return con.app.Rewards.Try(c.Request.Context(), t)
}

// Leaves are the facts of a rule's condition, from left to right.
func (whyView) Leaves(t condition.Trace) []condition.Trace {
	if t.Leaf != "" {
		return []condition.Trace{t}
	}
	var out []condition.Trace
	for _, kid := range t.Children {
		out = append(out, whyView{}.Leaves(kid)...)
	}
	return out
}

// Text is a value that a leaf saw.
func (whyView) Text(v any) string { return string(model.ToJSON(v)) }
