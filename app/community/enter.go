package community

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Proof is what wx.getGroupEnterInfo gave the front end.
type Proof struct {
	EncryptedData, IV string
	Bind              string // the bind code of a group that has no opengid yet
}

// fresh is how old a proof may be: what was kept from another day is no proof of today. ahead is how far WeChat's clock may be before ours.
const (
	fresh = 10 * time.Minute
	ahead = 5 * time.Minute
)

// Enter counts that the member opened the mini-program from a group: only WeChat can have written its opengid. The bind code, which the
// group's card carries at first, binds a group to the opengid. A forged or old proof is errs.Invalid, an unknown group errs.NotFound.
func (s *Service) Enter(ctx context.Context, memberID int64, account wechat.Account, p Proof) (*Interacted, error) {
	if r, ok, err := db.Done[Interacted](ctx, s.db); ok || err != nil {
		return &r, err // a repeat may come when the proof is old
	}
	now := s.clock.Now()
	opengid, err := s.open(ctx, memberID, account, p, now)
	if err != nil {
		return nil, err
	}
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Interacted, error) {
		id, err := s.members.ActTx(tx, memberID, now, true)
		if err != nil {
			return Interacted{}, err
		}
		g, err := boundTx(tx, opengid, p.Bind, now)
		if err != nil {
			return Interacted{}, err
		}
		return s.interactTx(ctx, tx, id, g, ByEnter, "", now)
	})
	return &r, err
}

// open finds the session key that opens the proof, and checks its time.
func (s *Service) open(ctx context.Context, memberID int64, account wechat.Account, p Proof, now time.Time) (string, error) {
	keys, err := s.members.SessionKeys(ctx, memberID, account.Name)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		g, err := wechat.DecryptGroup(account.AppID, key, p.EncryptedData, p.IV)
		if err != nil {
			continue
		}
		if g.At.Before(now.Add(-fresh)) || g.At.After(now.Add(ahead)) {
			return "", errs.Field("encrypted_data", "community.stale", "minutes", int(fresh.Minutes()))
		}
		return g.OpenGID, nil
	}
	return "", errs.Field("encrypted_data", "wechat.data_invalid")
}

// boundTx is the enabled group of the opengid; the one that waits with the bind code is bound to it.
func boundTx(tx *gorm.DB, opengid, bind string, now time.Time) (*model.CommunityGroup, error) {
	var g model.CommunityGroup
	err := tx.Where("opengid = ? AND enabled = ?", opengid, true).Take(&g).Error
	if err == nil || !errors.Is(err, gorm.ErrRecordNotFound) {
		return &g, err
	}
	unknown := errs.New(errs.NotFound, "community.unknown_group")
	if bind == "" {
		return nil, unknown
	}
	res := tx.Model(&model.CommunityGroup{}).Where("bind_code = ? AND opengid IS NULL AND enabled = ?", bind, true).
		Updates(map[string]any{"opengid": opengid, "bound_at": now, "bind_code": ""})
	switch {
	case errors.Is(res.Error, gorm.ErrDuplicatedKey):
		return nil, errs.New(errs.Conflict, "community.opengid_taken")
	case res.Error != nil:
		return nil, fmt.Errorf("community: bind: %w", res.Error)
	case res.RowsAffected == 0:
		return nil, unknown
	}
	if err := db.Bump(tx, revision); err != nil {
		return nil, err
	}
	return &g, tx.Where("opengid = ?", opengid).Take(&g).Error
}
