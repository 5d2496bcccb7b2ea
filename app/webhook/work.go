package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/outward"
	"github.com/siyu-scrm/siyu/model"
)

// schedule is that of Standard Webhooks: how long after each failure the next attempt comes. After the last, the delivery has failed.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	lease       = time.Minute // longer than a call
	perEndpoint = 4           // calls at once, of one process: a slow endpoint leaves workers to the others
	excerpt     = 1000        // bytes of an answer that are kept
	longest     = 24 * time.Hour
)

// Work calls the endpoint of the delivery that is due first; it reports whether there was one.
func (s *Service) Work(ctx context.Context) (bool, error) {
	d, err := s.claim(ctx)
	if err != nil || d == nil {
		return false, err
	}
	defer s.leave(d.EndpointID)
	e, err := s.Get(ctx, d.EndpointID)
	switch {
	case errs.CodeOf(err) == errs.NotFound, err == nil && e.State != model.WebhookActive:
		return true, s.end(ctx, d, nil, model.WebhookFailed, "the endpoint is off")
	case err != nil:
		return true, err
	}
	body, err := s.payload(ctx, d.EventID)
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return true, s.end(ctx, d, nil, model.WebhookFailed, "the event was erased")
	case err != nil:
		return true, err
	}
	a, after, err := s.call(ctx, e, d, body)
	if err != nil {
		return true, err
	}
	return true, s.settle(ctx, d, a, after)
}

// claim leases the first due delivery of an endpoint that is not busy, by compare-and-set.
func (s *Service) claim(ctx context.Context) (*model.WebhookDelivery, error) {
	now := clock.Real()
	q := s.db.Reader(ctx).Where("state = ? AND due_at <= ? AND lease_till <= ?", model.WebhookPending, s.clock.Now(), now)
	if full := s.full(); len(full) > 0 {
		q = q.Where("endpoint_id NOT IN ?", full)
	}
	var rows []model.WebhookDelivery
	if err := q.Order("due_at, id").Limit(8).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhook: due: %w", err)
	}
	for i := range rows {
		d := &rows[i]
		won := false
		err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			res := tx.Model(&model.WebhookDelivery{}).Where("id = ? AND attempts = ? AND state = ?", d.ID, d.Attempts, model.WebhookPending).
				Updates(map[string]any{"attempts": d.Attempts + 1, "lease_till": now.Add(lease)})
			won = res.RowsAffected == 1
			return res.Error
		})
		if err != nil {
			return nil, fmt.Errorf("webhook: claim: %w", err)
		}
		if won {
			d.Attempts++
			s.mu.Lock()
			s.busy[d.EndpointID]++
			s.mu.Unlock()
			return d, nil
		}
	}
	return nil, nil
}

func (s *Service) full() (ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range s.busy {
		if n >= perEndpoint {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Service) leave(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id]--; s.busy[id] <= 0 {
		delete(s.busy, id)
	}
}

// call makes one attempt, and says how long the endpoint asks to be left alone. Its own failure is no error.
func (s *Service) call(ctx context.Context, e *model.WebhookEndpoint, d *model.WebhookDelivery, body []byte) (*model.WebhookAttempt, time.Duration, error) {
	keys, err := s.keys(e)
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, 0, fmt.Errorf("webhook: %w", err)
	}
	start := clock.Real()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "siyu")
	outward.Sign(req.Header, "evt_"+strconv.FormatInt(d.EventID, 10), start, body, keys...)
	a := &model.WebhookAttempt{DeliveryID: d.ID, At: s.clock.Now()}
	res, err := s.client.Do(req)
	if err != nil {
		a.TookMS, a.Error = clock.Real().Sub(start).Milliseconds(), model.Cut(said(err), 255)
		return a, 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, excerpt))
	a.Status, a.TookMS, a.Excerpt = res.StatusCode, clock.Real().Sub(start).Milliseconds(), strings.ToValidUTF8(string(text), "\uFFFD")
	if a.Excerpt = strings.ReplaceAll(model.Cut(a.Excerpt, excerpt), "\x00", ""); a.Status/100 != 2 {
		a.Error = "HTTP " + strconv.Itoa(a.Status)
	} else if err != nil && !errors.Is(err, io.EOF) { // it accepted; what more it says does not matter
		a.Excerpt = ""
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date is not read
	return a, min(time.Duration(max(seconds, 0))*time.Second, longest), nil
}

// said is what went wrong without the address, which may hold a secret.
func said(err error) string {
	if errors.Is(err, outward.ErrPrivate) {
		return outward.ErrPrivate.Error()
	}
	text := err.Error()
	if _, rest, ok := strings.Cut(text, `": `); ok {
		text = rest
	}
	return text
}

// keys are the secrets that sign now.
func (s *Service) keys(e *model.WebhookEndpoint) (keys [][]byte, err error) {
	sealed := []string{e.Secret}
	if e.OldUntil != nil && s.clock.Now().Before(*e.OldUntil) {
		sealed = append(sealed, e.OldSecret)
	}
	for _, one := range sealed {
		key, err := s.open(one)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// settle keeps what came of an attempt: done, the next one, or given up.
func (s *Service) settle(ctx context.Context, d *model.WebhookDelivery, a *model.WebhookAttempt, after time.Duration) error {
	switch {
	case a.Status/100 == 2:
		return s.end(ctx, d, a, model.WebhookDone, "")
	case a.Status == http.StatusGone:
		if err := s.end(ctx, d, a, model.WebhookFailed, a.Error); err != nil {
			return err
		}
		return s.switchOff(ctx, d.EndpointID, model.WebhookGone)
	case d.Step >= len(schedule):
		if err := s.end(ctx, d, a, model.WebhookFailed, a.Error); err != nil {
			return err
		}
		return s.giveUp(ctx, d)
	}
	wait := schedule[d.Step]
	wait = max(wait+rand.N(wait/10), after) //nolint:gosec // jitter
	return s.keep(ctx, d, a, map[string]any{
		"step": d.Step + 1, "due_at": s.clock.Now().Add(wait), "lease_till": clock.Real(), "error": a.Error,
	})
}

func (s *Service) end(ctx context.Context, d *model.WebhookDelivery, a *model.WebhookAttempt, state, why string) error {
	now := s.clock.Now()
	return s.keep(ctx, d, a, map[string]any{"state": state, "done_at": now, "error": why})
}

// keep writes the attempt, and what follows from it if the lease still holds.
func (s *Service) keep(ctx context.Context, d *model.WebhookDelivery, a *model.WebhookAttempt, set map[string]any) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if a != nil {
			a.ID = 0
			if err := tx.Create(a).Error; err != nil {
				return fmt.Errorf("webhook: keep the attempt: %w", err)
			}
		}
		err := tx.Model(&model.WebhookDelivery{}).Where("id = ? AND attempts = ? AND state = ?", d.ID, d.Attempts, model.WebhookPending).Updates(set).Error
		if err != nil {
			return fmt.Errorf("webhook: settle: %w", err)
		}
		return nil
	})
}

// giveUp tells of a delivery that was tried for three days; an endpoint that took nothing since then is switched off.
func (s *Service) giveUp(ctx context.Context, d *model.WebhookDelivery) error {
	slog.ErrorContext(ctx, "webhook given up", "endpoint", d.EndpointID, "delivery", d.ID, "event", d.EventID)
	var heard []model.WebhookDelivery
	err := s.db.Reader(ctx).Where("endpoint_id = ? AND state = ? AND done_at >= ?", d.EndpointID, model.WebhookDone, d.CreatedAt).Limit(1).Find(&heard).Error
	if err != nil || len(heard) > 0 {
		return err
	}
	return s.switchOff(ctx, d.EndpointID, model.WebhookAtFault)
}

// switchOff ends an endpoint by itself.
func (s *Service) switchOff(ctx context.Context, id int64, why string) error {
	slog.ErrorContext(ctx, "webhook endpoint switched off", "endpoint", id, "reason", why)
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		row, err := find(tx, id)
		if err != nil || row.State != model.WebhookActive {
			if errs.CodeOf(err) == errs.NotFound {
				return nil
			}
			return err
		}
		before := facts(row)
		row.State, row.Reason, row.UpdatedAt = model.WebhookOff, why, s.clock.Now()
		return cmp.Or(db.Bump(tx, revision), tx.Save(row).Error, s.operators.AuditTx(tx, "system", "webhook.off", object(id), before, facts(row)))
	})
}

// Due is when the next delivery wants to be made; false if none waits.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var row model.WebhookDelivery
	res := s.db.Reader(ctx).Where("state = ?", model.WebhookPending).Order("due_at").Limit(1).Find(&row)
	return row.DueAt, res.RowsAffected > 0, res.Error
}
