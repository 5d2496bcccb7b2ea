package inbox

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// mark begins the keys of a person's pushes: a keyed hash of his openid, so that they are found when he is to be forgotten and say
// nothing of him afterwards. It has 17 bytes; none for a push of nobody.
func (s *Service) mark(openID string) string {
	if openID == "" {
		return ""
	}
	return s.Box.BlindIndex("push", model.Cut(openID, maxOpenID))[:16] + "/"
}

// of are the person's pushes at the account.
func (s *Service) of(tx *gorm.DB, account, openID string) *gorm.DB {
	mark := s.mark(openID)
	return tx.Model(&model.Inbox{}).Where("account = ? AND `key` >= ? AND `key` < ?", account, mark, mark[:16]+"0") // '0' follows '/'
}

// Part says that the pushes of one who is erased lose their bodies, their answers and his openid; their keys stay, for retries.
// What has not run yet never will.
func (s *Service) Part() member.Part {
	return member.Part{Name: "inbox", Erase: func(_ context.Context, tx *gorm.DB, m *model.Member) error {
		var all []model.Identity
		if err := tx.Where("member_id = ?", m.ID).Find(&all).Error; err != nil {
			return err
		}
		for _, i := range all {
			err := s.of(tx, i.Account, i.OpenID).Updates(map[string]any{
				"open_id": "", "raw": nil, "reply": model.JSON("{}"), "error": "",
				"state": gorm.Expr("CASE WHEN state IN ? THEN ? ELSE state END", []string{model.InboxPending, model.InboxFailed}, model.InboxDone),
			}).Error
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

// forgetMessages drops the bodies of what the person wrote in the chat.
func (s *Service) forgetMessages(tx *gorm.DB, p *push) error {
	err := s.of(tx, p.account.Name, p.FromUserName).Where("kind NOT LIKE ? AND state <> ?", "event.%", model.InboxPending).Update("raw", nil).Error
	if err != nil {
		return fmt.Errorf("inbox: forget messages: %w", err)
	}
	return nil
}

// revoked is a permission that the person took back, or the end of his WeChat account: what came by it is forgotten at once, and the push
// itself too. Of one who is not known nothing is made.
func (s *Service) revoked(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	out := outcome{state: model.InboxDone, forget: true, reply: wechat.Reply{}}
	id, err := s.Members.HolderTx(tx, p.account.Name, p.OpenID, p.CreateTime)
	if errs.CodeOf(err) == errs.NotFound {
		return out, nil
	}
	if err != nil {
		return outcome{}, err
	}
	if p.Event == "user_authorization_cancellation" {
		_, err = s.Members.EraseTx(ctx, tx, id)
	} else {
		err = s.Members.RevokeTx(tx, id, p.RevokeInfo)
	}
	return out, err
}
