package reach

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// alertTx puts something about sends on the list of what operators should look at, and tells the brand's other systems; once for a kind and subject.
func (s *Service) alertTx(ctx context.Context, tx *gorm.DB, kind, subject string, data map[string]any) error {
	r := model.Risk{Kind: kind, Subject: subject, At: s.clock.Now(), Data: model.ToJSON(data)}
	if err := risk.AddTx(tx, r); err != nil || s.o.Alert == nil {
		return err
	}
	return s.o.Alert(ctx, tx, &r)
}

// MissedTx alerts operators of a firing of a source ("sop", 3) that nobody was up for.
func (s *Service) MissedTx(ctx context.Context, tx *gorm.DB, source string, id int64, firing time.Time) error {
	at := s.zone.In(firing).Format(time.RFC3339)
	return s.alertTx(ctx, tx, model.RiskRunMissed, fmt.Sprintf("%s:%d@%s", source, id, at), map[string]any{"source": source, "source_id": fmt.Sprint(id), "firing": at})
}

// massAlarm is how long WeChat may leave a mass send unanswered before operators are alerted: it is asked every minute.
const massAlarm = 10 * time.Minute

// unanswered alerts operators of a mass send that WeChat may have made or not: after a while, and before quiet hours, a pause or a quota
// keep it from being asked.
func (s *Service) unanswered(ctx context.Context, b *massLease, waits bool) error {
	if !waits && s.clock.Now().Sub(*b.CalledAt) < massAlarm {
		return nil
	}
	return s.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *gorm.DB) error {
		return s.alertTx(ctx, tx, model.RiskRunUnanswered, fmt.Sprintf("run:%d/%d", b.RunID, b.No), map[string]any{
			"run_id": fmt.Sprint(b.RunID), "batch": b.No, "people": b.Size, "called_at": s.zone.In(*b.CalledAt).Format(time.RFC3339), "answer": b.Detail,
		})
	})
}
