package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Calendar is one month of check-ins.
type Calendar struct {
	Month  string   `json:"month" example:"2026-11"`
	Today  string   `json:"today" example:"2026-11-23"`
	Done   bool     `json:"done" doc:"Whether today is checked in"`
	Streak int      `json:"streak" example:"3" doc:"Days in a row up to today, or up to yesterday while today is open"`
	Days   []string `json:"days" example:"[\"2026-11-22\",\"2026-11-23\"]"`
}

// Next is the next step of the streak.
type Next struct {
	Days   int   `json:"days" example:"4" doc:"So many more days in a row"`
	Amount int64 `json:"amount" example:"20" doc:"earn so many points."`
}

type checkedIn struct {
	web.Stamped
	Day      string   `json:"day" example:"2026-11-23"`
	Streak   int      `json:"streak" example:"3" doc:"Days in a row, this one included"`
	Grants   []Grant  `json:"grants" doc:"What it earned"`
	Tomorrow []Grant  `json:"tomorrow" doc:"What tomorrow's would earn"`
	Next     *Next    `json:"next"`
	Calendar Calendar `json:"calendar"`
}

type monthIn struct {
	Month string `query:"month" maxLength:"7" example:"2026-11" doc:"This month if absent"`
}

type month struct {
	web.Stamped
	Calendar
}

func (h *handler) checkins(api *web.API) {
	o := op(http.MethodPost, "/checkins", "Check in for today", http.StatusForbidden, http.StatusConflict)
	o.Description = "409 ALREADY_CHECKED_IN the second time on a day, with opens_at in details; 403 NOT_MEMBER before registration."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.checkIn)
	web.Read(api, op(http.MethodGet, "/checkins", "A month of my check-ins"), h.getMonth)
}

func (h *handler) checkIn(ctx context.Context, _ *web.None) (*web.Out[checkedIn], error) {
	r, err := h.Checkins.CheckIn(ctx, web.MemberID(ctx), "api", h.Clock.Now())
	if err != nil {
		return nil, err
	}
	c, err := h.Checkins.Month(ctx, web.MemberID(ctx), r.Day.Month())
	if err != nil {
		return nil, err
	}
	return &web.Out[checkedIn]{Body: checkedIn{
		Stamped: web.Stamp(h.Clock), Day: string(r.Day), Streak: r.Streak, Grants: grants(ctx, r.Grants), Tomorrow: grants(ctx, r.Tomorrow),
		Next: next(r.Next), Calendar: calendar(c),
	}}, nil
}

func (h *handler) getMonth(ctx context.Context, in *monthIn) (*web.Out[month], error) {
	c, err := h.Checkins.Month(ctx, web.MemberID(ctx), in.Month)
	if err != nil {
		return nil, err
	}
	return &web.Out[month]{Body: month{Stamped: web.Stamp(h.Clock), Calendar: calendar(c)}}, nil
}

func next(s *reward.Step) *Next {
	if s == nil {
		return nil
	}
	return &Next{Days: s.Days, Amount: s.Amount}
}

func calendar(c *checkin.Calendar) Calendar {
	return Calendar{Month: c.Month, Today: string(c.Today), Done: c.Done, Streak: c.Streak, Days: days(c.Days)}
}

func days(all []model.Day) []string {
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = string(d)
	}
	return out
}
