// Package gift gives an amount to everybody who meets a condition: a campaign once, a benefit by the clock. Each giving freezes whom it is
// for, runs as a long job, and reaches a member once, whatever is killed or repeated meanwhile.
package gift

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Clock      clock.Clock
	Zone       clock.Zone
	Conditions *condition.Registry
	Audience   *audience.Service
	Book       *ledger.Book
	Works      *work.Service
}

// Service is the use cases of gifts.
type Service struct{ Deps }

// New returns the service and registers its kind of work.
func New(d Deps) *Service {
	s := &Service{d}
	d.Works.Register(Kind, s.slice)
	return s
}

// Bounds.
const (
	maxName   = 64
	maxMemo   = 255
	maxAmount = 1_000_000
	often     = 23 * time.Hour // a benefit comes at most daily
)

// Input is a gift as an operator writes it.
type Input struct {
	ID        int64 // 0 makes one; a campaign is not changed
	Name      string
	Account   string // "" = points
	Amount    int64
	Memo      string // "" = the name
	Condition condition.Tree
	Cron      string // "" = once, now
	Enabled   bool   // of a benefit
	Actor     string
	// Confirm is how many people the operator means: as many as meet the condition now, or none of it happens.
	Confirm *int64
}

// Given is a gift, and its giving where it began at once.
type Given struct {
	model.Gift
	Run *model.GiftRun `json:",omitempty"`
}

// Save begins a campaign, or makes or changes a benefit. How many meet the condition now has to be confirmed with their number: otherwise
// errs.Conflict ("gift.confirm", fact audience). More than the account lets one operator give by hand is refused.
func (s *Service) Save(ctx context.Context, in Input) (*Given, error) {
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (Given, error) { return s.saveTx(ctx, tx, in) })
	return &out, err
}

func (s *Service) saveTx(ctx context.Context, tx *gorm.DB, in Input) (out Given, err error) {
	now := s.Clock.Now()
	g := &out.Gift
	if in.ID != 0 {
		old, err := get(tx, in.ID)
		if err != nil {
			return out, err
		}
		if old.Cron == "" || in.Cron == "" {
			return out, errs.New(errs.Conflict, "gift.given")
		}
		*g = *old
	}
	g.Name, g.Account, g.Amount, g.Memo, g.Cron = strings.TrimSpace(in.Name), in.Account, in.Amount, strings.TrimSpace(in.Memo), strings.TrimSpace(in.Cron)
	g.Enabled, g.Actor, g.Condition, g.UpdatedAt = in.Enabled || g.Cron == "", in.Actor, model.ToJSON(in.Condition), now
	if g.CreatedAt.IsZero() {
		g.CreatedAt = now
	}
	if err := s.check(ctx, tx, g, in.Condition); err != nil {
		return out, err
	}
	who, _, err := s.Audience.Members(ctx, tx, now, in.Condition)
	if err != nil {
		return out, err
	}
	if n := int64(who.GetCardinality()); in.Confirm == nil || *in.Confirm != n { //nolint:gosec // ids fit 32 bits
		return out, errs.New(errs.Conflict, "gift.confirm", "audience", n)
	}
	if err := tx.Save(g).Error; err != nil {
		return out, fmt.Errorf("gift: save: %w", err)
	}
	if g.Cron == "" {
		out.Run, err = s.startTx(tx, g, "once", who)
	}
	return out, err
}

// check refuses what can never be meant, and sets the next firing.
func (s *Service) check(ctx context.Context, tx *gorm.DB, g *model.Gift, t condition.Tree) error {
	switch {
	case g.Name == "" || utf8.RuneCountInString(g.Name) > maxName:
		return errs.Field("name", "gift.name", "limit", maxName)
	case g.Amount < 1 || g.Amount > maxAmount:
		return errs.Field("amount", "gift.amount", "limit", maxAmount)
	case utf8.RuneCountInString(g.Memo) > maxMemo:
		return errs.Field("memo", "ledger.memo", "limit", maxMemo)
	}
	if g.Memo == "" {
		g.Memo = g.Name
	}
	if err := account(tx, g); err != nil {
		return err
	}
	if err := s.Conditions.Check(ctx, tx, t); err != nil {
		return err
	}
	if s.Conditions.EventScoped(t) {
		return errs.Field("condition", "broadcast.event_scoped")
	}
	g.NextAt = nil
	if g.Cron == "" {
		return nil
	}
	line, next, err := clock.CheckCron(g.Cron, s.Zone, s.Clock.Now())
	if err != nil {
		return err
	}
	if then := line.Next(next); !then.IsZero() && then.Sub(next) < often {
		return errs.Field("cron", "gift.often")
	}
	if g.Enabled {
		g.NextAt = &next
	}
	return nil
}

// account refuses one that is not there, and more of it than one operator may give by hand.
func account(tx *gorm.DB, g *model.Gift) error {
	if g.Account == "" {
		g.Account = model.AccountPoints
	}
	a, err := ledger.Account(tx, g.Account)
	if err != nil {
		return errs.AtField(err, "account")
	}
	if a.ManualLimit > 0 && g.Amount > a.ManualLimit {
		return errs.Field("amount", "gift.amount", "limit", a.ManualLimit)
	}
	return nil
}

// Preview is how many meet the condition now.
func (s *Service) Preview(ctx context.Context, t condition.Tree) (int64, error) {
	return s.Audience.Count(ctx, t)
}

// Get reads one; errs.NotFound ("gift.not_found").
func (s *Service) Get(ctx context.Context, id int64) (*model.Gift, error) {
	return get(s.DB.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*model.Gift, error) {
	return db.ByID[model.Gift](tx, id, "gift.not_found")
}

// List is gifts, newest first; before is the id of the last one of the page before, 0 = the first page.
func (s *Service) List(ctx context.Context, before int64, limit int) (rows []model.Gift, err error) {
	q := s.DB.Reader(ctx).Order("id DESC").Limit(limit)
	if before > 0 {
		q = q.Where("id < ?", before)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("gift: list: %w", err)
	}
	return rows, nil
}

// Runs are the givings of a gift, newest first, without whom they are for.
func (s *Service) Runs(ctx context.Context, id int64, limit int) (rows []model.GiftRun, err error) {
	err = s.DB.Reader(ctx).Omit("members").Where("gift_id = ?", id).Order("id DESC").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("gift: runs: %w", err)
	}
	return rows, nil
}

// startTx freezes a giving and begins its work.
func (s *Service) startTx(tx *gorm.DB, g *model.Gift, slot string, who *roaring.Bitmap) (*model.GiftRun, error) {
	who = who.Clone()
	who.RunOptimize()
	raw, err := who.ToBytes()
	if err != nil {
		return nil, fmt.Errorf("gift: freeze: %w", err)
	}
	run := &model.GiftRun{
		GiftID: g.ID, Slot: slot, Account: g.Account, Amount: g.Amount, Memo: g.Memo, Actor: g.Actor, CreatedAt: s.Clock.Now(),
		Members: raw, Audience: int64(who.GetCardinality()), //nolint:gosec // ids fit 32 bits
	}
	dup, err := db.Insert(tx, run)
	if err != nil {
		return nil, fmt.Errorf("gift: freeze: %w", err)
	}
	if dup {
		return nil, errs.New(errs.Duplicate, "gift.given")
	}
	w, err := s.Works.StartTx(tx, Kind, args{run.ID, g.Name}, run.Audience, g.Actor)
	if err != nil {
		return nil, err
	}
	run.WorkID, run.Members = w.ID, nil
	return run, tx.Model(&model.GiftRun{}).Where("id = ?", run.ID).Update("work_id", w.ID).Error
}
