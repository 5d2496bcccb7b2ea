package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type tagsView struct {
	Frame
	Groups []tagGroup
	Form   *Form
}

func (con *Console) tags(c *gin.Context) error {
	return con.showTags(c, http.StatusOK, newForm(nil))
}

func (con *Console) showTags(c *gin.Context, status int, f *Form) (err error) {
	v := tagsView{Frame: con.frame(c, "tags"), Form: f}
	v.Here = root + "/tags"
	if v.Groups, err = con.tagGroups(c); err != nil {
		return err
	}
	web.Page(c, status, "console/tags", v)
	return nil
}

func (con *Console) createTag(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	f.Name = "tag"
	return con.write(c, f, change{
		action: "tag.create",
		of: func(answer any) operator.Change {
			t := answer.(model.Tag)
			return operator.Change{Object: fmt.Sprintf("tag:%d", t.ID), After: map[string]any{"name": t.Name, "group_id": fmt.Sprint(t.GroupID)}}
		},
		do: func() (string, error) {
			group, err := f.ID("group_id")
			if err != nil {
				return "", err
			}
			_, err = con.app.Tags.Create(c.Request.Context(), group, f.Get("name"))
			return done(root+"/tags", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showTags(c, status, f) },
	})
}

func (con *Console) createGroup(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	f.Name = "group"
	return con.write(c, f, change{
		action: "tag_group.create",
		of: func(answer any) operator.Change {
			g := answer.(model.TagGroup)
			return operator.Change{Object: fmt.Sprintf("tag_group:%d", g.ID), After: map[string]any{"name": g.Name, "code": g.Code, "exclusive": g.Exclusive}}
		},
		do: func() (string, error) {
			_, err := con.app.Tags.CreateGroup(c.Request.Context(), model.TagGroup{
				Name: f.Get("name"), Code: f.Get("code"), Exclusive: f.On("exclusive"), Position: 100,
			})
			return done(root+"/tags", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showTags(c, status, f) },
	})
}
