package member

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/model"
)

// Binding says whether an account belongs to an Open Platform account: only then WeChat tells unionids.
type Binding string

// What is known of a binding.
const (
	BindingUnknown Binding = "unknown"
	Bound          Binding = "bound"
	Unbound        Binding = "unbound"
)

// recent is how many of the newest identities are looked at.
const recent = 20_000

// Binding is what WeChat's newest answer about a follower of the account shows.
func (s *Service) Binding(ctx context.Context, account string) (Binding, error) {
	var ids []model.Identity
	err := s.db.Reader(ctx).Select("union_id").
		Where("id > (SELECT COALESCE(MAX(id), 0) FROM identities) - ? AND account = ? AND asked_at IS NOT NULL", recent, account).
		Order("asked_at DESC, union_id DESC").Limit(1).Find(&ids).Error
	switch {
	case err != nil:
		return BindingUnknown, fmt.Errorf("member: binding: %w", err)
	case len(ids) == 0:
		return BindingUnknown, nil
	case ids[0].UnionID == "":
		return Unbound, nil
	}
	return Bound, nil
}
