package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// PhoneMessage is an SMS, or a call, that a phone number got by the stub of a provider.
type PhoneMessage struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // sms or call
	To       string   `json:"to"`
	Text     string   `json:"text"`
	Template string   `json:"template,omitempty"`
	Params   []string `json:"params,omitempty"`
	Key      string   `json:"key"` // the sender's own: the same again is sent once
	Time     string   `json:"time"`
}

// phoneSend takes what a provider of SMS and calls takes.
func phoneSend(c *call) answer {
	var m PhoneMessage
	if err := json.Unmarshal(c.body, &m); err != nil || m.To == "" || m.Text == "" {
		return c.fail(47001)
	}
	s := c.s
	if m.Key != "" {
		if i := slices.IndexFunc(s.phones, func(p *PhoneMessage) bool { return p.Key == m.Key && p.Kind == m.Kind }); i >= 0 {
			return c.okWith("id", s.phones[i].ID)
		}
	}
	m.ID, m.Time = "p"+strconv.FormatInt(s.nextMsgID(), 10), showTime(c.now)
	s.phones = append(s.phones, &m)
	s.store.append(&record{Kind: "phone", PhoneMessage: &m})
	return c.okWith("id", m.ID)
}

// PhoneMessages are what phone numbers got, oldest first; of one number if it is given.
func (s *Sandbox) PhoneMessages(to string) []PhoneMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []PhoneMessage{}
	for _, m := range s.phones {
		if to == "" || m.To == to {
			out = append(out, *m)
		}
	}
	return out
}

type phoneReport struct {
	APIKey string `json:"api_key"` // of siyu, with a right to push reports
	Kind   string `json:"kind"`    // delivered, failed or reply
	Detail string `json:"detail"`  // of failed
	Text   string `json:"text"`    // of reply
}

// reportPhone tells siyu what became of a message, or what its reader answers, as a provider does.
func (s *Sandbox) reportPhone(ctx context.Context, id string, in phoneReport) (any, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.phones, func(p *PhoneMessage) bool { return p.ID == id })
	base := s.base
	var m PhoneMessage
	if i >= 0 {
		m = *s.phones[i]
	}
	s.mu.Unlock()
	switch {
	case i < 0:
		return nil, refuse(404, "NOT_FOUND", "there is no message %q", id)
	case base == "":
		return nil, refuse(409, "CONFLICT", "the sandbox does not know where siyu is")
	}
	report := map[string]any{"channel": m.Kind, "kind": in.Kind, "msg_id": m.ID, "detail": in.Detail, "phone": m.To, "text": in.Text, "at": s.clk.Now().Format(time.RFC3339Nano)}
	raw, err := json.Marshal(map[string]any{"reports": []any{report}})
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/open/v1/sms/reports", bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+in.APIKey)
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sandbox: report: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("sandbox: report: %w", err)
	}
	if !json.Valid(said) {
		said = []byte("null")
	}
	return map[string]any{"status": res.StatusCode, "answer": json.RawMessage(said)}, nil
}

func (s *Sandbox) routePhones(mux *http.ServeMux) {
	mux.Handle("GET /sandbox/api/sms", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		return items[PhoneMessage]{s.PhoneMessages(r.URL.Query().Get("to"))}, nil
	}))
	mux.Handle("POST /sandbox/api/sms/{id}/report", serve(200, func(ctx context.Context, r *http.Request, in phoneReport) (any, error) {
		return s.reportPhone(ctx, r.PathValue("id"), in)
	}))
}
