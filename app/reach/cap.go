package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// limit is a cap as it stands at one instant: what was sent from since on counts.
type limit struct {
	class, channel string
	since          string        // stamp
	span           time.Duration // of a rolling window
	most           int
	name           string // detail of FREQ_CAP: "marketing 1/day", "all/mass 2/72h"; that of the settings, which stands alone, has none
}

// stamp is the second of a use, in an order that is that of time.
func stamp(at time.Time) string { return at.UTC().Format("20060102150405") }

// useSend is the kind of a message's use.
func useSend(class, channel string) string { return class + "/" + channel }

// limits are the caps that a message of the class has to pass now.
func (s *Service) limits(tx *gorm.DB, class string, now time.Time) ([]limit, error) {
	var rows []model.ReachCap
	if err := tx.Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reach: read caps: %w", err)
	}
	if len(rows) == 0 {
		rows = []model.ReachCap{s.builtin()}
	}
	var list []limit
	for _, c := range rows {
		if c.Class == class || c.Class == model.ClassAll {
			since, span := s.window(&c, now)
			one := limit{class: c.Class, channel: c.Channel, since: stamp(since), span: span, most: c.Limit}
			if c.ID != 0 {
				one.name = CapName(&c)
			}
			list = append(list, one)
		}
	}
	return list, nil
}

// builtin is the cap of the settings.
func (s *Service) builtin() model.ReachCap {
	return model.ReachCap{Class: model.ClassMarketing, Per: model.PerDay, Limit: s.o.DailyCap}
}

// window is from when on a cap counts. Rolling: what was sent exactly so many hours ago counts no more.
func (s *Service) window(c *model.ReachCap, now time.Time) (since time.Time, span time.Duration) {
	day := s.zone.DayOf(now)
	switch c.Per {
	case model.PerDay:
		return s.zone.Start(day), 0
	case model.PerWeek:
		back := (int(s.zone.In(now).Weekday()) + 6) % 7
		return s.zone.Start(day.Add(-back)), 0
	case model.PerMonth:
		return s.zone.MonthStart(now), 0
	}
	span = time.Duration(c.Hours) * time.Hour
	return now.Add(time.Second - span), span
}

// CapName is how FREQ_CAP names a cap: class, channel, count and window.
func CapName(c *model.ReachCap) string {
	name := c.Class
	if c.Channel != "" {
		name += "/" + c.Channel
	}
	per := c.Per
	if per == model.PerHours {
		per = strconv.Itoa(c.Hours) + "h"
	}
	return name + " " + strconv.Itoa(c.Limit) + "/" + per
}

// sent is what a person got in one second.
type sent struct {
	class, channel, at string
	n                  int
}

// capped says which cap stands in the way of a message by the channel; "" is those that hold for all channels together. A place that a
// more important send of the day holds counts as used, until that send has used it.
func (p *person) capped(channel string, t *terms) (name string, full bool) {
	for i := range t.limits {
		c := &t.limits[i]
		if c.channel != channel {
			continue
		}
		n := 0
		for _, u := range p.sends {
			if u.at >= c.since && (c.class == model.ClassAll || c.class == u.class) && (channel == "" || channel == u.channel) {
				n += u.n
			}
		}
		if n >= c.most {
			return c.name, true
		}
		for j := range t.reserves {
			r := &t.reserves[j]
			if c.counts(r, t.now) && r.Members.Contains(uint32(p.who)) && !p.gotSince(stamp(r.At)) { //nolint:gosec // ids fit 32 bits
				if n++; n >= c.most {
					return "reserved:" + strconv.FormatInt(r.SourceID, 10), true
				}
			}
		}
	}
	return "", false
}

// counts reports whether a message now and the one that the place is held for would count in one window.
func (c *limit) counts(r *Reserve, now time.Time) bool {
	return (c.channel == "" || slices.Contains(r.Channels, c.channel)) && (c.span == 0 || r.At.Before(now.Add(c.span)))
}

func (p *person) gotSince(at string) bool {
	return slices.ContainsFunc(p.sends, func(u sent) bool { return u.class == model.ClassMarketing && u.at >= at && u.n > 0 })
}

// Caps lists the caps that operators wrote; while there are none, builtin holds.
func (s *Service) Caps(ctx context.Context) (rows []model.ReachCap, builtin model.ReachCap, err error) {
	if err := s.db.Reader(ctx).Order("id").Find(&rows).Error; err != nil {
		return nil, builtin, fmt.Errorf("reach: list caps: %w", err)
	}
	return rows, s.builtin(), nil
}

// Cap reads one; errs.NotFound ("reach.no_cap").
func (s *Service) Cap(ctx context.Context, id int64) (*model.ReachCap, error) {
	return getCap(s.db.Reader(ctx), id)
}

func getCap(tx *gorm.DB, id int64) (*model.ReachCap, error) {
	var c model.ReachCap
	err := tx.Take(&c, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "reach.no_cap")
	}
	return &c, err
}

// maxCaps bounds what every decision looks at.
const maxCaps = 20

// maxCapHours is the longest rolling window: that of the longest month, for which uses are kept.
const maxCapHours = 31 * 24

// SaveCap makes a cap (ID 0) or changes one. It holds from the next decision on, and counts what was sent before, too.
func (s *Service) SaveCap(ctx context.Context, in model.ReachCap) (*model.ReachCap, error) {
	if err := checkCap(&in); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.ReachCap, error) {
		row, now := in, s.clock.Now()
		row.CreatedAt, row.UpdatedAt = now, now
		if in.ID != 0 {
			old, err := getCap(tx, in.ID)
			if err != nil {
				return row, err
			}
			row.CreatedAt = old.CreatedAt
			return row, tx.Save(&row).Error
		}
		var n int64
		if err := tx.Model(&model.ReachCap{}).Count(&n).Error; err != nil {
			return row, err
		}
		if n >= maxCaps {
			return row, errs.New(errs.LimitReached, "reach.caps", "limit", maxCaps)
		}
		return row, tx.Create(&row).Error
	})
	if err != nil && errs.CodeOf(err) == "" {
		err = fmt.Errorf("reach: save cap: %w", err)
	}
	return &out, err
}

func checkCap(c *model.ReachCap) error {
	switch {
	case !slices.Contains([]string{model.ClassMarketing, model.ClassService, model.ClassAll}, c.Class):
		return errs.Field("class", "reach.cap_class")
	case c.Channel != "" && !slices.Contains(Channels, c.Channel):
		return errs.Field("channel", "reach.unknown_channel", "channel", c.Channel)
	case !slices.Contains([]string{model.PerHours, model.PerDay, model.PerWeek, model.PerMonth}, c.Per):
		return errs.Field("per", "reach.cap_per")
	case c.Per == model.PerHours && (c.Hours < 1 || c.Hours > maxCapHours):
		return errs.Field("hours", "reach.cap_hours", "limit", maxCapHours)
	case c.Limit < 0 || c.Limit > 1000:
		return errs.Field("limit", "reach.cap_limit", "limit", 1000)
	}
	if c.Per != model.PerHours {
		c.Hours = 0
	}
	return nil
}

// DeleteCap ends a cap. When the last is gone, that of the settings holds again.
func (s *Service) DeleteCap(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.ReachCap, error) {
		c, err := getCap(tx, id)
		if err != nil {
			return model.ReachCap{}, err
		}
		return *c, tx.Delete(c).Error
	})
	return err
}

// isSend tells the uses of caps from WeChat's quotas.
func isSend(kind string) (class, channel string, ok bool) { return strings.Cut(kind, "/") }

// keepUses is how long uses are kept: longer than the longest window.
const keepUses = 40 * 24 * time.Hour

// ForgetUses deletes the uses that no cap can count any more.
func (s *Service) ForgetUses(ctx context.Context, now time.Time) error {
	var last int64
	if err := s.db.Reader(ctx).Model(&model.ReachUse{}).Select("COALESCE(MAX(member_id), 0)").Scan(&last).Error; err != nil {
		return fmt.Errorf("reach: forget uses: %w", err)
	}
	old := now.Add(-keepUses)
	const people = 5000
	for from := int64(0); from <= last; from += people {
		err := s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			_, err := exec(ctx, tx, "DELETE FROM reach_uses WHERE member_id >= ? AND member_id < ? AND "+
				"((kind LIKE '%/%' AND period < ?) OR (kind LIKE 'mass:%' AND period < ?))", from, from+people, stamp(old), s.zone.MonthOf(old))
			return err
		})
		if err != nil {
			return fmt.Errorf("reach: forget uses: %w", err)
		}
	}
	return nil
}
