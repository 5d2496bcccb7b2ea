package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siyu-scrm/siyu/app/clock"
)

// Template is one message template of an account.
type Template struct {
	ID     string          `json:"id"`
	Title  string          `json:"title"`
	Kind   string          `json:"kind"` // template (OA template message) or subscribe
	Type   int             `json:"type"` // of subscribe: 2 once per acceptance, 3 long-term
	Fields []TemplateField `json:"fields"`
}

// TemplateField is one typed keyword, such as thing1.
type TemplateField struct {
	Key   string `json:"key"`
	Label string `json:"label"`
}

// firstTemplates are there from the start, with ids that do not change.
func firstTemplates(account string) []Template {
	activity := []TemplateField{{"thing1", "活动名称"}, {"thing2", "活动内容"}, {"time3", "活动时间"}}
	if account == "mp" {
		return []Template{
			{"TPL_CHECKIN", "签到提醒", "subscribe", 2, []TemplateField{{"thing1", "签到项目"}, {"thing2", "温馨提示"}, {"time3", "提醒时间"}}},
			{"TPL_ACTIVITY", "活动通知", "subscribe", 2, activity},
		}
	}
	return []Template{
		{"TPL_OA_POINTS", "积分变动通知", "template", 0, []TemplateField{{"thing1", "变动原因"}, {"number2", "当前积分"}, {"time3", "变动时间"}}},
		{"TPL_OA_ACTIVITY", "活动通知", "subscribe", 2, activity},
	}
}

// content is the template as gettemplate shows it.
func (t Template) content() string {
	lines := make([]string, 0, len(t.Fields))
	for _, f := range t.Fields {
		lines = append(lines, f.Label+":{{"+f.Key+".DATA}}")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (a *account) template(id, kind string) *Template {
	i := slices.IndexFunc(a.saved.Templates, func(t Template) bool { return t.ID == id && t.Kind == kind })
	if i < 0 {
		return nil
	}
	return &a.saved.Templates[i]
}

// templateData is the value of each keyword: text, or a number.
type templateData map[string]struct {
	Value text `json:"value"`
}

// fill checks every keyword and is the message as the person reads it; or WeChat's complaint.
func (t Template) fill(data templateData) (content, complaint string) {
	lines := []string{t.Title}
	for _, f := range t.Fields {
		v := string(data[f.Key].Value)
		if strings.TrimSpace(v) == "" || v == "null" {
			return "", fmt.Sprintf("argument invalid! data.%s.value is emtpy", f.Key)
		}
		if !validValue(f.Key, v) {
			return "", fmt.Sprintf("argument invalid! data.%s.value invalid", f.Key)
		}
		lines = append(lines, f.Label+": "+v)
	}
	return strings.Join(lines, "\n"), ""
}

type templateInput struct {
	ToUser      string       `json:"touser"`
	TemplateID  string       `json:"template_id"`
	Page        string       `json:"page"`
	URL         string       `json:"url"`
	ClientMsgID string       `json:"client_msg_id"`
	Data        templateData `json:"data"`
}

// templateSend is an OA template message: followers only.
func templateSend(c *call) answer {
	if c.acct.Kind != KindService {
		return c.fail(48001)
	}
	var in templateInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	id, p := c.s.personOf(c.acct, in.ToUser)
	if p == nil {
		return c.fail(40003)
	}
	t := c.acct.template(in.TemplateID, "template")
	if t == nil {
		return c.fail(40037)
	}
	if in.ClientMsgID != "" {
		if known, ok := c.acct.sent[in.ClientMsgID]; ok {
			return c.okWith("msgid", known)
		}
	}
	r := p.relation(c.acct)
	if r == nil || !r.subscribed {
		return c.fail(43004)
	}
	if r.blocked {
		return c.fail(43019)
	}
	content, complaint := t.fill(in.Data)
	if complaint != "" {
		return c.failWith(47003, complaint)
	}
	msgID := c.s.nextMsgID()
	if in.ClientMsgID != "" {
		c.acct.sent[in.ClientMsgID] = msgID
	}
	c.later(&task{Kind: taskTemplate, Person: id, MsgID: msgID, Template: t.ID, Content: content, Data: in.data()})
	return c.okWith("msgid", msgID)
}

func (in templateInput) data() string {
	values := map[string]string{}
	for k, v := range in.Data {
		values[k] = string(v.Value)
	}
	return toData(map[string]any{"template_id": in.TemplateID, "page": in.Page, "url": in.URL, "data": values})
}

// later delivers a message and pushes its result after the result delay. Without a delay the person has it at once.
func (c *call) later(t *task) {
	t.Account = c.acct.Name
	t.At = c.now.Add(c.s.opts.ResultDelay).UnixMicro()
	if c.s.opts.ResultDelay == 0 {
		c.s.deliver(c.acct, []int64{t.Person}, body{t.channel(), t.Template, t.Content, t.Data}, c.now)
		t.Sent, t.Content, t.Data = true, "", ""
		if c.acct.NoResults {
			return
		}
	}
	c.s.schedule(t)
}

func (t *task) channel() string {
	if t.Kind == taskTemplate {
		return ChannelTemplate
	}
	return ChannelSubscribe
}

func (s *Sandbox) finishTemplate(a *account, t *task) *pushEvent {
	status := "success"
	if !t.Sent {
		if r := s.who(t.Person).relation(a); r == nil || !r.subscribed || r.rejecting {
			status = "failed:user block"
		} else {
			s.deliverTask(a, t, ChannelTemplate)
		}
	}
	if a.NoResults {
		return nil
	}
	return s.event(a, t.Person, "TEMPLATESENDJOBFINISH", fmt.Sprint(t.MsgID), field{"MsgID", t.MsgID}, field{"Status", status})
}

// subscribeSend is a mini-program's subscribe message: one per acceptance.
func subscribeSend(c *call) answer { return c.sendSubscribed(true) }

// noticeSend is an official account's subscribe notice: the same, without a msgid in the answer.
func noticeSend(c *call) answer {
	if c.acct.Kind != KindService {
		return c.fail(48001)
	}
	return c.sendSubscribed(false)
}

func (c *call) sendSubscribed(tellID bool) answer {
	var in templateInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	id, p := c.s.personOf(c.acct, in.ToUser)
	if p == nil {
		return c.fail(40003)
	}
	t := c.acct.template(in.TemplateID, "subscribe")
	if t == nil {
		return c.fail(40037)
	}
	content, complaint := t.fill(in.Data)
	if complaint != "" {
		return c.failWith(47003, complaint)
	}
	r := p.relation(c.acct)
	if r == nil || r.more == nil {
		return c.fail(43101)
	}
	switch {
	case r.more.Always[t.ID]: // long-term: unlimited
	case r.more.Accepts[t.ID] > 0:
		r.more.Accepts[t.ID]--
		c.s.saveRelation(id, r)
	default:
		return c.fail(43101)
	}
	msgID := c.s.nextMsgID()
	c.later(&task{Kind: taskSubscribe, Person: id, MsgID: msgID, Template: t.ID, Content: content, Data: in.data()})
	if !tellID {
		return c.ok()
	}
	return c.okWith("msgid", msgID)
}

func (s *Sandbox) finishSubscribe(a *account, t *task) *pushEvent {
	if !t.Sent {
		s.deliverTask(a, t, ChannelSubscribe)
	}
	if a.NoResults {
		return nil
	}
	return s.event(a, t.Person, "subscribe_msg_sent_event", fmt.Sprint(t.MsgID), field{"List", list{"SubscribeMsgSentEvent", [][]field{{
		{"TemplateId", t.Template}, {"MsgID", t.MsgID}, {"ErrorCode", int64(0)}, {"ErrorStatus", "success"},
	}}}})
}

// nextMsgID is unique and grows, over restarts too: it starts from the machine's time in nanoseconds, above 2^53 like the real ones.
func (s *Sandbox) nextMsgID() int64 {
	s.lastMsg = max(s.lastMsg+1, clock.Real().UnixNano())
	return s.lastMsg
}

func templateList(c *call) answer {
	type view struct {
		ID      string `json:"priTmplId"`
		Title   string `json:"title"`
		Content string `json:"content"`
		Example string `json:"example"`
		Type    int    `json:"type"`
	}
	out := []view{}
	for _, t := range c.acct.saved.Templates {
		if t.Kind == "subscribe" {
			out = append(out, view{t.ID, t.Title, t.content(), t.content(), t.Type})
		}
	}
	return c.okWith("data", out)
}

// templateAdd adds a template of WeChat's library. The library here has one title for every tid, with a keyword thingN per kid.
func templateAdd(c *call) answer {
	var in struct {
		TID     text   `json:"tid"`
		KidList []int  `json:"kidList"`
		Scene   string `json:"sceneDesc"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.TID == "" || len(in.KidList) == 0 || len(in.KidList) > 5 {
		return c.failWith(47003, "argument invalid! tid or kidList invalid")
	}
	t := Template{ID: randomText(43, alnum), Title: "模板" + string(in.TID), Kind: "subscribe", Type: 2}
	for _, k := range in.KidList {
		t.Fields = append(t.Fields, TemplateField{fmt.Sprintf("thing%d", k), fmt.Sprintf("关键词%d", k)})
	}
	c.s.putTemplate(c.acct, t)
	return c.okWith("priTmplId", t.ID)
}

func (s *Sandbox) putTemplate(a *account, t Template) {
	a.saved.Templates = slices.DeleteFunc(a.saved.Templates, func(x Template) bool { return x.ID == t.ID })
	a.saved.Templates = append(a.saved.Templates, t)
	s.saveAccount(a)
}

func templateDelete(c *call) answer {
	var in struct {
		ID string `json:"priTmplId"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	return c.dropTemplate(in.ID, "subscribe")
}

func (c *call) dropTemplate(id, kind string) answer {
	if c.acct.template(id, kind) == nil {
		return c.fail(40037)
	}
	c.acct.saved.Templates = slices.DeleteFunc(c.acct.saved.Templates, func(t Template) bool { return t.ID == id })
	c.s.saveAccount(c.acct)
	return c.ok()
}

func templateCategories(c *call) answer {
	return c.okWith("data", []map[string]any{{"id": 307, "name": "生活服务"}, {"id": 378, "name": "商业服务"}})
}

func oaTemplateList(c *call) answer {
	out := []map[string]string{}
	for _, t := range c.acct.saved.Templates {
		if t.Kind == "template" {
			out = append(out, map[string]string{
				"template_id": t.ID, "title": t.Title, "primary_industry": "", "deputy_industry": "", "content": t.content(), "example": t.content(),
			})
		}
	}
	return c.give(map[string]any{"template_list": out})
}

func oaTemplateAdd(c *call) answer {
	var in struct {
		Short    string   `json:"template_id_short"`
		Keywords []string `json:"keyword_name_list"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.Short == "" || len(in.Keywords) == 0 {
		return c.failWith(47003, "argument invalid! template_id_short or keyword_name_list invalid")
	}
	t := Template{ID: randomText(43, alnum), Title: "模板" + in.Short, Kind: "template"}
	for i, k := range in.Keywords {
		t.Fields = append(t.Fields, TemplateField{fmt.Sprintf("thing%d", i+1), k})
	}
	c.s.putTemplate(c.acct, t)
	return c.okWith("template_id", t.ID)
}

func oaTemplateDelete(c *call) answer {
	var in struct {
		ID string `json:"template_id"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	return c.dropTemplate(in.ID, "template")
}

// checkTemplate is for templates that the control API adds.
func checkTemplate(t Template) error {
	if t.ID == "" || t.Title == "" || len(t.Fields) == 0 {
		return refuse(400, "INVALID", "id, title, fields: all are needed")
	}
	if t.Kind != "template" && t.Kind != "subscribe" {
		return refuse(400, "INVALID", "kind: template or subscribe")
	}
	if t.Kind == "subscribe" && t.Type != 2 && t.Type != 3 {
		return refuse(400, "INVALID", "type: 2 (once per acceptance) or 3 (long-term)")
	}
	return nil
}
