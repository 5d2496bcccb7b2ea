package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// Payload is the body of a webhook.
type Payload struct {
	Type      string `json:"type"`      // checkin.done
	Timestamp string `json:"timestamp"` // when it happened
	Data      Data   `json:"data"`
}

// Data is an event. It names the person by his member number: no openid, no phone number.
type Data struct {
	EventID string          `json:"event_id"`
	Member  Member          `json:"member,omitzero"` // none of an alert
	Facts   json.RawMessage `json:"facts"`           // of the event, by its type
	Grants  []event.Grant   `json:"grants"`          // what it earned
}

// Member is whom it is about.
type Member struct {
	No     string `json:"no"`
	Joined bool   `json:"joined"`
}

// hidden are facts of our own that mean nothing to others, or say more than they may know.
var hidden = []string{"identity_id", "openid", "unionid", "phone", "latitude", "longitude"}

// payload is made anew for each attempt and kept nowhere: what was erased of the event is gone.
func (s *Service) payload(ctx context.Context, eventID int64) ([]byte, error) {
	r := s.db.Reader(ctx)
	var ev model.Event
	if err := r.Take(&ev, eventID).Error; err != nil {
		return nil, fmt.Errorf("webhook: event %d: %w", eventID, err)
	}
	var m model.Member
	if ev.MemberID == 0 {
		// an alert
	} else if err := r.Select("id", "no", "joined_at").Take(&m, ev.MemberID).Error; err != nil {
		return nil, fmt.Errorf("webhook: member %d: %w", ev.MemberID, err)
	}
	grants, err := s.grants(ctx, eventID)
	if err != nil {
		return nil, err
	}
	facts := map[string]json.RawMessage{}
	if err := json.Unmarshal(ev.Data, &facts); err != nil {
		return nil, fmt.Errorf("webhook: facts of event %d: %w", eventID, err)
	}
	for _, name := range hidden {
		delete(facts, name)
	}
	return json.Marshal(Payload{
		Type: ev.Kind, Timestamp: s.zone.In(ev.OccurredAt).Format("2006-01-02T15:04:05.999999Z07:00"),
		Data: Data{EventID: strconv.FormatInt(ev.ID, 10), Member: Member{m.No, m.JoinedAt != nil}, Facts: json.RawMessage(model.ToJSON(facts)), Grants: grants},
	})
}

// grants are the lines that the event earned, and the tags that it set.
func (s *Service) grants(ctx context.Context, eventID int64) ([]event.Grant, error) {
	r := s.db.Reader(ctx)
	out := []event.Grant{}
	err := r.Raw(`SELECT e.account, e.delta AS amount, e.balance, e.rule_id, COALESCE(p.name, '') AS rule, e.bonus, e.note
FROM entries e LEFT JOIN point_rules p ON p.id = e.rule_id WHERE e.event_id = ? AND e.kind = ? ORDER BY e.id`, eventID, model.EntryEarn).Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("webhook: grants of event %d: %w", eventID, err)
	}
	return out, nil
}
