package broadcast

import (
	"context"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Look is an audience and how many of it a marketing message would reach.
type Look struct {
	reach.Forecast
	Sampled   int64          // 0: all were decided about, else the forecast is scaled up from so many
	Everybody int64          // how many people there are
	Who       string         // the condition as a sentence
	Sample    []model.Member // at most twelve
}

// Look says who meets a condition now and how many of them a text would reach by the channels, customer messages and mass sends if none
// are given. It writes nothing.
func (s *Service) Look(ctx context.Context, lang string, t condition.Tree, channels []string) (*Look, error) {
	if len(channels) == 0 {
		channels = []string{reach.Customer, reach.Mass}
	}
	found, everybody, err := s.audience.Now(ctx, t)
	if err != nil {
		return nil, wrap("look", err)
	}
	l := &Look{Everybody: everybody}
	if l.Forecast, l.Sampled, err = s.reach.Estimate(ctx, model.ClassMarketing, reach.Message{Text: "…", Channels: channels}, found); err != nil {
		return nil, wrap("look", err)
	}
	if l.Sample, err = s.audience.Sample(ctx, found, 12); err != nil {
		return nil, err
	}
	l.Who, err = s.conditions.Sentence(ctx, s.db.Reader(ctx), lang, t)
	return l, wrap("look", err)
}
