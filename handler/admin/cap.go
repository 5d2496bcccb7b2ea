package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// SendCapBody bounds how many messages one person gets.
type SendCapBody struct {
	Class   string `json:"class" enum:"marketing,service,all" example:"marketing"`
	Channel string `json:"channel,omitempty" maxLength:"12" doc:"Of this channel only; all together if absent"`
	Per     string `json:"per" enum:"hours,day,week,month" example:"week" doc:"The last hours, or the calendar's day, week (from Monday) or month"`
	Hours   int    `json:"hours,omitempty" minimum:"0" maximum:"744" doc:"How many, where per is hours"`
	Limit   int    `json:"limit" minimum:"0" maximum:"1000" example:"3"`
}

// SendCap is a cap as it holds.
type SendCap struct {
	ID *web.ID `json:"id" doc:"null: that of the settings, which holds while no other is made"`
	SendCapBody
	Name string `json:"name" example:"marketing 3/week" doc:"How FREQ_CAP names it"`
}

type capIn struct{ Body SendCapBody }

type capPut struct {
	ID   web.ID `path:"id"`
	Body SendCapBody
}

// SendSettings are what every send obeys beside the caps.
type SendSettings struct {
	QuietFrom   string `json:"quiet_from" maxLength:"5" example:"22:00" doc:"Marketing waits from this time of day on, in the zone of the programme; empty with quiet_to: it never does"`
	QuietTo     string `json:"quiet_to" maxLength:"5" example:"08:00" doc:"Until this one, up to 24:00; before quiet_from: of the next day"`
	StopPercent int64  `json:"stop_percent" minimum:"0" maximum:"100" example:"20" doc:"A send pauses itself when more of its last calls to WeChat failed; 0: never for that"`
	StopCalls   int64  `json:"stop_calls" minimum:"1" maximum:"100000" example:"50" doc:"Of at least so many calls"`
}

type sendSettingsIn struct{ Body SendSettings }

func sendSettings(s *model.ReachSettings) SendSettings {
	return SendSettings{s.QuietFrom, s.QuietTo, s.StopPercent, s.StopCalls}
}

func (h *handler) caps(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/caps", "How many messages one person gets at most"), h.getCaps)
	body := map[string]any{"class": "marketing", "per": "week", "limit": 3}
	o := post(operator.BroadcastsSend, "/caps", "Make a cap", http.StatusConflict)
	o.Description = "It holds from the next decision on and counts what was sent before, too. The first replaces the cap of the settings."
	web.Write(api, example(o, body), h.postCap)
	web.Write(api, example(op(operator.BroadcastsSend, http.MethodPut, "/caps/{id}", "Change a cap", http.StatusNotFound), body), h.putCap)
	web.Write(api, op(operator.BroadcastsSend, http.MethodDelete, "/caps/{id}", "End a cap", http.StatusNotFound), h.deleteCap)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/caps/settings", "Quiet hours, and when a send pauses itself"), h.getSendSettings)
	o = op(operator.BroadcastsSend, http.MethodPut, "/caps/settings", "Change the quiet hours, and when a send pauses itself")
	o.Description = "It holds from the next decision on, in every process. Who waits already is decided about again when his wait ends."
	web.Write(api, o, h.putSendSettings)
}

func (h *handler) getSendSettings(ctx context.Context, _ *web.None) (*web.Out[SendSettings], error) {
	s, err := h.Reach.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[SendSettings]{Body: sendSettings(s)}, nil
}

func (h *handler) putSendSettings(ctx context.Context, in *sendSettingsIn) (*web.Out[SendSettings], error) {
	old, err := h.Reach.Settings(ctx)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "reach.settings", sendSettings(old), func(s model.ReachSettings) (string, any) { return "reach:settings", sendSettings(&s) })
	b := in.Body
	s, err := h.Reach.SaveSettings(ctx, model.ReachSettings{QuietFrom: b.QuietFrom, QuietTo: b.QuietTo, StopPercent: b.StopPercent, StopCalls: b.StopCalls})
	if err != nil {
		return nil, err
	}
	return &web.Out[SendSettings]{Body: sendSettings(s)}, nil
}

func capView(c *model.ReachCap) SendCap {
	v := SendCap{SendCapBody: SendCapBody{Class: c.Class, Channel: c.Channel, Per: c.Per, Hours: c.Hours, Limit: c.Limit}, Name: reach.CapName(c)}
	if c.ID != 0 {
		id := web.IDOf(c.ID)
		v.ID = &id
	}
	return v
}

func (h *handler) getCaps(ctx context.Context, _ *struct{}) (*web.Out[web.List[SendCap]], error) {
	rows, builtin, err := h.Reach.Caps(ctx)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		rows = []model.ReachCap{builtin}
	}
	list := web.ListOf(rows, len(rows), func(c model.ReachCap) SendCap { return capView(&c) }, func(c model.ReachCap) []any { return []any{c.ID} })
	return &web.Out[web.List[SendCap]]{Body: list}, nil
}

func (h *handler) postCap(ctx context.Context, in *capIn) (*web.Out[SendCap], error) {
	return h.saveCap(ctx, "cap.create", 0, nil, in.Body)
}

func (h *handler) putCap(ctx context.Context, in *capPut) (*web.Out[SendCap], error) {
	old, err := h.Reach.Cap(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveCap(ctx, "cap.update", old.ID, capView(old), in.Body)
}

func (h *handler) saveCap(ctx context.Context, action string, id int64, before any, b SendCapBody) (*web.Out[SendCap], error) {
	ctx = audited(ctx, h, action, before, func(c model.ReachCap) (string, any) { return object("cap", c.ID), capView(&c) })
	c, err := h.Reach.SaveCap(ctx, model.ReachCap{ID: id, Class: b.Class, Channel: b.Channel, Per: b.Per, Hours: b.Hours, Limit: b.Limit})
	if err != nil {
		return nil, err
	}
	return &web.Out[SendCap]{Body: capView(c)}, nil
}

func (h *handler) deleteCap(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.Reach.Cap(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "cap.delete", capView(old), func(model.ReachCap) (string, any) { return object("cap", old.ID), nil })
	return nil, h.Reach.DeleteCap(ctx, old.ID)
}
