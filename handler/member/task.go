package member

import (
	"context"
	"fmt"
	"net/http"

	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/task"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Task is one way to earn.
type Task struct {
	ID       string    `json:"id" example:"12" doc:"Of the operator's entry: what POST /tasks/{id}/claims takes; empty for a rule that stands in the list by itself"`
	Code     string    `json:"code" example:"weekly-quiz"`
	Title    string    `json:"title" example:"每日签到"`
	Text     string    `json:"text,omitempty"`
	Icon     string    `json:"icon,omitempty"`
	Link     string    `json:"link,omitempty" example:"pages/checkin/index" doc:"A page of the mini-program, or an address"`
	Does     string    `json:"does,omitempty" example:"checkin.done" doc:"The kind of act that does it: see what the page can offer"`
	State    string    `json:"state" enum:"open,claimable,done,waiting" example:"open" doc:"done: nothing is left of it today, or at all; claimable: the tap is missing; waiting: there is nothing to do right now"`
	Repeats  string    `json:"repeats" enum:"once,daily,weekly,monthly,limited,unlimited" example:"daily" doc:"limited: several times in a lifetime"`
	Left     *int64    `json:"left_today" example:"1" doc:"Times that are left today; null: as often as one likes"`
	Caps     []TaskCap `json:"caps" doc:"What limits it, each with what is left of it now"`
	Gains    []Gain    `json:"gains" doc:"What doing it once more gives, before the caps"`
	Progress *Progress `json:"progress" doc:"null: nothing is counted"`
	Until    *web.Time `json:"until" doc:"When it ends; null: it does not"`
}

// TaskCap limits a task: so many times, or so much in an account.
type TaskCap struct {
	Period  string `json:"period" enum:"day,week,month,lifetime" example:"day"`
	Account string `json:"account,omitempty" example:"points" doc:"Absent: the limit counts the times."`
	Limit   int64  `json:"limit" example:"1"`
	Left    int64  `json:"left" example:"1"`
}

// Gain is what a task gives.
type Gain struct {
	Account string `json:"account" example:"points"`
	Amount  int64  `json:"amount" example:"5"`
	Per     string `json:"per,omitempty" example:"seconds" doc:"The amount is for each of these."`
	Text    string `json:"text" example:"+5 积分" doc:"Ready to show"`
}

// Progress is how far a goal is.
type Progress struct {
	Done int64 `json:"done" example:"2"`
	Goal int64 `json:"goal" example:"5"`
}

type taskList struct {
	web.Stamped
	web.List[Task]
}

type claimIn struct {
	ID web.ID `path:"id"`
}

type claimed struct {
	web.Stamped
	Grants []Grant `json:"grants"`
}

type readIn struct {
	Body struct {
		UpTo web.ID `json:"up_to" doc:"The id of the newest line that was shown"`
	}
}

type unread struct {
	Items []Entry `json:"items" doc:"The newest first"`
	More  bool    `json:"more" doc:"There are older ones"`
}

type readOut struct {
	web.Stamped
	Unread unread `json:"unread"`
}

func (h *handler) tasks(api *web.API) {
	web.Read(api, op(http.MethodGet, "/tasks", "Every way to earn, with what is left of it today"), h.getTasks)
	o := op(http.MethodPost, "/tasks/{id}/claims", "Claim what a reached goal gives", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "409 THRESHOLD_NOT_MET short of the goal (details: short_by), LIMIT_REACHED the second time in a period (details: opens_at); 404 once the task is off."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postClaim)
	web.Write(api, op(http.MethodPost, "/grants/read", "Say which grants were shown", http.StatusForbidden, http.StatusNotFound), h.postRead)
}

func (h *handler) getTasks(ctx context.Context, _ *web.None) (*web.Out[taskList], error) {
	items, err := h.Tasks.List(ctx, web.Lang(ctx), web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[taskList]{Body: taskList{Stamped: web.Stamp(h.Clock), List: web.List[Task]{Items: tasks(ctx, items)}}}, nil
}

func tasks(ctx context.Context, items []task.Item) []Task {
	shown := make([]Task, len(items))
	for i, t := range items {
		v := Task{
			Code: t.Code, Title: t.Title, Text: t.Text, Icon: t.Icon, Link: t.Link, Does: t.Does, State: t.State, Repeats: t.Repeats, Left: t.Left,
			Caps: make([]TaskCap, len(t.Caps)), Gains: make([]Gain, len(t.Gains)), Until: web.AtPtr(t.Until),
		}
		if t.TaskID != 0 {
			v.ID = string(web.IDOf(t.TaskID))
		}
		if t.Progress != nil {
			v.Progress = &Progress{Done: t.Progress.Done, Goal: t.Progress.Goal}
		}
		for j, c := range t.Caps {
			v.Caps[j] = taskCap(c)
		}
		for j, g := range t.Gains {
			v.Gains[j] = Gain{Account: g.Account, Amount: g.Amount, Per: g.Per, Text: fmt.Sprintf("%+d %s", g.Amount, ledger.NameOf(web.Lang(ctx), g.Account, ""))}
		}
		shown[i] = v
	}
	return shown
}

func taskCap(c reward.Room) TaskCap {
	return TaskCap{Period: string(c.Period), Account: c.Account, Limit: c.Times + c.Amount, Left: c.Left()}
}

func (h *handler) postClaim(ctx context.Context, in *claimIn) (*web.Out[claimed], error) {
	r, err := h.Tasks.Claim(ctx, web.MemberID(ctx), in.ID.Int(), h.Clock.Now())
	if err != nil {
		return nil, err
	}
	return &web.Out[claimed]{Body: claimed{Stamped: web.Stamp(h.Clock), Grants: grants(ctx, r.Grants)}}, nil
}

func (h *handler) postRead(ctx context.Context, in *readIn) (*web.Out[readOut], error) {
	if err := h.Tasks.MarkRead(ctx, web.MemberID(ctx), in.Body.UpTo.Int()); err != nil {
		return nil, err
	}
	u, err := h.unread(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[readOut]{Body: readOut{Stamped: web.Stamp(h.Clock), Unread: *u}}, nil
}

// unread are the grants that the member has not said to have seen.
func (h *handler) unread(ctx context.Context) (*unread, error) {
	rows, more, err := h.Tasks.Unread(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	u := &unread{Items: make([]Entry, len(rows)), More: more}
	if len(rows) == 0 {
		return u, nil
	}
	names, err := h.Rewards.Names(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		u.Items[i] = entry(web.Lang(ctx), &rows[i], names)
	}
	return u, nil
}
