package inbox

import (
	"cmp"
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// outcome is what a push came to.
type outcome struct {
	state   string
	refusal string // why a use case said no
	reply   wechat.Reply
	forget  bool // the body holds what must not be kept
}

// maxOpenID is the longest openid that rows hold.
const maxOpenID = 64

func done(reply wechat.Reply) outcome { return outcome{state: model.InboxDone, reply: reply} }

// push is one push being handled, with the person behind it.
type push struct {
	*wechat.Push
	account wechat.Account
	id      *model.Identity
	lang    string
}

// handle finds the use case of a push. What has none is kept and answered "success".
func (s *Service) handle(ctx context.Context, tx *gorm.DB, acc wechat.Account, wp *wechat.Push, seen *member.Known) (outcome, error) {
	p := &push{Push: wp, account: acc, lang: templates.Chinese}
	switch wp.Event {
	case "MASSSENDJOBFINISH":
		err := s.Reach.MassFinishedTx(tx, acc.Name, p.MsgID, p.Status,
			int64(p.TotalCount), int64(p.FilterCount), int64(p.SentCount), int64(p.ErrorCount), p.CreateTime)
		return done(wechat.Reply{}), err
	case "TEMPLATESENDJOBFINISH":
		return done(wechat.Reply{}), s.Reach.TemplateSentTx(ctx, tx, acc.Name, p.MsgID, p.Status, p.CreateTime)
	case "user_authorization_revoke", "user_authorization_cancellation":
		return s.revoked(ctx, tx, p)
	}
	use := s.useCase(p)
	if use == nil || p.FromUserName == "" || len(p.FromUserName) > maxOpenID || p.CreateTime.IsZero() {
		return outcome{state: model.InboxUnknown}, nil
	}
	var err error
	if p.id, _, err = s.Members.TouchTx(tx, seen, acc.Name, acc.Kind, p.FromUserName, p.CreateTime); err != nil {
		return outcome{}, err
	}
	return use(ctx, tx, p)
}

type useCase func(ctx context.Context, tx *gorm.DB, p *push) (outcome, error)

func (s *Service) useCase(p *push) useCase {
	oa := p.account.Kind == model.KindOA
	switch {
	case p.MsgType == "event":
		switch p.Event {
		case "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event":
			return s.subscriptions
		case "subscribe":
			return only(oa, s.follow)
		case "unsubscribe":
			return only(oa, s.unfollow)
		case "SCAN":
			return only(oa, s.scan)
		case "CLICK":
			return only(oa, s.click)
		case "scancode_push", "scancode_waitmsg":
			return only(oa, s.menu)
		case "LOCATION":
			return s.location
		}
	case p.MsgType == "location":
		return s.location
	case oa && p.MsgType == "text":
		return s.text
	case oa && (p.MsgType == "image" || p.MsgType == "voice" || p.MsgType == "video" || p.MsgType == "shortvideo" || p.MsgType == "link"):
		return s.media
	}
	return nil
}

func only(ok bool, u useCase) useCase {
	if !ok {
		return nil
	}
	return u
}

// record logs the push as an event of the person.
func (s *Service) record(ctx context.Context, tx *gorm.DB, p *push, kind string, data map[string]any) (*model.Event, error) {
	data["identity_id"] = p.id.ID
	ev := &model.Event{MemberID: p.id.MemberID, Kind: kind, Source: "wechat", Key: p.Key(), OccurredAt: p.CreateTime, Data: model.ToJSON(data)}
	_, err := s.Events.RecordTx(ctx, tx, ev)
	return ev, err
}

func (s *Service) follow(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	f, err := s.Members.FollowTx(tx, p.id, p.Scene(), p.CreateTime)
	if err != nil {
		return outcome{}, err
	}
	if !f.Late {
		if err := s.Reach.OpenAllowanceTx(tx, p.id.ID, reach.ByFollow, p.CreateTime); err != nil {
			return outcome{}, err
		}
	}
	c, err := channel.Find(tx, cmp.Or(p.Scene(), channel.Search))
	if err != nil {
		return outcome{}, err
	}
	ev, err := s.record(ctx, tx, p, model.EventFollowed, visitData(p, c, f.New))
	if err != nil {
		return outcome{}, err
	}
	visit := model.VisitReturning
	if f.New {
		visit = model.VisitNew
	}
	if f.Late { // he did something else since: nothing is said
		if c != nil {
			err = s.Channels.VisitTx(ctx, tx, p.id.MemberID, c, visit, ev.ID, p.CreateTime)
		}
		return done(wechat.Reply{}), err
	}
	return s.welcome(ctx, tx, p, c, visit, ev.ID)
}

// visitData is what followers of the event, and the report, read of a visit.
func visitData(p *push, c *model.ChannelCode, isNew bool) map[string]any {
	data := map[string]any{"scene": p.Scene(), "new": isNew}
	if c != nil {
		data["channel_id"] = c.ID
	}
	return data
}

func (s *Service) scan(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	if err := s.Reach.OpenAllowanceTx(tx, p.id.ID, reach.ByScan, p.CreateTime); err != nil {
		return outcome{}, err
	}
	if !p.id.Subscribed { // SCAN comes from followers: the follow itself was missed
		if _, err := s.Members.FollowTx(tx, p.id, p.Scene(), p.CreateTime); err != nil {
			return outcome{}, err
		}
	}
	c, err := channel.Find(tx, p.Scene())
	if err != nil {
		return outcome{}, err
	}
	ev, err := s.record(ctx, tx, p, model.EventScanned, visitData(p, c, false))
	if err != nil || c == nil {
		return done(wechat.Reply{}), err
	}
	return s.welcome(ctx, tx, p, c, model.VisitScan, ev.ID)
}

// welcome counts the visit and says what the code says, or else what the brand says to who follows.
func (s *Service) welcome(ctx context.Context, tx *gorm.DB, p *push, c *model.ChannelCode, visit string, eventID int64) (outcome, error) {
	if c != nil {
		if err := s.Channels.VisitTx(ctx, tx, p.id.MemberID, c, visit, eventID, p.CreateTime); err != nil {
			return outcome{}, err
		}
		said, err := channel.Messages(c)
		if err != nil {
			return outcome{}, err
		}
		if c.Welcome != "" || len(said) > 1 || len(said) == 1 && said[0].Kind != reply.Card {
			answer, err := s.Replies.SayTx(tx, p.ask(), model.ReplyFollow, channel.Owner(c.ID), said)
			return done(answer), err
		}
		if len(said) > 0 { // a card alone: it follows the general welcome
			if _, err := s.Replies.SayTx(tx, p.ask(), model.ReplyFollow, channel.Owner(c.ID), said); err != nil {
				return outcome{}, err
			}
		}
	}
	if answer, ok, err := s.Replies.AnswerTx(tx, p.ask(), model.ReplyFollow); err != nil || ok {
		return done(answer), err
	}
	if visit == model.VisitReturning {
		return done(say(p, "reply.welcome_back", nil)), nil
	}
	return done(say(p, "reply.welcome", nil)), nil
}

// ask is what the person did, as replies read it.
func (p *push) ask() reply.Ask {
	return reply.Ask{Identity: p.id, Key: p.Key(), Text: p.Content, At: p.CreateTime}
}

func (s *Service) unfollow(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	gone, err := s.Members.UnfollowTx(tx, p.id, p.CreateTime)
	if err == nil && gone {
		err = s.Reach.CloseAllowancesTx(tx, p.id.ID)
	}
	if err != nil {
		return outcome{}, err
	}
	if gone {
		if err := s.forgetMessages(tx, p); err != nil {
			return outcome{}, err
		}
	}
	_, err = s.record(ctx, tx, p, model.EventUnfollowed, map[string]any{})
	return done(wechat.Reply{}), err
}

// location keeps a position only with the member's consent, and of the push no body.
func (s *Service) location(_ context.Context, tx *gorm.DB, p *push) (outcome, error) {
	if p.MsgType == "location" && p.account.Kind == model.KindOA {
		if err := s.Reach.OpenAllowanceTx(tx, p.id.ID, reach.ByMessage, p.CreateTime); err != nil {
			return outcome{}, err
		}
	}
	return outcome{state: model.InboxDone, forget: true}, s.Members.LocateTx(tx, p.id.MemberID, p.Lat, p.Lng, p.CreateTime)
}

func (s *Service) subscriptions(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	for _, r := range p.Subscriptions {
		var err error
		switch {
		case p.Event == "subscribe_msg_sent_event":
			err = s.Reach.SubscribeSentTx(ctx, tx, p.id, r.TemplateID, r.MsgID, r.ErrorCode, r.ErrorStatus, p.CreateTime)
		case r.Status == "accept":
			err = s.Reach.AcceptTx(tx, p.id.ID, r.TemplateID, 1, p.CreateTime)
		default:
			err = s.Reach.RejectTx(tx, p.id.ID, r.TemplateID, p.CreateTime)
		}
		if err != nil {
			return outcome{}, err
		}
	}
	return done(wechat.Reply{}), nil
}

// refuse turns a use case's refusal into the words that the person reads; any other error stays one.
func refuse(p *push, err error) (outcome, error) {
	var e *errs.Error
	if !errors.As(err, &e) {
		return outcome{}, err
	}
	return outcome{state: model.InboxRefused, refusal: string(e.Code), reply: wechat.Reply{Text: templates.T(p.lang, e.Key, e.Args)}}, nil
}
