package automation

import (
	"context"
	"fmt"
	"log/slog"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Cards sends mini-program cards as customer messages.
type Cards interface {
	SendMiniProgramCard(ctx context.Context, account, openid string, card wechat.Card) error
}

// Followers does what follows a follow and a scan, after their transaction: ask for the unionid, then send the
// mini-program card of the channel code within the allowance that the act opened.
type Followers struct {
	DB      *db.DB
	Members *member.Service
	Reach   *reach.Service
	WeChat  Cards
	MPAppID string // of the mini-program that cards open; "" sends none
}

// Register adds the handlers to the outbox.
func (f *Followers) Register(l *event.Log) {
	l.Later(model.EventFollowed, func(ctx context.Context, t event.Task) (func(context.Context, *gorm.DB) error, error) {
		link, err := f.Members.AskUnionID(ctx, t)
		if err != nil {
			return nil, err
		}
		return link, f.card(ctx, t)
	})
	l.Later(model.EventScanned, func(ctx context.Context, t event.Task) (func(context.Context, *gorm.DB) error, error) {
		return nil, f.card(ctx, t)
	})
}

// card sends the card of the code that the person came by. WeChat has no way to know a repeat of a customer message, so
// an attempt whose end is unknown is never repeated, and a refusal is final.
func (f *Followers) card(ctx context.Context, t event.Task) error {
	var data struct {
		IdentityID int64 `json:"identity_id"`
		ChannelID  int64 `json:"channel_id"`
	}
	if err := t.Event.Data.Into(&data); err != nil {
		return fmt.Errorf("automation: card: %w", err)
	}
	if data.ChannelID == 0 || t.Died || f.MPAppID == "" {
		return nil
	}
	var code model.ChannelCode
	var id model.Identity
	tx := f.DB.Reader(ctx)
	if err := tx.Take(&code, data.ChannelID).Error; err != nil || code.CardPath == "" {
		return err
	}
	if err := tx.Take(&id, data.IdentityID).Error; err != nil || !id.Subscribed {
		return err
	}
	if spent, err := f.spend(ctx, &id); err != nil || !spent {
		return err // the minute is over: no blind call that must fail
	}
	err := f.WeChat.SendMiniProgramCard(ctx, id.Account, id.OpenID, wechat.Card{Title: code.CardTitle, AppID: f.MPAppID, Path: code.CardPath})
	if wechat.ClassOf(err) == wechat.ClassNotSent {
		return err
	}
	if err != nil {
		slog.WarnContext(ctx, "card not sent, or not known to be", "event", t.Event.ID, "error", err)
	}
	return nil // sent, refused for good, or unknown: not again
}

// spend uses one message of the allowance that the act opened.
func (f *Followers) spend(ctx context.Context, id *model.Identity) (ok bool, err error) {
	err = f.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, id.MemberID); err != nil {
			return err
		}
		ok, err = f.Reach.UseAllowanceTx(tx, id.ID)
		return err
	})
	return ok, err
}
