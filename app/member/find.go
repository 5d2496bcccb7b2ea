package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Holder is who the holder of a token is now, given the id and the token version that the token names: after a merge the survivor.
// A version that was raised since is errs.TokenExpired, a member who is gone errs.Unauthorized.
func (s *Service) Holder(ctx context.Context, id, version int64) (int64, error) {
	var m struct {
		TokenVersion int64
		MergedInto   *int64
	}
	err := s.db.Reader(ctx).Model(&model.Member{}).Select("token_version", "merged_into").Where("id = ?", id).Take(&m).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return 0, errs.New(errs.Unauthorized, "web.unauthorized")
	case err != nil:
		return 0, fmt.Errorf("member: token of %d: %w", id, err)
	case m.TokenVersion != version:
		return 0, errs.New(errs.TokenExpired, "web.token_expired")
	case m.MergedInto == nil:
		return id, nil
	}
	survivor, err := s.Get(ctx, *m.MergedInto)
	if err != nil {
		return 0, err
	}
	return survivor.ID, nil
}

// Ref names a person as other systems know him: by member number, by unionid, or by openid at an account.
type Ref struct{ No, UnionID, Account, OpenID string }

// Find finds the person of a Ref; a merged one gives the survivor. Exactly one way to name him must be given.
func (s *Service) Find(ctx context.Context, r Ref) (*model.Member, error) {
	ways := 0
	for _, way := range []string{r.No, r.UnionID, r.OpenID} {
		if way != "" {
			ways++
		}
	}
	if ways != 1 || (r.OpenID == "") != (r.Account == "") {
		return nil, errs.Field("member", "member.ref")
	}
	tx := s.db.Reader(ctx)
	var ids []int64
	var err error
	switch {
	case r.No != "":
		err = tx.Model(&model.Member{}).Where("no = ?", r.No).Limit(1).Pluck("id", &ids).Error
	case r.UnionID != "":
		err = tx.Model(&model.Union{}).Where("union_id = ?", r.UnionID).Limit(1).Pluck("member_id", &ids).Error
	default:
		err = tx.Model(&model.Identity{}).Where("account = ? AND open_id = ?", r.Account, r.OpenID).Limit(1).Pluck("member_id", &ids).Error
	}
	if err != nil {
		return nil, fmt.Errorf("member: find: %w", err)
	}
	if len(ids) == 0 {
		return nil, errs.New(errs.NotFound, "member.not_found")
	}
	return s.Get(ctx, ids[0])
}

// Merge makes one person of two by an operator's decision and returns the survivor. See MergeTx.
func (s *Service) Merge(ctx context.Context, a, b int64, reason string) (*model.Member, error) {
	if a == b {
		return nil, errs.Field("other_id", "member.merge_self")
	}
	id, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (int64, error) { return s.MergeTx(ctx, tx, a, b, reason) })
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}

// SeenTx is ActTx for everybody, registered or not.
func (s *Service) SeenTx(tx *gorm.DB, id int64, at time.Time) (int64, error) {
	return s.ActTx(tx, id, at, false)
}
