package member

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// What stands in the cache of a subject about the member's own dates, for the leaves that compare them.
const (
	datesKey = "member.dates" // *model.Member with the dates only
	usesKey  = "member.birthday_uses"
)

// datesOf is the member with his dates; without any where there is no such member.
func datesOf(tx *gorm.DB, s *condition.Subject) (model.Member, error) {
	if _, ok := s.Cache[datesKey]; !ok {
		if err := warmDates(tx, []*condition.Subject{s}); err != nil {
			return model.Member{}, err
		}
	}
	return *s.Cache[datesKey].(*model.Member), nil
}

func warmDates(tx *gorm.DB, subjects []*condition.Subject) error {
	var rows []model.Member
	if err := tx.Select("id", "joined_at", "birthday").Find(&rows, "id IN ?", condition.IDs(subjects)).Error; err != nil {
		return fmt.Errorf("member: dates: %w", err)
	}
	found := make(map[int64]*model.Member, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	for _, s := range subjects {
		m := found[s.MemberID]
		if m == nil {
			m = &model.Member{}
		}
		s.Cache[datesKey] = m
	}
	return nil
}

// usesOf are the birthdays for which the member was rewarded.
func usesOf(tx *gorm.DB, s *condition.Subject) ([]model.BirthdayUse, error) {
	if _, ok := s.Cache[usesKey]; !ok {
		if err := warmUses(tx, []*condition.Subject{s}); err != nil {
			return nil, err
		}
	}
	return s.Cache[usesKey].([]model.BirthdayUse), nil
}

func warmUses(tx *gorm.DB, subjects []*condition.Subject) error {
	var rows []model.BirthdayUse
	if err := tx.Find(&rows, "member_id IN ?", condition.IDs(subjects)).Error; err != nil {
		return fmt.Errorf("member: birthdays used: %w", err)
	}
	found := map[int64][]model.BirthdayUse{}
	for _, r := range rows {
		found[r.MemberID] = append(found[r.MemberID], r)
	}
	for _, s := range subjects {
		s.Cache[usesKey] = found[s.MemberID]
	}
	return nil
}
