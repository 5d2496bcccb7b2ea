package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// CheckinSettings says how missed days are made up.
type CheckinSettings struct {
	MakeupLimit int   `json:"makeup_limit" minimum:"0" maximum:"31" example:"3" doc:"Make-ups of a member per calendar month; 0: none"`
	MakeupReach int   `json:"makeup_reach" minimum:"0" maximum:"60" example:"7" doc:"How many days back"`
	MakeupPrice int64 `json:"makeup_price" minimum:"0" maximum:"1000000" example:"10" doc:"Points for a day; 0: free"`
}

type checkinSettingsIn struct{ Body CheckinSettings }

func checkinSettings(s *model.CheckinSettings) CheckinSettings {
	return CheckinSettings{MakeupLimit: s.MakeupLimit, MakeupReach: s.MakeupReach, MakeupPrice: s.MakeupPrice}
}

func (h *handler) checkins(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/checkins/settings", "How missed days are made up"), h.getCheckinSettings)
	o := op(operator.ProgrammeWrite, http.MethodPut, "/checkins/settings", "Change how missed days are made up")
	o.Description = "It counts from now on; what the streaks themselves earn is in the rules on checkin.done, in tables with or without a cycle. " +
		"A made-up day repairs the streak and earns what the longer streak reaches; the day itself earns only by rules on checkin.made_up."
	web.Write(api, o, h.putCheckinSettings)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/checkins/reminder", "The reminder before a streak is lost"), h.getReminder)
	o = op(operator.BroadcastsSend, http.MethodPut, "/checkins/reminder", "Change the reminder before a streak is lost")
	o.Description = "It goes once a day to members with a streak up to yesterday who have not checked in today and have accepted its template: " +
		"marketing, within the daily cap and outside the quiet hours. Who checks in before it is sent does not get it."
	web.Write(api, o, h.putReminder)
}

// Reminder goes to members about to lose a streak.
type Reminder struct {
	Enabled    bool              `json:"enabled" example:"true"`
	Streak     int               `json:"streak" minimum:"1" maximum:"365" example:"3" doc:"Of at least so many days up to yesterday"`
	At         string            `json:"at" maxLength:"5" example:"20:00" doc:"In the programme's zone, outside the quiet hours"`
	Account    string            `json:"account,omitempty" maxLength:"32" doc:"Mini-program that sends; the first one if absent"`
	TemplateID string            `json:"template_id,omitempty" maxLength:"64" example:"TPL_ACTIVITY"`
	Page       string            `json:"page,omitempty" maxLength:"1024" example:"pages/checkin/index"`
	Data       map[string]string `json:"data,omitempty" example:"{\"thing1\":\"今天还没签到\"}" doc:"Field of the template to its value; {{nickname}}, {{points}} and {{no}} are filled in"`
	Fallbacks  map[string]string `json:"fallbacks,omitempty" doc:"What stands in for a variable without a value"`
	NextAt     *web.Time         `json:"next_at,omitempty" readOnly:"true" doc:"When it goes next"`
}

type reminderIn struct{ Body Reminder }

func reminderView(r *model.Reminder) (Reminder, error) {
	m, err := reminder.Message(r)
	v := Reminder{Enabled: r.Enabled, Streak: r.Streak, At: r.At, Fallbacks: m.Fallbacks, NextAt: web.AtPtr(r.NextAt)}
	if s := m.Subscribe; s != nil {
		v.Account, v.TemplateID, v.Page, v.Data = s.Account, s.TemplateID, s.Page, s.Data
	}
	return v, err
}

func (h *handler) getReminder(ctx context.Context, _ *web.None) (*web.Out[Reminder], error) {
	r, err := h.Reminder.Settings(ctx)
	if err != nil {
		return nil, err
	}
	v, err := reminderView(r)
	return &web.Out[Reminder]{Body: v}, err
}

func (h *handler) putReminder(ctx context.Context, in *reminderIn) (*web.Out[Reminder], error) {
	old, err := h.getReminder(ctx, nil)
	if err != nil {
		return nil, err
	}
	b := in.Body
	m := reach.Message{Fallbacks: b.Fallbacks}
	if b.TemplateID != "" || b.Enabled {
		m.Subscribe = &reach.SubscribeContent{Account: b.Account, TemplateID: b.TemplateID, Page: b.Page, Data: b.Data}
	}
	if b.Account != "" {
		if a, ok := h.Account(b.Account); !ok || a.Kind != model.KindMP {
			return nil, errs.Field("account", "wechat.account_unknown", "account", b.Account)
		}
	}
	ctx = audited(ctx, h, "checkin.reminder", old.Body, func(r model.Reminder) (string, any) {
		v, _ := reminderView(&r) // was written from it
		return "checkin:reminder", v
	})
	r, err := h.Reminder.Save(ctx, model.Reminder{Enabled: b.Enabled, Streak: b.Streak, At: b.At}, m)
	if err != nil {
		return nil, err
	}
	v, err := reminderView(r)
	return &web.Out[Reminder]{Body: v}, err
}

func (h *handler) getCheckinSettings(ctx context.Context, _ *web.None) (*web.Out[CheckinSettings], error) {
	s, err := h.Checkins.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[CheckinSettings]{Body: checkinSettings(s)}, nil
}

func (h *handler) putCheckinSettings(ctx context.Context, in *checkinSettingsIn) (*web.Out[CheckinSettings], error) {
	old, err := h.Checkins.Settings(ctx)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "checkin.settings", checkinSettings(old), func(s model.CheckinSettings) (string, any) { return "checkin:settings", checkinSettings(&s) })
	s, err := h.Checkins.SaveSettings(ctx, model.CheckinSettings{
		MakeupLimit: in.Body.MakeupLimit, MakeupReach: in.Body.MakeupReach, MakeupPrice: in.Body.MakeupPrice,
	})
	if err != nil {
		return nil, err
	}
	return &web.Out[CheckinSettings]{Body: checkinSettings(s)}, nil
}
