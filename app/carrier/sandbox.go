package carrier

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// Sandbox hands messages to the sandbox, which keeps them for who looks.
type Sandbox struct{ Base string }

// Send implements Provider.
func (s Sandbox) Send(ctx context.Context, m Message) (string, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Base+"/phone/send", &body)
	if err != nil {
		return "", err
	}
	res, err := sandboxClient.Do(req)
	if err != nil {
		return "", unsent(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return "", refusal(res.StatusCode)
	}
	var answer struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		ID      string `json:"id"`
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil || json.Unmarshal(raw, &answer) != nil {
		return "", &Error{Unknown, "bad_answer", ""}
	}
	if answer.ErrCode != 0 {
		return "", &Error{Refused, "sandbox", answer.ErrMsg}
	}
	return answer.ID, nil
}

var sandboxClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: idleConns}, Timeout: callTime}
