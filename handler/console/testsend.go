package console

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/model"
)

// tester sends what is behind a page to members to try it; which of its messages is chosen in the form.
type tester func(ctx context.Context, id int64, which string, members []int64) (*model.Run, error)

// testSend sends to named members: their numbers are typed.
func (con *Console) testSend(c *gin.Context, kind, which string, send tester, again func(status int, id int64, f *Form) error) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: kind + ".test",
		of: func(answer any) operator.Change {
			r := answer.(model.Run)
			return operator.Change{Object: fmt.Sprintf("%s:%d", kind, id), After: map[string]any{"run_id": fmt.Sprint(r.ID), which: f.Get(which), "members": f.Get("members")}}
		},
		do: func() (string, error) {
			ctx := c.Request.Context()
			var ids []int64
			for _, no := range numbersIn(f.Get("members")) {
				m, err := con.app.Members.Find(ctx, member.Ref{No: no})
				if err != nil {
					return "", errs.AtField(err, "members")
				}
				ids = append(ids, m.ID)
			}
			run, err := send(ctx, id, f.Get(which), ids)
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/runs/%d", root, run.ID), "started"), nil
		},
		again: func(status int, f *Form) error { return again(status, id, f) },
	})
}

// numbersIn are the numbers of members in a line, whatever stands between them.
func numbersIn(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",，、;；", r) })
}
