package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
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
