package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type grantsView struct {
	Frame
	Rows []grantLine
	All  bool
	Next string
	Form *Form
}

type grantLine struct {
	model.GrantRequest
	Asked, Decided string // the operators
	Own            bool   // asked by who looks: another one decides
}

func (con *Console) grants(c *gin.Context) error {
	return con.showGrants(c, http.StatusOK, newForm(nil))
}

func (con *Console) showGrants(c *gin.Context, status int, f *Form) error {
	ctx := c.Request.Context()
	v := grantsView{Frame: con.frame(c, "grants"), All: c.Query("all") != "", Form: f}
	v.Here = root + "/grants"
	rows, err := con.app.Book.Requests(ctx, v.All, after(c), perPage+1)
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	names, err := con.report.Actors(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		v.Rows = append(v.Rows, grantLine{r, named(names, r.RequestedBy), named(names, r.DecidedBy), r.RequestedBy == web.Actor(ctx)})
	}
	web.Page(c, status, "console/grants", v)
	return nil
}

// named is the name of who did something, or what the log calls him.
func named(names map[string]string, actor string) string {
	if n := names[actor]; n != "" {
		return n
	}
	return actor
}

// decideGrant approves or rejects the grant of another operator.
func (con *Console) decideGrant(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.Book.Request(c.Request.Context(), id)
	if err != nil {
		return err
	}
	approve := f.Get("do") == "approve"
	return con.write(c, f, change{
		action: map[bool]string{true: "grant.approve", false: "grant.reject"}[approve],
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("member:%d", old.MemberID), Before: old, After: answer}
		},
		do: func() (string, error) {
			ctx := c.Request.Context()
			_, err := con.app.Book.Decide(ctx, id, approve, web.Actor(ctx))
			return done(root+"/grants", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showGrants(c, status, f) },
	})
}

// undoAdjust writes the opposite of a line that was written by hand.
func (con *Console) undoAdjust(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	f.Name = "points"
	return con.write(c, f, change{
		action: "points.undo",
		of: func(answer any) operator.Change {
			e := answer.(*model.Entry)
			return operator.Change{
				Object: fmt.Sprintf("member:%d", e.MemberID), Before: map[string]any{"account": e.Account, "balance": e.Balance - e.Delta},
				After: map[string]any{"account": e.Account, "balance": e.Balance, "amount": e.Delta, "memo": e.Memo, "entry_id": fmt.Sprint(e.ID)},
			}
		},
		do: func() (string, error) {
			entryID, err := f.ID("entry")
			if err != nil {
				return "", err
			}
			ctx := c.Request.Context()
			_, err = con.app.Book.Undo(ctx, ledger.Undo{EntryID: entryID, Memo: f.Get("memo"), Actor: web.Actor(ctx)})
			return done(fmt.Sprintf("%s/members/%d", root, id), "adjusted"), err
		},
		again: func(status int, f *Form) error {
			f.Del("memo") // that of the undoing is not the adjustment's
			return con.showMember(c, status, forms{"points": f})
		},
	})
}
