// Package radar owns tracked links to articles and pages: who opened what was sent to him, for how long he looked, to whom he forwarded it,
// and how interested that shows him to be. Time is counted by the server's clock: what a client claims can only make it less.
package radar

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Deps are what the service stands on.
type Deps struct {
	DB      *db.DB
	Clock   clock.Clock
	Events  *event.Log
	Members *member.Service
	Tags    *tag.Service
	Box     *config.Box
	Base    string // under which people reach siyu; "" sends no links
	MPAppID string // of the mini-program that links to pages open
	WeChat  *wechat.Client
	OA      string // the account by which a page inside WeChat asks who reads it; "" = none may
}

// Service is the use cases of radar links.
type Service struct {
	Deps
	key [config.KeySize]byte
}

// New returns the service.
func New(d Deps) *Service {
	d.Base = strings.TrimSuffix(d.Base, "/")
	return &Service{Deps: d, key: d.Box.Derive("radar")}
}

const (
	maxName     = 64
	maxKind     = 32
	maxURL      = 512
	maxPath     = 255
	maxSeconds  = 24 * 3600
	maxForwards = 100 // that may be asked for, and that one opening counts
	maxHours    = 30 * 24
)

// Intent is the code of the tag group that links without tags of their own use.
const Intent = "intent"

var pathRule = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*(\?[^\s"'<>&]*(&[^\s"'<>&]*)*)?$`)

// Save makes a link (ID 0) or changes one. A grade without a tag gets the one of the group 意向. Tags that are not three of one exclusive
// group are refused: a grade could not replace a lower one.
func (s *Service) Save(ctx context.Context, l model.RadarLink) (*model.RadarLink, error) {
	if err := check(&l); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (model.RadarLink, error) {
		row := l
		row.CreatedAt = s.Clock.Now()
		if row.ID != 0 {
			old, err := link(tx, row.ID)
			if err != nil {
				return row, err
			}
			row.CreatedAt = old.CreatedAt
		}
		if err := s.checkTags(tx, &row); err != nil {
			return row, err
		}
		return row, tx.Save(&row).Error
	})
	return &out, err
}

func check(l *model.RadarLink) error {
	l.Name, l.Kind, l.URL = strings.TrimSpace(l.Name), strings.TrimSpace(l.Kind), strings.TrimSpace(l.URL)
	switch {
	case l.Name == "" || utf8.RuneCountInString(l.Name) > maxName || strings.ContainsFunc(l.Name, unicode.IsControl):
		return errs.Field("name", "radar.name", "limit", maxName)
	case utf8.RuneCountInString(l.Kind) > maxKind || strings.ContainsFunc(l.Kind, unicode.IsControl):
		return errs.Field("kind", "radar.kind", "limit", maxKind)
	case l.Target != model.RadarArticle && l.Target != model.RadarPage:
		return errs.Field("target", "radar.target")
	case l.Target == model.RadarArticle && (!reply.WebURL(l.URL) || len(l.URL) > maxURL || strings.ContainsFunc(l.URL, unicode.IsControl)):
		return errs.Field("url", "radar.url", "limit", maxURL)
	case l.Target == model.RadarPage && (!pathRule.MatchString(l.URL) || len(l.URL) > maxPath):
		return errs.Field("url", "radar.path", "limit", maxPath)
	case l.HighSeconds < 1 || l.HighSeconds > maxSeconds:
		return errs.Field("high_seconds", "radar.seconds", "limit", maxSeconds)
	case l.MediumSeconds < 1 || l.MediumSeconds >= l.HighSeconds:
		return errs.Field("medium_seconds", "radar.medium", "limit", l.HighSeconds-1)
	case l.HighForwards < 1 || l.HighForwards > maxForwards:
		return errs.Field("high_forwards", "radar.forwards", "limit", maxForwards)
	case l.LowHours < 1 || l.LowHours > maxHours:
		return errs.Field("low_hours", "radar.hours", "limit", maxHours)
	}
	return nil
}

// checkTags fills in the tags of 意向 and holds that the three exclude each other.
func (s *Service) checkTags(tx *gorm.DB, l *model.RadarLink) error {
	tags := []struct {
		field string
		id    *int64
	}{{"high_tag_id", &l.HighTag}, {"medium_tag_id", &l.MediumTag}, {"low_tag_id", &l.LowTag}}
	if l.HighTag == 0 || l.MediumTag == 0 || l.LowTag == 0 {
		own, err := s.Tags.EnsureExclusiveTx(tx, Intent, "意向", "高", "中", "低")
		if err != nil {
			return err
		}
		for i, t := range tags {
			if *t.id == 0 {
				*t.id = own[i]
			}
		}
	}
	groups := map[int64]bool{}
	for i, t := range tags {
		row, err := tag.Get(tx, *t.id)
		if err != nil {
			return errs.AtField(err, t.field)
		}
		if groups[row.GroupID] = true; len(groups) > 1 || *t.id == *tags[(i+1)%3].id {
			return errs.Field(t.field, "radar.tags")
		}
		var g model.TagGroup
		if err := tx.Take(&g, row.GroupID).Error; err != nil {
			return fmt.Errorf("radar: group: %w", err)
		}
		if !g.Exclusive {
			return errs.Field(t.field, "radar.tags")
		}
	}
	return nil
}

func link(tx *gorm.DB, id int64) (*model.RadarLink, error) {
	var l model.RadarLink
	if err := tx.Take(&l, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "radar.no_link")
	} else if err != nil {
		return nil, fmt.Errorf("radar: link: %w", err)
	}
	return &l, nil
}
