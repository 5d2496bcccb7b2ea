package sandbox

import (
	"unicode/utf8"
)

// tag is one of the account's tags. The ids 0 to 2 are WeChat's own.
type tag struct {
	ID   int32  `json:"id"`
	Name string `json:"name"`
}

const (
	tagsMax       = 100
	tagsPerFan    = 20
	tagBatch      = 50
	tagNameMax    = 30
	fansPage      = 10_000
	usersPerBatch = 100
)

func userInfo(c *call) answer {
	id := c.s.idOf(c.acct, c.query.Get("openid"))
	if id == 0 {
		return c.fail(40003)
	}
	return c.give(c.s.userView(c.acct, id))
}

// userView is user/info: no name, no picture, since the end of 2021.
func (s *Sandbox) userView(a *account, id int64) map[string]any {
	r := s.look(id).relation(a)
	v := map[string]any{"subscribe": 0, "openid": a.openid(id)}
	if a.Bound {
		v["unionid"] = s.unionID(id)
	}
	if r == nil || !r.subscribed {
		return v
	}
	v["subscribe"], v["subscribe_time"] = 1, r.since
	for _, k := range []string{"nickname", "city", "province", "country", "headimgurl", "remark", "qr_scene_str"} {
		v[k] = ""
	}
	v["sex"], v["groupid"], v["qr_scene"] = 0, 0, 0
	v["language"], v["tagid_list"], v["subscribe_scene"] = "zh_CN", []int32{}, "ADD_SCENE_SEARCH"
	if m := r.more; m != nil {
		v["remark"] = m.Remark
		if m.Tags != nil {
			v["tagid_list"] = m.Tags
		}
		if m.Source != "" {
			v["subscribe_scene"] = m.Source
		}
		if n, ok := sceneNumber(m.Scene); ok {
			v["qr_scene"] = n
		} else {
			v["qr_scene_str"] = m.Scene
		}
	}
	return v
}

func userBatch(c *call) answer {
	var in struct {
		List []struct {
			OpenID string `json:"openid"`
		} `json:"user_list"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if len(in.List) == 0 || len(in.List) > usersPerBatch {
		return c.fail(40032)
	}
	out := make([]any, 0, len(in.List))
	for _, u := range in.List {
		id := c.s.idOf(c.acct, u.OpenID)
		if id == 0 {
			return c.fail(40003)
		}
		out = append(out, c.s.userView(c.acct, id))
	}
	return c.give(map[string]any{"user_info_list": out})
}

// fans lists up to a page of openids after next for which want holds.
func (c *call) fans(next string, want func(*relation) bool) (openids []string, last string, code int) {
	start := int64(0)
	if next != "" {
		id, p := c.s.personOf(c.acct, next)
		if p == nil {
			return nil, "", 40003
		}
		start = id
	}
	for i := start; i < int64(len(c.s.people)) && len(openids) < fansPage; i++ {
		if r := c.s.look(i + 1).relation(c.acct); r != nil && r.subscribed && want(r) {
			openids = append(openids, c.acct.openid(i+1))
		}
	}
	if len(openids) > 0 {
		last = openids[len(openids)-1]
	}
	return openids, last, 0
}

func userList(c *call) answer {
	list, last, code := c.fans(c.query.Get("next_openid"), func(*relation) bool { return true })
	if code != 0 {
		return c.fail(code)
	}
	v := map[string]any{"total": c.acct.followers, "count": len(list), "next_openid": last}
	if len(list) > 0 {
		v["data"] = map[string]any{"openid": list}
	}
	return c.give(v)
}

func updateRemark(c *call) answer {
	var in struct {
		OpenID string `json:"openid"`
		Remark string `json:"remark"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	id, p := c.s.personOf(c.acct, in.OpenID)
	if p == nil || !p.follows(c.acct) {
		return c.fail(40003)
	}
	if utf8.RuneCountInString(in.Remark) >= 30 {
		return c.fail(45002)
	}
	r := p.with(c.acct)
	r.extra().Remark = in.Remark
	c.s.saveRelation(id, r)
	return c.ok()
}
