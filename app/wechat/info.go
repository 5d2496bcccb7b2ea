package wechat

import (
	"context"
	"encoding/json"
	"net/http"
)

// Quota is how often a path may be called in a day, and was. Left is below 0 never.
type Quota struct{ Daily, Used, Left int64 }

// Quota asks WeChat for the limits of one of its paths, such as /cgi-bin/message/custom/send.
func (c *Client) Quota(ctx context.Context, account, path string) (Quota, error) {
	h, err := c.holder(account)
	if err != nil {
		return Quota{}, err
	}
	const ask = "/cgi-bin/openapi/quota/get"
	body, err := c.post(ctx, h, ask, append(appendJSON([]byte(`{"cgi_path":`), path), '}'))
	if err != nil {
		return Quota{}, err
	}
	var got struct {
		Quota *struct {
			Daily int64 `json:"daily_limit"`
			Used  int64 `json:"used"`
			Left  int64 `json:"remain"`
		} `json:"quota"`
	}
	if json.Unmarshal(body, &got) != nil || got.Quota == nil {
		return Quota{}, notUnderstood(ask)
	}
	return Quota{got.Quota.Daily, got.Quota.Used, max(0, got.Quota.Left)}, nil
}

// CallbackIPs are the addresses from which WeChat pushes.
func (c *Client) CallbackIPs(ctx context.Context, account string) ([]string, error) {
	h, err := c.holder(account)
	if err != nil {
		return nil, err
	}
	const path = "/cgi-bin/getcallbackip"
	body, err := c.call(ctx, h, request{method: http.MethodGet, host: hostAPI, path: path})
	if err != nil {
		return nil, err
	}
	var got struct {
		List []string `json:"ip_list"`
	}
	if json.Unmarshal(body, &got) != nil {
		return nil, notUnderstood(path)
	}
	return got.List, nil
}
