package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/webhook"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type webhooksView struct {
	Frame
	Rows []model.WebhookEndpoint
}

func (con *Console) webhooks(c *gin.Context) (err error) {
	v := webhooksView{Frame: con.frame(c, "webhooks")}
	if v.Rows, err = con.app.Webhooks.List(c.Request.Context()); err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/webhooks", v)
	return nil
}

type webhookView struct {
	Frame
	ID     int64 // 0: a new one
	Saved  *model.WebhookEndpoint
	Form   *Form
	Events []choice
	Secret string // shown once
	State  string // of the deliveries that are listed
	States []string
	Rows   []model.WebhookDelivery
	Next   string
}

func (con *Console) webhook(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{}
	if id != 0 {
		e, err := con.app.Webhooks.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		var kinds []string
		if err := e.Kinds.Into(&kinds); err != nil {
			return fmt.Errorf("console: webhook %d: %w", id, err)
		}
		values = url.Values{"url": {e.URL}, "kinds": kinds}
		if e.State == model.WebhookOff {
			values.Set("off", "on")
		}
	}
	return con.showWebhook(c, http.StatusOK, id, newForm(values), "")
}

func (con *Console) showWebhook(c *gin.Context, status int, id int64, f *Form, secret string) (err error) {
	ctx := c.Request.Context()
	v := webhookView{
		Frame: con.frame(c, "webhook"), ID: id, Form: f, Secret: secret, State: c.Query("state"),
		States: []string{model.WebhookPending, model.WebhookFailed, model.WebhookDone},
		Events: append(con.eventChoices(c), choice{model.EventBehavior + ".*", con.t(c, "console.all_behaviors")}),
	}
	for _, kind := range []string{model.EventErased, model.EventSend, model.EventAlert} {
		v.Events = append(v.Events, choice{kind, event.KindName(web.Lang(ctx), kind)})
	}
	if id == 0 {
		web.Page(c, status, "console/webhook", v)
		return nil
	}
	if c.Request.Method != http.MethodGet {
		v.Here = fmt.Sprintf("%s/webhooks/%d", root, id)
	}
	if v.Saved, err = con.app.Webhooks.Get(ctx, id); err != nil {
		return err
	}
	q := webhook.Query{EndpointID: id, State: v.State, Before: after(c), Limit: perPage + 1}
	if v.Rows, err = con.app.Webhooks.Deliveries(ctx, q); err != nil {
		return err
	}
	if len(v.Rows) > perPage {
		v.Rows = v.Rows[:perPage]
		v.Next = nextPage(c, v.Rows[perPage-1].ID)
	}
	web.Page(c, status, "console/webhook", v)
	return nil
}

func (con *Console) saveWebhook(c *gin.Context) error {
	f, id, err := typedIn(c)
	if err != nil {
		return err
	}
	in := webhook.Input{URL: f.Get("url"), Kinds: f.Values["kinds"], Off: f.On("off")}
	again := func(status int, f *Form) error { return con.showWebhook(c, status, id, f, "") }
	if id == 0 {
		return con.webhookSecret(c, f, again, func() (*webhook.Made, error) {
			return con.app.Webhooks.Create(c.Request.Context(), web.Actor(c.Request.Context()), in)
		})
	}
	return con.write(c, f, change{
		do: func() (string, error) {
			_, err := con.app.Webhooks.Change(c.Request.Context(), web.Actor(c.Request.Context()), id, in)
			return done(fmt.Sprintf("%s/webhooks/%d", root, id), "saved"), err
		},
		again: again,
	})
}

func (con *Console) rotateWebhook(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.webhookSecret(c, f, func(status int, f *Form) error { return con.showWebhook(c, status, id, f, "") }, func() (*webhook.Made, error) {
		return con.app.Webhooks.Rotate(c.Request.Context(), web.Actor(c.Request.Context()), id)
	})
}

// webhookSecret shows the page of the endpoint with the secret that was made, once.
func (con *Console) webhookSecret(c *gin.Context, f *Form, again func(int, *Form) error, do func() (*webhook.Made, error)) error {
	var made *webhook.Made
	return con.write(c, f, change{
		do: func() (to string, err error) {
			made, err = do()
			return "", err
		},
		shown: func() error {
			var kinds []string
			_ = made.Kinds.Into(&kinds) // written by us as a list
			return con.showWebhook(c, http.StatusOK, made.ID, newForm(url.Values{"url": {made.URL}, "kinds": kinds}), made.Secret)
		},
		again: again,
	})
}

func (con *Console) deleteWebhook(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		do: func() (string, error) {
			return done(root+"/webhooks", "deleted"), con.app.Webhooks.Delete(c.Request.Context(), web.Actor(c.Request.Context()), id)
		},
		again: func(status int, f *Form) error { return con.showWebhook(c, status, id, f, "") },
	})
}

// replayWebhook makes the deliveries of a time again.
func (con *Console) replayWebhook(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	f.Name = "replay"
	return con.write(c, f, change{
		do: func() (string, error) {
			r := webhook.Range{All: f.On("all")}
			for name, at := range map[string]*time.Time{"from": &r.From, "to": &r.To} {
				t, err := f.Time(name, con.app.Zone)
				switch {
				case err != nil:
					return "", err
				case t == nil:
					return "", errs.Field(name, "console.required")
				}
				*at = *t
			}
			_, err := con.app.Webhooks.ReplayRange(c.Request.Context(), web.Actor(c.Request.Context()), id, r)
			return done(fmt.Sprintf("%s/webhooks/%d", root, id), "replayed"), err
		},
		again: func(status int, f *Form) error { return con.showWebhook(c, status, id, f, "") },
	})
}

type webhookDeliveryView struct {
	Frame
	*webhook.Story
	Body string
	Form *Form
}

func (con *Console) webhookDelivery(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	return con.showWebhookDelivery(c, http.StatusOK, id, newForm(nil))
}

func (con *Console) showWebhookDelivery(c *gin.Context, status int, id int64, f *Form) error {
	d, err := con.app.Webhooks.Delivery(c.Request.Context(), id)
	if err != nil {
		return err
	}
	v := webhookDeliveryView{Frame: con.frame(c, "webhook_delivery"), Story: d, Body: pretty(model.JSON(d.Body)), Form: f}
	v.Here = fmt.Sprintf("%s/webhook-deliveries/%d", root, id)
	web.Page(c, status, "console/webhook_delivery", v)
	return nil
}

func (con *Console) replayWebhookDelivery(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		do: func() (string, error) {
			_, err := con.app.Webhooks.Replay(c.Request.Context(), web.Actor(c.Request.Context()), id)
			return done(fmt.Sprintf("%s/webhook-deliveries/%d", root, id), "replayed"), err
		},
		again: func(status int, f *Form) error { return con.showWebhookDelivery(c, status, id, f) },
	})
}
