package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Task is an entry of the task list.
type Task struct {
	ID web.ID `json:"id"`
	TaskBody
	CreatedAt web.Time `json:"created_at"`
	UpdatedAt web.Time `json:"updated_at"`
}

// TaskBody is an entry as an operator writes it.
type TaskBody struct {
	Code     string     `json:"code,omitempty" maxLength:"64" example:"weekly-quiz" doc:"Required for a new entry; it stays. Rules on task.claimed see it as the field task."`
	RuleID   OptionalID `json:"rule_id,omitempty" doc:"The rule whose grants and limits it shows. The list shows the entry instead of the rule, and neither while the entry is off."`
	TitleZH  string     `json:"title_zh,omitempty" maxLength:"32" example:"一周答对五题" doc:"One title is needed where there is no rule."`
	TitleEN  string     `json:"title_en,omitempty" maxLength:"32" example:"Five quizzes a week"`
	TextZH   string     `json:"text_zh,omitempty" maxLength:"100"`
	TextEN   string     `json:"text_en,omitempty" maxLength:"100"`
	Icon     string     `json:"icon,omitempty" maxLength:"512"`
	Link     string     `json:"link,omitempty" maxLength:"512" example:"pages/quiz/index" doc:"A page of the mini-program, or an http, https or weixin address"`
	Counts   string     `json:"counts,omitempty" maxLength:"32" example:"quiz.answered" doc:"With a goal: the kind of events that are counted"`
	Goal     int64      `json:"goal,omitempty" minimum:"0" maximum:"1000" example:"5" doc:"0: nothing is counted"`
	Period   string     `json:"period,omitempty" enum:"day,week,month,lifetime," example:"week" doc:"With a goal: over which it is counted"`
	Claimed  bool       `json:"claimed,omitempty" example:"true" doc:"Reaching the goal is claimed by a tap, once a period: the event task.claimed, which rules reward"`
	StartsAt *web.Time  `json:"starts_at,omitempty" example:"2026-11-23T00:00:00+08:00" doc:"Shown in [starts_at, ends_at)"`
	EndsAt   *web.Time  `json:"ends_at,omitempty" example:"2027-11-23T00:00:00+08:00"`
	Position int        `json:"position,omitempty" minimum:"-1000" maximum:"1000" doc:"The lowest first; rules without an entry come last."`
	Enabled  *bool      `json:"enabled,omitempty" doc:"true if absent"`
}

type taskIn struct{ Body TaskBody }

type taskPut struct {
	ID   web.ID `path:"id"`
	Body TaskBody
}

func taskView(t model.Task) Task {
	return Task{ID: web.IDOf(t.ID), CreatedAt: web.At(t.CreatedAt), UpdatedAt: web.At(t.UpdatedAt), TaskBody: TaskBody{
		Code: t.Code, RuleID: optionalID(t.RuleID), TitleZH: t.TitleZH, TitleEN: t.TitleEN, TextZH: t.TextZH, TextEN: t.TextEN, Icon: t.Icon, Link: t.Link,
		Counts: t.Counts, Goal: t.Goal, Period: t.Period, Claimed: t.Claimed, StartsAt: web.AtPtr(t.StartsAt), EndsAt: web.AtPtr(t.EndsAt),
		Position: t.Position, Enabled: &t.Enabled,
	}}
}

func taskOf(id int64, b TaskBody) (t model.Task, err error) {
	t = model.Task{
		ID: id, Code: b.Code, TitleZH: b.TitleZH, TitleEN: b.TitleEN, TextZH: b.TextZH, TextEN: b.TextEN, Icon: b.Icon, Link: b.Link,
		Counts: b.Counts, Goal: b.Goal, Period: b.Period, Claimed: b.Claimed, Position: b.Position, Enabled: on(b.Enabled),
	}
	if t.RuleID, err = ref("rule_id", b.RuleID); err != nil {
		return t, err
	}
	if t.StartsAt, err = instant("starts_at", b.StartsAt); err != nil {
		return t, err
	}
	t.EndsAt, err = instant("ends_at", b.EndsAt)
	return t, err
}

func (h *handler) tasks(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/tasks", "The entries of the task list, in its order"), h.getTasks)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/tasks/{id}", "One entry", http.StatusNotFound), h.getTask)
	o := post(operator.ProgrammeWrite, "/tasks", "Write an entry of the task list", http.StatusConflict)
	o.Description = "Every rule that a member can earn by stands in his list by itself. An entry dresses a rule, counts acts towards a goal, or only leads somewhere."
	web.Write(api, o, h.postTask)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodPut, "/tasks/{id}", "Change an entry", http.StatusNotFound), h.putTask)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodDelete, "/tasks/{id}", "Remove an entry that nobody has claimed", http.StatusNotFound, http.StatusConflict), h.deleteTask)
}

func (h *handler) getTasks(ctx context.Context, _ *web.None) (*web.Out[web.List[Task]], error) {
	rows, err := h.Tasks.Entries(ctx)
	return listed(rows, taskView), err
}

func (h *handler) getTask(ctx context.Context, in *byID) (*web.Out[Task], error) {
	t, err := h.Tasks.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Task]{Body: taskView(*t)}, nil
}

func (h *handler) postTask(ctx context.Context, in *taskIn) (*web.Out[Task], error) {
	return h.saveTask(ctx, "task.create", 0, nil, in.Body)
}

func (h *handler) putTask(ctx context.Context, in *taskPut) (*web.Out[Task], error) {
	old, err := h.getTask(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveTask(ctx, "task.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveTask(ctx context.Context, action string, id int64, before any, b TaskBody) (*web.Out[Task], error) {
	t, err := taskOf(id, b)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, action, before, func(t model.Task) (string, any) { return object("task", t.ID), taskView(t) })
	saved, err := h.Tasks.Save(ctx, t)
	if err != nil {
		return nil, err
	}
	return &web.Out[Task]{Body: taskView(*saved)}, nil
}

func (h *handler) deleteTask(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.getTask(ctx, in)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "task.delete", old.Body, func(t model.Task) (string, any) { return object("task", t.ID), nil })
	_, err = h.Tasks.Delete(ctx, in.ID.Int())
	return nil, err
}
