package media

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

const (
	renew  = 2 * 24 * time.Hour // after the upload: a day before it dies
	margin = 10 * time.Minute   // a copy that dies sooner is not given out
	lease  = time.Minute        // real time
)

// alive reports whether a copy can be sent.
func alive(c *model.MediaCopy, now time.Time) bool {
	return c.Value != "" && (c.DiesAt == nil || c.DiesAt.After(now.Add(margin)))
}

// CopyTx is WeChat's name of a picture at an account, if it has a live one now; else "". It makes no call.
func (s *Service) CopyTx(tx *gorm.DB, account string, id int64, form string) (string, error) {
	var rows []model.MediaCopy
	err := tx.Where("account = ? AND media_id = ? AND form = ?", account, id, form).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 || !alive(&rows[0], s.clock.Now()) {
		return "", err
	}
	return rows[0].Value, nil
}

// Copy is CopyTx for who may call WeChat: it uploads what is not there, or dead. id 0 is the picture of cards that have none.
func (s *Service) Copy(ctx context.Context, account string, id int64, form string) (string, error) {
	if id == 0 {
		m, err := s.card(ctx)
		if err != nil {
			return "", err
		}
		id = m.ID
	}
	value, err := s.CopyTx(s.db.Reader(ctx), account, id, form)
	if err != nil || value != "" {
		return value, err
	}
	return s.upload(ctx, account, id, form)
}

// Dead notes that WeChat does not know a copy any more.
func (s *Service) Dead(ctx context.Context, account, value string) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.MediaCopy{}).Where("account = ? AND value = ?", account, value).
			Updates(map[string]any{"value": "", "due_at": s.clock.Now()}).Error
	})
}

// upload gives a picture to WeChat and keeps its name. Two processes may do so at once: both names work.
func (s *Service) upload(ctx context.Context, account string, id int64, form string) (value string, err error) {
	m, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	at := s.clock.Now()
	name := fmt.Sprintf("%d.%s", m.ID, m.Type)
	if form == model.MediaURL {
		value, err = s.wechat.UploadPicture(ctx, account, name, m.Data)
	} else {
		value, err = s.wechat.UploadImage(ctx, account, name, m.Data)
	}
	if err != nil {
		return "", err
	}
	set := map[string]any{"value": value, "uploaded_at": at, "attempts": 0, "error": "", "lease_till": clock.Real()}
	if form == model.MediaTemporary {
		set["dies_at"], set["due_at"] = at.Add(Life), at.Add(renew)
	} else {
		set["due_at"] = at.AddDate(100, 0, 0)
	}
	return value, s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := s.wantTx(tx, account, id, form); err != nil {
			return err
		}
		return tx.Model(&model.MediaCopy{}).Where("account = ? AND media_id = ? AND form = ?", account, id, form).Updates(set).Error
	})
}

// Work uploads the copy that has been due longest; it reports whether there was one. A copy that nothing uses any more is forgotten.
func (s *Service) Work(ctx context.Context) (bool, error) {
	var rows []model.MediaCopy
	err := s.db.Reader(ctx).Where("due_at <= ? AND lease_till <= ?", s.clock.Now(), clock.Real()).Order("due_at, media_id").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return false, err
	}
	c := rows[0]
	mine := false
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) (err error) {
		mine, err = claim(tx, &c)
		return err
	})
	if err != nil || !mine {
		return err == nil, err
	}
	if _, err := s.upload(ctx, c.Account, c.MediaID, c.Form); err != nil {
		slog.WarnContext(ctx, "picture not uploaded", "media", c.MediaID, "account", c.Account, "error", err)
		return true, s.later(ctx, &c, err)
	}
	return true, nil
}

// claim leases the row by compare-and-set, or deletes it where nothing uses the picture.
func claim(tx *gorm.DB, c *model.MediaCopy) (mine bool, err error) {
	var uses int64
	if err := tx.Model(&model.MediaUse{}).Where("media_id = ? AND form = ?", c.MediaID, c.Form).Count(&uses).Error; err != nil {
		return false, err
	}
	row := tx.Model(&model.MediaCopy{}).Where("account = ? AND media_id = ? AND form = ? AND lease_till = ?", c.Account, c.MediaID, c.Form, c.LeaseTill)
	if uses == 0 {
		return false, row.Delete(&model.MediaCopy{}).Error
	}
	res := row.Update("lease_till", clock.Real().Add(lease))
	return res.RowsAffected == 1, res.Error
}

// later puts a failed upload off: a minute, doubling to an hour; what WeChat refuses for good is tried once a day.
func (s *Service) later(ctx context.Context, c *model.MediaCopy, cause error) error {
	wait := min(time.Minute<<min(c.Attempts, 6), time.Hour)
	if wechat.ClassOf(cause) == wechat.ClassContent || errs.CodeOf(cause) == errs.NotFound {
		wait = 24 * time.Hour
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.MediaCopy{}).Where("account = ? AND media_id = ? AND form = ?", c.Account, c.MediaID, c.Form).Updates(map[string]any{
			"attempts": c.Attempts + 1, "error": model.Cut(cause.Error(), 250), "due_at": s.clock.Now().Add(wait), "lease_till": clock.Real(),
		}).Error
	})
}

// Due is when the next copy falls due.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.MediaCopy
	err := s.db.Reader(ctx).Order("due_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].DueAt, true, nil
}
