package member

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// filledTx records what a registered member has said of himself for the first time: an event for each field, once in his life, however
// often he changes or empties it. What he said before he registered counts when he registers.
func (s *Service) filledTx(ctx context.Context, tx *gorm.DB, m *model.Member, at time.Time) ([]event.Grant, error) {
	if !m.Joined() {
		return nil, nil
	}
	var keys, kinds []string
	for _, f := range []struct{ kind, value string }{
		{model.EventNickname, m.Nickname}, {model.EventGender, m.Gender}, {model.EventBirthday, string(m.Birthday)}, {model.EventAddress, m.AddressSealed}, {model.EventPhone, m.PhoneIndex},
	} {
		if f.value != "" {
			keys, kinds = append(keys, fmt.Sprintf("%s:%d", f.kind, m.ID)), append(kinds, f.kind)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var known []string
	if err := tx.Model(&model.Event{}).Where("source = ? AND `key` IN ?", "member", keys).Pluck("key", &known).Error; err != nil {
		return nil, fmt.Errorf("member: filled: %w", err)
	}
	var grants []event.Grant
	for i, key := range keys {
		if slices.Contains(known, key) {
			continue
		}
		g, err := s.events.RecordTx(ctx, tx, &model.Event{MemberID: m.ID, Kind: kinds[i], Source: "member", Key: key, OccurredAt: at, Joined: true})
		if err != nil {
			return nil, err
		}
		grants = append(grants, g...)
	}
	return grants, nil
}
