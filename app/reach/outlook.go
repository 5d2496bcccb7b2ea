package reach

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/siyu-scrm/siyu/model"
)

// outlook adds what the send would use, cost and last. Who waits is counted as by the first channel.
func (s *Service) outlook(ctx context.Context, t *terms, f *Forecast) error {
	rate, err := s.measured(ctx)
	if err != nil {
		return err
	}
	f.Left = map[string]int64{}
	known := true
	for i, channel := range t.msg.Channels {
		n := f.Channels[channel]
		if i == 0 {
			n += f.Deferred
		}
		left, counted, err := s.CallsLeft(ctx, channel, t.account(channel))
		if err != nil {
			return err
		}
		if counted {
			f.Left[channel] = left
		}
		f.CostFen += n * s.o.Prices[channel]
		calls, fastest := n, rate
		if channel == Mass {
			calls = (n + int64(s.o.MassMax) - 1) / int64(s.o.MassMax)
			fastest = 1 // WeChat's 60 a minute
		}
		if most := float64(s.o.Rates[channel]); most > 0 && (fastest == 0 || most < fastest) {
			fastest = most
		}
		if fastest > 0 {
			f.Seconds += float64(calls) / fastest
		} else if calls > 0 {
			known = false
		}
	}
	if !known {
		f.Seconds = 0
	}
	return nil
}

// measured is how many people a second the fastest of the last runs was sent to; 0: none was large enough to say.
func (s *Service) measured(ctx context.Context) (rate float64, err error) {
	var runs []model.Run
	err = s.db.Reader(ctx).Select("audience", "created_at", "done_at").Where("state = ? AND audience >= ?", model.RunDone, 1000).
		Order("id DESC").Limit(5).Find(&runs).Error
	if err != nil {
		return 0, fmt.Errorf("reach: measured rate: %w", err)
	}
	for _, r := range runs {
		if took := r.DoneAt.Sub(r.CreatedAt).Seconds(); took > 0 {
			rate = max(rate, float64(r.Audience)/took)
		}
	}
	return rate, nil
}

// CostFen is what the accepted messages of runs cost, by the prices of the settings. The runs are ids, or a query of them, with its arguments.
func (s *Service) CostFen(ctx context.Context, runs string, args ...any) (fen int64, err error) {
	err = each(ctx, s.db.Reader(ctx), func(r *sql.Rows) error {
		var channel string
		var n int64
		err := r.Scan(&channel, &n)
		fen += n * s.o.Prices[channel]
		return err
	}, "SELECT channel, COUNT(*) FROM deliveries WHERE run_id IN ("+runs+") AND state = 'accepted' GROUP BY channel", args...)
	if err != nil {
		return 0, fmt.Errorf("reach: cost of runs: %w", err)
	}
	return fen, nil
}
