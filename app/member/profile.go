package member

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// Login finds the person behind a mini-program login code; it makes him at first contact. The code is used up.
func (s *Service) Login(ctx context.Context, account, kind, code string) (*model.Member, error) {
	if id, ok, err := db.Done[int64](ctx, s.db); err != nil {
		return nil, err
	} else if ok { // a repeat must not use the code again
		return s.Get(ctx, id)
	}
	session, err := s.wechat.Code2Session(ctx, account, code)
	if err != nil {
		return nil, err
	}
	id, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (int64, error) { // what is kept for repeats names nobody
		id, _, err := s.TouchTx(tx, nil, account, kind, session.OpenID, s.clock.Now())
		if err != nil {
			return 0, err
		}
		sealed := s.box.Seal("session_key", []byte(session.SessionKey))
		if err := tx.Model(id).Update("session_sealed", sealed).Error; err != nil {
			return 0, fmt.Errorf("member: login: %w", err)
		}
		return s.LinkTx(ctx, tx, id, session.UnionID)
	})
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}

// Profile is what a member may say about himself; nil leaves a field as it is.
type Profile struct {
	Nickname        *string
	Gender          *string
	Birthday        *model.Day
	Address         *string
	LocationConsent *bool
	PrivacyRead     *string // version of the privacy text that he accepts
	Marketing       *bool   // false: no marketing messages
}

// Registration is what registering answers.
type Registration struct {
	Member  model.Member  `json:"member"`
	New     bool          `json:"new"` // false: he was a member before, nothing changed
	Channel int64         `json:"channel"`
	Grants  []event.Grant `json:"grants"`
}

// Register makes a member of a person and grants what the rules give for it. Registering again changes nothing.
func (s *Service) Register(ctx context.Context, id int64, p Profile, privacyVersion string) (*Registration, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Registration, error) {
		return s.registerTx(ctx, tx, id, p, privacyVersion)
	})
	return &r, err
}

// RegisterWithPhone is Register with the code of WeChat's phone button: the number is learned in the same transaction.
func (s *Service) RegisterWithPhone(ctx context.Context, id int64, p Profile, privacyVersion, account, code string) (*Registration, error) {
	if r, ok, err := db.Done[Registration](ctx, s.db); ok || err != nil {
		return &r, err // a repeat must not use the code again
	}
	number, err := s.wechat.PhoneNumber(ctx, account, code)
	if err != nil {
		return nil, err
	}
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Registration, error) {
		id, err := s.phoneTx(ctx, tx, id, number)
		if err != nil {
			return Registration{}, err
		}
		return s.registerTx(ctx, tx, id, p, privacyVersion)
	})
	return &r, err
}

func (s *Service) registerTx(ctx context.Context, tx *gorm.DB, id int64, p Profile, privacyVersion string) (r Registration, err error) {
	now := s.clock.Now()
	if id, err = s.ActTx(tx, id, now, false); err != nil {
		return r, err
	}
	m, err := Get(tx, id)
	if err != nil {
		return r, err
	}
	if m.Joined() {
		return Registration{Member: *m}, nil
	}
	set, err := s.changes(m, p, now)
	if err != nil {
		return r, err
	}
	set["joined_at"], set["privacy_read"], set["left_at"] = now, privacyVersion, nil
	if err := change(tx, id, set); err != nil {
		return r, fmt.Errorf("member: register: %w", err)
	}
	grants, err := s.events.RecordTx(ctx, tx, &model.Event{
		MemberID: id, Kind: model.EventRegistered, Source: "member", Key: fmt.Sprint("register:", id), OccurredAt: now,
		Data: model.ToJSON(map[string]any{"channel_id": m.FirstChannel, "newcomer": !m.Former}),
	})
	if err != nil {
		return r, err
	}
	if m, err = Get(tx, id); err != nil {
		return r, err
	}
	filled, err := s.filledTx(ctx, tx, m, now)
	if err != nil {
		return r, err
	}
	grants = append(grants, filled...)
	return Registration{Member: *m, New: true, Channel: m.FirstChannel, Grants: grants}, nil
}

// Update changes a profile.
func (s *Service) Update(ctx context.Context, id int64, p Profile) (*model.Member, error) {
	m, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Member, error) {
		id, err := s.ActTx(tx, id, s.clock.Now(), false)
		if err != nil {
			return model.Member{}, err
		}
		m, err := Get(tx, id)
		if err != nil {
			return model.Member{}, err
		}
		old := *m
		set, err := s.changes(m, p, s.clock.Now())
		if err != nil || len(set) == 0 {
			return *m, err
		}
		if err := change(tx, id, set); err != nil {
			return model.Member{}, fmt.Errorf("member: update: %w", err)
		}
		m, err = Get(tx, id)
		if err != nil {
			return model.Member{}, err
		}
		if _, changed := set["birthday"]; changed && old.Birthday != "" {
			err = s.birthdayChangedTx(ctx, tx, m)
		}
		if err == nil {
			_, err = s.filledTx(ctx, tx, m, s.clock.Now())
		}
		return *m, err
	})
	return &m, err
}

// birthdayChangedTx records that a birthday that was known is another now.
func (s *Service) birthdayChangedTx(ctx context.Context, tx *gorm.DB, m *model.Member) error {
	now := s.clock.Now()
	_, err := s.events.RecordTx(ctx, tx, &model.Event{
		MemberID: m.ID, Kind: model.EventBirthdayChanged, Source: "member", Key: fmt.Sprintf("%s:%d:%d", model.EventBirthdayChanged, m.ID, now.UnixMicro()), OccurredAt: now,
	})
	return err
}

// birthdayEvery is how often a birthday may change (PLAYBOOKS H20).
const birthdayEvery = 365 * 24 * time.Hour

func (s *Service) changes(m *model.Member, p Profile, now time.Time) (map[string]any, error) {
	set := map[string]any{}
	if p.Nickname != nil {
		name := strings.TrimSpace(*p.Nickname)
		if utf8.RuneCountInString(name) > 32 {
			return nil, errs.Field("nickname", "member.nickname_long", "limit", 32)
		}
		if strings.ContainsFunc(name, unicode.IsControl) {
			return nil, errs.Field("nickname", "member.nickname_text")
		}
		set["nickname"] = name
	}
	if p.Gender != nil {
		if *p.Gender != "" && *p.Gender != "male" && *p.Gender != "female" {
			return nil, errs.Field("gender", "member.gender")
		}
		set["gender"] = *p.Gender
	}
	if p.Birthday != nil && *p.Birthday != m.Birthday {
		if *p.Birthday > s.zone.DayOf(now) || *p.Birthday < "1900-01-01" {
			return nil, errs.Field("birthday", "member.birthday")
		}
		if m.BirthdayAt != nil && now.Before(m.BirthdayAt.Add(birthdayEvery)) {
			return nil, errs.New(errs.LimitReached, "member.birthday_again", "field", "birthday", "opens_at", m.BirthdayAt.Add(birthdayEvery))
		}
		if set["birthday"] = *p.Birthday; m.Birthday != "" { // the first is no change
			set["birthday_at"] = now
		}
	}
	if p.Address != nil {
		address := strings.TrimSpace(*p.Address)
		if utf8.RuneCountInString(address) > 100 || strings.ContainsFunc(address, unicode.IsControl) {
			return nil, errs.Field("address", "member.address", "limit", 100)
		}
		if set["address_sealed"] = ""; address != "" {
			set["address_sealed"] = s.box.Seal("address", []byte(address))
		}
	}
	if p.LocationConsent != nil {
		set["location_ok"] = *p.LocationConsent
	}
	if p.PrivacyRead != nil {
		set["privacy_read"] = *p.PrivacyRead
	}
	if p.Marketing != nil {
		if *p.Marketing {
			set["opted_out_at"] = nil
		} else if m.OptedOutAt == nil {
			set["opted_out_at"] = now
		}
	}
	return set, nil
}

// change writes what changes gave; who takes his consent to positions back is forgotten at once.
func change(tx *gorm.DB, id int64, set map[string]any) error {
	if set["location_ok"] == false {
		if err := tx.Where("member_id = ?", id).Delete(&model.Position{}).Error; err != nil {
			return err
		}
	}
	if err := tx.Model(&model.Member{}).Where("id = ?", id).Updates(set).Error; err != nil {
		return err
	}
	return ChangedTx(tx, id)
}

// OptOutTx notes that the person wants no marketing. The caller holds his lock.
func (s *Service) OptOutTx(tx *gorm.DB, id int64, at time.Time) error {
	if err := tx.Model(&model.Member{}).Where("id = ? AND opted_out_at IS NULL", id).Update("opted_out_at", at).Error; err != nil {
		return err
	}
	return ChangedTx(tx, id)
}

// LocateTx keeps where a consenting member was; without consent it keeps nothing. The caller holds his lock.
func (s *Service) LocateTx(tx *gorm.DB, id int64, lat, lng float64, at time.Time) error {
	var m model.Member
	if err := tx.Select("location_ok").Take(&m, id).Error; err != nil || !m.LocationOK {
		return err
	}
	if err := tx.Where("member_id = ? AND at <= ?", id, at).Delete(&model.Position{}).Error; err != nil {
		return err
	}
	_, err := db.Insert(tx, &model.Position{MemberID: id, Lat: lat, Lng: lng, At: at}) // a duplicate is a later position
	return err
}

// SetPhone learns the member's number from the code of WeChat's phone button. It is kept sealed, with a blind
// index for look-up. A number that another member has is kept for both: whether they are one is for an operator. Who is
// known by the number alone, as one who got an SMS, is he.
func (s *Service) SetPhone(ctx context.Context, id int64, account, code string) (*model.Member, error) {
	if m, ok, err := db.Done[model.Member](ctx, s.db); ok || err != nil {
		return &m, err
	}
	number, err := s.wechat.PhoneNumber(ctx, account, code)
	if err != nil {
		return nil, err
	}
	m, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Member, error) {
		id, err := s.phoneTx(ctx, tx, id, number)
		if err != nil {
			return model.Member{}, err
		}
		m, err := Get(tx, id)
		if err != nil {
			return model.Member{}, err
		}
		_, err = s.filledTx(ctx, tx, m, s.clock.Now())
		return *m, err
	})
	return &m, err
}

// phoneTx locks the member and keeps his number; it returns the survivor's id where he was merged.
func (s *Service) phoneTx(ctx context.Context, tx *gorm.DB, id int64, number string) (int64, error) {
	id, err := s.ActTx(tx, id, s.clock.Now(), false)
	if err != nil {
		return 0, err
	}
	number = normalPhone(number)
	index := s.box.BlindIndex("phone", number)
	err = tx.Model(&model.Member{}).Where("id = ?", id).
		Updates(map[string]any{"phone_sealed": s.box.Seal("phone", []byte(number)), "phone_index": index}).Error
	if err != nil {
		return 0, fmt.Errorf("member: phone: %w", err)
	}
	return s.adoptTx(ctx, tx, id, index)
}

// Phone is the member's number with the middle masked; "" if none is known.
func (s *Service) Phone(m *model.Member) string {
	if number := s.number(m); number != "" {
		return Mask(number)
	}
	return ""
}

// Reveal is the member's number as it is, for who may see it; errs.NotFound where none is known. It goes with an audit line (db.Also), and
// what is kept for repeats does not hold it.
func (s *Service) Reveal(ctx context.Context, id int64) (string, error) {
	id, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (int64, error) {
		m, err := Get(tx, id)
		if err == nil && m.PhoneSealed == "" {
			err = errs.New(errs.NotFound, "member.no_phone")
		}
		if err != nil {
			return 0, err
		}
		return m.ID, nil
	})
	if err != nil {
		return "", err
	}
	m, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	return s.number(m), nil
}

// number is the member's number as it is, for himself and for Reveal; "" if none is known, "***" if it cannot be opened.
func (s *Service) number(m *model.Member) string { return s.unsealed("phone", m.PhoneSealed) }

// Address is where the member says that he lives, for himself and for the export of what is kept of him; "" if he did not say.
func (s *Service) Address(m *model.Member) string { return s.unsealed("address", m.AddressSealed) }

// unsealed is what stands in a sealed column; "***" if it cannot be opened.
func (s *Service) unsealed(what, sealed string) string {
	if sealed == "" {
		return ""
	}
	b, err := s.box.Open(what, sealed)
	if err != nil {
		return "***"
	}
	return string(b)
}

// Mask hides the middle of a phone number.
func Mask(number string) string {
	if len(number) < 8 {
		return "***"
	}
	return number[:3] + "****" + number[len(number)-4:]
}

var notDigit = regexp.MustCompile(`[^0-9+]`)

// normalPhone is the number without separators and without the country code of China.
func normalPhone(s string) string {
	s = notDigit.ReplaceAllString(s, "")
	return strings.TrimPrefix(s, "+86")
}
