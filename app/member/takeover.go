package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Before is somebody who follows an account, and did so before siyu saw him come.
type Before struct {
	OpenID, UnionID string
	Since           time.Time
	Scene           string
	// Arriving: he came so lately that his push may still be under way. Whether he is new is left to it.
	Arriving bool
}

// ErrRaced means that somebody else made one of the people first: nothing was written, split and try again.
var ErrRaced = errors.New("member: known by now")

// Split divides followers: strangers have no identity at the account, changed ones are known otherwise than WeChat says now. The rest are
// known as they are.
func (s *Service) Split(ctx context.Context, account string, list []Before) (strangers, changed []Before, err error) {
	openIDs := make([]string, len(list))
	for i, b := range list {
		openIDs[i] = b.OpenID
	}
	var rows []model.Identity
	err = s.db.Reader(ctx).Select("open_id", "union_id", "subscribed", "subscribed_at", "state_at").
		Where("account = ? AND open_id IN ?", account, openIDs).Find(&rows).Error
	if err != nil {
		return nil, nil, fmt.Errorf("member: split: %w", err)
	}
	known := make(map[string]*model.Identity, len(rows))
	for i := range rows {
		known[rows[i].OpenID] = &rows[i]
	}
	for _, b := range list {
		switch id := known[b.OpenID]; {
		case id == nil:
			strangers = append(strangers, b)
		case b.differs(id):
			changed = append(changed, b)
		}
	}
	return strangers, changed, nil
}

// differs reports whether what WeChat says now is news. What a later push said is not overwritten.
func (b Before) differs(id *model.Identity) bool {
	return b.UnionID != "" && id.UnionID == "" || !b.Arriving && b.follows(id)
}

func (b Before) follows(id *model.Identity) bool {
	return id.SubscribedAt == nil || id.StateAt == nil || b.Since.After(*id.StateAt) || !id.Subscribed && b.Since.Equal(*id.StateAt)
}

// RenewTx notes what WeChat says now of a known follower; it reports whether two people became one by it. There is no event: he came
// before.
func (s *Service) RenewTx(ctx context.Context, tx *gorm.DB, account string, b Before) (merged bool, err error) {
	row, err := s.take(tx, nil, account, b.OpenID)
	if err == nil && row == nil { // erased since the split
		err = ErrRaced
	}
	if err != nil {
		return false, err
	}
	id, err := s.lockIdentity(tx, row, b.Since)
	if err != nil {
		return false, err
	}
	if !b.Arriving && b.follows(id) {
		if _, err := s.FollowTx(tx, id, b.Scene, b.Since); err != nil {
			return false, err
		}
	}
	if err := tx.Model(id).Update("asked_at", s.clock.Now()).Error; err != nil {
		return false, err
	}
	was := id.MemberID
	now, err := s.LinkTx(ctx, tx, id, b.UnionID)
	return now != was, err
}

// TakeOverTx makes people of strangers, many at once: followers without a welcome, an event or a channel. Whose unionid is known becomes
// an identity of the person who has it; linked counts these. Any race with a push or a login is ErrRaced.
func (s *Service) TakeOverTx(tx *gorm.DB, account, kind string, list []Before) (linked int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	owners, err := lockOwners(tx, list)
	if err != nil {
		return 0, err
	}
	now := s.clock.Now()
	of := make([]string, len(list)) // the number of the person made for each; "" for who has an owner
	byUnion := map[string]string{}  // two phones of one person
	var people []model.Member
	for i, b := range list {
		if _, ok := owners[b.UnionID]; ok {
			linked++
			continue
		}
		if of[i] = byUnion[b.UnionID]; of[i] != "" {
			continue
		}
		of[i] = newNo()
		people = append(people, model.Member{No: of[i], Lang: "zh-CN", CreatedAt: now, ActiveAt: b.Since})
		if b.UnionID != "" {
			byUnion[b.UnionID] = of[i]
		}
	}
	ids, err := insertPeople(tx, people)
	if err != nil {
		return 0, err
	}
	identities := make([]model.Identity, len(list))
	for i, b := range list {
		memberID, ok := owners[b.UnionID]
		if !ok {
			memberID = ids[of[i]]
		}
		identities[i] = model.Identity{
			MemberID: memberID, Account: account, OpenID: b.OpenID, Kind: kind, UnionID: b.UnionID, Subscribed: true, StateAt: &b.Since,
			SubscribeScene: b.Scene, AskedAt: &now, CreatedAt: now,
		}
		if !b.Arriving {
			identities[i].SubscribedAt = &b.Since
		}
	}
	unions := make([]model.Union, 0, len(byUnion))
	for union, no := range byUnion {
		unions = append(unions, model.Union{UnionID: union, MemberID: ids[no]})
	}
	changed := make([]int64, len(identities))
	for i, id := range identities {
		changed[i] = id.MemberID
	}
	return linked, errors.Join(insertAll(tx, identities), insertAll(tx, unions), ChangedTx(tx, changed...))
}

// lockOwners finds who has the unionids of a list, and locks them.
func lockOwners(tx *gorm.DB, list []Before) (map[string]int64, error) {
	var unions []string
	for _, b := range list {
		if b.UnionID != "" {
			unions = append(unions, b.UnionID)
		}
	}
	owners, err := ownersOf(tx, unions)
	if err != nil || len(owners) == 0 {
		return nil, err
	}
	ids := make([]int64, 0, len(owners))
	for _, id := range owners {
		ids = append(ids, id)
	}
	if err := LockTx(tx, ids...); errs.CodeOf(err) == errs.NotFound {
		return nil, ErrRaced
	} else if err != nil {
		return nil, err
	}
	locked, err := ownersOf(tx, unions)
	for union, id := range owners {
		if err == nil && locked[union] != id { // merged in between
			err = ErrRaced
		}
	}
	return owners, err
}

func ownersOf(tx *gorm.DB, unions []string) (map[string]int64, error) {
	if len(unions) == 0 {
		return nil, nil
	}
	var rows []model.Union
	if err := tx.Where("union_id IN ?", unions).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("member: owners of unionids: %w", err)
	}
	owners := make(map[string]int64, len(rows))
	for _, u := range rows {
		owners[u.UnionID] = u.MemberID
	}
	return owners, nil
}

// insertPeople returns the ids by member number: what a driver says of the ids of many rows differs by server.
func insertPeople(tx *gorm.DB, people []model.Member) (map[string]int64, error) {
	if len(people) == 0 {
		return nil, nil
	}
	if err := insertAll(tx, people); err != nil {
		return nil, err
	}
	nos := make([]string, len(people))
	for i := range people {
		nos[i] = people[i].No
	}
	slices.Sort(nos)
	var rows []model.Member
	if err := tx.Select("id", "no").Where("no IN ?", nos).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("member: take over: %w", err)
	}
	ids := make(map[string]int64, len(rows))
	for i := range rows {
		ids[rows[i].No] = rows[i].ID
	}
	return ids, nil
}

// insertAll inserts rows of one table; a unique key that one of them hits is ErrRaced.
func insertAll[T any](tx *gorm.DB, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	dup, err := db.Insert(tx, &rows)
	if dup {
		return ErrRaced
	}
	if err != nil {
		return fmt.Errorf("member: take over: %w", err)
	}
	return nil
}
