package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/outward"
	"github.com/siyu-scrm/siyu/model"
)

// Input is an endpoint as an operator writes it.
type Input struct {
	URL   string
	Kinds []string // of events, or behavior.*; none means all
	Off   bool
}

// Made is an endpoint with its secret, which is shown once.
type Made struct {
	model.WebhookEndpoint
	Secret string
}

// limit of endpoints: each event makes a row for every one that wants it.
const endpointLimit = 20

// oldSecret is how long a replaced secret goes on signing beside the new one.
const oldSecret = 24 * time.Hour

// made is what an idempotent repeat gets back.
type made struct {
	ID     int64
	Secret string // sealed
}

func (s *Service) newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return s.box.Seal("webhook", key)
}

func (s *Service) open(sealed string) ([]byte, error) {
	key, err := s.box.Open("webhook", sealed)
	if err != nil {
		return nil, fmt.Errorf("webhook: secret: %w", err)
	}
	return key, nil
}

// Create makes an endpoint. An address that leads to where siyu must not call is errs.Invalid.
func (s *Service) Create(ctx context.Context, actor string, in Input) (*Made, error) {
	if err := s.check(ctx, &in); err != nil {
		return nil, err
	}
	return s.withSecret(ctx, func(tx *gorm.DB) (*model.WebhookEndpoint, error) {
		var n int64
		if err := tx.Model(&model.WebhookEndpoint{}).Count(&n).Error; err != nil {
			return nil, fmt.Errorf("webhook: count: %w", err)
		}
		if n >= endpointLimit {
			return nil, errs.New(errs.LimitReached, "webhook.limit", "limit", endpointLimit)
		}
		now := s.clock.Now()
		row := &model.WebhookEndpoint{Secret: s.newSecret(), CreatedAt: now}
		in.write(row, now)
		if err := tx.Create(row).Error; err != nil {
			return nil, fmt.Errorf("webhook: make: %w", err)
		}
		return row, s.operators.AuditTx(tx, actor, "webhook.create", object(row.ID), nil, facts(row))
	})
}

// Rotate gives an endpoint another secret; the former one signs beside it for a day.
func (s *Service) Rotate(ctx context.Context, actor string, id int64) (*Made, error) {
	return s.withSecret(ctx, func(tx *gorm.DB) (*model.WebhookEndpoint, error) {
		row, err := find(tx, id)
		if err != nil {
			return nil, err
		}
		before := facts(row)
		until := s.clock.Now().Add(oldSecret)
		row.OldSecret, row.OldUntil, row.Secret, row.UpdatedAt = row.Secret, &until, s.newSecret(), s.clock.Now()
		if err := tx.Save(row).Error; err != nil {
			return nil, fmt.Errorf("webhook: rotate: %w", err)
		}
		return row, s.operators.AuditTx(tx, actor, "webhook.rotate", object(id), before, facts(row))
	})
}

func (s *Service) withSecret(ctx context.Context, save func(tx *gorm.DB) (*model.WebhookEndpoint, error)) (*Made, error) {
	m, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (m made, err error) {
		if err := db.Bump(tx, revision); err != nil {
			return m, err
		}
		row, err := save(tx)
		if err != nil {
			return m, err
		}
		return made{row.ID, row.Secret}, nil
	})
	if err != nil {
		return nil, err
	}
	key, err := s.open(m.Secret)
	if err != nil {
		return nil, err
	}
	row, err := s.Get(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	return &Made{*row, outward.Prefix + base64.StdEncoding.EncodeToString(key)}, nil
}

// Change writes an endpoint anew, or switches it off and on.
func (s *Service) Change(ctx context.Context, actor string, id int64, in Input) (*model.WebhookEndpoint, error) {
	if err := s.check(ctx, &in); err != nil {
		return nil, err
	}
	row, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (out model.WebhookEndpoint, err error) {
		if err := db.Bump(tx, revision); err != nil {
			return out, err
		}
		row, err := find(tx, id)
		if err != nil {
			return out, err
		}
		before := facts(row)
		in.write(row, s.clock.Now())
		if err := tx.Save(row).Error; err != nil {
			return out, fmt.Errorf("webhook: change: %w", err)
		}
		return *row, s.operators.AuditTx(tx, actor, "webhook.update", object(id), before, facts(row))
	})
	return &row, err
}

// Delete ends an endpoint. What it was not told of yet, it is not told of.
func (s *Service) Delete(ctx context.Context, actor string, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (struct{}, error) {
		if err := db.Bump(tx, revision); err != nil {
			return struct{}{}, err
		}
		row, err := find(tx, id)
		if err != nil {
			return struct{}{}, err
		}
		if err := tx.Delete(row).Error; err != nil {
			return struct{}{}, fmt.Errorf("webhook: delete: %w", err)
		}
		return struct{}{}, s.operators.AuditTx(tx, actor, "webhook.delete", object(id), facts(row), nil)
	})
	return err
}

// check refuses what cannot be an endpoint. It may ask the name server: not inside a transaction.
func (s *Service) check(ctx context.Context, in *Input) error {
	for i, kind := range in.Kinds {
		if kind != anyBehavior && kind != model.EventErased && kind != model.EventSend && kind != model.EventAlert && !event.Known(kind) {
			return errs.Field(fmt.Sprintf("kinds[%d]", i), "event.unknown_kind", "kind", kind)
		}
	}
	if len(in.Kinds) > 50 {
		return errs.Field("kinds", "web.invalid")
	}
	slices.Sort(in.Kinds)
	in.Kinds = slices.Compact(in.Kinds)
	return s.guard.Check(ctx, in.URL)
}

func (in Input) write(row *model.WebhookEndpoint, now time.Time) {
	row.URL, row.Kinds, row.UpdatedAt = in.URL, model.ToJSON(append([]string{}, in.Kinds...)), now
	switch {
	case !in.Off:
		row.State, row.Reason = model.WebhookActive, ""
	case row.State != model.WebhookOff:
		row.State, row.Reason = model.WebhookOff, model.WebhookByHand
	}
}

// Get is an endpoint; errs.NotFound if there is none.
func (s *Service) Get(ctx context.Context, id int64) (*model.WebhookEndpoint, error) {
	return find(s.db.Reader(ctx), id)
}

// List lists the endpoints by id.
func (s *Service) List(ctx context.Context) (rows []model.WebhookEndpoint, err error) {
	if err := s.db.Reader(ctx).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhook: list: %w", err)
	}
	return rows, nil
}

func find(tx *gorm.DB, id int64) (*model.WebhookEndpoint, error) {
	row := &model.WebhookEndpoint{}
	switch err := tx.Take(row, id).Error; {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, errs.New(errs.NotFound, "webhook.not_found")
	case err != nil:
		return nil, fmt.Errorf("webhook: read %d: %w", id, err)
	}
	return row, nil
}

// facts are what the audit log says of an endpoint: no secret.
func facts(r *model.WebhookEndpoint) map[string]any {
	return map[string]any{"url": r.URL, "kinds": r.Kinds, "state": r.State, "reason": r.Reason, "old_until": r.OldUntil}
}

func object(id int64) string { return fmt.Sprintf("webhook:%d", id) }
