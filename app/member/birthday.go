package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// birthdayArgs is the leaf "birthday": {"scope":"day"}, {"scope":"month","feb29":"mar1"}.
type birthdayArgs struct {
	Scope string `json:"scope"` // day, week (from Monday) or month that contains the celebrated day
	Feb29 string `json:"feb29"` // when 29 February is celebrated in common years: feb28 (default) or mar1 (PLAYBOOKS H20)
}

func readBirthday(raw json.RawMessage) (a birthdayArgs, err error) {
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	if a.Scope != "day" && a.Scope != "week" && a.Scope != "month" {
		return a, errs.Field("scope", "condition.birthday.scope")
	}
	if a.Feb29 == "" {
		a.Feb29 = "feb28"
	}
	if a.Feb29 != "feb28" && a.Feb29 != "mar1" {
		return a, errs.Field("feb29", "condition.birthday.feb29")
	}
	return a, nil
}

const feb29 = "02-29"

// substitute is the month and day on which 29 February is celebrated in a year.
func (a birthdayArgs) substitute(year int) string {
	switch {
	case time.Date(year, 2, 29, 0, 0, 0, 0, time.UTC).Day() == 29:
		return feb29
	case a.Feb29 == "mar1":
		return "03-01"
	}
	return "02-28"
}

// window is the days [from, to) around the celebration of the birthday, written 11-30, in the year.
func (a birthdayArgs) window(monthDay string, year int) (from, to model.Day) {
	if monthDay == feb29 {
		monthDay = a.substitute(year)
	}
	return a.around(model.Day(fmt.Sprintf("%04d-%s", year, monthDay)))
}

// around is the scope that contains the day.
func (a birthdayArgs) around(d model.Day) (from, to model.Day) {
	switch a.Scope {
	case "week":
		from = d.Add(-(int(d.Time().Weekday()) + 6) % 7)
		return from, from.Add(7)
	case "month":
		from = model.Day(d.Month() + "-01")
		return from, model.Day(from.Add(31).Month() + "-01")
	}
	return d, d.Add(1)
}

// celebrates is the year of the celebration whose window contains the day; ok is false outside all of them.
func (a birthdayArgs) celebrates(monthDay string, today model.Day) (year int, ok bool) {
	for y := today.Time().Year() - 1; y <= today.Time().Year()+1; y++ {
		if from, to := a.window(monthDay, y); from <= today && today < to {
			return y, true
		}
	}
	return 0, false
}

// monthDay is a birthday without its year; "" is none.
func monthDay(d model.Day) string {
	if len(d) != len("2006-01-02") {
		return ""
	}
	return string(d[5:])
}

// UseBirthdayTx notes that the member was rewarded for his birthday at the instant, if the leaf with the args held then: another birthday that he
// says later is not celebrated in the same year (PLAYBOOKS P11 #5). The caller holds his lock.
func UseBirthdayTx(tx *gorm.DB, z clock.Zone, id int64, at time.Time, raw json.RawMessage) error {
	a, err := readBirthday(raw)
	if err != nil {
		return err
	}
	m, err := Get(tx, id)
	if err != nil {
		return err
	}
	year, ok := a.celebrates(monthDay(m.Birthday), z.DayOf(at))
	if !ok || m.Birthday == "" {
		return nil
	}
	if _, err := db.Insert(tx, &model.BirthdayUse{MemberID: id, Year: year, Day: monthDay(m.Birthday)}); err != nil {
		return fmt.Errorf("member: birthday: %w", err)
	}
	return nil // used before
}

// Birthday is the leaf "birthday": the member celebrates at the moment in question, and has not used another birthday in that year.
func Birthday(z clock.Zone) condition.Leaf {
	return condition.Leaf{
		Name: "birthday",
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			_, err := readBirthday(raw)
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, err := readBirthday(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			return a.eval(tx, z, s)
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := readBirthday(raw)
			if err != nil {
				return nil, err
			}
			return a.members(tx, z.DayOf(at))
		},
		Moves: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, _ json.RawMessage) (*roaring.Bitmap, error) {
			return condition.Bitmap(tx.Model(&model.Member{}).Select("id").Where(dated["age"]))
		},
		Warm: func(_ context.Context, tx *gorm.DB, subjects []*condition.Subject, _ json.RawMessage) error {
			return errors.Join(warmDates(tx, subjects), warmUses(tx, subjects))
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := readBirthday(raw)
			return templates.T(lang, "condition.birthday."+a.Scope, nil) + templates.T(lang, "condition.birthday."+a.Feb29, nil), err
		},
		Triggers: func(json.RawMessage) []string { return []string{model.EventBirthday, model.EventBirthdayChanged} },
	}
}

// BirthdaySeen is what the leaf saw.
type BirthdaySeen struct {
	Birthday string `json:"birthday"`          // 11-30
	UsedIn   int    `json:"used_in,omitempty"` // another birthday was celebrated in this year
}

func (a birthdayArgs) eval(tx *gorm.DB, z clock.Zone, s *condition.Subject) (v condition.Verdict, err error) {
	m, err := datesOf(tx, s)
	md := monthDay(m.Birthday)
	if err != nil || md == "" {
		return v, err
	}
	uses, err := usesOf(tx, s)
	if err != nil {
		return v, err
	}
	used := map[int]bool{}
	for _, u := range uses {
		used[u.Year] = used[u.Year] || u.Day != md
	}
	saw := BirthdaySeen{Birthday: md}
	today := z.DayOf(s.At)
	for y := today.Time().Year() - 1; y <= today.Time().Year()+8 && v.FlipsAt.IsZero(); y++ {
		from, to := a.window(md, y)
		switch {
		case from <= today && today < to && used[y]:
			saw.UsedIn = y
		case from <= today && today < to:
			v.Holds, v.FlipsAt = true, z.Start(to)
		case today < from && !used[y]:
			v.FlipsAt = z.Start(from)
		}
	}
	v.Saw = saw
	return v, nil
}

func (a birthdayArgs) members(tx *gorm.DB, today model.Day) (*roaring.Bitmap, error) {
	days := map[int][]string{} // by year: who celebrates on one of the days of the scope
	for d, to := a.around(today); d < to; d = d.Add(1) {
		year := d.Time().Year()
		days[year] = append(days[year], monthDay(d))
		if monthDay(d) == a.substitute(year) {
			days[year] = append(days[year], feb29)
		}
	}
	found := roaring.New()
	for year, list := range days {
		some, err := condition.Bitmap(tx.Model(&model.Member{}).Select("members.id").Where("members.merged_into IS NULL AND SUBSTR(members.birthday, 6) IN ?", list).
			Where("NOT EXISTS (SELECT 1 FROM birthday_uses u WHERE u.member_id = members.id AND u.year = ? AND u.day <> SUBSTR(members.birthday, 6))", year))
		if err != nil {
			return nil, err
		}
		found.Or(some)
	}
	return found, nil
}

// mergeBirthdays leaves the survivor one used birthday in a year: his own, where he has one.
func mergeBirthdays(tx *gorm.DB, m MergeOf) error {
	var rows []model.BirthdayUse
	if err := tx.Where("member_id = ?", m.Loser).Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		r.MemberID = m.Winner
		if _, err := db.Insert(tx, &r); err != nil {
			return err
		}
	}
	return tx.Where("member_id = ?", m.Loser).Delete(&model.BirthdayUse{}).Error
}
