package follower

import (
	"context"
	"log/slog"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

const (
	soon  = 30 * time.Second // after a failure that may pass
	later = 5 * time.Minute
)

// trouble notes a failure of WeChat, and when to try again; what only an operator can mend stops the synchronisation. Nothing was lost.
func (w *worker) trouble(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	now, class := w.clock.Now(), wechat.ClassOf(err)
	slog.WarnContext(ctx, "followers not synchronised", "account", w.row.Account, "class", class, "error", err)
	set := map[string]any{"problem": string(class), "error": model.Cut(err.Error(), 500), "lease_till": clock.Real()}
	switch class {
	case wechat.ClassDayQuota:
		set["retry_at"] = clock.Shanghai.End(clock.Shanghai.DayOf(now)) // WeChat's day, whatever the programme's zone
	case wechat.ClassMinuteLimit:
		set["retry_at"] = now.Truncate(time.Minute).Add(time.Minute)
	case wechat.ClassTransient, wechat.ClassAmbiguous, wechat.ClassNotSent:
		set["retry_at"] = now.Add(soon)
	case wechat.ClassTokenDead:
		set["retry_at"] = now.Add(later)
	default:
		if wechat.CodeOf(err) == invalidOpenID && w.row.Cursor != "" { // he at whom it stopped has left: from the beginning, nobody is taken twice
			set["cursor"], set["seen"], set["known"], set["taken"], set["gone"], set["unions"] = "", 0, 0, 0, 0, 0
			break
		}
		set["state"], set["ended_at"] = model.SyncFailed, now
	}
	return w.change(ctx, set, nil)
}

const invalidOpenID = 40003
