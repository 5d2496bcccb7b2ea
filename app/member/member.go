// Package member knows who a person is: identities at WeChat accounts, one person per unionid, profile, and
// the merge of two persons who turn out to be one.
package member

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// WeChat is what members need of the WeChat client.
type WeChat interface {
	Code2Session(ctx context.Context, account, code string) (wechat.Session, error)
	PhoneNumber(ctx context.Context, account, code string) (string, error)
	UserInfo(ctx context.Context, account, openid string) (wechat.UserInfo, error)
}

// Service is the use cases of persons.
type Service struct {
	db     *db.DB
	clock  clock.Clock
	zone   clock.Zone
	events *event.Log
	wechat WeChat
	box    *config.Box
	parts  []Part
	sealed bool
}

// New returns the service; Parts are added while the app is built.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, w WeChat, box *config.Box) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, wechat: w, box: box, parts: ownParts()}
}

// LockTx takes the locks of members: the first statement of any decision about them, ids ascending. One who was erased is not found.
func LockTx(tx *gorm.DB, ids ...int64) error {
	if len(ids) > 1 {
		ids = slices.Clone(ids)
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	for _, id := range ids {
		res := tx.Exec("UPDATE members SET version = version + 1 WHERE id = ? AND erased_at IS NULL", id)
		if res.Error != nil {
			return fmt.Errorf("member: lock %d: %w", id, res.Error)
		}
		if res.RowsAffected == 0 {
			return errs.New(errs.NotFound, "member.not_found")
		}
	}
	return nil
}

// SurvivorTx locks the member, or whom he was merged into, also while the lock was waited for.
func SurvivorTx(tx *gorm.DB, id int64) (*model.Member, error) {
	for {
		if err := LockTx(tx, id); err != nil {
			return nil, err
		}
		m, err := Get(tx, id)
		if err != nil || m.ID == id {
			return m, err
		}
		id = m.ID
	}
}

// ActTx locks the member and notes that he did something at the moment at. It returns the survivor's id where
// the member was merged, and errs.NotMember where joined is asked for and he had not registered by then.
func (s *Service) ActTx(tx *gorm.DB, id int64, at time.Time, joined bool) (int64, error) {
	for range 8 { // merges of merges
		if _, err := actTx(tx, id, at); err != nil {
			return 0, err
		}
		var m struct {
			JoinedAt   *time.Time
			MergedInto *int64
			ErasedAt   *time.Time
		}
		if err := tx.Model(&model.Member{}).Select("joined_at", "merged_into", "erased_at").Where("id = ?", id).Take(&m).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return 0, errs.New(errs.NotFound, "member.not_found")
		} else if err != nil {
			return 0, fmt.Errorf("member: read %d: %w", id, err)
		}
		if m.ErasedAt != nil {
			return 0, errs.New(errs.NotFound, "member.not_found")
		}
		if m.MergedInto != nil {
			id = *m.MergedInto
			continue
		}
		if joined && (m.JoinedAt == nil || at.Before(m.JoinedAt.Truncate(time.Second))) { // WeChat's times have whole seconds
			return 0, errs.New(errs.NotMember, "member.not_joined")
		}
		return id, nil
	}
	return 0, fmt.Errorf("member: %d was merged too often", id)
}

// actTx locks the member and notes that he did something; it reports false for one who was merged into another.
func actTx(tx *gorm.DB, id int64, at time.Time) (bool, error) {
	res := tx.Exec("UPDATE members SET version = version + 1, active_at = CASE WHEN active_at < ? THEN ? ELSE active_at END WHERE id = ? AND merged_into IS NULL", at, at, id)
	if res.Error != nil {
		return false, fmt.Errorf("member: lock %d: %w", id, res.Error)
	}
	return res.RowsAffected > 0, nil
}

// Get reads one member; a merged one gives the survivor.
func (s *Service) Get(ctx context.Context, id int64) (*model.Member, error) {
	return Get(s.db.Reader(ctx), id)
}

// Get reads one member by tx; a merged one gives the survivor.
func Get(tx *gorm.DB, id int64) (*model.Member, error) {
	for range 8 {
		var m model.Member
		err := tx.Take(&m, id).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, errs.New(errs.NotFound, "member.not_found")
		}
		if err != nil {
			return nil, fmt.Errorf("member: read %d: %w", id, err)
		}
		if m.MergedInto == nil {
			return &m, nil
		}
		id = *m.MergedInto
	}
	return nil, fmt.Errorf("member: %d was merged too often", id)
}

// Identities lists the openids of a member.
func (s *Service) Identities(ctx context.Context, id int64) ([]model.Identity, error) {
	var rows []model.Identity
	err := s.db.Reader(ctx).Where("member_id = ?", id).Order("id").Find(&rows).Error
	return rows, err
}

// Known are the people whom a text names in full: by member number, phone number, openid or unionid.
func (s *Service) Known(ctx context.Context, text string) (*roaring.Bitmap, error) {
	r, found := s.db.Reader(ctx), roaring.New()
	queries := []*gorm.DB{
		r.Model(&model.Member{}).Select("id").Where("no = ?", text),
		r.Model(&model.Identity{}).Select("member_id").Where("open_id = ?", text),
		r.Model(&model.Union{}).Select("member_id").Where("union_id = ?", text),
	}
	if index, _ := s.PhoneKeys(text); index != "" {
		queries = append(queries, r.Model(&model.Member{}).Select("id").Where("phone_index = ?", index))
	}
	for _, q := range queries {
		some, err := condition.Bitmap(q)
		if err != nil {
			return nil, fmt.Errorf("member: known: %w", err)
		}
		found.Or(some)
	}
	return found, nil
}

// create inserts a person without identity.
func (s *Service) create(tx *gorm.DB, at time.Time, former bool) (*model.Member, error) {
	for range 5 {
		m := &model.Member{No: newNo(), Lang: "zh-CN", CreatedAt: s.clock.Now(), ActiveAt: at, Former: former}
		dup, err := db.Insert(tx, m)
		if err != nil {
			return nil, fmt.Errorf("member: create: %w", err)
		}
		if !dup {
			return m, nil
		}
	}
	return nil, errors.New("member: no free member number in five tries")
}

// newNo is a member number of ten digits: random, so that it says nothing about how many there are.
func newNo() string {
	n, err := rand.Int(rand.Reader, big.NewInt(9_000_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprint(n.Int64() + 1_000_000_000)
}
