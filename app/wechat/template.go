package wechat

import (
	"context"
	"regexp"

	"github.com/silenceper/wechat/v2/miniprogram/subscribe"
)

// Template is a subscribe-message template of an account.
type Template struct {
	ID, Title, Content, Example string
	LongTerm                    bool // one acceptance serves for many sends
	Fields                      []TemplateField
}

// TemplateField is one value to fill in: thing1, labelled 活动名称. The name begins with its type (FACTS 3.3 has the types' limits).
type TemplateField struct{ Name, Label string }

var fieldRule = regexp.MustCompile(`([^\s:：{}]*)[:：]?\s*\{\{(\w+)\.DATA\}\}`)

// SubscribeTemplates lists the account's templates.
func (c *Client) SubscribeTemplates(ctx context.Context, account string) ([]Template, error) {
	h, err := c.holder(account)
	if err != nil {
		return nil, err
	}
	var list []Template
	err = c.library(ctx, h, func(id credential) error {
		got, err := subscribe.NewSubscribe(mpContext(h, id)).ListTemplates()
		if err != nil {
			return err
		}
		for _, t := range got.Data {
			list = append(list, Template{
				ID: t.PriTmplID, Title: t.Title, Content: t.Content, Example: t.Example, LongTerm: t.Type == 3, Fields: fieldsOf(t.Content),
			})
		}
		return nil
	})
	return list, err
}

func fieldsOf(content string) []TemplateField {
	var fields []TemplateField
	for _, m := range fieldRule.FindAllStringSubmatch(content, -1) {
		fields = append(fields, TemplateField{Name: m[2], Label: m[1]})
	}
	return fields
}
