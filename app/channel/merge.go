package channel

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does with visits: a person registers once, and his registration counts for the channel that brought him, also
// where siyu learned only later that the follower and the member are one.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "channel",
		Tables: []member.Table{{
			Row: &model.ChannelVisit{}, Erase: member.Keep,
			Export: []string{"(SELECT name FROM channel_codes WHERE id = channel_id) AS channel", "kind", "at"},
		}},
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
			if err := member.Move(tx, "channel_visits", m); err != nil {
				return err
			}
			return countRegistration(tx, m.Winner)
		},
	}
}

func countRegistration(tx *gorm.DB, memberID int64) error {
	who, err := member.Get(tx, memberID)
	if err != nil || !who.Joined() || who.FirstChannel == 0 {
		return err
	}
	var visits []model.ChannelVisit
	if err := tx.Where("member_id = ?", memberID).Order("at, id").Find(&visits).Error; err != nil || len(visits) == 0 {
		return err
	}
	counted := false
	for _, v := range visits {
		if v.Kind != model.VisitRegistered {
			continue
		}
		if counted {
			if err := tx.Delete(&v).Error; err != nil {
				return err
			}
		}
		counted = true
	}
	if counted || visits[0].At.After(*who.JoinedAt) {
		return nil
	}
	return tx.Create(&model.ChannelVisit{ChannelID: who.FirstChannel, MemberID: memberID, Kind: model.VisitRegistered, At: *who.JoinedAt}).Error
}
