package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type membersView struct {
	Frame
	Search, Tag, Joined string
	Did, Day            string // of a number of the board; "" = everybody
	Tags                []tagGroup
	Columns             map[string]bool
	Rows                []memberLine
	Total               int64
	Next                string
}

type memberLine struct {
	model.Member
	*report.Line
	Phone   string
	Channel string
	Points  int64 // usable now
}

// memberColumns are what the list can show of each beside his name, and memberUsual those that it shows unless one chose.
var (
	memberColumns = []string{"phone", "status", "channel", "tags", "points", "joined", "active"}
	memberUsual   = []string{"phone", "status", "channel", "tags", "active"}
)

// MemberColumns are all columns.
func (membersView) MemberColumns() []string { return memberColumns }

// columnsCookie keeps which columns the operator chose, in his browser.
const columnsCookie = "siyu_columns"

// chosenColumns are those that were chosen with this look at the list, else before.
func chosenColumns(c *gin.Context) map[string]bool {
	chosen := memberUsual
	if kept, err := c.Cookie(columnsCookie); err == nil {
		chosen = strings.Split(kept, ".")
	}
	if c.Query("columns") != "" {
		chosen = c.QueryArray("column")
		setCookie(c, columnsCookie, strings.Join(chosen, "."), languageYears)
	}
	show := map[string]bool{}
	for _, column := range memberColumns {
		show[column] = slices.Contains(chosen, column)
	}
	return show
}

func (con *Console) members(c *gin.Context) error {
	ctx := c.Request.Context()
	v := membersView{
		Frame: con.frame(c, "members"), Search: strings.TrimSpace(c.Query("q")), Tag: c.Query("tag"), Joined: c.Query("joined"), Columns: chosenColumns(c),
	}
	q := audience.Wanted{Search: v.Search, AfterID: after(c), Limit: perPage + 1}
	q.TagID, _ = strconv.ParseInt(v.Tag, 10, 64) // what is no tag filters nothing
	if v.Joined == "yes" || v.Joined == "no" {
		joined := v.Joined == "yes"
		q.Joined = &joined
	}
	if did := c.Query("did"); slices.Contains(report.BoardDids, did) { // likewise what is no number of the board, or no day
		among, err := con.report.Who(ctx, did, model.Day(c.Query("day")))
		if err != nil && errs.CodeOf(err) != errs.Invalid {
			return err
		}
		if err == nil {
			v.Did, v.Day, q.Among = did, c.Query("day"), among
		}
	}
	rows, total, err := con.app.Audience.People(ctx, q)
	if err != nil {
		return err
	}
	if v.Total = total; len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	if v.Rows, err = con.memberLines(c, rows); err != nil {
		return err
	}
	if v.Columns["points"] {
		if err := con.addPoints(c, v.Rows); err != nil {
			return err
		}
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

// addPoints says what each can use.
func (con *Console) addPoints(c *gin.Context, lines []memberLine) error {
	ids := make([]int64, len(lines))
	for i, l := range lines {
		ids[i] = l.ID
	}
	usable, err := con.app.Book.UsableTx(con.app.DB.Reader(c.Request.Context()), model.AccountPoints, ids, con.app.Clock.Now())
	for i, l := range lines {
		lines[i].Points = usable[l.ID].Available
	}
	return err
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
