package admin

import (
	"context"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Backtest asks what a draft would have given.
type Backtest struct {
	Draft       Draft `json:"draft"`
	Days        int   `json:"days" minimum:"1" maximum:"366" example:"30" doc:"Of the past"`
	FenPerPoint int64 `json:"fen_per_point,omitempty" minimum:"0" example:"1" doc:"What a point costs"`
}

type backtestIn struct{ Body Backtest }

func (h *handler) backtests(api *web.API) {
	o := post(operator.ProgrammeWrite, "/rules/backtest", "Run a draft over the events of the last days")
	o.Description = "A long job: see /works/{id}. Its result holds members, amount, cost, the amounts by day and the ten largest earners. Nothing is granted."
	web.Write(api, example(o, map[string]any{
		"days": 30, "fen_per_point": 1,
		"draft": map[string]any{
			"code": "double", "name": "双倍", "trigger": "checkin.done",
			"definition": map[string]any{"grants": []any{map[string]any{"kind": "fixed", "account": "points", "amount": 5}}},
		},
	}), h.postBacktest)
}

func (h *handler) postBacktest(ctx context.Context, in *backtestIn) (*web.Out[Work], error) {
	t, err := h.trial(Trial{Draft: &in.Body.Draft})
	if err != nil {
		return nil, err
	}
	lang := web.Lang(ctx)
	ctx = audited(ctx, h, "rule.backtest", nil, func(w model.Work) (string, any) { return object("work", w.ID), workView(lang, w) })
	w, err := h.Rewards.StartBacktest(ctx, reward.Backtest{Draft: *t.Draft, Days: in.Body.Days, FenPerPoint: in.Body.FenPerPoint}, web.Caller(ctx).Name)
	if err != nil {
		return nil, below("draft.definition", err, definitionFields...)
	}
	return &web.Out[Work]{Body: workView(lang, *w)}, nil
}
