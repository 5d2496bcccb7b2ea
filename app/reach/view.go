package reach

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/model"
)

// OpenWindow is customer messages that the last action of a kind opened.
type OpenWindow struct {
	model.Allowance
	Account string
}

// Agreed is how many messages of a template a person accepted and did not get yet.
type Agreed struct {
	model.Acceptance
	Account string
	Kind    string // model.KindMP: a subscribe message; model.KindOA: a notice
}

// Quota is what may be sent to a person now by WeChat's rules.
type Quota struct {
	Windows             []OpenWindow // open ones, which ends first first
	MassUsed, MassLimit int          // mass sends of this month
	Accepted            []Agreed
}

// Quota reads what WeChat lets siyu send to a person.
func (s *Service) Quota(ctx context.Context, memberID int64) (q Quota, err error) {
	tx := s.db.Reader(ctx)
	err = tx.Table("allowances").Select("allowances.*, identities.account").Joins("JOIN identities ON identities.id = allowances.identity_id").
		Where("identities.member_id = ? AND allowances.remaining > 0 AND allowances.expires_at > ?", memberID, s.clock.Now()).
		Order("allowances.expires_at, allowances.kind").Scan(&q.Windows).Error
	if err == nil {
		err = tx.Table("acceptances").Select("acceptances.*, identities.account, identities.kind").Joins("JOIN identities ON identities.id = acceptances.identity_id").
			Where("identities.member_id = ?", memberID).Order("identities.account, acceptances.template_id").Scan(&q.Accepted).Error
	}
	if err != nil {
		return q, fmt.Errorf("reach: quota: %w", err)
	}
	q.MassUsed, q.MassLimit, err = s.MonthlyMass(ctx, memberID)
	return q, err
}
