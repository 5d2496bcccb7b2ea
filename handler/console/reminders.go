package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type remindersView struct {
	Frame
	Rows []reminderLine
}

type reminderLine struct {
	model.Reminder
	After string // name of the event
}

func (con *Console) reminders(c *gin.Context) error {
	v := remindersView{Frame: con.frame(c, "reminders")}
	rows, err := con.app.Reminders.List(c.Request.Context())
	if err != nil {
		return err
	}
	for _, r := range rows {
		v.Rows = append(v.Rows, reminderLine{r, event.KindName(web.Lang(c.Request.Context()), r.Event)})
	}
	web.Page(c, http.StatusOK, "console/reminders", v)
	return nil
}

type reminderView struct {
	Frame
	ID        int64
	Form      *Form
	Kinds     []string
	Variables map[string]string // of a kind, as an operator types them
	Accounts  []choice
	Events    []choice // kinds
	Audiences []choice
	Tags      []tagGroup
	Leaves    []string
	Message   messageView
}

func (con *Console) reminder(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "kind": {model.ReminderSpend}, "streak.days": {"3"}, "spend.at_least": {"100"}, "expiring.days": {"7"}, "coupon.days": {"3"}, "streak.cron": {"0 20 * * *"}, "spend.cron": {"0 10 25 * *"}, "expiring.cron": {"0 10 * * *"}, "coupon.cron": {"0 10 * * *"}, "event.event": {model.EventTierUp}, "shape": {shapeTags}, "match": {"all"}}
	if id != 0 {
		r, err := con.app.Reminders.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		if values, err = writeReminder(r); err != nil {
			return err
		}
	}
	return con.showReminder(c, http.StatusOK, id, newForm(values))
}

func writeReminder(r *model.Reminder) (url.Values, error) {
	m, err := reminder.Message(r)
	if err != nil {
		return nil, err
	}
	v := url.Values{"kind": {r.Kind}, "name": {r.Name}}
	v.Set(r.Kind+".cron", r.Cron)
	v.Set(r.Kind+".event", r.Event)
	v.Set(r.Kind+".days", strconv.Itoa(r.Days))
	v.Set(r.Kind+".account", r.Account)
	v.Set(r.Kind+".at_least", strconv.FormatInt(r.AtLeast, 10))
	if r.Enabled {
		v.Set("enabled", "on")
	}
	writeMessage(v, "", m)
	writeCrowd(v, r.Condition)
	return v, nil
}

func (con *Console) showReminder(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := reminderView{
		Frame: con.frame(c, "reminder"), ID: id, Form: f, Events: con.eventChoices(c), Kinds: reminder.Kinds, Variables: map[string]string{}, Leaves: con.app.Conditions.Names(),
	}
	if v.Message, err = con.messageView(c, reach.Customer, reach.Subscribe); err != nil {
		return err
	}
	for _, k := range v.Kinds {
		for _, name := range con.app.Reminders.Variables(k) {
			v.Variables[k] += " {{" + name + "}}"
		}
		v.Variables[k] = strings.TrimSpace(v.Variables[k])
	}
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Audiences, err = con.audienceChoices(c); err != nil {
		return err
	}
	web.Page(c, status, "console/reminder", v)
	return nil
}

// readReminder reads what the kind uses; the other controls are hidden.
func (con *Console) readReminder(f *Form, id int64) (r model.Reminder, m reach.Message, err error) {
	r = model.Reminder{ID: id, Kind: f.Get("kind"), Name: f.Get("name"), Enabled: f.On("enabled")}
	r.Cron, r.Event, r.Account = f.Get(r.Kind+".cron"), f.Get(r.Kind+".event"), f.Get(r.Kind+".account")
	for _, field := range []string{"cron", "event", "days", "account", "at_least"} {
		f.from(field, r.Kind+"."+field)
	}
	switch r.Kind {
	case model.ReminderSpend:
		r.AtLeast, err = f.Number("spend.at_least")
	case model.ReminderEvent:
	default:
		var n int64
		n, err = f.Number(r.Kind + ".days")
		r.Days = int(min(max(n, 0), 1<<20))
	}
	if err != nil {
		return r, m, err
	}
	raw, err := readCrowd(f)
	if err != nil {
		return r, m, err
	}
	t, err := con.app.Conditions.Parse(raw)
	if err != nil {
		return r, m, err
	}
	r.Condition = model.ToJSON(t)
	if r.Kind == model.ReminderStreak {
		f.Set("channel", reach.Subscribe)
	}
	m, err = con.readMessage(f, "", "message")
	return r, m, err
}

func (con *Console) saveReminder(c *gin.Context) error {
	return save(con, c, saving[model.Reminder]{
		kind:  "reminder",
		get:   func(id int64) (any, error) { return con.app.Reminders.Get(c.Request.Context(), id) },
		facts: func(r model.Reminder) (int64, any) { return r.ID, r },
		do: func(f *Form, id int64) (string, error) {
			r, m, err := con.readReminder(f, id)
			if err != nil {
				return "", err
			}
			_, err = con.app.Reminders.Save(c.Request.Context(), r, m)
			return done(root+"/reminders", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showReminder(c, status, id, f) },
	})
}

func (con *Console) deleteReminder(c *gin.Context) error {
	return con.remove(c, removing{
		kind: "reminder", list: "/reminders",
		old:   func(ctx context.Context, id int64) (any, error) { return con.app.Reminders.Get(ctx, id) },
		do:    con.app.Reminders.Delete,
		again: func(int, int64, *Form) error { return nil }, // it is never refused
	})
}
