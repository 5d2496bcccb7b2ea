package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/gift"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type giftsView struct {
	Frame
	Rows []giftLine
	Next string
}

type giftLine struct {
	model.Gift
	Label string // of the account
	Says  string // whom it is for
}

func (con *Console) gifts(c *gin.Context) error {
	v := giftsView{Frame: con.frame(c, "gifts")}
	rows, err := con.app.Gifts.List(c.Request.Context(), after(c), perPage+1)
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	for _, g := range rows {
		line, err := con.giftLine(c, g)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, line)
	}
	web.Page(c, http.StatusOK, "console/gifts", v)
	return nil
}

func (con *Console) giftLine(c *gin.Context, g model.Gift) (line giftLine, err error) {
	ctx := c.Request.Context()
	labels, err := con.accountLabels(c)
	if err != nil {
		return line, err
	}
	t, err := con.app.Conditions.Parse(g.Condition)
	if err != nil {
		return line, err
	}
	line = giftLine{Gift: g, Label: labels[g.Account]}
	line.Says, err = con.app.Conditions.Sentence(ctx, con.app.DB.Reader(ctx), web.Lang(ctx), t)
	return line, err
}

type giftView struct {
	Frame
	ID        int64
	Form      *Form
	Saved     *giftLine // nil: a new one
	Runs      []giftRun
	Running   bool
	Accounts  []choice
	Audiences []choice
	Tags      []tagGroup
	Leaves    []string
	Audience  string // how many it would go to, to be confirmed; "" = nobody asked
	Total     int64
}

// giftRun is a giving and how far it is.
type giftRun struct {
	model.GiftRun
	Work *model.Work
	gift.Result
}

// Sum is how much was given so far.
func (r giftRun) Sum() int64 { return r.Given * r.Amount }

// shownRuns is how many givings of a gift the page shows.
const shownRuns = 20

func (con *Console) gift(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{
		"account": {model.AccountPoints}, "enabled": {"on"}, "when": {whenOnce}, "cron": {"0 9 1 * *"}, "shape": {shapeTags}, "match": {"all"}, "joined": {"on"},
	}
	if id != 0 {
		g, err := con.app.Gifts.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = url.Values{
			"name": {g.Name}, "account": {g.Account}, "amount": {strconv.FormatInt(g.Amount, 10)}, "memo": {g.Memo}, "cron": {g.Cron}, "when": {whenCron},
		}
		if g.Enabled {
			values.Set("enabled", "on")
		}
		writeCrowd(values, g.Condition)
	}
	return con.showGift(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showGift(c *gin.Context, status int, id int64, f *Form) (err error) {
	ctx := c.Request.Context()
	v := giftView{Frame: con.frame(c, "gift"), ID: id, Form: f, Leaves: con.app.Conditions.Names(), Audience: f.Get(askedField)}
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Audiences, err = con.audienceChoices(c); err != nil {
		return err
	}
	if v.Audience != "" {
		people, _ := f.ID(askedField)
		each, _ := f.ID("amount")
		v.Total = people * each
	}
	if id != 0 {
		g, err := con.app.Gifts.Get(ctx, id)
		if err != nil {
			return err
		}
		line, err := con.giftLine(c, *g)
		if err != nil {
			return err
		}
		v.Saved = &line
		if v.Runs, err = con.giftRuns(c, id); err != nil {
			return err
		}
		for _, r := range v.Runs {
			v.Running = v.Running || r.Work.State == model.WorkRunning
		}
	}
	web.Page(c, status, "console/gift", v)
	return nil
}

func (con *Console) giftRuns(c *gin.Context, id int64) (out []giftRun, err error) {
	runs, err := con.app.Gifts.Runs(c.Request.Context(), id, shownRuns)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		line := giftRun{GiftRun: r}
		if line.Work, err = con.app.Works.Get(c.Request.Context(), r.WorkID); err != nil {
			return nil, err
		}
		if err := line.Work.Result.Into(&line.Result); err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	return out, nil
}

// askedField is how many people the page asks the operator to confirm.
const askedField = "_audience"

func (con *Console) readGift(f *Form, id int64) (in gift.Input, err error) {
	r := &reader{f: f, zone: con.app.Zone}
	in = gift.Input{
		ID: id, Name: f.Get("name"), Account: f.Get("account"), Amount: r.number("amount"), Memo: f.Get("memo"), Enabled: f.On("enabled"),
		Confirm: r.limit("confirm"),
	}
	if r.err != nil {
		return in, r.err
	}
	if id != 0 || f.Get("when") == whenCron {
		if in.Cron = f.Get("cron"); in.Cron == "" {
			return in, errs.Field("cron", "console.required")
		}
	}
	raw, err := readCrowd(f)
	if err != nil {
		return in, err
	}
	in.Condition, err = con.app.Conditions.Parse(raw)
	return in, err
}

// saveGift gives to everybody who meets the condition, or makes or changes a benefit, once the number of people was confirmed.
func (con *Console) saveGift(c *gin.Context) error {
	return save(con, c, saving[gift.Given]{
		kind:  "gift",
		get:   func(id int64) (any, error) { return con.app.Gifts.Get(c.Request.Context(), id) },
		facts: func(g gift.Given) (int64, any) { return g.ID, g },
		do: func(f *Form, id int64) (string, error) {
			in, err := con.readGift(f, id)
			if err != nil {
				return "", err
			}
			in.Actor = web.Actor(c.Request.Context())
			g, err := con.app.Gifts.Save(c.Request.Context(), in)
			var e *errs.Error
			if errors.As(err, &e) && e.Key == "gift.confirm" {
				f.Set(askedField, fmt.Sprint(e.Args["audience"]))
			}
			if err != nil {
				return "", err
			}
			what := "saved"
			if g.Run != nil {
				what = "gift_started"
			}
			return done(fmt.Sprintf("%s/gifts/%d", root, g.ID), what), nil
		},
		again: func(status int, id int64, f *Form) error {
			if f.Get(askedField) != "" {
				f.Error = "" // it is a question, not a refusal
			}
			return con.showGift(c, status, id, f)
		},
	})
}
