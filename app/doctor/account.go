package doctor

import (
	"context"
	"slices"

	"github.com/siyu-scrm/siyu/app/wechat"
)

const (
	unauthorized = 48001
	noMenu       = 46003
	badCode      = 40029
)

// official learns what kind of official account it is by what it may do.
func (e *examination) official(ctx context.Context) {
	page, err := e.WeChat.FollowersAfter(ctx, e.account.Name, "")
	followers := err == nil
	switch {
	case followers:
		e.say("followers", OK, "%d followers can be read", page.Total)
	case wechat.CodeOf(err) == unauthorized:
		e.say("followers", Wrong, "WeChat refuses them (48001): the account must be a verified service account (认证服务号); if the appid is a mini-program's, set kind: mp")
	default:
		e.say("followers", Wrong, "not read: %s", e.advice(err))
	}
	_, err = e.WeChat.QRCode(ctx, e.account.Name, "siyu-doctor", false)
	switch {
	case err == nil && followers:
		e.say("kind", OK, "a verified service account: channel codes can be made")
	case err == nil:
		e.say("kind", OK, "channel codes can be made")
	case wechat.CodeOf(err) == unauthorized:
		e.say("kind", Wrong, "no right to make QR codes (48001), so that channel codes do not work: they need a verified service account")
	default:
		e.say("kind", Wrong, "no QR code could be made: %s", e.advice(err))
	}
	e.menu(ctx)
	e.binding(ctx, page)
}

func (e *examination) menu(ctx context.Context) {
	_, err := e.WeChat.GetMenu(ctx, e.account.Name)
	switch {
	case err == nil:
		e.say("menu", OK, "one is published")
	case wechat.CodeOf(err) == noMenu:
		e.say("menu", Note, "none is published: WeChat switches its own console's menu off once a server is connected, so publish one by siyu")
	default:
		e.say("menu", Wrong, "not read: %s", e.advice(err))
	}
}

// binding learns from a follower whether the account belongs to an Open Platform account.
func (e *examination) binding(ctx context.Context, page wechat.FollowerPage) {
	if len(page.OpenIDs) == 0 {
		e.say("Open Platform", Note, "cannot be told without a follower: follow the account and look again")
		return
	}
	infos, err := e.WeChat.UserInfos(ctx, e.account.Name, page.OpenIDs[:1])
	mini := slices.ContainsFunc(e.Accounts, func(a wechat.Account) bool { return a.Kind == wechat.KindMP })
	switch {
	case err != nil || len(infos) == 0:
		e.say("Open Platform", Note, "not learned: %s", e.advice(err))
	case infos[0].UnionID != "":
		e.say("Open Platform", OK, "bound: WeChat tells unionids")
	case mini:
		e.say("Open Platform", Wrong, "not bound, so that a follower and the same person in the mini-program are two: bind both accounts to one account at open.weixin.qq.com "+
			"(管理中心), then synchronise the followers again. Until then a one-time code links them")
	default:
		e.say("Open Platform", Note, "not bound: nothing is missing until a mini-program is added")
	}
}

// mini is what a mini-program needs.
func (e *examination) mini(ctx context.Context) {
	_, err := e.WeChat.Code2Session(ctx, e.account.Name, "siyu-doctor") // no code: WeChat must say just that
	if code := wechat.CodeOf(err); code == badCode {
		e.say("kind", OK, "a mini-program: logins work")
	} else {
		e.say("kind", Wrong, "logins do not work: %s", e.advice(err))
	}
	list, err := e.WeChat.SubscribeTemplates(ctx, e.account.Name)
	switch {
	case err != nil:
		e.say("templates", Wrong, "not read: %s", e.advice(err))
	case len(list) == 0:
		e.say("templates", Note, "none chosen, so that no subscribe message can be sent: choose some at mp.weixin.qq.com (功能 → 订阅消息)")
	default:
		e.say("templates", OK, "%d for subscribe messages", len(list))
	}
	e.say("Open Platform", Note, "of a mini-program WeChat tells it only at a login: an answer of /api/v1/login whose missing names unionid means that it is not bound")
}
