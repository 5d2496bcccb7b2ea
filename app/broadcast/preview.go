package broadcast

import (
	"context"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Preview is what a broadcast would do now: by the decisions of the live send.
type Preview struct {
	reach.Forecast
	Matched   int64          // who meets the condition: Audience and Held
	Held      int64          // who would get nothing
	Everybody bool           // a run by hand has to be confirmed with the audience's number
	Who       string         // the condition as a sentence
	When      string         // the schedule as a sentence
	Sample    []model.Member // at most twelve
}

// Preview checks the input as Save does and says whom it would reach now. It writes nothing.
func (s *Service) Preview(ctx context.Context, lang string, in Input) (*Preview, error) {
	r := s.db.Reader(ctx)
	if err := s.check(ctx, r, &in); err != nil {
		return nil, err
	}
	found, everybody, err := s.audience.Now(ctx, in.Condition)
	if err != nil {
		return nil, wrap("preview", err)
	}
	p := &Preview{Matched: int64(found.GetCardinality())} //nolint:gosec // ids fit 32 bits
	if err := s.forecast(ctx, r, &in, found, p); err != nil {
		return nil, wrap("preview", err)
	}
	p.Everybody = everybody > 0 && p.Matched == everybody
	if p.Sample, err = s.audience.Sample(ctx, found, 12); err != nil {
		return nil, err
	}
	p.When = s.schedule(lang, in.Cron, in.At)
	p.Who, err = s.conditions.Sentence(ctx, r, lang, in.Condition)
	return p, wrap("preview", err)
}

// forecast decides about everybody, each with his content.
func (s *Service) forecast(ctx context.Context, r *gorm.DB, in *Input, found *roaring.Bitmap, p *Preview) error {
	b := &model.Broadcast{
		ID: in.ID, Class: in.Class, Message: model.ToJSON(in.Message), Rules: model.ToJSON(in.Rules), Trial: model.ToJSON(in.Trial),
	}
	all, err := s.specs(r, b, "", found, func(t condition.Tree) (*roaring.Bitmap, error) {
		members, _, err := s.audience.Now(ctx, t)
		return members, err
	})
	if err != nil {
		return err
	}
	p.Held = int64(all[0].Held.GetCardinality()) //nolint:gosec // ids fit 32 bits
	for _, spec := range all {
		f, err := s.reach.ForecastRun(ctx, spec)
		if err != nil {
			return err
		}
		p.Add(f)
	}
	return nil
}

// View is a broadcast as an operator reads it.
type View struct {
	model.Broadcast
	Who  string      // the condition as a sentence
	When string      // the schedule as a sentence
	Next []time.Time // the next five firings
}

// View reads a broadcast back in sentences.
func (s *Service) View(ctx context.Context, lang string, b *model.Broadcast) (*View, error) {
	v := &View{Broadcast: *b, When: s.schedule(lang, b.Cron, b.At)}
	var t condition.Tree
	err := b.Condition.Into(&t)
	if err == nil {
		v.Who, err = s.conditions.Sentence(ctx, s.db.Reader(ctx), lang, t)
	}
	if err != nil {
		return nil, wrap("view", err)
	}
	if b.State != model.BroadcastActive || b.NextAt == nil {
		return v, nil
	}
	v.Next = clock.Firings(b.Cron, s.zone, *b.NextAt, b.NextAt.AddDate(5, 0, 0), 5)
	return v, nil
}

// schedule says when a broadcast is sent.
func (s *Service) schedule(lang, cron string, at *time.Time) string {
	say := func(key string, args map[string]any) string { return templates.T(lang, key, args) }
	switch {
	case cron != "":
		return say("broadcast.when_cron", map[string]any{"when": clock.Say(lang, cron)})
	case at == nil:
		return say("broadcast.when_by_hand", nil)
	}
	return say("broadcast.when_once", map[string]any{"at": s.zone.In(*at).Format("2006-01-02 15:04")})
}
