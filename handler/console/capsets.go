package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

type capSetsView struct {
	Frame
	Rows     []capSetLine
	Combines []string
	Setting  *Form
	Changes  []auditLine // of the setting
}

type capSetLine struct {
	reward.CapSet
	Words string // what it counts
}

func (con *Console) capSets(c *gin.Context) error {
	s, err := con.app.Rewards.Setting(c.Request.Context())
	if err != nil {
		return err
	}
	return con.showCapSets(c, http.StatusOK, newForm(url.Values{"combine": {s.Combine}, "max_factor": {s.MaxFactor}}))
}

// showCapSets is the page of what binds several rules: the cap sets, and how multipliers combine.
func (con *Console) showCapSets(c *gin.Context, status int, setting *Form) error {
	v := capSetsView{Frame: con.frame(c, "cap_sets"), Combines: []string{model.CombineMax, model.CombineAdd, model.CombineMultiply}, Setting: setting}
	v.Here = root + "/rules/sets"
	sets, err := con.app.Rewards.CapSets(c.Request.Context())
	if err != nil {
		return err
	}
	for _, s := range sets {
		words, err := con.capWords(c, s.CapSet)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, capSetLine{s, words})
	}
	if v.Changes, err = con.changesOf(c, v.Frame, "rule:setting"); err != nil {
		return err
	}
	web.Page(c, status, "console/cap_sets", v)
	return nil
}

// capWords says what a set allows.
func (con *Console) capWords(c *gin.Context, s model.CapSet) (string, error) {
	labels, err := con.accountLabels(c)
	key, args := "rule.cap.times", map[string]any{"period": con.t(c, "period."+s.Period), "n": s.Times}
	if s.Times == 0 {
		key, args["n"], args["account"] = "rule.cap.amount", s.Amount, labels[s.Account]
	}
	return templates.T(web.Lang(c.Request.Context()), key, args), err
}

type capSetView struct {
	Frame
	ID       int64
	Form     *Form
	Saved    *reward.CapSet // nil: a new one
	Periods  []reward.Period
	Accounts []choice
}

func (con *Console) capSet(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{}
	if id != 0 {
		s, err := con.app.Rewards.CapSet(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = writeCapSet(s)
	}
	return con.showCapSet(c, http.StatusOK, id, newForm(values))
}

func writeCapSet(s *reward.CapSet) url.Values {
	return url.Values{"name": {s.Name}, "code": {s.Code}, "period": {s.Period}, "account": {s.Account}, "limit": {fmt.Sprint(s.Times + s.Amount)}}
}

func (con *Console) showCapSet(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := capSetView{Frame: con.frame(c, "cap_set"), ID: id, Form: f, Periods: reward.Periods}
	if id != 0 {
		v.Here = fmt.Sprintf("%s/rules/sets/%d", root, id)
		if v.Saved, err = con.app.Rewards.CapSet(c.Request.Context(), id); err != nil {
			return err
		}
	}
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	web.Page(c, status, "console/cap_set", v)
	return nil
}

func (con *Console) saveCapSet(c *gin.Context) error {
	return save(con, c, saving[model.CapSet]{
		kind: "cap_set",
		get: func(id int64) (any, error) {
			s, err := con.app.Rewards.CapSet(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return s.CapSet, nil
		},
		facts: func(s model.CapSet) (int64, any) { return s.ID, s },
		do: func(f *Form, id int64) (string, error) {
			n, err := f.Number("limit")
			if err != nil {
				return "", err
			}
			f.from("times", "limit")
			s := model.CapSet{ID: id, Code: f.Get("code"), Name: f.Get("name"), Period: f.Get("period"), Times: n}
			if account := f.Get("account"); account != "" {
				s.Times, s.Account, s.Amount = 0, account, n
				f.from("account", "limit")
			}
			_, err = con.app.Rewards.SaveCapSet(c.Request.Context(), s)
			return done(root+"/rules/sets", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showCapSet(c, status, id, f) },
	})
}

func (con *Console) deleteCapSet(c *gin.Context) error {
	var old *reward.CapSet
	return con.remove(c, removing{
		kind: "cap_set", list: "/rules/sets",
		old: func(ctx context.Context, id int64) (_ any, err error) {
			if old, err = con.app.Rewards.CapSet(ctx, id); err != nil {
				return nil, err
			}
			return old.CapSet, nil
		},
		do: con.app.Rewards.DeleteCapSet,
		again: func(status int, id int64, f *Form) error {
			return con.showCapSet(c, status, id, refused(writeCapSet(old), f))
		},
	})
}

// saveSetting changes how multipliers combine.
func (con *Console) saveSetting(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	old, err := con.app.Rewards.Setting(c.Request.Context())
	if err != nil {
		return err
	}
	facts := func(s model.RewardSetting) any {
		return map[string]any{"combine": s.Combine, "max_factor": s.MaxFactor}
	}
	return con.write(c, f, change{
		action: "rule.setting",
		of: func(answer any) operator.Change {
			return operator.Change{Object: "rule:setting", Before: facts(*old), After: facts(answer.(model.RewardSetting))}
		},
		do: func() (string, error) {
			_, err := con.app.Rewards.SaveSetting(c.Request.Context(), f.Get("combine"), f.Get("max_factor"))
			return done(root+"/rules/sets", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showCapSets(c, status, f) },
	})
}
