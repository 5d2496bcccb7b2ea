// Package inbox takes WeChat's pushes: each is verified, stored once under a key that tells retries from new events,
// and run in the same transaction. What was committed is never run twice; what failed can be replayed.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/link"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// slow is how long a push may take, unless Deps say otherwise, before it is stored alone and run in the background: WeChat
// waits five seconds.
const slow = 3 * time.Second

// Deps are the capabilities that pushes reach.
type Deps struct {
	DB       *db.DB
	Clock    clock.Clock
	Account  func(name string) (wechat.Account, bool)
	Events   *event.Log
	Members  *member.Service
	Channels *channel.Service
	Checkins *checkin.Service
	Quizzes  *quiz.Service
	Groups   *community.Service
	Links    *link.Service
	Reach    *reach.Service
	Replies  *reply.Service
	Box      *config.Box
	Slow     time.Duration
}

// Service is the use cases of pushes.
type Service struct {
	Deps
	queue queue
}

// New returns the service.
func New(d Deps) *Service {
	if d.Slow == 0 {
		d.Slow = slow
	}
	return &Service{Deps: d}
}

// Verify answers WeChat's check of the callback URL: the echostr, if the signature is right.
func (s *Service) Verify(account string, query url.Values) (string, error) {
	acc, ok := s.Account(account)
	if !ok {
		return "", errs.New(errs.NotFound, "callback.account")
	}
	return wechat.Verify(acc, query)
}

// Answer is the HTTP answer to a push.
type Answer struct {
	ContentType string
	Body        []byte
}

// errSlow undoes a push that took too long, so that it is stored alone.
var errSlow = errors.New("inbox: slow")

// Receive takes one push. A nil error means that a row of it is committed; every error means that nothing was stored.
func (s *Service) Receive(ctx context.Context, account string, query url.Values, body []byte) (*Answer, error) {
	acc, ok := s.Account(account)
	if !ok {
		return nil, errs.New(errs.NotFound, "callback.account")
	}
	p, err := wechat.Open(acc, query, body, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	row, err := s.store(ctx, acc, p)
	if err != nil {
		return nil, err
	}
	s.Events.Wake()
	var reply wechat.Reply
	if err := row.Reply.Into(&reply); err != nil {
		return nil, fmt.Errorf("inbox: reply of %d: %w", row.ID, err)
	}
	contentType, out, err := wechat.Seal(acc, p, reply, s.Clock.Now())
	if err != nil {
		return nil, fmt.Errorf("inbox: seal: %w", err)
	}
	return &Answer{contentType, out}, nil
}

// store commits the row of a push with its outcome, or the row alone where that takes too long.
func (s *Service) store(ctx context.Context, acc wechat.Account, p *wechat.Push) (*model.Inbox, error) {
	a := &arrival{account: acc, push: p, deadline: clock.Real().Add(s.Slow), turn: make(chan []*arrival, 1)}
	queue, stop := context.WithTimeout(ctx, s.Slow)
	defer stop()
	err := s.commit(queue, a)
	row := a.row
	var failed *bug
	switch {
	case errors.Is(err, errSlow) || errors.Is(err, context.DeadlineExceeded):
		slog.WarnContext(ctx, "push stored for later", "account", acc.Name, "kind", kind(p))
		row, err = s.keep(ctx, acc, p, nil)
	case errors.As(err, &failed):
		slog.ErrorContext(ctx, "push failed", "account", acc.Name, "kind", kind(p), "error", err)
		row, err = s.keep(ctx, acc, p, failed)
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: store: %w", err)
	}
	return row, nil
}

// keep stores the row of a push that was not run: to be run later, or failed, to be replayed.
func (s *Service) keep(ctx context.Context, acc wechat.Account, p *wechat.Push, failed *bug) (row *model.Inbox, err error) {
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		row = s.newRow(acc, p)
		if failed != nil {
			row.State, row.Attempts, row.Error = model.InboxFailed, 1, model.Cut(failed.Error(), 500)
		}
		_, err := insert(tx, row)
		return err
	})
	return row, err
}

func (s *Service) newRow(acc wechat.Account, p *wechat.Push) *model.Inbox {
	return &model.Inbox{
		Account: acc.Name, Key: s.mark(p.Person()) + p.Key(), Kind: kind(p), OpenID: model.Cut(p.Person(), maxOpenID), State: model.InboxPending, Raw: p.Raw, Reply: model.JSON("{}"),
		LeaseTill: clock.Real(), OccurredAt: p.CreateTime, ReceivedAt: s.Clock.Now(),
	}
}

// insert stores rows. A single one that was there already is read, and known reports it; of several, none may have been.
func insert(tx *gorm.DB, rows ...*model.Inbox) (known bool, err error) {
	dup, err := db.Insert(tx, rows)
	switch {
	case err != nil || !dup:
		return false, err
	case len(rows) > 1:
		return false, errAlone
	}
	row := rows[0]
	var old model.Inbox
	err = tx.Where("account = ? AND `key` = ?", row.Account, row.Key).Take(&old).Error
	*row = old
	return true, err
}

// save writes the outcome. A row is found by its key: of rows inserted together, a cluster does not tell the ids.
func save(tx *gorm.DB, row *model.Inbox) error {
	columns := []string{"State", "Reply", "Error", "Attempts"}
	if row.Raw == nil {
		columns = append(columns, "Raw")
	}
	return tx.Model(&model.Inbox{}).Where("account = ? AND `key` = ?", row.Account, row.Key).Select(columns).Updates(row).Error
}

// bug is an error that is no refusal: it undoes everything that the push did. Being replayed is what is left.
type bug struct{ cause error }

func (b *bug) Error() string { return b.cause.Error() }
func (b *bug) Unwrap() error { return b.cause } // the database repeats a closure for some of them

// run carries the push out and notes the outcome on the row. A refusal is an outcome; any other error, or a panic, is a *bug, and
// the caller's transaction must end with it.
func (s *Service) run(ctx context.Context, tx *gorm.DB, acc wechat.Account, p *wechat.Push, row *model.Inbox, seen *member.Known) error {
	var out outcome
	err := guarded(func() (err error) {
		out, err = s.handle(ctx, tx, acc, p, seen)
		return err
	})
	if err != nil {
		return &bug{err}
	}
	row.State, row.Error, row.Reply = out.state, out.refusal, model.ToJSON(out.reply)
	if out.reply == (wechat.Reply{}) {
		row.Reply = model.JSON("{}")
	}
	if out.forget {
		row.Raw = nil
	}
	return nil
}

// guarded turns a panic into an error.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fn()
}

func kind(p *wechat.Push) string {
	k := p.MsgType
	if p.MsgType == "event" {
		k = "event." + p.Event
	}
	return model.Cut(k, 48)
}
