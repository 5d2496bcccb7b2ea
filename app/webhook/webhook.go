// Package webhook tells the brand's other systems of events, by the conventions of Standard Webhooks: signed, retried for three days,
// replayable, with a log of every call.
//
// A delivery is made in the transaction of the event, so that none is lost, and called after it. A call whose end is not known (siyu was
// killed, the answer was late) is made again: at least once, under the same webhook-id, by which a receiver knows a repeat. The order in
// which an endpoint hears of the events of a member is not promised: data.event_id and timestamp tell it.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/outward"
	"github.com/siyu-scrm/siyu/model"
)

// Service is safe for concurrent use.
type Service struct {
	db        *db.DB
	clock     clock.Clock
	zone      clock.Zone
	box       *config.Box
	operators *operator.Service
	guard     outward.Guard
	client    *http.Client

	listeners db.Cached[[]listener]
	mu        sync.Mutex
	busy      map[int64]int // calls in flight of this process, by endpoint
}

// New makes the Service.
func New(d *db.DB, c clock.Clock, z clock.Zone, box *config.Box, ops *operator.Service, g outward.Guard) *Service {
	return &Service{db: d, clock: c, zone: z, box: box, operators: ops, guard: g, client: g.Client(perEndpoint), busy: map[int64]int{}}
}

// revision names the set of active endpoints.
const revision = "webhooks"

// listener is an active endpoint and what it wants to hear of.
type listener struct {
	id    int64
	kinds []string
}

// wants reports whether the list names the kind: as it is, or all behaviours as behavior.*; an empty list names all.
func (l listener) wants(kind string) bool {
	return len(l.kinds) == 0 || slices.Contains(l.kinds, kind) || strings.HasPrefix(kind, model.EventBehavior+".") && slices.Contains(l.kinds, anyBehavior)
}

const anyBehavior = model.EventBehavior + ".*"

// Follow makes the deliveries of an event in its transaction. Without endpoints it costs nothing but a look at the revision, which
// other followers have read already.
func (s *Service) Follow(_ context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	listeners, err := s.active(tx)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	for _, l := range listeners {
		if !l.wants(ev.Kind) {
			continue
		}
		row := model.WebhookDelivery{EndpointID: l.id, EventID: ev.ID, Kind: ev.Kind, State: model.WebhookPending, DueAt: now, LeaseTill: clock.Real(), CreatedAt: now}
		if err := tx.Create(&row).Error; err != nil {
			return nil, fmt.Errorf("webhook: deliver event %d: %w", ev.ID, err)
		}
	}
	return nil, nil
}

// Part tells the endpoints of an erasure. Nothing else follows such an event: who is erased earns nothing and gets no tag.
func (s *Service) Part() member.Part {
	return member.Part{Name: "webhook", Erase: func(ctx context.Context, tx *gorm.DB, m *model.Member) error {
		now := s.clock.Now()
		ev := model.Event{MemberID: m.ID, Kind: model.EventErased, Source: "erasure", Key: m.No, OccurredAt: now, RecordedAt: now, Data: model.JSON("{}")}
		if err := tx.Create(&ev).Error; err != nil {
			return fmt.Errorf("webhook: erasure: %w", err)
		}
		_, err := s.Follow(ctx, tx, &ev)
		return err
	}}
}

// active returns the active endpoints, reloading them where they have changed.
func (s *Service) active(tx *gorm.DB) ([]listener, error) {
	return s.listeners.Get(tx, revision, load)
}

func load(tx *gorm.DB) ([]listener, error) {
	var rows []model.WebhookEndpoint
	if err := tx.Where("state = ?", model.WebhookActive).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("webhook: endpoints: %w", err)
	}
	listeners := make([]listener, len(rows))
	for i, r := range rows {
		listeners[i].id = r.ID
		if err := r.Kinds.Into(&listeners[i].kinds); err != nil {
			return nil, fmt.Errorf("webhook: endpoint %d: %w", r.ID, err)
		}
	}
	return listeners, nil
}
