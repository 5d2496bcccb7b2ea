package community

import (
	"context"
	"slices"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Mine is a group as one of its members sees it.
type Mine struct {
	model.CommunityGroup
	Topic string   // of today
	Done  []string // his proofs of today: enter, word, push
}

// Mine lists the enabled groups that the member is in.
func (s *Service) Mine(ctx context.Context, memberID int64) ([]Mine, error) {
	tx := s.db.Reader(ctx)
	var rows []model.CommunityGroup
	err := tx.Where("enabled = ? AND id IN (?)", true, tx.Model(&model.GroupMember{}).Select("group_id").Where("member_id = ?", memberID)).Order("id").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	today := s.today()
	var done []model.Interaction
	if err := tx.Where("member_id = ? AND day = ?", memberID, today).Order("id").Find(&done).Error; err != nil {
		return nil, err
	}
	out := make([]Mine, len(rows))
	for i, g := range rows {
		plans, err := s.plans(tx, g.ID, today, 1)
		if err != nil {
			return nil, err
		}
		out[i] = Mine{CommunityGroup: g, Topic: plans[0].Topic, Done: []string{}}
		for _, d := range done {
			if via := d.Via(); d.GroupID == g.ID && !slices.Contains(out[i].Done, via) {
				out[i].Done = append(out[i].Done, via)
			}
		}
	}
	return out, nil
}

// In refuses whoever is not in the group, as if there were none.
func (s *Service) In(ctx context.Context, groupID, memberID int64) error {
	var n int64
	err := s.db.Reader(ctx).Model(&model.GroupMember{}).Where("group_id = ? AND member_id = ?", groupID, memberID).Count(&n).Error
	if err == nil && n == 0 {
		err = errs.New(errs.NotFound, "community.not_found")
	}
	return err
}
