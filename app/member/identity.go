package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Known is what a transaction knows of people before it locks them.
type Known struct{ people map[[2]string]*known }

// known is an identity and the version of its member when it was read; nil in Known: there was none. One without an id is not there
// but was, before an erasure.
type known struct {
	model.Identity
	Version int64
}

// KnownTx reads the identities of people, openids by account, in one query per account, and one for those who are not there.
func (s *Service) KnownTx(tx *gorm.DB, people map[string][]string) (*Known, error) {
	out := &Known{map[[2]string]*known{}}
	for account, openIDs := range people {
		for _, openID := range openIDs {
			out.people[[2]string{account, openID}] = nil
		}
		var rows []known
		err := tx.Table("identities").Select("identities.*, members.version").Joins("JOIN members ON members.id = identities.member_id").
			Where("identities.account = ? AND identities.open_id IN ?", account, openIDs).Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("member: identities: %w", err)
		}
		for i, row := range rows {
			out.people[[2]string{account, row.OpenID}] = &rows[i]
		}
	}
	return out, s.findFormer(tx, out.people)
}

// take returns what is known of a person, once: afterwards he is another. It asks where nobody did.
func (s *Service) take(tx *gorm.DB, from *Known, account, openID string) (*known, error) {
	key := [2]string{account, openID}
	if from != nil {
		if row, ok := from.people[key]; ok {
			delete(from.people, key)
			return row, nil
		}
	}
	one, err := s.KnownTx(tx, map[string][]string{account: {openID}})
	if err != nil {
		return nil, err
	}
	return one.people[key], nil
}

// TouchTx finds the person behind an openid, or makes him at first contact. It locks him. seen may be nil.
func (s *Service) TouchTx(tx *gorm.DB, seen *Known, account, kind, openID string, at time.Time) (*model.Identity, bool, error) {
	row, err := s.take(tx, seen, account, openID)
	if err != nil {
		return nil, false, err
	}
	former := row != nil
	if former && row.ID != 0 {
		id, err := s.lockIdentity(tx, row, at)
		if !errors.Is(err, gorm.ErrRecordNotFound) { // else he was erased just now
			return id, false, err
		}
	}
	m, err := s.create(tx, at, former)
	if err != nil {
		return nil, false, err
	}
	id := &model.Identity{MemberID: m.ID, Account: account, OpenID: openID, Kind: kind, CreatedAt: s.clock.Now(), Former: former}
	dup, err := db.Insert(tx, id)
	if err != nil {
		return nil, false, fmt.Errorf("member: identity: %w", err)
	}
	if !dup {
		return id, true, ChangedTx(tx, m.ID)
	}
	// Another process was first: the person made here has nothing yet.
	if err := tx.Delete(&model.Member{}, m.ID).Error; err != nil {
		return nil, false, fmt.Errorf("member: identity: %w", err)
	}
	if row, err = s.take(tx, nil, account, openID); err != nil {
		return nil, false, err
	}
	if row == nil || row.ID == 0 {
		return nil, false, fmt.Errorf("member: identity of %s at %s came and went", openID, account)
	}
	id, err = s.lockIdentity(tx, row, at)
	return id, false, err
}

// lockIdentity locks the person behind an identity and returns it as it is under the lock.
func (s *Service) lockIdentity(tx *gorm.DB, row *known, at time.Time) (*model.Identity, error) {
	// Whoever changes an identity holds its member's lock, which raises the version: as long as that is what was read, so is the identity.
	res := tx.Exec("UPDATE members SET version = version + 1, active_at = CASE WHEN active_at < ? THEN ? ELSE active_at END"+
		" WHERE id = ? AND version = ? AND merged_into IS NULL", at, at, row.MemberID, row.Version)
	if res.Error != nil {
		return nil, fmt.Errorf("member: lock %d: %w", row.MemberID, res.Error)
	}
	if res.RowsAffected == 1 {
		return &row.Identity, nil
	}
	account, openID := row.Account, row.OpenID
	for range 8 { // merges of merges
		var memberID int64
		err := tx.Model(&model.Identity{}).Select("member_id").Where("account = ? AND open_id = ?", account, openID).Take(&memberID).Error
		if err != nil {
			return nil, fmt.Errorf("member: identity: %w", err)
		}
		locked, err := actTx(tx, memberID, at)
		if err != nil {
			return nil, err
		}
		var id model.Identity
		if err := tx.Where("account = ? AND open_id = ?", account, openID).Take(&id).Error; err != nil {
			return nil, fmt.Errorf("member: identity: %w", err)
		}
		if locked && id.MemberID == memberID {
			return &id, nil
		}
	}
	return nil, fmt.Errorf("member: %s at %s was merged too often", openID, account)
}

// Follow is what a subscribe push says.
type Follow struct {
	Late bool // it came after a newer push: the state stays as that one said
	New  bool // the first follow ever of this openid, also before an erasure
}

// FollowTx records that the person follows the account since at. The caller holds the lock of id.MemberID.
// An older push does not undo a newer state.
func (s *Service) FollowTx(tx *gorm.DB, id *model.Identity, scene string, at time.Time) (Follow, error) {
	f := Follow{Late: id.StateAt != nil && at.Before(*id.StateAt), New: id.SubscribedAt == nil && !id.Former}
	if f.Late {
		if !f.New {
			return f, nil
		}
		id.SubscribedAt = &at
		return f, tx.Model(id).Update("subscribed_at", at).Error
	}
	if id.UnsubscribedAt != nil {
		if err := setLeft(tx, id.MemberID, nil); err != nil {
			return f, err
		}
	}
	id.Subscribed, id.SubscribedAt, id.StateAt, id.SubscribeScene = true, &at, &at, scene
	if err := tx.Model(id).Select("Subscribed", "SubscribedAt", "StateAt", "SubscribeScene").Updates(id).Error; err != nil {
		return f, fmt.Errorf("member: follow: %w", err)
	}
	return f, ChangedTx(tx, id.MemberID)
}

// UnfollowTx records that the person left the account at the moment at; it reports whether that is his state now. Where
// he was and what he wrote is forgotten (PLAYBOOKS H21).
func (s *Service) UnfollowTx(tx *gorm.DB, id *model.Identity, at time.Time) (bool, error) {
	if id.StateAt != nil && at.Before(*id.StateAt) {
		return false, nil
	}
	if err := tx.Where("member_id = ?", id.MemberID).Delete(&model.Position{}).Error; err != nil { // PLAYBOOKS H21
		return false, fmt.Errorf("member: forget position: %w", err)
	}
	id.Subscribed, id.UnsubscribedAt, id.StateAt = false, &at, &at
	if err := tx.Model(id).Select("Subscribed", "UnsubscribedAt", "StateAt").Updates(id).Error; err != nil {
		return false, fmt.Errorf("member: unfollow: %w", err)
	}
	if err := forgetTexts(tx, id.MemberID); err != nil {
		return false, err
	}
	if err := ChangedTx(tx, id.MemberID); err != nil {
		return false, err
	}
	return true, noteLeft(tx, id.MemberID)
}

// LinkTx notes the unionid of an identity and makes one person of the two where another already has it.
// The key of unions decides the race. Persons with different unionids are never made one here: that is for an operator.
// It returns the id of the surviving member, which is locked.
func (s *Service) LinkTx(ctx context.Context, tx *gorm.DB, id *model.Identity, unionID string) (int64, error) {
	if unionID == "" || id.UnionID == unionID {
		return id.MemberID, nil
	}
	if id.UnionID != "" {
		slog.WarnContext(ctx, "an identity has another unionid than it had: kept as it was", "identity", id.ID)
		return id.MemberID, nil
	}
	id.UnionID = unionID
	if err := tx.Model(id).Update("union_id", unionID).Error; err != nil {
		return 0, fmt.Errorf("member: link: %w", err)
	}
	if err := s.noteFormer(tx, id.MemberID, unionID); err != nil {
		return 0, err
	}
	dup, err := db.Insert(tx, &model.Union{UnionID: unionID, MemberID: id.MemberID})
	if err != nil {
		return 0, fmt.Errorf("member: link: %w", err)
	}
	if !dup {
		return id.MemberID, nil
	}
	var u model.Union
	if err := tx.Where("union_id = ?", unionID).Take(&u).Error; err != nil {
		return 0, fmt.Errorf("member: link: %w", err)
	}
	if u.MemberID == id.MemberID {
		return id.MemberID, nil
	}
	var own int64
	if err := tx.Model(&model.Union{}).Where("member_id = ?", id.MemberID).Count(&own).Error; err != nil {
		return 0, fmt.Errorf("member: link: %w", err)
	}
	if own > 0 {
		slog.WarnContext(ctx, "two members with different unionids share an identity: not merged", "members", []int64{id.MemberID, u.MemberID})
		return id.MemberID, nil
	}
	id.MemberID, err = s.MergeTx(ctx, tx, u.MemberID, id.MemberID, "unionid")
	return id.MemberID, err
}

// AskUnionID follows a member.followed event: it asks WeChat for the unionid of the follower and links it.
// The identity's id is in the event's data.
func (s *Service) AskUnionID(ctx context.Context, t event.Task) (func(context.Context, *gorm.DB) error, error) {
	var data struct {
		IdentityID int64 `json:"identity_id"`
	}
	if err := t.Event.Data.Into(&data); err != nil {
		return nil, err
	}
	var id model.Identity
	if err := s.db.Reader(ctx).Take(&id, data.IdentityID).Error; err != nil {
		return nil, err
	}
	if !id.Subscribed {
		return nil, nil // WeChat says nothing about who has left
	}
	info, err := s.wechat.UserInfo(ctx, id.Account, id.OpenID)
	if outage(err) {
		return nil, errors.Join(errs.New(errs.Unavailable, "wechat.unavailable"), err)
	}
	if err != nil {
		slog.WarnContext(ctx, "unionid not learned", "identity", id.ID, "error", err)
		return nil, nil // asked again at the next follow
	}
	return func(ctx context.Context, tx *gorm.DB) error {
		memberID, err := s.ActTx(tx, id.MemberID, id.CreatedAt, false)
		if err != nil {
			return err
		}
		var row model.Identity // the state under the lock
		if err := tx.Take(&row, id.ID).Error; err != nil {
			return err
		}
		row.MemberID = memberID
		if err := tx.Model(&row).Update("asked_at", s.clock.Now()).Error; err != nil {
			return err
		}
		_, err = s.LinkTx(ctx, tx, &row, info.UnionID)
		return err
	}, nil
}

// outage reports a failure that says nothing about the follower: WeChat is out of reach, the day's calls are used up, or there is no
// token, as when the server's address is missing in WeChat's console.
func outage(err error) bool {
	if err == nil {
		return false
	}
	return wechat.OutcomeOf(err) != wechat.Rejected || wechat.ClassOf(err) == wechat.ClassDayQuota || errs.CodeOf(err) == errs.Unavailable
}
