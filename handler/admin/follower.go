package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/follower"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// FollowerSync is how far the followers from before are taken over.
type FollowerSync struct {
	Account   string    `json:"account" example:"oa"`
	Status    string    `json:"status" example:"running" doc:"none, running, waiting (until retry_at), done or failed (until it is started again)"`
	Total     int64     `json:"total" doc:"Followers, as WeChat counts"`
	Seen      int64     `json:"seen" doc:"Of them looked at: taken + known + gone"`
	Taken     int64     `json:"taken" doc:"Were not known as followers of the account"`
	Known     int64     `json:"known" doc:"Were known"`
	Gone      int64     `json:"gone" doc:"Left meanwhile"`
	Linked    int64     `json:"linked" doc:"Are persons known otherwise, by their unionid"`
	UnionIDs  int64     `json:"unionids" doc:"Whose unionid WeChat told"`
	LeftSecs  int64     `json:"seconds_left" doc:"At the pace so far; 0 where that cannot be said"`
	Binding   string    `json:"binding" example:"bound" doc:"To an Open Platform account: bound, unbound or unknown. WeChat tells unionids of bound accounts only; link codes help the others."`
	Problem   string    `json:"problem" doc:"The class of WeChat's last failure, or empty: day_quota, minute_limit, config, transient, …"`
	Error     string    `json:"error" doc:"WeChat's own words"`
	RetryAt   *web.Time `json:"retry_at" doc:"While it waits"`
	StartedAt *web.Time `json:"started_at"`
	EndedAt   *web.Time `json:"ended_at"`
}

func followerSync(p follower.Progress) FollowerSync {
	v := FollowerSync{
		Account: p.Account, Status: p.Status, Total: p.Total, Seen: p.Seen, Taken: p.Taken, Known: p.Known, Gone: p.Gone, Linked: p.Linked,
		UnionIDs: p.Unions, LeftSecs: int64(p.Left.Seconds()), Binding: string(p.Binding), Problem: p.Problem, Error: p.Error, EndedAt: web.AtPtr(p.EndedAt),
	}
	if p.Status == "waiting" {
		v.RetryAt = web.AtPtr(&p.RetryAt)
	}
	if p.State != "" {
		v.StartedAt = web.AtPtr(&p.StartedAt)
	}
	return v
}

type syncIn struct {
	Body struct {
		Account string `json:"account,omitempty" maxLength:"32" example:"oa" doc:"The first official account if absent."`
	}
}

func (h *handler) followers(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/followers/syncs", "How far each official account's followers from before are taken over"), h.getSyncs)
	o := post(operator.Settings, "/followers/syncs", "Take over the followers from before", http.StatusNotFound, http.StatusConflict)
	o.Description = "They get no welcome, no points and are no newcomers. It goes on by itself after a restart or a used-up quota; after a failure it is " +
		"started again and goes on where it stopped. 409 while it runs."
	web.Write(api, o, h.postSync)
}

func (h *handler) getSyncs(ctx context.Context, _ *web.None) (*web.Out[web.List[FollowerSync]], error) {
	rows, err := h.Followers.List(ctx, h.Accounts)
	return listed(rows, followerSync), err
}

func (h *handler) postSync(ctx context.Context, in *syncIn) (*web.Out[FollowerSync], error) {
	view := func(s model.FollowerSync) FollowerSync {
		return followerSync(follower.Progress{FollowerSync: s, Status: s.State})
	}
	ctx = audited(ctx, h, "followers.sync", nil, func(s model.FollowerSync) (string, any) { return "account:" + s.Account, view(s) })
	s, err := h.Followers.Start(ctx, h.accountNamed(in.Body.Account, model.KindOA))
	if err != nil {
		return nil, err
	}
	return &web.Out[FollowerSync]{Body: view(*s)}, nil
}
