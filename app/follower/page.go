package follower

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

// worker holds a synchronisation: row is as it wrote it last.
type worker struct {
	*Service
	row  model.FollowerSync
	last time.Time // real time of the last commit
}

// errLost means that somebody else holds it by now: what he does not know of was not written.
var errLost = errors.New("follower: lost to another process")

// change writes the row, with what more does, if nobody else changed it since.
func (w *worker) change(ctx context.Context, set map[string]any, more func(ctx context.Context, tx *gorm.DB) error) error {
	set["version"] = w.row.Version + 1
	err := w.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.FollowerSync{}).Where("account = ? AND version = ?", w.row.Account, w.row.Version).Updates(set)
		switch {
		case res.Error != nil:
			return fmt.Errorf("follower: progress: %w", res.Error)
		case res.RowsAffected == 0:
			return errLost
		case more == nil:
			return nil
		}
		return more(ctx, tx)
	})
	if err == nil {
		w.row.Version++
	}
	return err
}

const (
	inFlight = 8  // calls for infos at once
	renewals = 10 // known people in one transaction: each may be a merge
	tries    = 10 // against races
	pushTime = 10 * time.Minute
)

// page takes over everybody on the page behind the cursor, and gives the row back.
func (w *worker) page(ctx context.Context) error {
	p, err := w.wechat.FollowersAfter(ctx, w.row.Account, w.row.Cursor)
	if err != nil {
		return w.trouble(ctx, err)
	}
	if len(p.OpenIDs) == 0 {
		return w.change(ctx, map[string]any{
			"state": model.SyncDone, "ended_at": w.clock.Now(), "problem": "", "error": "", "lease_till": clock.Real(),
		}, nil)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w.row.Total = p.Total
	account := w.row.Account // the row changes while they ask
	for batch := range ask(ctx, p.OpenIDs, func(openids []string) ([]wechat.UserInfo, error) { return w.infos(ctx, account, openids) }) {
		got := <-batch
		if got.err != nil {
			return w.trouble(ctx, got.err)
		}
		if err := w.keep(ctx, got); err != nil {
			return err
		}
	}
	return w.change(ctx, map[string]any{"lease_till": clock.Real()}, nil)
}

// infos asks WeChat about people. It refuses all for one whom it does not know any more: he is found by halves, and left out.
func (s *Service) infos(ctx context.Context, account string, openids []string) ([]wechat.UserInfo, error) {
	got, err := s.wechat.UserInfos(ctx, account, openids)
	if wechat.CodeOf(err) != invalidOpenID {
		return got, err
	}
	if len(openids) == 1 {
		return nil, nil
	}
	half := len(openids) / 2
	first, err := s.infos(ctx, account, openids[:half])
	if err != nil {
		return nil, err
	}
	rest, err := s.infos(ctx, account, openids[half:])
	return append(first, rest...), err
}

// answer is what WeChat says of one batch of openids.
type answer struct {
	openids []string
	infos   []wechat.UserInfo
	err     error
}

// ask asks for batches of openids, a few at once and no further ahead than that, and gives the answers in order. It ends with ctx.
func ask(ctx context.Context, openids []string, infos func([]string) ([]wechat.UserInfo, error)) <-chan chan answer {
	queue := make(chan chan answer, inFlight-1)
	go func() {
		defer close(queue)
		for from := 0; from < len(openids); from += wechat.UserBatch {
			part := openids[from:min(from+wechat.UserBatch, len(openids))]
			one := make(chan answer, 1)
			select {
			case queue <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				got, err := infos(part)
				one <- answer{part, got, err}
			}()
		}
	}()
	return queue
}

// keep writes one batch with the progress that it is. A batch that was written once is not written again.
func (w *worker) keep(ctx context.Context, a answer) error {
	list, unions := w.followers(a.infos)
	var err error
	for range tries {
		if err = w.write(ctx, a.openids, list, unions); !errors.Is(err, member.ErrRaced) {
			return err
		}
	}
	return err
}

// followers are those whom WeChat says to follow, once each, and how many of them have a unionid.
func (w *worker) followers(infos []wechat.UserInfo) (list []member.Before, unions int64) {
	arriving := w.row.StartedAt.Add(-pushTime)
	seen := make(map[string]bool, len(infos))
	for _, i := range infos {
		if !i.Subscribe || seen[i.OpenID] {
			continue
		}
		seen[i.OpenID] = true
		b := member.Before{OpenID: i.OpenID, UnionID: i.UnionID, Since: i.SubscribeTime, Scene: i.QRScene}
		if b.Since.IsZero() {
			b.Since = arriving
		}
		b.Arriving = b.Since.After(arriving)
		if b.UnionID != "" {
			unions++
		}
		list = append(list, b)
	}
	return list, unions
}

func (w *worker) write(ctx context.Context, openids []string, list []member.Before, unions int64) error {
	strangers, changed, err := w.members.Split(ctx, w.row.Account, list)
	if err != nil {
		return err
	}
	for from := 0; from < len(changed); from += renewals {
		if err := w.renew(ctx, changed[from:min(from+renewals, len(changed))]); err != nil {
			return err
		}
	}
	next := w.row
	next.Cursor = openids[len(openids)-1]
	next.Seen += int64(len(openids))
	next.Taken += int64(len(strangers))
	next.Known += int64(len(list) - len(strangers))
	next.Gone += int64(len(openids) - len(list))
	next.Unions += unions
	now := clock.Real()
	next.BusyMS += now.Sub(w.last).Milliseconds()
	linked := 0
	err = w.change(ctx, map[string]any{
		"cursor": next.Cursor, "total": next.Total, "seen": next.Seen, "taken": next.Taken, "known": next.Known, "gone": next.Gone,
		"unions": next.Unions, "busy_ms": next.BusyMS, "problem": "", "error": "", "lease_till": now.Add(lease),
	}, func(_ context.Context, tx *gorm.DB) (err error) {
		if linked, err = w.members.TakeOverTx(tx, w.row.Account, model.KindOA, strangers); err != nil || linked == 0 {
			return err
		}
		return w.countLinked(tx, linked)
	})
	if err != nil {
		return err
	}
	next.Version, next.Linked = w.row.Version, w.row.Linked+int64(linked)
	w.row, w.last = next, now
	return nil
}

func (w *worker) countLinked(tx *gorm.DB, n int) error {
	return tx.Model(&model.FollowerSync{}).Where("account = ?", w.row.Account).Update("linked", gorm.Expr("linked + ?", n)).Error
}

// renew notes the news of people whom siyu knew. Done twice, it is nothing the second time.
func (w *worker) renew(ctx context.Context, changed []member.Before) error {
	return w.change(ctx, map[string]any{"lease_till": clock.Real().Add(lease)}, func(ctx context.Context, tx *gorm.DB) error {
		linked := 0
		for _, b := range changed {
			merged, err := w.members.RenewTx(ctx, tx, w.row.Account, b)
			if err != nil {
				return err
			}
			if merged {
				linked++
			}
		}
		if linked == 0 {
			return nil
		}
		return w.countLinked(tx, linked)
	})
}
