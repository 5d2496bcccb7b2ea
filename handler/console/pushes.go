package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/inbox"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type pushesView struct {
	Frame
	State  string
	States []string
	Rows   []model.Inbox
	Next   string
	Form   *Form
}

func (con *Console) pushes(c *gin.Context) error {
	return con.showPushes(c, http.StatusOK, newForm(nil))
}

func (con *Console) showPushes(c *gin.Context, status int, f *Form) (err error) {
	v := pushesView{
		Frame: con.frame(c, "pushes"), State: c.Query("state"), Form: f,
		States: []string{model.InboxFailed, model.InboxPending, model.InboxRefused, model.InboxUnknown, model.InboxDone},
	}
	if status != http.StatusOK {
		v.Here = root + "/pushes"
	}
	if v.Rows, err = con.app.Inbox.List(c.Request.Context(), inbox.Query{State: v.State, AfterID: after(c), Limit: perPage + 1}); err != nil {
		return err
	}
	if len(v.Rows) > perPage {
		v.Rows = v.Rows[:perPage]
		v.Next = nextPage(c, v.Rows[perPage-1].ID)
	}
	web.Page(c, status, "console/pushes", v)
	return nil
}

// replayPush runs a failed push again. What comes of it stands on its row.
func (con *Console) replayPush(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	row, err := con.app.Inbox.Replay(c.Request.Context(), id)
	if err == nil {
		err = con.note(c, "inbox.replay", fmt.Sprintf("inbox:%d", id), map[string]any{"state": model.InboxFailed}, map[string]any{"state": row.State, "error": row.Error})
	}
	if err == nil && row.State == model.InboxFailed {
		err = errs.New(errs.Conflict, "console.failed_again", "error", row.Error)
	}
	return con.finish(c, f, done(root+"/pushes", "replayed"), err, func(status int, f *Form) error { return con.showPushes(c, status, f) })
}
