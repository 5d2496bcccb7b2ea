package wechat

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/config"
	oacontext "github.com/silenceper/wechat/v2/officialaccount/context"
	"github.com/silenceper/wechat/v2/officialaccount/user"
)

// UserInfo is what an official account may know of a person. WeChat gives no names and no pictures since 2021-12-27.
type UserInfo struct {
	OpenID, UnionID string
	Subscribe       bool
	SubscribeTime   time.Time // zero for who does not follow
	Scene           string    // how he came: ADD_SCENE_QR_CODE, ADD_SCENE_SEARCH, …
	QRScene         string    // through which QR code
}

// UserInfo asks whether and since when a person follows an official account.
func (c *Client) UserInfo(ctx context.Context, account, openid string) (UserInfo, error) {
	if err := checkOpenID(openid); err != nil {
		return UserInfo{}, err
	}
	h, err := c.holder(account, KindOA)
	if err != nil {
		return UserInfo{}, err
	}
	var info UserInfo
	err = c.library(ctx, h, func(id credential) error {
		got, err := user.NewUser(oaContext(h, id)).GetUserInfo(openid)
		if err != nil {
			return err
		}
		info = UserInfo{
			OpenID: openid, UnionID: got.UnionID, Subscribe: got.Subscribe == 1, Scene: got.SubscribeScene, QRScene: got.QrSceneStr,
		}
		if got.SubscribeTime > 0 {
			info.SubscribeTime = time.Unix(int64(got.SubscribeTime), 0).UTC()
		}
		if info.QRScene == "" && got.QrScene != 0 {
			info.QRScene = strconv.Itoa(got.QrScene)
		}
		return nil
	})
	return info, err
}

// Followers gives every page of followers, at most 10,000 each, to yield, and stops at its first error. It does not trust the total
// that WeChat names: the library's own walk may never end (FACTS 1.11).
func (c *Client) Followers(ctx context.Context, account string, yield func(openids []string) error) error {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return err
	}
	const path = "/cgi-bin/user/get"
	next := ""
	for {
		r := request{method: http.MethodGet, host: hostAPI, path: path, query: url.Values{"next_openid": {next}}}
		body, err := c.call(ctx, h, r)
		if err != nil {
			return err
		}
		var page struct {
			Data struct {
				OpenIDs []string `json:"openid"`
			} `json:"data"`
			Next string `json:"next_openid"`
		}
		if json.Unmarshal(body, &page) != nil {
			return notUnderstood(path)
		}
		if len(page.Data.OpenIDs) == 0 {
			return nil
		}
		if err := yield(page.Data.OpenIDs); err != nil {
			return err
		}
		if page.Next == "" || page.Next == next {
			return nil
		}
		next = page.Next
	}
}

func oaContext(h *holder, id credential) *oacontext.Context {
	return &oacontext.Context{Config: &config.Config{AppID: h.AppID, AppSecret: string(id)}, AccessTokenHandle: id}
}
