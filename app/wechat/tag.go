package wechat

import (
	"context"
	"encoding/json"
)

// MaxTagBatch is how many followers one call tags.
const MaxTagBatch = 50

// EnsureTag makes a tag of the account, or finds the one that has the name (at most 30 characters).
func (c *Client) EnsureTag(ctx context.Context, account, name string) (id int, err error) {
	type tag struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	var made struct {
		Tag tag `json:"tag"`
	}
	err = c.oaCall(ctx, account, "/cgi-bin/tags/create", map[string]any{"tag": map[string]any{"name": name}}, &made)
	if CodeOf(err) != 45157 { // duplicate, or not allowed
		return made.Tag.ID, err
	}
	raw, getErr := c.oaGet(ctx, account, "/cgi-bin/tags/get")
	if getErr != nil {
		return 0, getErr
	}
	var list struct {
		Tags []tag `json:"tags"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return 0, notUnderstood("/cgi-bin/tags/get")
	}
	for _, t := range list.Tags {
		if t.Name == name {
			return t.ID, nil
		}
	}
	return 0, err
}

// DeleteTag takes a tag away from the account and from whoever carries it.
func (c *Client) DeleteTag(ctx context.Context, account string, id int) error {
	return c.oaCall(ctx, account, "/cgi-bin/tags/delete", map[string]any{"tag": map[string]any{"id": id}}, nil)
}

// TagFollowers gives at most MaxTagBatch followers a tag, or takes it from them. Repeating it changes nothing.
func (c *Client) TagFollowers(ctx context.Context, account string, tagID int, openids []string, on bool) error {
	path := "/cgi-bin/tags/members/batchtagging"
	if !on {
		path = "/cgi-bin/tags/members/batchuntagging"
	}
	return c.oaCall(ctx, account, path, map[string]any{"openid_list": openids, "tagid": tagID}, nil)
}
