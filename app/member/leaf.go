package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// leafArgs is one thing known of the person: {"field":"joined","value":true}, {"field":"channel","value":"poster"},
// {"field":"age","op":"gte","value":20}, {"field":"joined_days","op":"lte","value":7}.
type leafArgs struct {
	Field string       `json:"field"`
	Op    condition.Op `json:"op,omitempty"` // of age and joined_days
	Value any          `json:"value"`
}

// changedBy are the events that tell of every change of a field. The other fields change without one too: they are looked at with whatever the
// person does.
var changedBy = map[string][]string{
	"joined": {model.EventRegistered}, "joined_days": {model.EventRegistered},
	"age":     {model.EventRegistered, model.EventBirthday, model.EventBirthdayChanged},
	"channel": {model.EventFollowed, model.EventScanned, model.EventRegistered}, "last_channel": {model.EventFollowed, model.EventScanned, model.EventRegistered},
}

// number is the value of age and joined_days.
func (a leafArgs) number() (int64, error) {
	n, ok := a.Value.(float64)
	if !ok || n != math.Trunc(n) {
		return 0, errs.Field("value", "condition.arg_type", "want", "integer")
	}
	return int64(n), condition.CheckDays(a.Op, "value", int64(n))
}

// timed reports whether time alone changes the fact.
func (a leafArgs) timed() bool { return a.Field == "age" || a.Field == "joined_days" }

// where turns the args into a condition on members at an instant, for one member and for all alike.
func (a leafArgs) where(z clock.Zone, at time.Time) (string, []any, error) {
	if a.timed() {
		return a.compares(z, at)
	}
	if a.Op != "" {
		return "", nil, errs.Field("op", "condition.arg_unknown", "key", "op")
	}
	yes, isBool := a.Value.(bool)
	text, isText := a.Value.(string)
	if sql, ok := map[string]string{
		"joined":    "members.joined_at IS NOT NULL",
		"opted_out": "members.opted_out_at IS NOT NULL",
		"follower":  "EXISTS (SELECT 1 FROM identities i WHERE i.member_id = members.id AND i.subscribed)",
	}[a.Field]; ok {
		if !isBool {
			return "", nil, errs.Field("value", "condition.arg_type", "want", "boolean")
		}
		if !yes {
			sql = "NOT (" + sql + ")"
		}
		return sql, nil, nil
	}
	if !isText && (a.Field == "gender" || a.Field == "channel" || a.Field == "last_channel") {
		return "", nil, errs.Field("value", "condition.arg_type", "want", "string")
	}
	switch a.Field {
	case "gender":
		return "members.gender = ?", []any{text}, nil
	case "channel", "last_channel":
		column := map[string]string{"channel": "first_channel", "last_channel": "last_channel"}[a.Field]
		return "members." + column + " = (SELECT c.id FROM channel_codes c WHERE c.code = ?)", []any{text}, nil
	}
	return "", nil, errs.Field("field", "condition.member.field")
}

// compares is where of a number that grows with time.
func (a leafArgs) compares(z clock.Zone, at time.Time) (string, []any, error) {
	n, err := a.number()
	if err != nil {
		return "", nil, err
	}
	least := leastDays // who has had n, whether or not he has had more
	if a.Field == "age" {
		least = leastAge
	}
	had, had1 := least(z, n, at)
	more, more1 := least(z, n+1, at)
	switch a.Op {
	case condition.Gte:
		return had, []any{had1}, nil
	case condition.Lte:
		return "(" + dated[a.Field] + " AND NOT " + more + ")", []any{more1}, nil
	}
	return "(" + had + " AND NOT " + more + ")", []any{had1, more1}, nil
}

// dated is who has the number at all.
var dated = map[string]string{"age": "LENGTH(members.birthday) = 10", "joined_days": "members.joined_at IS NOT NULL"}

// leastDays is who joined at least n calendar days ago.
func leastDays(z clock.Zone, n int64, at time.Time) (string, any) {
	return "(members.joined_at IS NOT NULL AND members.joined_at < ?)", z.End(z.DayOf(at).Add(int(-n)))
}

// leastAge is who is at least n years old. 29 February counts as the 28th in common years (PLAYBOOKS H20).
func leastAge(z clock.Zone, n int64, at time.Time) (string, any) {
	today := z.DayOf(at)
	year, md := today.Time().Year(), monthDay(today)
	if md == (birthdayArgs{}).substitute(year) {
		md = feb29
	}
	return "(LENGTH(members.birthday) = 10 AND members.birthday <= ?)", fmt.Sprintf("%04d-%s", max(0, year-int(n)), md)
}

// verdict is compares for one member, with when time alone changes it: at the next birthday, or midnight, at which the number gets there or beyond.
func (a leafArgs) verdict(z clock.Zone, m model.Member, at time.Time) (v condition.Verdict, err error) {
	n, err := a.number()
	switch {
	case err != nil:
	case a.Field == "joined_days":
		if m.JoinedAt != nil {
			v = condition.DaysSince(z, z.DayOf(*m.JoinedAt), a.Op, n, at)
		}
	case monthDay(m.Birthday) != "":
		v.Holds = a.Op.Holds(age(z, m.Birthday, at), n)
		for _, years := range []int64{n, n + 1} {
			from, _ := (birthdayArgs{Scope: "day"}).window(monthDay(m.Birthday), m.Birthday.Time().Year()+int(years))
			if edge := z.Start(from); edge.After(at) && a.Op.Holds(years, n) != a.Op.Holds(years-1, n) {
				v.FlipsAt = edge
				break
			}
		}
	}
	v.Saw = v.Holds
	return v, err
}

// age is the years of leastAge.
func age(z clock.Zone, birthday model.Day, at time.Time) int64 {
	today := z.DayOf(at)
	years := int64(today.Time().Year() - birthday.Time().Year())
	if turns, _ := (birthdayArgs{Scope: "day"}).window(monthDay(birthday), today.Time().Year()); today < turns {
		years--
	}
	return years
}

func readLeaf(raw json.RawMessage, z clock.Zone, at time.Time) (a leafArgs, sql string, args []any, err error) {
	if err = condition.DecodeArgs(raw, &a); err == nil {
		sql, args, err = a.where(z, at)
	}
	return a, sql, args, err
}

// warmKey is how the key begins under which Warm keeps what holds.
const warmKey = "member "

// Leaf is the leaf "member": something known of the person himself.
func Leaf(z clock.Zone) condition.Leaf {
	return condition.Leaf{
		Name: "member",
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			a, _, _, err := readLeaf(raw, z, time.Time{})
			if err == nil && a.Field == "gender" && !slices.Contains([]any{"", "male", "female"}, a.Value) {
				return errs.Field("value", "member.gender")
			}
			if err != nil || a.Field != "channel" && a.Field != "last_channel" {
				return err
			}
			err = tx.Where("code = ?", a.Value).Take(&model.ChannelCode{}).Error
			if errors.Is(err, gorm.ErrRecordNotFound) {
				return errs.Field("value", "channel.not_found")
			}
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, sql, args, err := readLeaf(raw, z, s.At)
			if err != nil {
				return condition.Verdict{}, err
			}
			if a.timed() {
				m, err := datesOf(tx, s)
				if err != nil {
					return condition.Verdict{}, err
				}
				return a.verdict(z, m, s.At)
			}
			if holds, ok := s.Cache[warmKey+string(raw)].(bool); ok {
				return condition.Verdict{Holds: holds, Saw: holds}, nil
			}
			var n int64
			err = tx.Model(&model.Member{}).Where("members.id = ?", s.MemberID).Where(sql, args...).Count(&n).Error
			return condition.Verdict{Holds: n > 0, Saw: n > 0}, err
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			_, sql, args, err := readLeaf(raw, z, at)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(tx.Model(&model.Member{}).Select("members.id").Where("members.merged_into IS NULL").Where(sql, args...))
		},
		Moves: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, _, _, err := readLeaf(raw, z, time.Time{})
			if err != nil || !a.timed() {
				return roaring.New(), err
			}
			return condition.Bitmap(tx.Model(&model.Member{}).Select("id").Where(dated[a.Field]))
		},
		Warm: func(_ context.Context, tx *gorm.DB, subjects []*condition.Subject, raw json.RawMessage) error {
			a, sql, args, err := readLeaf(raw, z, subjects[0].At)
			if err != nil || a.timed() {
				return errors.Join(err, warmDates(tx, subjects))
			}
			found, err := condition.Bitmap(tx.Model(&model.Member{}).Select("members.id").Where("members.id IN ?", condition.IDs(subjects)).Where(sql, args...))
			if err != nil {
				return err
			}
			for _, s := range subjects {
				s.Cache[warmKey+string(raw)] = found.Contains(uint32(s.MemberID)) //nolint:gosec // ids fit 32 bits
			}
			return nil
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, _, _, err := readLeaf(raw, z, time.Time{})
			key := "condition.member." + a.Field
			if a.Value == false {
				key = "condition.member.not_" + a.Field
			}
			facts := map[string]any{"value": fmt.Sprint(a.Value)}
			if a.timed() {
				facts["op"] = templates.T(lang, "condition.op."+string(a.Op), nil)
			}
			return templates.T(lang, key, facts), err
		},
		Index: Sets(),
		Triggers: func(raw json.RawMessage) []string {
			a, _, _, _ := readLeaf(raw, z, time.Time{}) // was checked
			if kinds, ok := changedBy[a.Field]; ok {
				return kinds
			}
			return []string{
				model.EventFollowed, model.EventUnfollowed, model.EventRegistered, model.EventScanned, model.EventMessage,
				model.EventNickname, model.EventGender, model.EventBirthday, model.EventBirthdayChanged, model.EventPhone,
			}
		},
	}
}
