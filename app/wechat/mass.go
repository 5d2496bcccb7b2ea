package wechat

import (
	"context"
	"encoding/json"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Bounds of one mass send (FACTS 3.3).
const (
	MassMin = 2
	MassMax = 10_000
)

// SendMass sends a text to 2 to 10,000 followers of a service account. WeChat dedupes clientMsgID (1 to 64 bytes) for 24 hours, so that
// the same call may be repeated, a minute later at the earliest (else errcode 45066): what was accepted before is reported as sent,
// with its msgID. The result comes as MASSSENDJOBFINISH. The library knows no clientmsgid.
func (c *Client) SendMass(ctx context.Context, account string, openids []string, text, clientMsgID string) (msgID string, err error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return "", err
	}
	switch {
	case len(openids) < MassMin || len(openids) > MassMax:
		return "", errs.Field("openids", "wechat.field_invalid", "min", MassMin, "max", MassMax)
	case text == "":
		return "", errs.Field("text", "wechat.field_invalid")
	case clientMsgID == "" || len(clientMsgID) > 64 || clean(clientMsgID) != clientMsgID:
		return "", errs.Field("client_msg_id", "wechat.field_invalid")
	}
	b := append(make([]byte, 0, 40*len(openids)+len(text)+128), `{"touser":[`...)
	for i, openid := range openids {
		if err := checkOpenID(openid); err != nil {
			return "", err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), openid...), '"')
	}
	b = appendJSON(append(b, `],"msgtype":"text","text":{"content":`...), text)
	b = appendJSON(append(b, `},"clientmsgid":`...), clientMsgID)
	body, err := c.post(ctx, h, "/cgi-bin/message/mass/send", append(b, '}'))
	if api, ok := err.(*APIError); ok && api.Code == 45065 { //nolint:errorlint // call returns it bare
		body, err = api.body, nil // accepted before; seen even on first answers
	}
	if err != nil {
		return "", err
	}
	return numberIn(body, "msg_id"), nil
}

// MassStatus is the state of a mass send: SENDING, SEND_SUCCESS, SEND_FAIL or DELETE.
func (c *Client) MassStatus(ctx context.Context, account, msgID string) (string, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return "", err
	}
	if !msgIDRule.MatchString(msgID) {
		return "", errs.Field("msg_id", "wechat.field_invalid")
	}
	const path = "/cgi-bin/message/mass/get"
	body, err := c.post(ctx, h, path, []byte(`{"msg_id":"`+msgID+`"}`))
	if err != nil {
		return "", err
	}
	var answer struct {
		Status string `json:"msg_status"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Status == "" {
		return "", notUnderstood(path)
	}
	return answer.Status, nil
}
