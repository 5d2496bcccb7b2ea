package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
)

// reveal shows the page with the phone number as it is, once: nothing keeps it but the page.
func (con *Console) reveal(c *gin.Context) error {
	f, id, err := con.about(c, "reveal")
	if err != nil {
		return err
	}
	ctx := con.app.Operators.Audited(c.Request.Context(), web.Actor(c.Request.Context()), "member.phone.reveal", func(any) operator.Change {
		return operator.Change{Object: fmt.Sprintf("member:%d", id), After: map[string]any{"reason": f.Get("reason")}}
	})
	number, err := "", error(errs.Field("reason", "console.required"))
	if f.Get("reason") != "" {
		number, err = con.app.Members.Reveal(ctx, id)
	}
	if err != nil {
		return con.finish(c, f, "", err, func(status int, f *Form) error { return con.showMember(c, status, forms{f.Name: f}) })
	}
	return con.pageOf(c, http.StatusOK, forms{}, number)
}

// unmerge parts the one whom the form names from this member.
func (con *Console) unmerge(c *gin.Context) error {
	f, id, err := con.about(c, "unmerge")
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "member.unmerge",
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("member:%d", answer), Before: map[string]any{"merged_into": fmt.Sprint(id)}, After: map[string]any{"merged_into": nil}}
		},
		do: func() (string, error) {
			loser, err := f.Number("loser")
			if err != nil {
				return "", err
			}
			_, err = con.app.Members.UndoMerge(c.Request.Context(), loser)
			return done(fmt.Sprintf("%s/members/%d", root, loser), "saved"), err
		},
		again: func(status int, f *Form) error { return con.showMember(c, status, forms{f.Name: f}) },
	})
}

// erase forgets the member whose number was typed in.
func (con *Console) erase(c *gin.Context) error {
	f, id, err := con.about(c, "erase")
	if err != nil {
		return err
	}
	m, err := con.app.Members.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "member.erase",
		of: func(any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("member:%d", m.ID), Before: map[string]any{"no": m.No}, After: map[string]any{"reason": f.Get("reason")}}
		},
		do: func() (string, error) {
			if f.Get("no") != m.No {
				return "", errs.Field("no", "member.erase_number")
			}
			return done(root+"/members", "saved"), con.app.Members.Erase(c.Request.Context(), m.ID)
		},
		again: func(status int, f *Form) error { return con.showMember(c, status, forms{f.Name: f}) },
	})
}

// about reads a form of the member's page.
func (con *Console) about(c *gin.Context, name string) (*Form, int64, error) {
	f, id, err := postedTo(c)
	if err == nil {
		f.Name = name
	}
	return f, id, err
}

func (con *Console) fillMerges(c *gin.Context, v *memberView, _ report.Why) (err error) {
	v.Merges, err = con.app.Members.Merges(c.Request.Context(), v.Member.ID)
	return err
}
