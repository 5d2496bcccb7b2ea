// Package community owns the brand's WeChat groups: who is in them, the topic and the word (群口令) of each day, and what proves that a
// member took part – the group's opengid, the day's word, or a push by a system that holds an API key.
package community

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of groups.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	zone    clock.Zone
	box     *config.Box
	events  *event.Log
	members *member.Service
	rewards *reward.Service

	groups db.Cached[*groups]
}

// New returns the service. Its follower is registered by the app.
func New(d *db.DB, c clock.Clock, z clock.Zone, box *config.Box, events *event.Log, members *member.Service, rewards *reward.Service) *Service {
	return &Service{db: d, clock: c, zone: z, box: box, events: events, members: members, rewards: rewards}
}

// Input is a group as an operator writes it.
type Input struct {
	ID      int64 // 0: a new one
	Name    string
	OpenGID string // "": bound by the first proof that brings the bind code
	Enabled bool
}

func (in *Input) check() error {
	in.Name, in.OpenGID = strings.TrimSpace(in.Name), strings.TrimSpace(in.OpenGID)
	if n := utf8.RuneCountInString(in.Name); n == 0 || n > 64 {
		return errs.Field("name", "community.name", "limit", 64)
	}
	if len(in.OpenGID) > 64 || strings.ContainsFunc(in.OpenGID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errs.Field("opengid", "community.opengid", "limit", 64)
	}
	return nil
}

// Save makes a group or changes one. Without an opengid it waits for the proof that binds it; taking one away asks for another.
func (s *Service) Save(ctx context.Context, in Input) (*model.CommunityGroup, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.CommunityGroup, error) {
		g, err := s.saveTx(tx, in)
		if err != nil {
			return g, err
		}
		return g, db.Bump(tx, revision)
	})
	return &out, err
}

func (s *Service) saveTx(tx *gorm.DB, in Input) (model.CommunityGroup, error) {
	now := s.clock.Now()
	g := model.CommunityGroup{CreatedAt: now}
	if in.ID != 0 {
		old, err := get(tx, in.ID)
		if err != nil {
			return g, err
		}
		g = *old
	}
	g.Name, g.Enabled = in.Name, in.Enabled
	switch had := g.OpenGID != nil; {
	case in.OpenGID == "" && (had || g.ID == 0):
		g.OpenGID, g.BoundAt, g.BindCode = nil, nil, rand.Text()
	case in.OpenGID != "" && (!had || *g.OpenGID != in.OpenGID):
		g.OpenGID, g.BoundAt, g.BindCode = &in.OpenGID, &now, ""
	}
	err := tx.Save(&g).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return g, errs.New(errs.Conflict, "community.taken", "field", "name")
	}
	if err != nil {
		return g, fmt.Errorf("community: save: %w", err)
	}
	return g, nil
}

func get(tx *gorm.DB, id int64) (*model.CommunityGroup, error) {
	return db.ByID[model.CommunityGroup](tx, id, "community.not_found")
}

// View is a group with the figures of today.
type View struct {
	model.CommunityGroup
	Today        Plan
	Members      int64
	Interactions int64 // today
}

// Get reads one group.
func (s *Service) Get(ctx context.Context, id int64) (*View, error) {
	g, err := get(s.db.Reader(ctx), id)
	if err != nil {
		return nil, err
	}
	return s.view(s.db.Reader(ctx), *g)
}

// List lists every group, in the order in which they were made.
func (s *Service) List(ctx context.Context) ([]View, error) {
	tx := s.db.Reader(ctx)
	var rows []model.CommunityGroup
	if err := tx.Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	views := make([]View, 0, len(rows))
	for _, g := range rows {
		v, err := s.view(tx, g)
		if err != nil {
			return nil, err
		}
		views = append(views, *v)
	}
	return views, nil
}

func (s *Service) view(tx *gorm.DB, g model.CommunityGroup) (*View, error) {
	v := &View{CommunityGroup: g}
	today := s.today()
	plans, err := s.plans(tx, g.ID, today, 1)
	if err != nil {
		return nil, err
	}
	v.Today = plans[0]
	if err := tx.Model(&model.GroupMember{}).Where("group_id = ?", g.ID).Count(&v.Members).Error; err != nil {
		return nil, err
	}
	return v, tx.Model(&model.Interaction{}).Where("group_id = ? AND day = ?", g.ID, today).Count(&v.Interactions).Error
}

func (s *Service) today() model.Day { return s.zone.DayOf(s.clock.Now()) }

// Member is somebody in a group.
type Member struct {
	MemberID     int64
	No, Nickname string
	Via          string
	JoinedAt     time.Time
}

// Members reads one page of a group's members, in the order of their ids.
func (s *Service) Members(ctx context.Context, groupID, after int64, limit int) ([]Member, error) {
	tx := s.db.Reader(ctx)
	if _, err := get(tx, groupID); err != nil {
		return nil, err
	}
	var rows []Member
	err := tx.Table("group_members").Select("group_members.member_id, members.no, members.nickname, group_members.via, group_members.joined_at").
		Joins("JOIN members ON members.id = group_members.member_id").
		Where("group_id = ? AND group_members.member_id > ?", groupID, after).Order("group_members.member_id").Limit(limit).Scan(&rows).Error
	return rows, err
}
