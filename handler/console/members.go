package console

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type membersView struct {
	Frame
	Search, Tag, Joined string
	Tags                []tagGroup
	Rows                []memberLine
	Next                string
}

type memberLine struct {
	model.Member
	*report.Line
	Phone   string
	Channel string
}

func (con *Console) members(c *gin.Context) error {
	ctx := c.Request.Context()
	v := membersView{Frame: con.frame(c, "members"), Search: c.Query("q"), Tag: c.Query("tag"), Joined: c.Query("joined")}
	q := member.Query{Search: v.Search, AfterID: after(c), Limit: perPage + 1}
	q.TagID, _ = strconv.ParseInt(v.Tag, 10, 64) // what is no tag filters nothing
	if v.Joined == "yes" || v.Joined == "no" {
		joined := v.Joined == "yes"
		q.Joined = &joined
	}
	rows, err := con.app.Members.List(ctx, q)
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	if v.Rows, err = con.memberLines(c, rows); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/members", v)
	return nil
}

func (con *Console) memberLines(c *gin.Context, rows []model.Member) ([]memberLine, error) {
	ids := make([]int64, len(rows))
	for i, m := range rows {
		ids[i] = m.ID
	}
	lines, err := con.report.Lines(c.Request.Context(), ids)
	if err != nil {
		return nil, err
	}
	why, err := con.report.Causes(c.Request.Context())
	if err != nil {
		return nil, err
	}
	out := make([]memberLine, len(rows))
	for i, m := range rows {
		out[i] = memberLine{Member: m, Line: lines[m.ID], Phone: con.app.Members.Phone(&rows[i]), Channel: why.Name(model.CauseChannel, m.FirstChannel)}
	}
	return out, nil
}

// tagGroup is a group with its tags.
type tagGroup struct {
	model.TagGroup
	Tags []tag.View
}

// tagGroups are all groups with their tags.
func (con *Console) tagGroups(c *gin.Context) ([]tagGroup, error) {
	groups, err := con.app.Tags.Groups(c.Request.Context())
	if err != nil {
		return nil, err
	}
	tags, err := con.app.Tags.List(c.Request.Context())
	if err != nil {
		return nil, err
	}
	out := make([]tagGroup, len(groups))
	for i, g := range groups {
		out[i].TagGroup = g
		for _, t := range tags {
			if t.GroupID == g.ID {
				out[i].Tags = append(out[i].Tags, t)
			}
		}
	}
	return out, nil
}
