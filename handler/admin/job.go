package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/job"
	"github.com/siyu-scrm/siyu/templates"
)

// Job is something that siyu does by itself.
type Job struct {
	Name   string    `json:"name" example:"verify"`
	Does   string    `json:"does" example:"Proves the ledger"`
	Cron   string    `json:"cron" example:"30 3 * * *" doc:"In the programme's zone. Empty: it looks for work all the time"`
	State  string    `json:"state" enum:",running,done,failed" doc:"Of the last run; empty: none yet"`
	Error  string    `json:"error"`
	LastAt *web.Time `json:"last_at" doc:"When it last did something"`
	TookMS int64     `json:"took_ms"`
	NextAt *web.Time `json:"next_at" doc:"When it has something to do next; null: nothing waits"`
}

func (h *handler) jobs(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/jobs", "Everything that siyu does by itself, with its last and next run"),
		func(ctx context.Context, _ *struct{}) (*web.Out[web.List[Job]], error) {
			rows, err := automation.Lines(ctx, h.DB, job.Schedule(h.App))
			if err != nil {
				return nil, err
			}
			return listed(rows, func(l automation.Line) Job {
				return Job{
					Name: l.Name, Does: templates.T(web.Lang(ctx), "job."+l.Name, nil), Cron: l.Cron, State: l.State, Error: l.Error,
					LastAt: web.AtPtr(l.LastAt), TookMS: l.TookMS, NextAt: web.AtPtr(l.Next),
				}
			}), nil
		})
}
