package menu

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// lease is how long a publication may take, in real time: a few dozen calls.
const lease = 2 * time.Minute

// Publish shows the followers of an account what stands here. Every call may be repeated, so that a publication which died half-way is
// made whole by the next one; two at once are errs.Conflict. What WeChat refuses is kept as the account's error, and told.
func (s *Service) Publish(ctx context.Context, account string) (*View, error) {
	v, err := s.Get(ctx, account)
	if err != nil {
		return nil, err
	}
	if len(v.Menus) == 0 || v.Menus[0].TagID != 0 {
		return nil, errs.New(errs.Conflict, "menu.none")
	}
	if err := s.claim(ctx, account); err != nil {
		return nil, err
	}
	wide := context.WithoutCancel(ctx)
	if cause := s.publish(wide, v); cause != nil {
		return nil, s.fail(wide, account, cause)
	}
	out, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (View, error) {
		err := tx.Model(&model.MenuState{}).Where("account = ?", account).Updates(map[string]any{
			"published": v.snapshot(), "published_at": s.Clock.Now(), "error": "", "lease_till": clock.Real(),
		}).Error
		if err != nil {
			return View{}, fmt.Errorf("menu: published: %w", err)
		}
		now, err := view(tx, account)
		if err != nil {
			return View{}, err
		}
		return *now, nil
	})
	return &out, err
}

func (s *Service) claim(ctx context.Context, account string) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		now := clock.Real()
		dup, err := db.Insert(tx, &model.MenuState{Account: account, Published: model.JSON("null"), LeaseTill: now.Add(lease)})
		if err != nil || !dup {
			return err
		}
		res := tx.Model(&model.MenuState{}).Where("account = ? AND lease_till <= ?", account, now).Update("lease_till", now.Add(lease))
		if res.Error == nil && res.RowsAffected == 0 {
			return errs.New(errs.Conflict, "menu.busy")
		}
		return res.Error
	})
}

func (s *Service) fail(ctx context.Context, account string, cause error) error {
	err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.MenuState{}).Where("account = ?", account).
			Updates(map[string]any{"error": model.Cut(cause.Error(), 250), "lease_till": clock.Real()}).Error
	})
	if err != nil {
		return err
	}
	return cause
}

// publish makes the calls: the menu for everyone, then those for tags in the place of what WeChat has. WeChat asks the newest first, so
// the first in our order is made last.
func (s *Service) publish(ctx context.Context, v *View) error {
	tags := map[int64]int{}
	for _, m := range v.Menus[1:] {
		id, err := s.mirror(ctx, v.Account, m)
		if err != nil {
			return err
		}
		tags[m.TagID] = id
	}
	body, err := json.Marshal(map[string]any{"button": v.Menus[0].Buttons})
	if err != nil {
		return err
	}
	if err := s.WeChat.CreateMenu(ctx, v.Account, body); err != nil {
		return err
	}
	if err := s.clear(ctx, v.Account); err != nil {
		return err
	}
	for _, m := range slices.Backward(v.Menus[1:]) {
		buttons, err := json.Marshal(m.Buttons)
		if err != nil {
			return err
		}
		if _, err := s.WeChat.AddConditionalMenu(ctx, v.Account, buttons, tags[m.TagID]); err != nil {
			return err
		}
	}
	return s.unmirror(ctx, v)
}

// clear takes away the menus for tags that WeChat has, whoever made them.
func (s *Service) clear(ctx context.Context, account string) error {
	raw, err := s.WeChat.GetMenu(ctx, account)
	if err != nil {
		return err
	}
	var now struct {
		Personal []struct {
			ID json.Number `json:"menuid"`
		} `json:"conditionalmenu"`
	}
	if err := json.Unmarshal(raw, &now); err != nil {
		return fmt.Errorf("menu: WeChat's menus: %w", err)
	}
	for _, m := range now.Personal {
		if err := s.WeChat.DeleteConditionalMenu(ctx, account, m.ID.String()); err != nil && wechat.CodeOf(err) != 65301 { // gone already
			return err
		}
	}
	return nil
}

// maxTagName is WeChat's, in characters.
const maxTagName = 30

// mirror makes the tag at WeChat, under a name that nobody else gives, and its row; whoever holds it is told to WeChat by the job.
func (s *Service) mirror(ctx context.Context, account string, m Menu) (int, error) {
	var rows []model.TagMirror
	if err := s.DB.Reader(ctx).Where("account = ? AND tag_id = ?", account, m.TagID).Limit(1).Find(&rows).Error; err != nil {
		return 0, err
	}
	if len(rows) > 0 {
		return rows[0].WeChatID, nil
	}
	name := fmt.Sprintf("siyu%d·%s", m.TagID, m.Tag)
	if utf8.RuneCountInString(name) > maxTagName {
		name = string([]rune(name)[:maxTagName])
	}
	id, err := s.WeChat.EnsureTag(ctx, account, name)
	if err != nil {
		return 0, err
	}
	return id, s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		_, err := db.Insert(tx, &model.TagMirror{Account: account, TagID: m.TagID, WeChatID: id, DueAt: s.Clock.Now(), LeaseTill: clock.Real()})
		if err != nil {
			return err
		}
		return db.Bump(tx, revision)
	})
}

// unmirror gives WeChat's tags back that no menu asks for any more. One that WeChat keeps is tried again at the next publication.
func (s *Service) unmirror(ctx context.Context, v *View) error {
	for _, m := range v.Mirrors {
		if slices.ContainsFunc(v.Menus, func(menu Menu) bool { return menu.TagID == m.TagID }) {
			continue
		}
		if err := s.WeChat.DeleteTag(ctx, m.Account, m.WeChatID); err != nil && wechat.CodeOf(err) != 45159 { // gone already
			if wechat.OutcomeOf(err) == wechat.Rejected {
				continue
			}
			return err
		}
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			if err := tx.Where("account = ? AND tag_id = ?", m.Account, m.TagID).Delete(&model.TagMirrorWork{}).Error; err != nil {
				return err
			}
			if err := tx.Where("account = ? AND tag_id = ?", m.Account, m.TagID).Delete(&model.TagMirror{}).Error; err != nil {
				return err
			}
			return db.Bump(tx, revision)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
