package inbox

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// link is a one-time code of the mini-program: who types it here is who asked for it there. The words of the refusal are the answer;
// nothing else is undone by it.
func (s *Service) link(ctx context.Context, tx *gorm.DB, p *push, code string) (outcome, error) {
	refused, err := s.Links.RedeemTx(ctx, tx, p.id.MemberID, code, p.CreateTime)
	if err != nil {
		return outcome{}, err
	}
	if refused != nil {
		return refuse(p, refused)
	}
	return outcome{state: model.InboxDone, reply: say(p, "reply.linked", nil)}, nil
}
