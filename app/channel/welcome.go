package channel

import (
	"fmt"

	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/model"
)

// Owner names a code among what uses pictures and sends messages.
func Owner(id int64) string { return fmt.Sprintf("channel:%d", id) }

// Messages are what a code says to who comes by it, in order: the words, or else the article or the picture, are the passive reply, and
// the others follow. With a card they are three, as many as a follow lets follow.
func Messages(c *model.ChannelCode) ([]reply.Message, error) {
	list, _, err := says(c)
	return list, err
}

// says is Messages with the pictures that they need.
func says(c *model.ChannelCode) (list []reply.Message, refs []media.Ref, err error) {
	add := func(m reply.Message, field, form string) {
		list = append(list, m)
		if m.ImageID > 0 {
			refs = append(refs, media.Ref{Field: field, ID: m.ImageID, Form: form})
		}
	}
	if c.Welcome != "" {
		add(reply.Message{Kind: reply.Text, Text: c.Welcome}, "", "")
	}
	if len(c.Article) > 0 {
		m := reply.Message{}
		if err := c.Article.Into(&m); err != nil {
			return nil, nil, fmt.Errorf("channel: article of %d: %w", c.ID, err)
		}
		m.Kind = reply.News
		add(m, "article.image_id", model.MediaURL)
	}
	if c.ImageID != 0 {
		add(reply.Message{Kind: reply.Image, ImageID: c.ImageID}, "image_id", model.MediaTemporary)
	}
	if c.CardPath != "" {
		add(reply.Message{Kind: reply.Card, Title: c.CardTitle, Path: c.CardPath, ImageID: c.CardImage}, "card_image_id", model.MediaTemporary)
	}
	return list, refs, nil
}
