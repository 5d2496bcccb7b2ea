package member

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// Erase forgets who a member is: see EraseTx.
func (s *Service) Erase(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Erased, error) {
		return s.EraseTx(ctx, tx, id)
	})
	return err
}

// Erased is what an erasure leaves to speak of.
type Erased struct {
	ID int64  `json:"id"`
	No string `json:"no"`
}

// EraseTx forgets who a member is, and who those were that were merged into him. What identifies a person goes: names, numbers, openids,
// texts, positions, tags. The ledger stays under the member number, with what he held voided. Of his openids and unionids a keyed hash
// stays, so that he is no newcomer twice; his tokens end. One who is not there, or is erased already, is errs.NotFound.
func (s *Service) EraseTx(ctx context.Context, tx *gorm.DB, id int64) (Erased, error) {
	m, err := s.lockSurvivor(tx, id)
	if err != nil {
		return Erased{}, err
	}
	ids, err := family(tx, m.ID)
	if err != nil {
		return Erased{}, err
	}
	if err := s.rememberFormer(tx, ids); err != nil {
		return Erased{}, err
	}
	for _, p := range slices.Backward(s.parts) {
		if err := p.erase(ctx, tx, m, ids); err != nil {
			return Erased{}, fmt.Errorf("member: erase: %s: %w", p.Name, err)
		}
	}
	if err := s.forget(tx, ids); err != nil {
		return Erased{}, fmt.Errorf("member: erase: %w", err)
	}
	return Erased{ID: m.ID, No: m.No}, ChangedTx(tx, ids...)
}

// lockSurvivor locks the member, or whom he was merged into.
func (s *Service) lockSurvivor(tx *gorm.DB, id int64) (*model.Member, error) {
	for {
		if err := LockTx(tx, id); err != nil {
			return nil, err
		}
		m, err := Get(tx, id)
		if err != nil || m.ID == id {
			return m, err
		}
		id = m.ID
	}
}

func (p Part) erase(ctx context.Context, tx *gorm.DB, m *model.Member, ids []int64) error {
	if p.Erase != nil {
		if err := p.Erase(ctx, tx, m); err != nil {
			return err
		}
	}
	for _, t := range slices.Backward(p.Tables) {
		var err error
		switch rows := t.rows(tx, ids); {
		case t.Erase.delete:
			err = rows.Delete(t.Row).Error
		case t.Erase.blank != nil:
			err = rows.UpdateColumns(t.Erase.blank).Error
		case t.Erase.rewrite != nil:
			err = t.Erase.rewrite(tx, rows)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.shape().Table, err)
		}
	}
	return nil
}

// forget blanks the members' own rows and what the audit log says of them (who did what, and when, stays), and drops the answers kept for
// their repeats; it comes last.
func (s *Service) forget(tx *gorm.DB, ids []int64) error {
	for _, id := range ids {
		object := fmt.Sprint("member:", id)
		if err := db.ForgetKeys(tx, object); err != nil {
			return err
		}
		said := map[string]any{"before_json": model.JSON("{}"), "after_json": model.JSON("{}")}
		if err := tx.Model(&model.Audit{}).Where("object = ?", object).UpdateColumns(said).Error; err != nil {
			return err
		}
	}
	return tx.Model(&model.Member{}).Where("id IN ?", ids).Updates(map[string]any{
		"nickname": "", "gender": "", "birthday": "", "birthday_at": nil, "phone_sealed": "", "phone_index": "", "address_sealed": "", "location_ok": false,
		"first_channel": 0, "last_channel": 0, "left_at": nil, "former": false, "erased_at": s.clock.Now(), "token_version": gorm.Expr("token_version + 1"),
	}).Error
}

// formerKey is the keyed hash by which an openid or a unionid of somebody who was erased is known again.
func (s *Service) formerKey(kind, id string) string {
	return s.box.BlindIndex("former", kind+"\x00"+id)
}

const unionKind = "unionid"

func (s *Service) rememberFormer(tx *gorm.DB, ids []int64) error {
	var all []model.Identity
	if err := tx.Where("member_id IN ?", ids).Order("id").Find(&all).Error; err != nil {
		return fmt.Errorf("member: erase: %w", err)
	}
	for _, i := range all {
		keys := []string{s.formerKey(i.Account, i.OpenID)}
		if i.UnionID != "" {
			keys = append(keys, s.formerKey(unionKind, i.UnionID))
		}
		for _, k := range keys {
			if _, err := db.Insert(tx, &model.Former{Hash: k, At: s.clock.Now()}); err != nil {
				return fmt.Errorf("member: erase: %w", err)
			}
		}
	}
	return nil
}

// findFormer marks those of the people, by account and openid, who are not there but were before an erasure.
func (s *Service) findFormer(tx *gorm.DB, people map[[2]string]*known) error {
	missing := map[string][2]string{}
	for key, row := range people {
		if row == nil {
			missing[s.formerKey(key[0], key[1])] = key
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var found []string
	if err := tx.Model(&model.Former{}).Where("hash IN ?", slices.Collect(maps.Keys(missing))).Pluck("hash", &found).Error; err != nil {
		return fmt.Errorf("member: who was here before: %w", err)
	}
	for _, hash := range found {
		people[missing[hash]] = &known{}
	}
	return nil
}

// noteFormer notes on the member that somebody with his unionid was erased.
func (s *Service) noteFormer(tx *gorm.DB, id int64, unionID string) error {
	var here int64
	err := tx.Model(&model.Former{}).Where("hash = ?", s.formerKey(unionKind, unionID)).Count(&here).Error
	if err == nil && here > 0 {
		err = tx.Model(&model.Member{}).Where("id = ?", id).Update("former", true).Error
	}
	if err != nil {
		return fmt.Errorf("member: was he here before: %w", err)
	}
	return nil
}

// noteLeft notes since when a person who never registered follows nothing any more.
func noteLeft(tx *gorm.DB, id int64) error {
	var all []model.Identity
	if err := tx.Where("member_id = ?", id).Find(&all).Error; err != nil {
		return fmt.Errorf("member: note that he left: %w", err)
	}
	var left *time.Time
	for _, i := range all {
		if i.Subscribed {
			return setLeft(tx, id, nil)
		}
		if i.UnsubscribedAt != nil && (left == nil || i.UnsubscribedAt.After(*left)) {
			left = i.UnsubscribedAt
		}
	}
	return setLeft(tx, id, left)
}

func setLeft(tx *gorm.DB, id int64, at *time.Time) error {
	err := tx.Model(&model.Member{}).Where("id = ? AND joined_at IS NULL", id).Update("left_at", at).Error
	if err != nil {
		return fmt.Errorf("member: note that he left: %w", err)
	}
	return nil
}

// forgetTexts drops what the member wrote in the chat.
func forgetTexts(tx *gorm.DB, id int64) error {
	err := tx.Model(&model.Event{}).Where("member_id = ? AND kind = ?", id, model.EventMessage).Update("data", model.JSON("{}")).Error
	if err != nil {
		return fmt.Errorf("member: forget texts: %w", err)
	}
	return nil
}

// LeftDue is the first instant at which a follower who never registered and left is to be erased; false if none is.
func (s *Service) LeftDue(ctx context.Context, after time.Duration) (time.Time, bool, error) {
	var rows []model.Member
	err := s.db.Reader(ctx).Select("left_at").Where("left_at IS NOT NULL").Order("left_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].LeftAt.Add(after), true, nil
}

// EraseLeft erases up to limit people who never registered and left at before or earlier, the longest gone first, each in a transaction
// of his own; it reports how many. Who came back or registered meanwhile stays.
func (s *Service) EraseLeft(ctx context.Context, before time.Time, limit int) (n int, err error) {
	var ids []int64
	err = s.db.Reader(ctx).Model(&model.Member{}).Where("left_at <= ?", before).Order("left_at, id").Limit(limit).Pluck("id", &ids).Error
	if err != nil {
		return 0, fmt.Errorf("member: find who left: %w", err)
	}
	for _, id := range ids {
		err := s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			if err := LockTx(tx, id); err != nil {
				return err
			}
			m, err := Get(tx, id)
			if err != nil || m.ID != id || m.LeftAt == nil || m.LeftAt.After(before) {
				return err
			}
			_, err = s.EraseTx(ctx, tx, id)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("member: erase who left: %w", err)
		}
		n++
	}
	return n, nil
}
