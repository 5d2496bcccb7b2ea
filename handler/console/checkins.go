package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type checkinsView struct {
	Frame
	Form  *Form
	Rules []checkinRule // what a check-in earns
}

type checkinRule struct {
	ID       int64
	Name     string
	Sentence string
}

func (con *Console) checkins(c *gin.Context) error {
	s, err := con.app.Checkins.Settings(c.Request.Context())
	if err != nil {
		return err
	}
	return con.showCheckins(c, http.StatusOK, newForm(url.Values{
		"makeup_limit": {strconv.Itoa(s.MakeupLimit)}, "makeup_reach": {strconv.Itoa(s.MakeupReach)}, "makeup_price": {strconv.FormatInt(s.MakeupPrice, 10)},
	}))
}

func (con *Console) showCheckins(c *gin.Context, status int, f *Form) error {
	v := checkinsView{Frame: con.frame(c, "checkins"), Form: f}
	rules, err := con.app.Rewards.List(c.Request.Context(), web.Lang(c.Request.Context()))
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Enabled && (r.Trigger == model.EventCheckin || r.Trigger == model.EventMakeup) {
			v.Rules = append(v.Rules, checkinRule{r.ID, r.Name, r.Sentence})
		}
	}
	web.Page(c, status, "console/checkins", v)
	return nil
}

func (con *Console) saveCheckins(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	before, err := con.app.Checkins.Settings(c.Request.Context())
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "checkin.settings",
		of: func(answer any) operator.Change {
			return operator.Change{Object: "checkin:settings", Before: before, After: answer}
		},
		do: func() (string, error) {
			var n [3]int64
			for i, field := range []string{"makeup_limit", "makeup_reach", "makeup_price"} {
				if n[i], err = f.Number(field); err != nil {
					return "", err
				}
			}
			_, err := con.app.Checkins.SaveSettings(c.Request.Context(), model.CheckinSettings{MakeupLimit: int(n[0]), MakeupReach: int(n[1]), MakeupPrice: n[2]})
			return done(root+"/checkins", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showCheckins(c, status, f) },
	})
}
