package inbox

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/link"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// MenuCheckin is the key of the menu button that checks in.
const MenuCheckin = "CHECKIN"

func (s *Service) click(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	if out, err := s.menu(ctx, tx, p); err != nil {
		return out, err
	}
	if p.EventKey == MenuCheckin {
		return s.checkIn(ctx, tx, p, "menu")
	}
	ask := p.ask()
	ask.Text = p.EventKey
	answer, _, err := s.Replies.AnswerTx(tx, ask, model.ReplyClick)
	return done(answer), err
}

// menu is a click of the menu: it opens the allowance and is an event.
func (s *Service) menu(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	if err := s.Reach.OpenAllowanceTx(tx, p.id.ID, reach.ByMenu, p.CreateTime); err != nil {
		return outcome{}, err
	}
	_, err := s.record(ctx, tx, p, model.EventMenu, map[string]any{"key": p.EventKey})
	return done(wechat.Reply{}), err
}

// media is a message without text: it opens the allowance, counts as a message, and gets the default reply.
func (s *Service) media(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	if err := s.Reach.OpenAllowanceTx(tx, p.id.ID, reach.ByMessage, p.CreateTime); err != nil {
		return outcome{}, err
	}
	if _, err := s.record(ctx, tx, p, model.EventMessage, map[string]any{"type": p.MsgType, condition.AccountField: p.id.Account}); err != nil {
		return outcome{}, err
	}
	answer, _, err := s.Replies.AnswerTx(tx, p.ask(), model.ReplyDefault)
	return done(answer), err
}

// text records the message, which may set tags, and does what its whole text asks for: 签到, 退订, or a quiz answer. Anything else
// gets the reply to its keyword, or the default one; where the brand has none of these it is for people, and siyu says nothing.
func (s *Service) text(ctx context.Context, tx *gorm.DB, p *push) (outcome, error) {
	kind := reach.ByMessage
	if p.MenuID != "" { // a tapped choice of a message: WeChat gives it what a tap of the menu gives (FACTS §3.3)
		kind = reach.ByMenu
	}
	if err := s.Reach.OpenAllowanceTx(tx, p.id.ID, kind, p.CreateTime); err != nil {
		return outcome{}, err
	}
	if _, err := s.record(ctx, tx, p, model.EventMessage, map[string]any{"type": "text", condition.TextField: p.Content, condition.AccountField: p.id.Account}); err != nil {
		return outcome{}, err
	}
	switch strings.TrimSpace(p.Content) {
	case "签到":
		return s.checkIn(ctx, tx, p, "text")
	case "退订":
		if err := s.Members.OptOutTx(tx, p.id.MemberID, p.CreateTime); err != nil {
			return outcome{}, err
		}
		return done(say(p, "reply.opted_out", nil)), nil
	}
	if code, ok := link.Typed(p.Content); ok {
		return s.link(ctx, tx, p, code)
	}
	if says, err := s.Groups.Says(tx, p.id.MemberID, p.Content, p.CreateTime); err != nil {
		return outcome{}, err
	} else if says {
		return s.groupWord(ctx, tx, p)
	}
	if out, ok, err := s.quizAnswer(ctx, tx, p); err != nil || ok {
		return out, err
	}
	answer, _, err := s.Replies.AnswerTx(tx, p.ask(), model.ReplyKeyword, model.ReplyDefault)
	return done(answer), err
}

func say(p *push, key string, args map[string]any) wechat.Reply {
	return wechat.Reply{Text: templates.T(p.lang, key, args)}
}

// checkIn runs in a savepoint of its own: a refusal undoes it, not the message that asked for it.
func (s *Service) checkIn(ctx context.Context, tx *gorm.DB, p *push, via string) (outcome, error) {
	var r checkin.Result
	err := tx.Transaction(func(tx *gorm.DB) (err error) {
		r, err = s.Checkins.CheckInTx(ctx, tx, p.id.MemberID, via, p.CreateTime)
		return err
	})
	if err != nil {
		return refuse(p, err)
	}
	key, args := "reply.checkin", map[string]any{"points": points(r.Grants), "streak": r.Streak}
	if r.Next != nil {
		key = "reply.checkin_next"
		args["days"], args["more"] = r.Next.Days, r.Next.Amount
	}
	return done(say(p, key, args)), nil
}

// quizAnswer takes the text as an answer; ok is false where no quiz asks for it.
func (s *Service) quizAnswer(ctx context.Context, tx *gorm.DB, p *push) (out outcome, ok bool, err error) {
	asks, err := s.Quizzes.Asks(tx, p.Content, p.CreateTime)
	if err != nil || !asks {
		return outcome{}, false, err
	}
	var r *quiz.Result
	err = tx.Transaction(func(tx *gorm.DB) (err error) {
		r, ok, err = s.Quizzes.TextTx(ctx, tx, p.id.MemberID, p.Content, p.CreateTime)
		return err
	})
	if err != nil {
		out, err = refuse(p, err)
		return out, true, err
	}
	if !ok {
		return outcome{}, false, nil
	}
	return done(quizReply(p, r)), true, nil
}

func quizReply(p *push, r *quiz.Result) wechat.Reply {
	key := "reply.quiz_wrong"
	if r.Correct {
		key = "reply.quiz_right"
	} else if r.TriesLeft > 0 {
		key = "reply.quiz_again"
	}
	args := map[string]any{"question": short(r.Question), "points": points(r.Grants), "right": r.Right, "tries": r.TriesLeft, "explanation": r.Explanation}
	reply := say(p, key, args)
	reply.Text = strings.TrimSpace(strings.TrimSpace(reply.Text) + "\n" + r.Link)
	return reply
}

// points is the sum of what was granted in points.
func points(grants []event.Grant) int64 {
	var sum int64
	for _, g := range grants {
		if g.Account == model.AccountPoints {
			sum += g.Amount
		}
	}
	return sum
}

func short(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return s
}
