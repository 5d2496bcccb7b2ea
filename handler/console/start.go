package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/templates"
)

type startView struct {
	Frame
	Form     *Form
	Begun    *app.Begun // nil: nothing is chosen yet
	Name     string     // of what was begun
	Starters []starterCard
}

// starterCard is a template in words.
type starterCard struct {
	app.Starter
	Name, About, Offer, Tiers, Drafts string
}

func (con *Console) start(c *gin.Context) error { return con.showStart(c, http.StatusOK, newForm(nil)) }

func (con *Console) showStart(c *gin.Context, status int, f *Form) (err error) {
	ctx, lang := c.Request.Context(), web.Lang(c.Request.Context())
	v := startView{Frame: con.frame(c, "start"), Form: f}
	if v.Begun, err = con.app.Begun(ctx); err != nil {
		return err
	}
	if v.Begun != nil {
		v.Name = templates.T(lang, "starter."+v.Begun.Starter.Code+".name", nil)
	}
	sops := con.app.SOPs.Templates(ctx, lang, nil)
	for _, s := range app.Starters {
		say := func(key string) string { return templates.T(lang, "starter."+s.Code+"."+key, nil) }
		card := starterCard{Starter: s, Name: say("name"), About: say("about"), Offer: s.Coupon(lang)}
		var tiers, drafts []string
		for i := range s.Growth {
			tiers = append(tiers, say("tier"+string(rune('1'+i))))
		}
		for _, t := range sops {
			if slices.Contains(s.SOPs, t.Code) {
				drafts = append(drafts, t.Definition.Name)
			}
		}
		card.Tiers, card.Drafts = strings.Join(tiers, " → "), strings.Join(drafts, " · ")
		v.Starters = append(v.Starters, card)
	}
	web.Page(c, status, "console/start", v)
	return nil
}

// begin makes what the chosen template holds. Each thing has its own line in the audit log.
func (con *Console) begin(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	return con.write(c, f, change{
		do: func() (string, error) {
			return done(root+"/start", "saved"), con.app.Begin(ctx, f.Get("starter"), web.Lang(ctx), web.Actor(ctx))
		},
		again: func(status int, f *Form) error { return con.showStart(c, status, f) },
	})
}
