package console

import (
	"cmp"
	"maps"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// sopLook is what the form of a SOP would do, saved or not.
type sopLook struct {
	Steps     []shownStep
	Who       *model.Member // for whom it is rehearsed; nil: nobody is named
	Rehearsed []rehearsedLine
	Error     string // why it is not rehearsed
}

// shownStep is the message of a step as the member sees it.
type shownStep struct {
	N       int
	Key     string
	Screens []reach.Shown
}

type rehearsedLine struct {
	sop.Rehearsed
	Why string
}

// lookSOP is the page with what is typed, shown and rehearsed, and not saved.
func (con *Console) lookSOP(c *gin.Context) error {
	f, id, err := typedIn(c)
	if err != nil {
		return err
	}
	return con.showSOP(c, http.StatusOK, id, f)
}

// rehearsalDays is how far a rehearsal looks where no end is named.
const rehearsalDays = 30

// lookAtSOP shows the messages of the form, and rehearses it for the member who is named there. What is wrong stands in the look alone.
func (con *Console) lookAtSOP(c *gin.Context, id int64, typed *Form) (*sopLook, error) {
	f, look := newForm(maps.Clone(typed.Values)), &sopLook{}
	to := reach.Reader{Nickname: con.t(c, "console.preview_nickname"), No: "M1024", Points: 128}
	err := con.rehearse(c, id, f, look)
	if e := asRefusal(err); e != nil {
		f.refuse(c, e)
		look.Error = f.Error
	} else if err != nil {
		return nil, err
	}
	if m := look.Who; m != nil {
		points, err := con.app.Book.PointsOf(c.Request.Context(), con.app.DB.Reader(c.Request.Context()), []int64{m.ID})
		if err != nil {
			return nil, err
		}
		to = reach.Reader{Nickname: m.Nickname, No: m.No, Points: points[m.ID]}
	}
	for i := range stepsOf(f) {
		at := stepAt(i)
		if cmp.Or(f.Get(at+"kind"), stepSend) != stepSend {
			continue
		}
		m, err := con.readMessage(f, at, "message")
		if err != nil { // half typed: saving says what is missing
			continue
		}
		class := cmp.Or(f.Get(at+"class"), f.Get("class"), model.ClassMarketing)
		look.Steps = append(look.Steps, shownStep{i + 1, f.Get(at + "key"), con.app.Reach.Show(class, m, to)})
	}
	return look, nil
}

// rehearse rehearses the form for the member who is named in it.
func (con *Console) rehearse(c *gin.Context, id int64, f *Form, look *sopLook) (err error) {
	no := strings.TrimSpace(f.Get("try.no"))
	if no == "" {
		return nil
	}
	ctx := c.Request.Context()
	if look.Who, err = con.app.Members.Find(ctx, member.Ref{No: no}); err != nil {
		return errs.AtField(err, "try.no")
	}
	today := con.app.Zone.DayOf(con.app.Clock.Now())
	var days [2]model.Day
	for i, name := range []string{"try.from", "try.to"} {
		days[i] = today.Add(i * rehearsalDays)
		if f.Get(name) == "" {
			continue
		}
		if days[i], err = model.ParseDay(f.Get(name)); err != nil {
			return errs.Field(name, "web.invalid")
		}
	}
	d, err := con.readSOP(f)
	if err != nil {
		return err
	}
	rows, err := con.app.SOPs.RehearseDraft(ctx, look.Who.ID, con.app.Zone.Start(days[0]), con.app.Zone.End(days[1]), id, d)
	for _, r := range rows {
		line := rehearsedLine{Rehearsed: r}
		if r.Reason != "" {
			line.Why = con.reasonName(c, r.Reason, r.Detail)
		}
		look.Rehearsed = append(look.Rehearsed, line)
	}
	return err
}
