// Package task is the list of every way to earn: the rules in force by themselves, and the entries that operators write; what is left of
// each today; goals that are claimed; and what a member was granted and has not seen yet.
package task

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of tasks.
type Service struct {
	db       *db.DB
	clock    clock.Clock
	zone     clock.Zone
	events   *event.Log
	members  *member.Service
	rewards  *reward.Service
	checkins *checkin.Service
	quizzes  *quiz.Service
	forms    *form.Service
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, members *member.Service, rewards *reward.Service, checkins *checkin.Service, quizzes *quiz.Service, forms *form.Service) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, members: members, rewards: rewards, checkins: checkins, quizzes: quizzes, forms: forms}
}

// Bounds of an entry, in characters.
const (
	maxTitle   = 32
	maxText    = 100
	maxLink    = 512
	maxGoal    = 1000
	maxEntries = 200
)

var (
	code   = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)
	scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)
)

// check refuses what can never be meant.
func check(t *model.Task) error {
	for _, s := range []*string{&t.TitleZH, &t.TitleEN, &t.TextZH, &t.TextEN, &t.Icon, &t.Link} {
		*s = strings.TrimSpace(*s)
	}
	if t.ID == 0 && !code.MatchString(t.Code) {
		return errs.Field("code", "task.code")
	}
	if t.RuleID == 0 && t.TitleZH == "" && t.TitleEN == "" {
		return errs.Field("title_zh", "task.title")
	}
	for _, f := range []struct {
		name, value string
		limit       int
	}{
		{"title_zh", t.TitleZH, maxTitle},
		{"title_en", t.TitleEN, maxTitle},
		{"text_zh", t.TextZH, maxText},
		{"text_en", t.TextEN, maxText},
		{"icon", t.Icon, maxLink},
		{"link", t.Link, maxLink},
	} {
		if utf8.RuneCountInString(f.value) > f.limit || strings.ContainsFunc(f.value, unicode.IsControl) {
			return errs.Field(f.name, "task.long", "limit", f.limit)
		}
	}
	for name, link := range map[string]string{"icon": t.Icon, "link": t.Link} {
		if m := scheme.FindStringSubmatch(link); m != nil && !slices.Contains([]string{"http", "https", "weixin"}, strings.ToLower(m[1])) {
			return errs.Field(name, "task.link")
		}
	}
	if t.StartsAt != nil && t.EndsAt != nil && !t.StartsAt.Before(*t.EndsAt) {
		return errs.Field("ends_at", "task.ends_at")
	}
	return checkGoal(t)
}

func checkGoal(t *model.Task) error {
	if t.Goal == 0 {
		switch {
		case t.Counts != "":
			return errs.Field("goal", "task.goal", "limit", maxGoal)
		case t.Claimed:
			return errs.Field("claimed", "task.claimed_without_goal")
		case t.Period != "":
			return errs.Field("period", "task.period_without_goal")
		}
		return nil
	}
	switch {
	case t.Goal < 0 || t.Goal > maxGoal:
		return errs.Field("goal", "task.goal", "limit", maxGoal)
	case !event.Known(t.Counts):
		return errs.Field("counts", "event.unknown_kind", "kind", t.Counts)
	case !slices.Contains(reward.Periods, reward.Period(t.Period)):
		return errs.Field("period", "reward.period")
	}
	return nil
}

// Save makes an entry (ID 0) or changes one; its code stays. It counts for every request that begins after it.
func (s *Service) Save(ctx context.Context, in model.Task) (*model.Task, error) {
	if err := check(&in); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Task, error) { return s.saveTx(tx, in) })
	return &out, err
}

func (s *Service) saveTx(tx *gorm.DB, t model.Task) (model.Task, error) {
	t.CreatedAt, t.UpdatedAt = s.clock.Now(), s.clock.Now()
	if err := checkRule(tx, &t); err != nil {
		return t, err
	}
	if t.ID != 0 {
		old, err := get(tx, t.ID)
		if err != nil {
			return t, err
		}
		t.Code, t.CreatedAt = old.Code, old.CreatedAt
		if err := tx.Save(&t).Error; err != nil {
			return t, fmt.Errorf("task: save: %w", err)
		}
		return t, nil
	}
	var n int64
	if err := tx.Model(&model.Task{}).Count(&n).Error; err != nil {
		return t, fmt.Errorf("task: save: %w", err)
	}
	if n >= maxEntries {
		return t, errs.New(errs.LimitReached, "task.too_many", "limit", maxEntries)
	}
	dup, err := db.Insert(tx, &t)
	if err != nil {
		return t, fmt.Errorf("task: save: %w", err)
	}
	if dup {
		return t, errs.New(errs.Conflict, "task.code_taken", "field", "code")
	}
	return t, nil
}

// checkRule refuses a rule that is not there.
func checkRule(tx *gorm.DB, t *model.Task) error {
	if t.RuleID == 0 {
		return nil
	}
	var n int64
	if err := tx.Model(&model.PointRule{}).Where("id = ?", t.RuleID).Count(&n).Error; err != nil {
		return fmt.Errorf("task: rule: %w", err)
	}
	if n == 0 {
		return errs.Field("rule_id", "reward.not_found")
	}
	return nil
}

func get(tx *gorm.DB, id int64) (*model.Task, error) {
	return db.ByID[model.Task](tx, id, "task.not_found")
}

// Get reads one entry; errs.NotFound ("task.not_found").
func (s *Service) Get(ctx context.Context, id int64) (*model.Task, error) {
	return get(s.db.Reader(ctx), id)
}

// Entries lists what operators wrote, in the order of the list.
func (s *Service) Entries(ctx context.Context) ([]model.Task, error) {
	return entries(s.db.Reader(ctx))
}

func entries(tx *gorm.DB) ([]model.Task, error) {
	var rows []model.Task
	if err := tx.Order("position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("task: entries: %w", err)
	}
	return rows, nil
}

// Delete removes an entry that nobody has claimed; another is errs.Conflict: switch it off.
func (s *Service) Delete(ctx context.Context, id int64) (*model.Task, error) {
	t, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Task, error) {
		t, err := get(tx, id)
		if err != nil {
			return model.Task{}, err
		}
		var n int64
		if err := tx.Model(&model.TaskClaim{}).Where("task_id = ?", id).Limit(1).Count(&n).Error; err != nil {
			return *t, fmt.Errorf("task: delete: %w", err)
		}
		if n > 0 {
			return *t, errs.New(errs.Conflict, "task.has_claims")
		}
		return *t, tx.Delete(&model.Task{}, id).Error
	})
	return &t, err
}

// shown reports whether an entry is in the list at the moment.
func shown(t *model.Task, at time.Time) bool {
	return t.Enabled && (t.StartsAt == nil || !at.Before(*t.StartsAt)) && (t.EndsAt == nil || at.Before(*t.EndsAt))
}
