// Package follower takes over the followers that an official account had before siyu: page by page, resumable, without welcome,
// points or events. What came by a push meanwhile is not overwritten.
package follower

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// WeChat is what the synchronisation needs of the WeChat client.
type WeChat interface {
	Account(name string) (wechat.Account, bool)
	FollowersAfter(ctx context.Context, account, openid string) (wechat.FollowerPage, error)
	UserInfos(ctx context.Context, account string, openids []string) ([]wechat.UserInfo, error)
}

// Service is the use cases of followers from before.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	members *member.Service
	wechat  WeChat
}

// New returns the service.
func New(d *db.DB, c clock.Clock, m *member.Service, w WeChat) *Service {
	return &Service{db: d, clock: c, members: m, wechat: w}
}

// Start begins to synchronise an official account, or goes on after a failure. One that is under way is errs.Conflict.
func (s *Service) Start(ctx context.Context, account string) (*model.FollowerSync, error) {
	switch a, ok := s.wechat.Account(account); {
	case !ok:
		return nil, errs.New(errs.NotFound, "wechat.account_unknown", "account", account)
	case a.Kind != model.KindOA:
		return nil, errs.Field("account", "wechat.kind_wrong", "account", account)
	}
	row, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.FollowerSync, error) {
		row := model.FollowerSync{Account: account, State: model.SyncRunning, StartedAt: s.clock.Now(), RetryAt: s.clock.Now(), LeaseTill: clock.Real()}
		dup, err := db.Insert(tx, &row)
		if err != nil || !dup {
			return row, err
		}
		return s.again(tx, row)
	})
	return &row, err
}

// again starts a row that is there: a finished one anew, a failed one where it stopped.
func (s *Service) again(tx *gorm.DB, first model.FollowerSync) (row model.FollowerSync, err error) {
	if err := tx.Model(&first).Update("version", gorm.Expr("version + 1")).Error; err != nil { // the lock
		return row, err
	}
	if err := tx.Take(&row, "account = ?", first.Account).Error; err != nil {
		return row, err
	}
	switch row.State {
	case model.SyncRunning:
		return row, errs.New(errs.Conflict, "follower.running")
	case model.SyncFailed:
		row.State, row.Problem, row.Error, row.RetryAt, row.EndedAt = model.SyncRunning, "", "", first.RetryAt, nil
	default:
		first.Version = row.Version
		row = first
	}
	return row, tx.Save(&row).Error
}

// Progress is the synchronisation of an account as people read it.
type Progress struct {
	model.FollowerSync
	Status  string         // none, running, waiting (for RetryAt), done or failed
	Left    time.Duration  // until its end, at the pace so far; 0 unless it runs and that can be said
	Binding member.Binding // to an Open Platform account
}

// List is the synchronisation of each official account among accounts.
func (s *Service) List(ctx context.Context, accounts []wechat.Account) ([]Progress, error) {
	out := []Progress{}
	for _, a := range accounts {
		if a.Kind != model.KindOA {
			continue
		}
		p := Progress{FollowerSync: model.FollowerSync{Account: a.Name}, Status: "none"}
		res := s.db.Reader(ctx).Where("account = ?", a.Name).Limit(1).Find(&p.FollowerSync)
		if res.Error != nil {
			return nil, fmt.Errorf("follower: list: %w", res.Error)
		}
		if res.RowsAffected > 0 {
			p.Status = p.State
		}
		if p.State == model.SyncRunning {
			if p.RetryAt.After(s.clock.Now()) {
				p.Status = "waiting"
			}
			if rest := p.Total - p.Seen; p.Seen > 0 && rest > 0 {
				p.Left = time.Duration(rest*p.BusyMS/p.Seen) * time.Millisecond
			}
		}
		var err error
		if p.Binding, err = s.members.Binding(ctx, a.Name); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Due is when the next synchronisation goes on.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var row model.FollowerSync
	res := s.db.Reader(ctx).Where("state = ?", model.SyncRunning).Order("retry_at").Limit(1).Find(&row)
	return row.RetryAt, res.RowsAffected > 0, res.Error
}

// lease is how long a page may wait for WeChat, in real time: after a kill somebody else goes on then.
const lease = 15 * time.Second

// Work takes over one page of followers of an account that nobody else works on; it reports whether there was one. Call it until it
// reports false: any number of processes may.
func (s *Service) Work(ctx context.Context, owner string) (bool, error) {
	var row model.FollowerSync
	res := s.db.Reader(ctx).Where("state = ? AND retry_at <= ? AND lease_till <= ?", model.SyncRunning, s.clock.Now(), clock.Real()).
		Order("retry_at, account").Limit(1).Find(&row)
	if res.Error != nil || res.RowsAffected == 0 {
		return false, res.Error
	}
	w := &worker{Service: s, row: row, last: clock.Real()}
	err := w.change(ctx, map[string]any{"owner": owner, "lease_till": clock.Real().Add(lease)}, nil)
	if err == nil {
		err = w.page(ctx)
	}
	if errors.Is(err, errLost) {
		return true, nil
	}
	return true, err
}
