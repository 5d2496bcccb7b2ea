package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// ReminderBody is a reminder as an operator writes it.
type ReminderBody struct {
	Kind      string        `json:"kind,omitempty" enum:"streak,spend,expiring,coupon,event," example:"spend" doc:"Required for a new one; it stays. streak: a streak of check-ins is about to be lost; spend: there are points to spend; expiring: points are about to expire; coupon: a coupon is; event: something has just happened"`
	Name      string        `json:"name" minLength:"1" maxLength:"64" example:"每月25日积分提醒"`
	Enabled   *bool         `json:"enabled,omitempty" doc:"true if absent"`
	Cron      string        `json:"cron,omitempty" maxLength:"64" example:"0 10 25 * *" doc:"minute hour day month weekday, in the programme's zone. Required but for event"`
	Event     string        `json:"event,omitempty" maxLength:"64" example:"tier.upgraded" doc:"event: its kind, one of GET /admin/v1/condition/leaves' events, or behavior.<action>. Who did it is told once; not of what comes more than a week late"`
	Days      int           `json:"days,omitempty" minimum:"0" maximum:"365" doc:"streak: of at least so many days up to yesterday; expiring, coupon: so many days before the last day"`
	Account   string        `json:"account,omitempty" maxLength:"32" example:"points" doc:"spend and expiring: points if absent"`
	AtLeast   int64         `json:"at_least,omitempty" minimum:"0" example:"100" doc:"spend: who holds so much"`
	Condition Condition     `json:"condition,omitempty" doc:"spend, event: whom besides; everybody if absent. That of event may ask about the event"`
	Message   reach.Message `json:"message" doc:"Besides the variables of every message, spend knows balance, deduct (yuan at the till) and gifts (how many things the member could have), expiring knows balance, expiring and ends_on (its last day), coupon knows coupon (its name), coupons (how many) and ends_on, event knows earned (points by the event), tier, name (of the coupon or gift) and order_no, all as they are when the message is sent. A reminder of a streak goes as a subscribe message, the others as customer or subscribe messages."`
}

// Reminder goes to whom it concerns, by the clock or when something happens.
type Reminder struct {
	ID web.ID `json:"id"`
	ReminderBody
	Message   json.RawMessage `json:"message"`
	Class     string          `json:"class" enum:"marketing,service" doc:"marketing obeys opt-out, the daily cap and quiet hours"`
	NextAt    *web.Time       `json:"next_at" doc:"When it goes next; null: it is off, or waits for an event"`
	CreatedAt web.Time        `json:"created_at"`
	UpdatedAt web.Time        `json:"updated_at"`
}

type reminderIn struct{ Body ReminderBody }

type reminderPut struct {
	ID   web.ID `path:"id"`
	Body ReminderBody
}

func (h *handler) reminderView(r model.Reminder) Reminder {
	return Reminder{
		ID: web.IDOf(r.ID), Message: raw(r.Message), Class: h.Reminders.Class(r.Kind), NextAt: web.AtPtr(r.NextAt),
		CreatedAt: web.At(r.CreatedAt), UpdatedAt: web.At(r.UpdatedAt),
		ReminderBody: ReminderBody{
			Kind: r.Kind, Name: r.Name, Enabled: &r.Enabled, Cron: r.Cron, Event: r.Event, Days: r.Days, Account: r.Account, AtLeast: r.AtLeast, Condition: Condition(r.Condition),
		},
	}
}

func (h *handler) reminders(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/reminders", "The reminders"), h.getReminders)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/reminders/{id}", "One reminder", http.StatusNotFound), h.getReminder)
	body := map[string]any{"kind": "spend", "name": "每月25日积分提醒", "cron": "0 10 25 * *", "at_least": 100, "message": map[string]any{
		"text": "您有 {{balance}} 积分,可抵 ¥{{deduct}},或兑换 {{gifts}} 种礼品", "channels": []string{"customer"},
	}}
	o := post(operator.BroadcastsSend, "/reminders", "Make a reminder", http.StatusConflict)
	o.Description = "Whom and how much is asked when it fires, and again right before each message is sent: whom it does not concern any more does not get it. " +
		"What it tells of points is a service message; what invites to act is marketing."
	web.Write(api, example(o, body), h.postReminder)
	web.Write(api, example(op(operator.BroadcastsSend, http.MethodPut, "/reminders/{id}", "Change a reminder", http.StatusNotFound), body), h.putReminder)
	web.Write(api, op(operator.BroadcastsSend, http.MethodDelete, "/reminders/{id}", "Remove a reminder", http.StatusNotFound), h.deleteReminder)
}

func (h *handler) getReminders(ctx context.Context, _ *web.None) (*web.Out[web.List[Reminder]], error) {
	rows, err := h.Reminders.List(ctx)
	return listed(rows, h.reminderView), err
}

func (h *handler) getReminder(ctx context.Context, in *byID) (*web.Out[Reminder], error) {
	r, err := h.Reminders.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Reminder]{Body: h.reminderView(*r)}, nil
}

func (h *handler) postReminder(ctx context.Context, in *reminderIn) (*web.Out[Reminder], error) {
	return h.saveReminder(ctx, "reminder.create", 0, nil, in.Body)
}

func (h *handler) putReminder(ctx context.Context, in *reminderPut) (*web.Out[Reminder], error) {
	old, err := h.getReminder(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveReminder(ctx, "reminder.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveReminder(ctx context.Context, action string, id int64, before any, b ReminderBody) (*web.Out[Reminder], error) {
	t, err := h.tree(b.Condition)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, action, before, func(r model.Reminder) (string, any) { return object("reminder", r.ID), h.reminderView(r) })
	r, err := h.Reminders.Save(ctx, model.Reminder{
		ID: id, Kind: b.Kind, Name: b.Name, Enabled: on(b.Enabled), Cron: b.Cron, Event: b.Event, Days: b.Days, Account: b.Account, AtLeast: b.AtLeast, Condition: model.ToJSON(t),
	}, b.Message)
	if err != nil {
		return nil, err
	}
	return &web.Out[Reminder]{Body: h.reminderView(*r)}, nil
}

func (h *handler) deleteReminder(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.getReminder(ctx, in)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "reminder.delete", old.Body, func(r model.Reminder) (string, any) { return object("reminder", r.ID), nil })
	return nil, h.Reminders.Delete(ctx, in.ID.Int())
}
