package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Query chooses deliveries, newest first; zero fields choose nothing away.
type Query struct {
	EndpointID, EventID int64
	State, Kind         string
	Before              int64 // an id
	Limit               int
}

// Deliveries lists deliveries.
func (s *Service) Deliveries(ctx context.Context, q Query) (rows []model.WebhookDelivery, err error) {
	tx := s.db.Reader(ctx).Order("id DESC").Limit(q.Limit)
	for column, value := range map[string]any{"endpoint_id": q.EndpointID, "event_id": q.EventID, "state": q.State, "kind": q.Kind} {
		if value != "" && value != int64(0) {
			tx = tx.Where(column+" = ?", value)
		}
	}
	if q.Before > 0 {
		tx = tx.Where("id < ?", q.Before)
	}
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhook: deliveries: %w", err)
	}
	return rows, nil
}

// Story is a delivery with every call of it, and what is sent.
type Story struct {
	model.WebhookDelivery
	Attempts []model.WebhookAttempt
	Body     json.RawMessage // null: the event was erased
}

// Delivery is one delivery; errs.NotFound if there is none.
func (s *Service) Delivery(ctx context.Context, id int64) (*Story, error) {
	d, err := delivery(s.db.Reader(ctx), id)
	if err != nil {
		return nil, err
	}
	v := &Story{WebhookDelivery: *d, Body: json.RawMessage("null")}
	if err := s.db.Reader(ctx).Where("delivery_id = ?", id).Order("id").Limit(200).Find(&v.Attempts).Error; err != nil {
		return nil, fmt.Errorf("webhook: attempts: %w", err)
	}
	body, err := s.payload(ctx, d.EventID)
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, err
	}
	if err == nil {
		v.Body = body
	}
	return v, nil
}

func delivery(tx *gorm.DB, id int64) (*model.WebhookDelivery, error) {
	d := &model.WebhookDelivery{}
	switch err := tx.Take(d, id).Error; {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, errs.New(errs.NotFound, "webhook.delivery_not_found")
	case err != nil:
		return nil, fmt.Errorf("webhook: delivery %d: %w", id, err)
	}
	return d, nil
}

// Replay makes a delivery again, from the beginning of the schedule, under its webhook-id. One that waits anyway is errs.Conflict.
func (s *Service) Replay(ctx context.Context, actor string, id int64) (*model.WebhookDelivery, error) {
	row, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (out model.WebhookDelivery, err error) {
		d, err := delivery(tx, id)
		if err != nil {
			return out, err
		}
		e, err := find(tx, d.EndpointID)
		switch {
		case err != nil:
			return out, err
		case e.State != model.WebhookActive:
			return out, errs.New(errs.Conflict, "webhook.off")
		}
		n, err := s.again(tx, []int64{id})
		switch {
		case err != nil:
			return out, err
		case n == 0:
			return out, errs.New(errs.Conflict, "webhook.pending")
		}
		before := map[string]any{"state": d.State, "attempts": d.Attempts}
		if d, err = delivery(tx, id); err != nil {
			return out, err
		}
		return *d, s.operators.AuditTx(tx, actor, "webhook.replay", fmt.Sprintf("webhook_delivery:%d", id), before, map[string]any{"state": d.State})
	})
	return &row, err
}

// replayLimit is how many deliveries one call makes again.
const replayLimit = 1000

// Range is what to replay of an endpoint: deliveries made in [From, To) that failed, or all that are over.
type Range struct {
	From, To time.Time
	All      bool
}

// Replayed is how many deliveries were set going again; More: call again for the rest.
type Replayed struct {
	Count int64 `json:"count"`
	More  bool  `json:"more"`
}

// ReplayRange makes the deliveries of a time again, the oldest first, at most replayLimit of them.
func (s *Service) ReplayRange(ctx context.Context, actor string, id int64, r Range) (Replayed, error) {
	if !r.From.Before(r.To) {
		return Replayed{}, errs.Field("to", "webhook.range")
	}
	return db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (out Replayed, err error) {
		e, err := find(tx, id)
		switch {
		case err != nil:
			return out, err
		case e.State != model.WebhookActive:
			return out, errs.New(errs.Conflict, "webhook.off")
		}
		states := []string{model.WebhookFailed}
		if r.All {
			states = append(states, model.WebhookDone)
		}
		var ids []int64
		err = tx.Model(&model.WebhookDelivery{}).Where("endpoint_id = ? AND state IN ? AND created_at >= ? AND created_at < ?", id, states, r.From, r.To).
			Order("id").Limit(replayLimit+1).Pluck("id", &ids).Error
		if err != nil {
			return out, fmt.Errorf("webhook: replay: %w", err)
		}
		if out.More = len(ids) > replayLimit; out.More {
			ids = ids[:replayLimit]
		}
		if out.Count, err = s.again(tx, ids); err != nil {
			return out, err
		}
		what := map[string]any{"from": r.From, "to": r.To, "states": states}
		return out, s.operators.AuditTx(tx, actor, "webhook.replay", object(id), what, out)
	})
}

// again sets deliveries that are over going again.
func (s *Service) again(tx *gorm.DB, ids []int64) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	res := tx.Model(&model.WebhookDelivery{}).Where("id IN ? AND state <> ?", ids, model.WebhookPending).Updates(map[string]any{
		"state": model.WebhookPending, "step": 0, "due_at": s.clock.Now(), "lease_till": clock.Real(), "done_at": nil,
	})
	if res.Error != nil {
		return 0, fmt.Errorf("webhook: replay: %w", res.Error)
	}
	return res.RowsAffected, nil
}

// Forget drops deliveries made before an instant that are over, at most limit of them, with their calls; it reports how many.
func (s *Service) Forget(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var ids []int64
		err := tx.Model(&model.WebhookDelivery{}).Where("created_at < ? AND state <> ?", before, model.WebhookPending).Limit(limit).Pluck("id", &ids).Error
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		if err := tx.Where("delivery_id IN ?", ids).Delete(&model.WebhookAttempt{}).Error; err != nil {
			return err
		}
		return tx.Where("id IN ?", ids).Delete(&model.WebhookDelivery{}).Error
	})
	if err != nil {
		return 0, fmt.Errorf("webhook: forget: %w", err)
	}
	return n, nil
}
