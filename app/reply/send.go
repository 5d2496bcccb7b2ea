package reply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// WeChat sends customer messages.
type WeChat interface {
	SendText(ctx context.Context, account, openid, text string) error
	SendImage(ctx context.Context, account, openid, mediaID string) error
	SendNews(ctx context.Context, account, openid string, a wechat.Article) error
	SendMiniProgramCard(ctx context.Context, account, openid string, card wechat.Card) error
}

// lease is how long a worker may take over one message, in real time: an upload and a send.
const lease = time.Minute

// job is one ReplySend in hand.
type job struct {
	model.ReplySend
	list []Message
	to   model.Identity
}

// Work sends the next message of the oldest answer that is due; it reports whether there was one. WeChat cannot tell a repeat of a
// customer message, so the call is noted before it is made, and one whose end is unknown is never made again.
func (s *Service) Work(ctx context.Context) (bool, error) {
	tx := s.DB.Reader(ctx)
	var rows []model.ReplySend
	err := tx.Where("state = ? AND due_at <= ? AND lease_till <= ?", model.ReplyPending, s.Clock.Now(), clock.Real()).Order("due_at, id").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return false, err
	}
	j := &job{ReplySend: rows[0]}
	if err := j.Messages.Into(&j.list); err != nil {
		return false, fmt.Errorf("reply: send %d: %w", j.ID, err)
	}
	err = tx.Take(&j.to, j.IdentityID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) { // erased since
		return true, s.end(ctx, j, model.ReplyDropped, "erased")
	} else if err != nil {
		return false, err
	}
	return true, s.step(ctx, j)
}

// step brings the next message to its end, or puts it off.
func (s *Service) step(ctx context.Context, j *job) error {
	mine, err := s.begin(ctx, j)
	if err != nil || !mine {
		return err
	}
	send, err := s.prepare(ctx, j, j.list[j.Next])
	if err != nil { // the picture could not be uploaded: nothing was sent
		return s.failed(ctx, j, err)
	}
	call, err := s.commit(ctx, j)
	if err != nil || !call {
		return err
	}
	err = send()
	if wechat.CodeOf(err) == 40007 { // the picture died early: once more with a fresh one
		if send, err2 := s.again(ctx, j); err2 == nil {
			err = send()
		}
	}
	return s.settle(ctx, j, err)
}

// begin claims the row by compare-and-set. A call that an earlier worker made and did not come back from is over.
func (s *Service) begin(ctx context.Context, j *job) (ok bool, err error) {
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		ok = false
		set := map[string]any{"lease_till": clock.Real().Add(lease)}
		next, state, detail := j.Next, model.ReplyPending, j.Detail
		if j.Calling {
			next, detail = next+1, "unknown"
			set["calling"], set["paid"] = false, false
		}
		switch {
		case next >= len(j.list):
			state = model.ReplyDone
		case !j.to.Subscribed:
			state, detail = model.ReplyDropped, "UNSUBSCRIBED"
		case !s.Clock.Now().Before(j.Until):
			state, detail = model.ReplyDropped, "window_closed"
		}
		set["next_no"], set["state"], set["detail"] = next, state, detail
		res := tx.Model(&model.ReplySend{}).Where("id = ? AND state = ? AND lease_till = ?", j.ID, model.ReplyPending, j.LeaseTill).Updates(set)
		if res.Error != nil || res.RowsAffected == 0 || state != model.ReplyPending {
			return res.Error
		}
		ok = true
		return nil
	})
	if ok && j.Calling {
		j.Next, j.Calling, j.Paid, j.Detail = j.Next+1, false, false, "unknown"
	}
	return ok, err
}

// commit notes the call before it is made, and uses one message of the window that the person opened.
func (s *Service) commit(ctx context.Context, j *job) (call bool, err error) {
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		call = false
		if err := member.LockTx(tx, j.to.MemberID); err != nil {
			return err
		}
		if !j.Paid {
			ok, err := s.Allowances.UseAllowanceTx(tx, j.IdentityID)
			if err != nil {
				return err
			}
			if !ok {
				return set(tx, j, map[string]any{"state": model.ReplyDropped, "detail": "window_closed"})
			}
		}
		call = true
		return set(tx, j, map[string]any{"calling": true, "paid": true, "lease_till": clock.Real().Add(lease)})
	})
	return call, err
}

func set(tx *gorm.DB, j *job, values map[string]any) error {
	return tx.Model(&model.ReplySend{}).Where("id = ?", j.ID).Updates(values).Error
}

// prepare uploads what the message needs and returns its call.
func (s *Service) prepare(ctx context.Context, j *job, m Message) (func() error, error) {
	account, openid := j.to.Account, j.to.OpenID
	m, err := s.linked(s.DB.Reader(ctx), m, j.to.MemberID)
	if err != nil {
		return nil, err
	}
	switch m.Kind {
	case Image:
		if m.ImageID == 0 {
			return func() error { return s.WeChat.SendImage(ctx, account, openid, m.Material) }, nil
		}
		id, err := s.Media.Copy(ctx, account, m.ImageID, model.MediaTemporary)
		return func() error { return s.WeChat.SendImage(ctx, account, openid, id) }, err
	case Card:
		id, err := s.Media.Copy(ctx, account, m.ImageID, model.MediaTemporary)
		card := wechat.Card{Title: m.Title, AppID: s.MPAppID, Path: m.Path, ThumbMediaID: id}
		return func() error { return s.WeChat.SendMiniProgramCard(ctx, account, openid, card) }, err
	case News:
		a := wechat.Article{Title: m.Title, Description: m.Description, PicURL: m.PicURL, URL: m.URL}
		if m.ImageID > 0 {
			var err error
			if a.PicURL, err = s.Media.Copy(ctx, account, m.ImageID, model.MediaURL); err != nil {
				return nil, err
			}
		}
		return func() error { return s.WeChat.SendNews(ctx, account, openid, a) }, nil
	}
	return func() error { return s.WeChat.SendText(ctx, account, openid, m.Text) }, nil
}

// again prepares the message after WeChat refused its picture.
func (s *Service) again(ctx context.Context, j *job) (func() error, error) {
	m := j.list[j.Next]
	if m.Kind == Image && m.ImageID == 0 {
		return nil, errors.New("reply: WeChat's own material is gone")
	}
	id, err := s.Media.Copy(ctx, j.to.Account, m.ImageID, model.MediaTemporary)
	if err != nil {
		return nil, err
	}
	if err := s.Media.Dead(ctx, j.to.Account, id); err != nil {
		return nil, err
	}
	return s.prepare(ctx, j, m)
}

// settle notes the end of a call.
func (s *Service) settle(ctx context.Context, j *job, cause error) error {
	if passing(cause) {
		return s.failed(ctx, j, cause)
	}
	switch wechat.OutcomeOf(cause) {
	case wechat.NotSent:
		return s.failed(ctx, j, cause)
	case wechat.Unknown:
		j.Detail = "unknown"
	case wechat.Rejected:
		j.Detail = model.Cut(cause.Error(), 120)
	case wechat.Sent:
	}
	j.Next++
	state := model.ReplyPending
	switch {
	case wechat.ClassOf(cause) == wechat.ClassWindow || wechat.ClassOf(cause) == wechat.ClassRecipient:
		state = model.ReplyDropped
	case j.Next >= len(j.list):
		state = model.ReplyDone
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return set(tx, j, map[string]any{
			"next_no": j.Next, "state": state, "detail": j.Detail, "calling": false, "paid": false, "attempts": 0, "lease_till": clock.Real(),
		})
	})
}

// passing reports whether WeChat did not take the message now but may in a minute.
func passing(cause error) bool {
	c := wechat.ClassOf(cause)
	return c == wechat.ClassTransient || c == wechat.ClassMinuteLimit
}

// failed puts a message off that was surely not sent; one that WeChat will never take is skipped.
func (s *Service) failed(ctx context.Context, j *job, cause error) error {
	if wechat.OutcomeOf(cause) == wechat.Rejected && !passing(cause) {
		return s.settle(ctx, j, cause)
	}
	wait := min(2*time.Second<<min(j.Attempts, 11), time.Hour)
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return set(tx, j, map[string]any{
			"attempts": j.Attempts + 1, "due_at": s.Clock.Now().Add(wait), "calling": false, "detail": model.Cut(cause.Error(), 120), "lease_till": clock.Real(),
		})
	})
}

func (s *Service) end(ctx context.Context, j *job, state, detail string) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return set(tx, j, map[string]any{"state": state, "detail": detail})
	})
}

// Due is when the next message falls due.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.ReplySend
	err := s.DB.Reader(ctx).Where("state = ?", model.ReplyPending).Order("due_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].DueAt, true, nil
}

// Forget drops what was sent before the moment; it returns how many rows.
func (s *Service) Forget(ctx context.Context, before time.Time) (n int, err error) {
	err = s.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var ids []int64
		err := tx.Model(&model.ReplySend{}).Where("state <> ? AND due_at < ?", model.ReplyPending, before).Limit(500).Pluck("id", &ids).Error
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		return tx.Where("id IN ?", ids).Delete(&model.ReplySend{}).Error
	})
	return n, err
}
