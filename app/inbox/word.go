package inbox

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/community"
)

// groupWord counts the word of a group's day. It runs in a savepoint of its own: a refusal undoes it, not the message.
func (s *Service) groupWord(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	var r community.Interacted
	err := tx.Transaction(func(tx *gorm.DB) (err error) {
		r, err = s.Groups.TextTx(ctx, tx, p.id.MemberID, p.Content, p.CreateTime)
		return err
	})
	if err == nil {
		err = r.Refusal() // after the savepoint: a wrong guess stays counted
	}
	if err != nil {
		return refuse(p, err)
	}
	key := "reply.word"
	if !r.New {
		key = "reply.word_again"
	}
	return done(say(p, key, map[string]any{"group": r.Group, "points": points(r.Grants)})), nil
}
