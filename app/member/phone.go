package member

import (
	"maps"
	"regexp"

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

var mobile = regexp.MustCompile(`^(1[3-9][0-9]{9}|\+[1-9][0-9]{6,14})$`)

// SealPhone is a number as siyu keeps it: its blind index, the number encrypted, and masked for people. ok: it is a mobile number of China, or
// one with its country code.
func (s *Service) SealPhone(number string) (index, sealed, masked string, ok bool) {
	number = normalPhone(number)
	if !mobile.MatchString(number) {
		return "", "", "", false
	}
	return s.box.BlindIndex("phone", number), s.box.Seal("phone", []byte(number)), Mask(number), true
}

// ByPhones are the registered members with the numbers behind blind indexes, those left out who share theirs with another.
func ByPhones(tx *gorm.DB, indexes []string) (map[string]int64, error) {
	var rows []model.Member
	err := tx.Select("id", "phone_index").Where("phone_index IN ? AND joined_at IS NOT NULL AND merged_into IS NULL AND erased_at IS NULL", indexes).Find(&rows).Error
	out := map[string]int64{}
	for _, m := range rows {
		if out[m.PhoneIndex] == 0 {
			out[m.PhoneIndex] = m.ID
		} else {
			out[m.PhoneIndex] = -1
		}
	}
	maps.DeleteFunc(out, func(_ string, id int64) bool { return id < 0 })
	return out, err
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
