// Package channel owns channel codes: QR codes whose picture stays while the welcome behind them changes, and
// what came by them.
package channel

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of channel codes.
type Service struct {
	db    *db.DB
	clock clock.Clock
	tags  *tag.Service
	media *media.Service

	Links reply.Links // tracked links in welcomes; nil: there are none
}

// New returns the service. Its follower is registered by the app.
func New(d *db.DB, c clock.Clock, tags *tag.Service, m *media.Service) *Service {
	return &Service{db: d, clock: c, tags: tags, media: m}
}

// Search is the scene of who follows without one: he found the account by himself.
const Search = "search"

// EnsureSearch makes the source of followers without a scene, on the first start.
func (s *Service) EnsureSearch(ctx context.Context) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		_, err := db.Insert(tx, &model.ChannelCode{Code: Search, Name: "公众号搜索", CreatedAt: s.clock.Now()})
		return err
	})
}

// Find reads the code of a scene; nil if there is none.
func Find(tx *gorm.DB, scene string) (*model.ChannelCode, error) {
	if scene == "" {
		return nil, nil
	}
	var rows []model.ChannelCode
	if err := tx.Where("code = ?", scene).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// VisitTx notes a follow or a scan by a code: first and last touch, the tag, and the count of the report.
// The caller holds the member's lock.
func (s *Service) VisitTx(ctx context.Context, tx *gorm.DB, memberID int64, c *model.ChannelCode, kind string, eventID int64, at time.Time) error {
	row := model.ChannelVisit{ChannelID: c.ID, MemberID: memberID, Kind: kind, EventID: eventID, At: at}
	if err := tx.Create(&row).Error; err != nil {
		return fmt.Errorf("channel: visit: %w", err)
	}
	err := tx.Model(&model.Member{}).Where("id = ?", memberID).Updates(map[string]any{
		"first_channel": gorm.Expr("CASE WHEN first_channel = 0 THEN ? ELSE first_channel END", c.ID), "last_channel": c.ID,
	}).Error
	if err != nil {
		return fmt.Errorf("channel: touch: %w", err)
	}
	if err := member.ChangedTx(tx, memberID); err != nil {
		return err
	}
	if c.TagID == 0 {
		return nil
	}
	_, err = s.tags.SetTx(ctx, tx, memberID, c.TagID, tag.Cause{Kind: model.CauseChannel, ID: c.ID, EventID: eventID, Reason: c.Name}, at)
	return err
}

// Follow is the event follower: a registration counts for the channel of the first touch.
func (s *Service) Follow(_ context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if ev.Kind != model.EventRegistered {
		return nil, nil
	}
	var data struct {
		ChannelID int64 `json:"channel_id"`
	}
	if err := ev.Data.Into(&data); err != nil || data.ChannelID == 0 {
		return nil, err
	}
	return nil, tx.Create(&model.ChannelVisit{
		ChannelID: data.ChannelID, MemberID: ev.MemberID, Kind: model.VisitRegistered, EventID: ev.ID, At: ev.OccurredAt,
	}).Error
}

// scene is what WeChat allows in a scene string, less what would need escaping.
var scene = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`)

// inputs are how the fields of messages are called in the input.
var inputs = map[string]string{reply.News: "article.", reply.Card: "card_"}

// Save makes a code (ID 0) or changes one; the scene of an existing code stays, since it is printed.
func (s *Service) Save(ctx context.Context, c model.ChannelCode) (*model.ChannelCode, error) {
	c.Name, c.Welcome = strings.TrimSpace(c.Name), strings.TrimSpace(c.Welcome)
	switch {
	case c.ID == 0 && !scene.MatchString(c.Code):
		return nil, errs.Field("code", "channel.code")
	case c.Name == "" || utf8.RuneCountInString(c.Name) > 64:
		return nil, errs.Field("name", "channel.name", "limit", 64)
	case utf8.RuneCountInString(c.Welcome) > 600:
		return nil, errs.Field("welcome", "channel.welcome", "limit", 600)
	case (c.CardTitle == "") != (c.CardPath == "") || utf8.RuneCountInString(c.CardTitle) > 64 || utf8.RuneCountInString(c.CardPath) > 255 || strings.HasPrefix(c.CardPath, "/"):
		return nil, errs.Field("card_path", "channel.card")
	}
	messages, refs, err := says(&c)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		if messages[i].Kind != reply.News {
			continue
		}
		if err := messages[i].Check("article"); err != nil {
			return nil, err
		}
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.ChannelCode, error) {
		row := c
		if row.TagID != 0 {
			if _, err := tag.Get(tx, row.TagID); err != nil {
				return row, errs.AtField(err, "tag_id")
			}
		}
		for i := range messages {
			if err := messages[i].CheckTx(tx, s.Links, func(part string) string {
				if part == "text" {
					return "welcome"
				}
				return inputs[messages[i].Kind] + part
			}); err != nil {
				return row, err
			}
		}
		if row.ID == 0 {
			row.CreatedAt = s.clock.Now()
			dup, err := db.Insert(tx, &row)
			if dup {
				return row, errs.New(errs.Conflict, "channel.code_taken", "field", "code")
			}
			if err != nil {
				return row, err
			}
			return row, s.media.UseTx(tx, Owner(row.ID), refs)
		}
		var old model.ChannelCode
		if err := tx.Take(&old, row.ID).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return row, errs.New(errs.NotFound, "channel.not_found")
		} else if err != nil {
			return row, err
		}
		row.Code, row.CreatedAt = old.Code, old.CreatedAt
		if err := tx.Save(&row).Error; err != nil {
			return row, err
		}
		return row, s.media.UseTx(tx, Owner(row.ID), refs)
	})
	return &out, err
}
