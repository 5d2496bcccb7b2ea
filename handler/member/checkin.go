package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Calendar is one month of check-ins.
type Calendar struct {
	Month  string   `json:"month" example:"2026-11"`
	Today  string   `json:"today" example:"2026-11-23"`
	Done   bool     `json:"done" doc:"Whether today is checked in"`
	Streak int      `json:"streak" example:"3" doc:"Days in a row up to today, or up to yesterday while today is open"`
	Days   []string `json:"days" example:"[\"2026-11-22\",\"2026-11-23\"]"`
	Makeup *Makeup  `json:"makeup" doc:"null: missed days are not made up"`
}

// Makeup is what can be made up, and for how much.
type Makeup struct {
	Price   int64    `json:"price" example:"10" doc:"In points, a day"`
	Limit   int      `json:"limit" example:"3" doc:"Per calendar month"`
	Left    int      `json:"left" example:"2" doc:"Of this month"`
	OpensAt web.Time `json:"opens_at" doc:"When the next month's begin"`
	Missed  []Missed `json:"missed" doc:"The days of this calendar without a check-in, up to yesterday"`
}

// Missed is a day without a check-in.
type Missed struct {
	Day     string `json:"day" example:"2026-11-22"`
	Can     bool   `json:"can" doc:"Whether it can be made up now"`
	Price   int64  `json:"price" example:"10"`
	Code    string `json:"code,omitempty" example:"WINDOW_CLOSED" doc:"Why not: what POST /checkins/makeup would answer"`
	Message string `json:"message,omitempty" doc:"The same as a sentence, ready to show"`
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

type makeupIn struct {
	Body struct {
		Day string `json:"day" format:"date" example:"2026-11-22" doc:"A missed day"`
	}
}

type madeUp struct {
	web.Stamped
	Day      string   `json:"day" example:"2026-11-22"`
	Streak   int      `json:"streak" example:"5" doc:"Days in a row that the day is now part of"`
	Price    int64    `json:"price" example:"10" doc:"In points"`
	Grants   []Grant  `json:"grants" doc:"What the longer streaks earned"`
	Calendar Calendar `json:"calendar"`
}

func (h *handler) checkins(api *web.API) {
	o := op(http.MethodPost, "/checkins", "Check in for today", http.StatusForbidden, http.StatusConflict)
	o.Description = "409 ALREADY_CHECKED_IN the second time on a day, with opens_at in details; 403 NOT_MEMBER before registration."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.checkIn)
	o = op(http.MethodPost, "/checkins/makeup", "Make up a missed day", http.StatusForbidden, http.StatusConflict)
	o.Description = "409 ALREADY_CHECKED_IN for a day with a check-in, WINDOW_CLOSED out of reach (details: from), MAKEUP_LIMIT after the last of " +
		"the month (details: limit, opens_at), INSUFFICIENT_POINTS (details: short_by). The calendar says the same of each missed day beforehand."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.makeUp)
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
		Next: next(r.Next), Calendar: calendar(ctx, c),
	}}, nil
}

func (h *handler) makeUp(ctx context.Context, in *makeupIn) (*web.Out[madeUp], error) {
	r, err := h.Checkins.MakeUp(ctx, web.MemberID(ctx), model.Day(in.Body.Day), h.Clock.Now())
	if err != nil {
		return nil, err
	}
	c, err := h.Checkins.Month(ctx, web.MemberID(ctx), r.Day.Month())
	if err != nil {
		return nil, err
	}
	return &web.Out[madeUp]{Body: madeUp{
		Stamped: web.Stamp(h.Clock), Day: string(r.Day), Streak: r.Streak, Price: r.Price, Grants: grants(ctx, r.Grants), Calendar: calendar(ctx, c),
	}}, nil
}

func (h *handler) getMonth(ctx context.Context, in *monthIn) (*web.Out[month], error) {
	c, err := h.Checkins.Month(ctx, web.MemberID(ctx), in.Month)
	if err != nil {
		return nil, err
	}
	return &web.Out[month]{Body: month{Stamped: web.Stamp(h.Clock), Calendar: calendar(ctx, c)}}, nil
}

func next(s *reward.Step) *Next {
	if s == nil {
		return nil
	}
	return &Next{Days: s.Days, Amount: s.Amount}
}

func calendar(ctx context.Context, c *checkin.Calendar) Calendar {
	v := Calendar{Month: c.Month, Today: string(c.Today), Done: c.Done, Streak: c.Streak, Days: days(c.Days)}
	if m := c.Makeup; m != nil {
		v.Makeup = &Makeup{Price: m.Price, Limit: m.Limit, Left: m.Left, OpensAt: web.At(m.OpensAt), Missed: make([]Missed, len(m.Missed))}
		for i, d := range m.Missed {
			v.Makeup.Missed[i] = missed(ctx, d, m.Price)
		}
	}
	return v
}

func missed(ctx context.Context, d checkin.Missed, price int64) Missed {
	v := Missed{Day: string(d.Day), Can: d.Refusal == nil, Price: price}
	if d.Refusal != nil {
		v.Code, v.Message = string(d.Refusal.Code), templates.T(web.Lang(ctx), d.Refusal.Key, d.Refusal.Args)
	}
	return v
}

func days(all []model.Day) []string {
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = string(d)
	}
	return out
}
