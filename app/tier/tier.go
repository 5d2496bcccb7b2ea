// Package tier keeps the tiers of members: thresholds on one account, evaluated in the transaction of every change of it, with a history
// that says who was in which tier at any instant.
//
// The order that lifts somebody is itself judged at his old tier (PLAYBOOKS H13): rules match before their lines are written, and a look back
// at that event leaves out the stretch that it began.
package tier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

// Deps are what tiers stand on.
type Deps struct {
	DB      *db.DB
	Clock   clock.Clock
	Zone    clock.Zone
	Events  *event.Log
	Book    *ledger.Book
	Coupons *coupon.Service
	Rewards *reward.Service
	Works   *work.Service
}

// Service is the use cases of tiers.
type Service struct {
	Deps

	tiers db.Cached[*Ladder]
}

// New returns the service and registers what follows the ledger.
func New(d Deps) *Service {
	s := &Service{Deps: d}
	d.Book.OnChange(s.changed)
	d.Works.Register(WorkKind, s.slice)
	return s
}

// revision names the tiers and their settings, which processes cache.
const revision = "tiers"

// Ladder is the tiers, the lowest first, and how they are reached and lost.
type Ladder struct {
	Settings model.TierSettings
	Tiers    []Tier
	names    map[int64]string // of removed ones too
}

// Tier is a step of the ladder.
type Tier struct {
	ID        int64
	Name      string
	Threshold int64
	Gifts     []Gift
}

// Gift is what reaching a tier gives: an amount in an account, or a coupon.
type Gift struct {
	Account  string `json:"account,omitempty"`
	Amount   int64  `json:"amount,omitempty"`
	CouponID int64  `json:"coupon_id,string,omitempty"`
}

// Ladder reads the tiers and settings.
func (s *Service) Ladder(ctx context.Context) (*Ladder, error) { return s.ladder(s.DB.Reader(ctx)) }

// ladder is the tiers in force, read again where another process changed them.
func (s *Service) ladder(tx *gorm.DB) (*Ladder, error) { return s.tiers.Get(tx, revision, load) }

// defaults are the settings before an operator changed them.
var defaults = model.TierSettings{ID: 1, Account: model.AccountGrowth, Basis: coupon.Lifetime, Downgrade: model.TierImmediate, ReviewDays: 365, NoticeDays: 30}

func load(tx *gorm.DB) (*Ladder, error) {
	l := &Ladder{Settings: defaults, names: map[int64]string{}}
	if err := tx.Take(&l.Settings, 1).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("tier: settings: %w", err)
	}
	var rows []model.Tier
	if err := tx.Order("threshold, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("tier: read: %w", err)
	}
	for _, r := range rows {
		l.names[r.ID] = r.Name
		if r.Removed {
			continue
		}
		t := Tier{ID: r.ID, Name: r.Name, Threshold: r.Threshold}
		if err := r.Gifts.Into(&t.Gifts); err != nil {
			return nil, fmt.Errorf("tier: gifts of %d: %w", r.ID, err)
		}
		l.Tiers = append(l.Tiers, t)
	}
	return l, nil
}

// reached is the place of the tier that a value reaches; −1 = none.
func (l *Ladder) reached(value int64) int {
	n, found := slices.BinarySearchFunc(l.Tiers, value, func(t Tier, v int64) int { return cmp.Compare(t.Threshold, v) })
	if found {
		return n
	}
	return n - 1
}

// place of a tier; −1 for none and for a removed one.
func (l *Ladder) place(id int64) int {
	if id == 0 { // a tier that is not saved yet has this id too
		return -1
	}
	return slices.IndexFunc(l.Tiers, func(t Tier) bool { return t.ID == id })
}

// ids of the tiers in places [from, to).
func (l *Ladder) ids(from, to int) []int64 {
	out := []int64{}
	for i := max(from, 0); i < min(to, len(l.Tiers)); i++ {
		out = append(out, l.Tiers[i].ID)
	}
	return out
}

// value is what counts for the tier of a member.
func (s *Service) value(ctx context.Context, tx *gorm.DB, l *Ladder, memberID int64) (int64, error) {
	available, lifetime, err := s.Book.HeldTx(ctx, tx, memberID, l.Settings.Account)
	if l.Settings.Basis == coupon.Available {
		return available, err
	}
	return lifetime, err
}

// current is the stretch that counts now; nil = none.
func current(tx *gorm.DB, memberID int64) (*model.MemberTier, error) {
	var rows []model.MemberTier
	if err := tx.Where("member_id = ? AND open = ?", memberID, true).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// Reached refuses a member below a tier with errs.TierTooLow (next_tier, short_by), and a tier that is not there with errs.NotFound. Member
// 0 asks only whether it is there. tx may be a reader.
func (s *Service) Reached(ctx context.Context, tx *gorm.DB, memberID, tierID int64, _ time.Time) error {
	l, err := s.ladder(tx)
	if err != nil {
		return err
	}
	want := l.place(tierID)
	if want < 0 {
		return errs.New(errs.NotFound, "tier.not_found")
	}
	if memberID == 0 {
		return nil
	}
	cur, err := current(tx, memberID)
	if err != nil || cur != nil && l.place(cur.TierID) >= want {
		return err
	}
	v, err := s.value(ctx, tx, l, memberID)
	if err != nil {
		return err
	}
	t := l.Tiers[want]
	return errs.New(errs.TierTooLow, "tier.too_low", "next_tier", t.Name, "short_by", max(t.Threshold-v, 0))
}

// View is where a member stands.
type View struct {
	Account  string
	Value    int64
	Tier     *Tier // nil: below every tier
	Since    *time.Time
	Next     *Tier // nil: there is no higher one
	Gap      int64 // to Next
	ReviewAt *time.Time
	Short    int64 // what is missing to keep the tier at the review
	Held     *Held // what an operator set; nil: nothing
}

// Of is where the member stands; nil where the programme has no tiers.
func (s *Service) Of(ctx context.Context, memberID int64) (*View, error) {
	tx := s.DB.Reader(ctx)
	l, err := s.ladder(tx)
	if err != nil || len(l.Tiers) == 0 {
		return nil, err
	}
	v := &View{Account: l.Settings.Account}
	if v.Value, err = s.value(ctx, tx, l, memberID); err != nil {
		return nil, err
	}
	cur, err := current(tx, memberID)
	if err != nil {
		return nil, err
	}
	at := -1
	if cur != nil {
		if at = l.place(cur.TierID); at >= 0 {
			v.Tier, v.Since, v.ReviewAt, v.Short = &l.Tiers[at], &cur.FromAt, cur.ReviewAt, max(l.Tiers[at].Threshold-v.Value, 0)
		}
	}
	h, err := s.held(tx, memberID)
	if err != nil {
		return nil, err
	}
	if now := s.Clock.Now(); h != nil && (h.UntilAt == nil || now.Before(*h.UntilAt)) {
		v.Held = &Held{*h, l.names[h.TierID]}
		if v.ReviewAt != nil && l.place(h.TierID) >= at && (h.UntilAt == nil || v.ReviewAt.Before(*h.UntilAt)) {
			v.Short = 0
		}
	}
	if at+1 < len(l.Tiers) {
		v.Next = &l.Tiers[at+1]
		v.Gap = max(v.Next.Threshold-v.Value, 0)
	}
	return v, nil
}

// Stretch is a line of a member's history.
type Stretch struct {
	model.MemberTier
	Name string // of the tier; "" = below every tier
}

// History is the member's stretches, the newest first, at most 100.
func (s *Service) History(ctx context.Context, memberID int64) ([]Stretch, error) {
	l, err := s.Ladder(ctx)
	if err != nil {
		return nil, err
	}
	var rows []model.MemberTier
	if err := s.DB.Reader(ctx).Where("member_id = ?", memberID).Order("id DESC").Limit(100).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("tier: history: %w", err)
	}
	out := make([]Stretch, len(rows))
	for i, r := range rows {
		out[i] = Stretch{r, l.names[r.TierID]}
	}
	return out, nil
}
