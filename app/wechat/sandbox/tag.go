package sandbox

import (
	"slices"
	"unicode/utf8"
)

type tagInput struct {
	Tag struct {
		ID   int32  `json:"id"`
		Name string `json:"name"`
	} `json:"tag"`
}

// systemTags are everybody's: they cannot be changed.
var systemTags = []tag{{0, "未分组"}, {1, "黑名单"}, {2, "星标组"}}

func (a *account) tag(id int32) *tag {
	for i := range a.saved.Tags {
		if a.saved.Tags[i].ID == id {
			return &a.saved.Tags[i]
		}
	}
	return nil
}

func (a *account) checkTagName(name string, but int32) int {
	switch {
	case name == "":
		return 45157
	case utf8.RuneCountInString(name) > tagNameMax:
		return 45158
	}
	same := func(t tag) bool { return t.Name == name && t.ID != but }
	if slices.ContainsFunc(a.saved.Tags, same) || slices.ContainsFunc(systemTags, same) {
		return 45157
	}
	return 0
}

func tagCreate(c *call) answer {
	var in tagInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	if code := c.acct.checkTagName(in.Tag.Name, -1); code != 0 {
		return c.fail(code)
	}
	if len(c.acct.saved.Tags) >= tagsMax {
		return c.fail(45056)
	}
	t := tag{c.acct.saved.NextTag, in.Tag.Name}
	c.acct.saved.NextTag++
	c.acct.saved.Tags = append(c.acct.saved.Tags, t)
	c.s.saveAccount(c.acct)
	return c.give(map[string]any{"tag": t})
}

func tagList(c *call) answer {
	type counted struct {
		tag
		Count int `json:"count"`
	}
	out := []counted{{systemTags[2], c.acct.tagCount[2]}}
	for _, t := range c.acct.saved.Tags {
		out = append(out, counted{t, c.acct.tagCount[t.ID]})
	}
	return c.give(map[string]any{"tags": out})
}

func tagUpdate(c *call) answer {
	var in tagInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.Tag.ID <= 2 {
		return c.fail(45058)
	}
	t := c.acct.tag(in.Tag.ID)
	if t == nil {
		return c.fail(45159)
	}
	if code := c.acct.checkTagName(in.Tag.Name, t.ID); code != 0 {
		return c.fail(code)
	}
	t.Name = in.Tag.Name
	c.s.saveAccount(c.acct)
	return c.ok()
}

func tagDelete(c *call) answer {
	var in tagInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	id := in.Tag.ID
	switch {
	case id <= 2:
		return c.fail(45058)
	case c.acct.tag(id) == nil:
		return c.fail(45159)
	case c.acct.tagCount[id] > 100_000:
		return c.fail(45057)
	}
	if c.acct.tagCount[id] > 0 {
		for i, p := range c.s.people {
			if p == nil {
				continue // nobody has touched him
			}
			c.s.untag(c.acct, int64(i+1), p, id)
		}
	}
	c.acct.saved.Tags = slices.DeleteFunc(c.acct.saved.Tags, func(t tag) bool { return t.ID == id })
	c.s.saveAccount(c.acct)
	return c.ok()
}

func (s *Sandbox) untag(a *account, id int64, p *person, tagID int32) {
	r := p.relation(a)
	if r == nil || r.more == nil || !slices.Contains(r.more.Tags, tagID) {
		return
	}
	r.more.Tags = slices.DeleteFunc(r.more.Tags, func(t int32) bool { return t == tagID })
	a.tagCount[tagID]--
	s.saveRelation(id, r)
}

func tagFans(c *call) answer {
	var in struct {
		TagID int32  `json:"tagid"`
		Next  string `json:"next_openid"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.TagID > 2 && c.acct.tag(in.TagID) == nil {
		return c.fail(45159)
	}
	list, last, code := c.fans(in.Next, hasTag(in.TagID))
	if code != 0 {
		return c.fail(code)
	}
	if len(list) == 0 {
		return c.give(map[string]any{"count": 0})
	}
	return c.give(map[string]any{"count": len(list), "data": map[string]any{"openid": list}, "next_openid": last})
}

func hasTag(id int32) func(*relation) bool {
	return func(r *relation) bool { return r.more != nil && slices.Contains(r.more.Tags, id) }
}

type batchInput struct {
	OpenIDs []string `json:"openid_list"`
	TagID   int32    `json:"tagid"`
}

// batch checks a list of fans before anything is changed.
func (c *call) batch(in *batchInput) ([]int64, answer, bool) {
	if a, ok := c.read(in); !ok {
		return nil, a, false
	}
	if len(in.OpenIDs) == 0 || len(in.OpenIDs) > tagBatch {
		return nil, c.fail(40032), false
	}
	if in.TagID != 2 && c.acct.tag(in.TagID) == nil {
		return nil, c.fail(45159), false
	}
	ids := make([]int64, 0, len(in.OpenIDs))
	for _, o := range in.OpenIDs {
		id, p := c.s.personOf(c.acct, o)
		if p == nil {
			for _, other := range c.s.accounts {
				if _, q := c.s.personOf(other, o); q != nil {
					return nil, c.fail(49003), false
				}
			}
			return nil, c.fail(40003), false
		}
		if !p.follows(c.acct) {
			return nil, c.fail(40003), false
		}
		ids = append(ids, id)
	}
	return ids, answer{}, true
}

func batchTag(c *call) answer {
	var in batchInput
	ids, a, ok := c.batch(&in)
	if !ok {
		return a
	}
	for _, id := range ids {
		m := c.s.who(id).with(c.acct).more
		if m != nil && !slices.Contains(m.Tags, in.TagID) && len(m.Tags) >= tagsPerFan {
			return c.fail(45059)
		}
	}
	for _, id := range ids {
		r := c.s.who(id).with(c.acct)
		if m := r.extra(); !slices.Contains(m.Tags, in.TagID) {
			m.Tags = append(m.Tags, in.TagID)
			c.acct.tagCount[in.TagID]++
			c.s.saveRelation(id, r)
		}
	}
	return c.ok()
}

func batchUntag(c *call) answer {
	var in batchInput
	ids, a, ok := c.batch(&in)
	if !ok {
		return a
	}
	for _, id := range ids {
		c.s.untag(c.acct, id, c.s.who(id), in.TagID)
	}
	return c.ok()
}

func tagsOfUser(c *call) answer {
	var in struct {
		OpenID string `json:"openid"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	_, p := c.s.personOf(c.acct, in.OpenID)
	if p == nil {
		return c.fail(40003)
	}
	list := []int32{}
	if r := p.relation(c.acct); r != nil && r.more != nil && r.more.Tags != nil {
		list = r.more.Tags
	}
	return c.give(map[string]any{"tagid_list": list})
}
