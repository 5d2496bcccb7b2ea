package carrier

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/outward"
)

// Webhook hands messages to a system of the brand's own: a POST {"type":"sms.send","timestamp":…,"data":{…}} signed by the conventions of
// Standard Webhooks, whose webhook-id is the message's key. It answers 2xx, with {"id":"…"} if its reports will name one.
type Webhook struct {
	URL   string
	Key   []byte // nil: not signed
	Guard outward.Guard

	client *http.Client
}

// NewWebhook returns the provider.
func NewWebhook(url string, key []byte, g outward.Guard) *Webhook {
	return &Webhook{URL: url, Key: key, Guard: g, client: g.Client(idleConns)}
}

// idRule is what an id may be, to be found again.
var idRule = regexp.MustCompile(`^[0-9A-Za-z:._-]{1,64}$`)

// Send implements Provider.
func (w *Webhook) Send(ctx context.Context, m Message) (string, error) {
	now := clock.Real()
	body, err := json.Marshal(map[string]any{"type": m.Kind + ".send", "timestamp": now, "data": m})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return "", &Error{Broken, "bad_url", ""}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "siyu")
	if w.Key != nil {
		outward.Sign(req.Header, m.Key, now, body, w.Key)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return "", unsent(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		return "", refusal(res.StatusCode)
	}
	var answer struct{ ID string }
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerLimit)) // what it says beside 2xx may be no JSON
	if err != nil || json.Unmarshal(raw, &answer) != nil || !idRule.MatchString(answer.ID) {
		return "", nil // it took the message
	}
	return answer.ID, nil
}
