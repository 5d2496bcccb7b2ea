package webhook

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// AlertTx tells the endpoints of something that operators should look at, once for a kind and subject. It is nobody's event: nothing else follows it.
func (s *Service) AlertTx(ctx context.Context, tx *gorm.DB, r *model.Risk) error {
	facts := map[string]any{}
	if err := r.Data.Into(&facts); err != nil {
		return fmt.Errorf("webhook: alert: %w", err)
	}
	facts["kind"], facts["subject"] = r.Kind, r.Subject
	ev := model.Event{Kind: model.EventAlert, Source: "alert", Key: r.Kind + " " + r.Subject, OccurredAt: r.At, RecordedAt: r.At, Data: model.ToJSON(facts)}
	if dup, err := db.Insert(tx, &ev); err != nil || dup {
		return err
	}
	_, err := s.Follow(ctx, tx, &ev)
	return err
}
