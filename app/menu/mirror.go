package menu

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// A change of a mirrored tag leaves a row of work in its own transaction. The job takes rows, reads what the followers hold now, tells
// WeChat, and deletes the rows: a change meanwhile left a row of its own, so nothing is lost; a repeat changes nothing.

// revision names the set of mirrored tags that processes cache.
const revision = "tag_mirrors"

func (s *Service) mirrors(tx *gorm.DB) ([]model.TagMirror, error) {
	return s.mirrored.Get(tx, revision, func(tx *gorm.DB) (rows []model.TagMirror, err error) {
		if err := tx.Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("menu: mirrors: %w", err)
		}
		return rows, nil
	})
}

// Follow is the event follower: a tag that changed, and a follow, since WeChat forgets the tags of who leaves.
func (s *Service) Follow(_ context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if ev.Kind != model.EventTag && ev.Kind != model.EventFollowed {
		return nil, nil
	}
	mirrors, err := s.mirrors(tx)
	if err != nil || len(mirrors) == 0 {
		return nil, err
	}
	var changed struct {
		TagID string `json:"tag_id"`
		From  string `json:"from"` // that it replaced
	}
	if ev.Kind == model.EventTag {
		if err := ev.Data.Into(&changed); err != nil {
			return nil, err
		}
	}
	return nil, enqueue(tx, ev.MemberID, mirrors, func(m model.TagMirror) bool {
		return ev.Kind == model.EventFollowed || slices.Contains([]string{changed.TagID, changed.From}, strconv.FormatInt(m.TagID, 10))
	})
}

// Part says what a merge does: the tags of both become the survivor's, without events.
func (s *Service) Part() member.Part {
	again := func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
		mirrors, err := s.mirrors(tx)
		if err != nil || len(mirrors) == 0 {
			return err
		}
		all := func(model.TagMirror) bool { return true }
		if err := enqueue(tx, m.Winner, mirrors, all); err != nil {
			return err
		}
		return enqueue(tx, m.Loser, mirrors, all)
	}
	return member.Part{
		Name: "menu", Merge: again, Undo: again,
		Tables: []member.Table{{
			Row: &model.TagMirrorWork{}, By: member.ByIdentity, Undo: member.Own, Hidden: "work for WeChat that waits for seconds", Erase: member.Delete,
		}},
	}
}

// enqueue leaves work for each follower of the member at the accounts of the mirrors that are meant.
func enqueue(tx *gorm.DB, memberID int64, mirrors []model.TagMirror, meant func(model.TagMirror) bool) error {
	mirrors = slices.DeleteFunc(slices.Clone(mirrors), func(m model.TagMirror) bool { return !meant(m) })
	if len(mirrors) == 0 {
		return nil
	}
	var ids []model.Identity
	if err := tx.Where("member_id = ? AND kind = ?", memberID, model.KindOA).Find(&ids).Error; err != nil {
		return fmt.Errorf("menu: identities: %w", err)
	}
	for _, m := range mirrors {
		for _, id := range ids {
			if id.Account != m.Account {
				continue
			}
			if err := tx.Create(&model.TagMirrorWork{Account: m.Account, TagID: m.TagID, IdentityID: id.ID}).Error; err != nil {
				return fmt.Errorf("menu: mirror work: %w", err)
			}
		}
	}
	return nil
}

const (
	fillChunk   = 500
	mirrorLease = time.Minute      // real time
	mirrorPause = 30 * time.Second // app time, after a failed call
)

// Work brings one mirror a step further; it reports whether there was one to bring.
func (s *Service) Work(ctx context.Context) (bool, error) {
	var rows []model.TagMirror
	err := s.DB.Reader(ctx).Where("due_at <= ? AND lease_till <= ?", s.Clock.Now(), clock.Real()).
		Where("filled = ? OR EXISTS (SELECT 1 FROM tag_mirror_works w WHERE w.account = tag_mirrors.account AND w.tag_id = tag_mirrors.tag_id)", false).
		Order("account, tag_id").Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return false, err
	}
	m := rows[0]
	mine := false
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		res := of(tx, &m).Where("lease_till = ?", m.LeaseTill).Update("lease_till", clock.Real().Add(mirrorLease))
		mine = res.RowsAffected == 1
		return res.Error
	})
	if err != nil || !mine {
		return err == nil, err
	}
	if !m.Filled {
		return true, s.fillMirror(ctx, &m)
	}
	cause := s.tell(ctx, &m)
	return true, s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		set := map[string]any{"lease_till": clock.Real(), "error": ""}
		if cause != nil {
			set["error"], set["due_at"] = model.Cut(cause.Error(), 250), s.Clock.Now().Add(mirrorPause)
		}
		return of(tx, &m).Updates(set).Error
	})
}

func of(tx *gorm.DB, m *model.TagMirror) *gorm.DB {
	return tx.Model(&model.TagMirror{}).Where("account = ? AND tag_id = ?", m.Account, m.TagID)
}

// fillMirror queues the next of those who held the tag when the mirror was made.
func (s *Service) fillMirror(ctx context.Context, m *model.TagMirror) error {
	return s.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var holds []struct{ ID, IdentityID int64 }
		err := tx.Table("tag_holds").Select("tag_holds.id, identities.id AS identity_id").
			Joins("JOIN identities ON identities.member_id = tag_holds.member_id AND identities.account = ? AND identities.subscribed = ?", m.Account, true).
			Where("tag_holds.tag_id = ? AND tag_holds.id > ?", m.TagID, m.Cursor).Order("tag_holds.id").Limit(fillChunk).Scan(&holds).Error
		if err != nil {
			return fmt.Errorf("menu: fill: %w", err)
		}
		set := map[string]any{"lease_till": clock.Real(), "filled": len(holds) < fillChunk}
		works := make([]model.TagMirrorWork, len(holds))
		for i, h := range holds {
			works[i] = model.TagMirrorWork{Account: m.Account, TagID: m.TagID, IdentityID: h.IdentityID}
			set["cursor_id"] = h.ID
		}
		if len(holds) == fillChunk { // the chunk may end between two followers of one hold
			set["cursor_id"] = holds[fillChunk-1].ID - 1
		}
		if len(works) > 0 {
			if err := tx.CreateInBatches(works, 100).Error; err != nil {
				return err
			}
		}
		return of(tx, m).Updates(set).Error
	})
}

// tell takes rows of work, tells WeChat what their followers hold now, and deletes the rows.
func (s *Service) tell(ctx context.Context, m *model.TagMirror) error {
	tx := s.DB.Reader(ctx)
	var works []model.TagMirrorWork
	if err := tx.Where("account = ? AND tag_id = ?", m.Account, m.TagID).Order("id").Limit(4 * wechat.MaxTagBatch).Find(&works).Error; err != nil {
		return err
	}
	var rows, ids []int64
	for _, w := range works {
		if !slices.Contains(ids, w.IdentityID) {
			if len(ids) == wechat.MaxTagBatch {
				break
			}
			ids = append(ids, w.IdentityID)
		}
		rows = append(rows, w.ID)
	}
	var now []struct {
		OpenID string `gorm:"column:open_id"`
		Held   bool
	}
	err := tx.Table("identities").Select("open_id, EXISTS (SELECT 1 FROM tag_holds h WHERE h.member_id = identities.member_id AND h.tag_id = ?) AS held", m.TagID).
		Where("id IN ? AND subscribed = ?", ids, true).Scan(&now).Error
	if err != nil {
		return fmt.Errorf("menu: what they hold: %w", err)
	}
	on, off := []string{}, []string{}
	for _, n := range now {
		if n.Held {
			on = append(on, n.OpenID)
		} else {
			off = append(off, n.OpenID)
		}
	}
	if err := s.tag(ctx, m, on, true); err != nil {
		return err
	}
	if err := s.tag(ctx, m, off, false); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Where("id IN ?", rows).Delete(&model.TagMirrorWork{}).Error
	})
}

// tag makes the call; where WeChat refuses the batch for one of them (who left, or carries 20 tags), each is told alone and that one left out.
func (s *Service) tag(ctx context.Context, m *model.TagMirror, openids []string, on bool) error {
	if len(openids) == 0 {
		return nil
	}
	err := s.WeChat.TagFollowers(ctx, m.Account, m.WeChatID, openids, on)
	if code := wechat.CodeOf(err); err == nil || code != 40003 && code != 49003 && code != 45059 {
		return err
	}
	if len(openids) == 1 {
		return nil
	}
	for i := range openids {
		if err := s.tag(ctx, m, openids[i:i+1], on); err != nil {
			return err
		}
	}
	return nil
}

// Due is when a mirror that failed is tried again.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.TagMirror
	err := s.DB.Reader(ctx).Where("error <> '' OR filled = ?", false).Order("due_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].DueAt, true, nil
}
