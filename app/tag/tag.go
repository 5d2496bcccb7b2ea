// Package tag owns tag groups, tags, who holds them and why, and the rules that set them by themselves.
package tag

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of tags.
type Service struct {
	db         *db.DB
	clock      clock.Clock
	events     *event.Log
	conditions *condition.Registry
	works      *work.Service
	rules      db.Cached[*ruleSet]
	backfill   backfill

	// Holders is how many hold each tag, by its id, to be shown: counting them in the table takes a second for a million members.
	Holders func(ctx context.Context) (map[int64]int64, error)
	// Crowded is how many tags each member holds who holds more than so many, likewise.
	Crowded func(ctx context.Context, above int) (map[int64]int64, error)
}

// New returns the service. Its follower and leaf are registered by the app.
func New(d *db.DB, c clock.Clock, events *event.Log, conditions *condition.Registry, works *work.Service) *Service {
	return &Service{db: d, clock: c, events: events, conditions: conditions, works: works}
}

// View is a tag with its group and the number of its holders.
type View struct {
	model.Tag
	Group   string `json:"group"`
	Holders int64  `json:"holders"`
}

// Groups lists the groups in their order.
func (s *Service) Groups(ctx context.Context) ([]model.TagGroup, error) {
	var rows []model.TagGroup
	return rows, s.db.Reader(ctx).Order("position, id").Find(&rows).Error
}

// List lists all tags with the number of members who hold each.
func (s *Service) List(ctx context.Context) ([]View, error) {
	var rows []View
	err := s.db.Reader(ctx).Table("tags").Select("tags.*, tag_groups.name AS `group`").
		Joins("JOIN tag_groups ON tag_groups.id = tags.group_id").Order("tag_groups.position, tag_groups.id, tags.id").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("tag: list: %w", err)
	}
	holders, err := s.Holders(ctx)
	for i := range rows {
		rows[i].Holders = holders[rows[i].ID]
	}
	return rows, err
}

// Get reads one tag.
func Get(tx *gorm.DB, id int64) (*model.Tag, error) {
	return db.ByID[model.Tag](tx, id, "tag.not_found", "tag_id", fmt.Sprint(id))
}

// Name is "group:tag", as operators write it.
func Name(tx *gorm.DB, id int64) (string, error) {
	var name struct{ Group, Tag string }
	err := tx.Table("tags").Select("tag_groups.name AS `group`, tags.name AS tag").Joins("JOIN tag_groups ON tag_groups.id = tags.group_id").
		Where("tags.id = ?", id).Take(&name).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", errs.New(errs.NotFound, "tag.not_found", "tag_id", fmt.Sprint(id))
	}
	return name.Group + ":" + name.Tag, err
}

// CreateGroup makes a group. A name or code that exists is errs.Conflict.
func (s *Service) CreateGroup(ctx context.Context, g model.TagGroup) (*model.TagGroup, error) {
	g.Name, g.Code = strings.TrimSpace(g.Name), strings.TrimSpace(g.Code)
	if n := utf8.RuneCountInString(g.Name); n == 0 || n > 32 {
		return nil, errs.Field("name", "tag.name", "limit", 32)
	}
	if g.Code == "" {
		g.Code = g.Name
	}
	if utf8.RuneCountInString(g.Code) > 32 {
		return nil, errs.Field("code", "tag.code", "limit", 32)
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.TagGroup, error) {
		row := g
		dup, err := db.Insert(tx, &row)
		if dup {
			return row, errs.New(errs.Conflict, "tag.group_exists", "field", "code")
		}
		return row, err
	})
	return &out, err
}

// Create makes a tag in a group. A name that the group has is errs.Conflict.
func (s *Service) Create(ctx context.Context, groupID int64, name string) (*model.Tag, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > 32 {
		return nil, errs.Field("name", "tag.name", "limit", 32)
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Tag, error) {
		if err := tx.Take(&model.TagGroup{}, groupID).Error; err != nil {
			return model.Tag{}, errs.Field("group_id", "tag.group_not_found")
		}
		t := model.Tag{GroupID: groupID, Name: name, CreatedAt: s.clock.Now()}
		dup, err := db.Insert(tx, &t)
		if dup {
			return t, errs.New(errs.Conflict, "tag.exists", "field", "name")
		}
		return t, err
	})
	return &out, err
}

// Held is a tag that a member holds, with every cause.
type Held struct {
	TagID   int64     `json:"tag_id,string"`
	Code    string    `json:"code"` // of the group
	Group   string    `json:"group"`
	Name    string    `json:"name"`
	Cause   string    `json:"cause"`
	CauseID int64     `json:"cause_id,string"`
	EventID int64     `json:"event_id,string"`
	At      time.Time `json:"at"`
	Version int       `json:"version"` // of the rule that set it
	// Evidence is what the rule saw then: a list of leaves and values.
	Evidence model.JSON `json:"evidence" gorm:"column:evidence_json"`
	Until    time.Time  `json:"until" gorm:"-"` // when time alone ends what a lasting rule set; zero: it does not
}

// Of lists what a member holds and why.
func (s *Service) Of(ctx context.Context, memberID int64) ([]Held, error) {
	var rows []Held
	tx := s.db.Reader(ctx)
	err := tx.Table("tag_holds").
		Select("tag_holds.*, tag_groups.code, tag_groups.name AS `group`, tags.name").
		Joins("JOIN tags ON tags.id = tag_holds.tag_id").Joins("JOIN tag_groups ON tag_groups.id = tags.group_id").
		Where("tag_holds.member_id = ?", memberID).Order("tag_groups.position, tags.id, tag_holds.id").Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	rules, err := s.enabled(tx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].Cause != model.CauseRule {
			continue
		}
		r := rules.rule(rows[i].CauseID)
		if r == nil || r.onEvent {
			continue
		}
		v, _, err := s.conditions.Eval(ctx, tx, &condition.Subject{MemberID: memberID, At: s.clock.Now()}, r.tree)
		if err != nil {
			return nil, wrapRule(r, err)
		}
		rows[i].Until = v.FlipsAt
	}
	return rows, nil
}

// History lists the last changes of a member's tags, newest first.
func (s *Service) History(ctx context.Context, memberID int64, limit int) ([]model.TagChange, error) {
	var rows []model.TagChange
	return rows, s.db.Reader(ctx).Where("member_id = ?", memberID).Order("id DESC").Limit(limit).Find(&rows).Error
}

// SetManual gives or takes a tag by an operator's hand. A tag that a rule set too stays while the rule holds, and where a tag by
// hand kept its siblings in an exclusive group away, the rules of these are heard again.
func (s *Service) SetManual(ctx context.Context, memberID, tagID, operatorID int64, set bool, reason string) error {
	if utf8.RuneCountInString(reason) > 255 {
		return errs.Field("reason", "tag.reason", "limit", 255)
	}
	_, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (bool, error) {
		if _, err := Get(tx, tagID); err != nil {
			return false, err
		}
		m, err := member.SurvivorTx(tx, memberID)
		if err != nil {
			return false, err
		}
		c, now := Cause{Kind: model.CauseManual, ID: operatorID, Reason: reason}, s.clock.Now()
		if set {
			return s.SetTx(ctx, tx, m.ID, tagID, c, now)
		}
		gone, err := s.UnsetTx(ctx, tx, m.ID, tagID, c, now)
		if err != nil || !gone {
			return gone, err
		}
		return gone, s.reviewAll(ctx, tx, m.ID, now)
	})
	return err
}
