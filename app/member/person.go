package member

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// PersonTx is the person with a number as SealPhone gives it, locked: who registered with it before who did not. Nobody yet: he is made, known
// by his number alone until he appears.
func (s *Service) PersonTx(tx *gorm.DB, index, sealed string) (*model.Member, error) {
	var ids []int64
	err := tx.Model(&model.Member{}).Where("phone_index = ? AND merged_into IS NULL AND erased_at IS NULL", index).
		Order("joined_at IS NULL, id").Limit(1).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("member: person: %w", err)
	}
	if len(ids) > 0 {
		return SurvivorTx(tx, ids[0])
	}
	m, err := s.create(tx, s.clock.Now(), false)
	if err != nil {
		return nil, err
	}
	m.PhoneIndex, m.PhoneSealed = index, sealed
	if err := tx.Model(m).Select("phone_index", "phone_sealed").Updates(m).Error; err != nil {
		return nil, fmt.Errorf("member: person: %w", err)
	}
	return m, ChangedTx(tx, m.ID)
}

// adoptTx makes one person of the member, who just told his number, and of whoever is known by that number alone. It returns the survivor.
func (s *Service) adoptTx(ctx context.Context, tx *gorm.DB, id int64, index string) (int64, error) {
	var alone []int64
	err := tx.Model(&model.Member{}).Where("phone_index = ? AND id <> ? AND joined_at IS NULL AND merged_into IS NULL AND erased_at IS NULL", index, id).
		Where("NOT EXISTS (SELECT 1 FROM identities WHERE identities.member_id = members.id)").Order("id").Pluck("id", &alone).Error
	if err != nil {
		return 0, fmt.Errorf("member: adopt: %w", err)
	}
	for _, other := range alone {
		if id, err = s.MergeTx(ctx, tx, id, other, "phone"); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// Number is the number that a sealed one holds, to send to; "" if it cannot be sent to.
func (s *Service) Number(sealed string) string {
	if number := s.unsealed("phone", sealed); mobile.MatchString(number) {
		return number
	}
	return ""
}

// EverybodyWith are the people who have a number, registered or not, ascending.
func (s *Service) EverybodyWith(tx *gorm.DB, number string) (ids []int64, err error) {
	index, _, _, ok := s.SealPhone(number)
	if !ok {
		return nil, errors.New("member: no mobile number")
	}
	err = tx.Model(&model.Member{}).Where("phone_index = ? AND merged_into IS NULL AND erased_at IS NULL", index).Order("id").Pluck("id", &ids).Error
	return ids, err
}
