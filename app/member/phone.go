package member

import (
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// tailDigits is how much of a phone number may stand in the clear.
const tailDigits = 4

// PhoneKeys are the blind index of a phone number, by which members are found, and its tail; both are empty where it has too few digits.
func (s *Service) PhoneKeys(number string) (index, tail string) {
	number = normalPhone(number)
	if len(number) < 7 {
		return "", ""
	}
	return s.box.BlindIndex("phone", number), number[len(number)-tailDigits:]
}

// PhoneTail is the last four digits of the member's own number; "" if none is known.
func (s *Service) PhoneTail(m *model.Member) string {
	if number := s.number(m); len(number) >= 7 {
		return number[len(number)-tailDigits:]
	}
	return ""
}

// ByPhone is the one registered member with the number behind a blind index; 0 where there is none, or more than one.
func ByPhone(tx *gorm.DB, index string) (int64, error) {
	var ids []int64
	err := tx.Model(&model.Member{}).Where("phone_index = ? AND joined_at IS NOT NULL AND merged_into IS NULL AND erased_at IS NULL", index).
		Limit(2).Pluck("id", &ids).Error
	if err != nil || len(ids) != 1 {
		return 0, err
	}
	return ids[0], nil
}
