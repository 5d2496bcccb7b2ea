package wechat

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
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

// FollowerPage is one page of an account's followers, at most 10,000, in WeChat's order.
type FollowerPage struct {
	OpenIDs []string
	Total   int64 // as WeChat counts; it may be wrong
}

// FollowersAfter is the page of followers behind an openid; "" is the beginning. An empty page is the end: neither the total nor the
// next_openid that WeChat names is trusted, and the library's own walk may never end (FACTS 1.11).
func (c *Client) FollowersAfter(ctx context.Context, account, openid string) (FollowerPage, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return FollowerPage{}, err
	}
	const path = "/cgi-bin/user/get"
	body, err := c.call(ctx, h, request{method: http.MethodGet, host: hostAPI, path: path, query: url.Values{"next_openid": {openid}}})
	if err != nil {
		return FollowerPage{}, err
	}
	var page struct {
		Total int64 `json:"total"`
		Data  struct {
			OpenIDs []string `json:"openid"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &page) != nil || slices.ContainsFunc(page.Data.OpenIDs, func(id string) bool { return !isOpenID(id) }) {
		return FollowerPage{}, notUnderstood(path)
	}
	return FollowerPage{page.Data.OpenIDs, page.Total}, nil
}

// UserBatch is how many people UserInfos takes.
const UserBatch = 100

// UserInfos is UserInfo for up to UserBatch people at once. Whom WeChat leaves out is left out.
func (c *Client) UserInfos(ctx context.Context, account string, openids []string) ([]UserInfo, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return nil, err
	}
	b := []byte(`{"user_list":[`)
	for i, id := range openids {
		if err := checkOpenID(id); err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"openid":"`...), id...), `","lang":"zh_CN"}`...)
	}
	const path = "/cgi-bin/user/info/batchget"
	body, err := c.post(ctx, h, path, append(b, "]}"...))
	if err != nil {
		return nil, err
	}
	var got struct {
		List []struct {
			Subscribe int    `json:"subscribe"`
			OpenID    string `json:"openid"`
			UnionID   string `json:"unionid"`
			Since     int64  `json:"subscribe_time"`
			Source    string `json:"subscribe_scene"`
			Scene     int64  `json:"qr_scene"`
			SceneText string `json:"qr_scene_str"`
		} `json:"user_info_list"`
	}
	if json.Unmarshal(body, &got) != nil {
		return nil, notUnderstood(path)
	}
	infos := make([]UserInfo, 0, len(got.List))
	for _, u := range got.List {
		if !isOpenID(u.OpenID) || len(u.UnionID) > 64 || len(u.SceneText) > 64 {
			return nil, notUnderstood(path)
		}
		info := UserInfo{OpenID: u.OpenID, UnionID: u.UnionID, Subscribe: u.Subscribe == 1, Scene: u.Source, QRScene: u.SceneText}
		if u.Since > 0 {
			info.SubscribeTime = time.Unix(u.Since, 0).UTC()
		}
		if info.QRScene == "" && u.Scene != 0 {
			info.QRScene = strconv.FormatInt(u.Scene, 10)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func oaContext(h *holder, id credential) *oacontext.Context {
	return &oacontext.Context{Config: &config.Config{AppID: h.AppID, AppSecret: string(id)}, AccessTokenHandle: id}
}
