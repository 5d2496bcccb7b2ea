package tier

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds of a ladder.
const (
	maxTiers     = 30
	maxGifts     = 10
	maxThreshold = 1_000_000_000_000
	maxGift      = 1_000_000
	maxReview    = 3650
)

// Input is all tiers as an operator wants them; a tier that is not among them is removed.
type Input struct {
	Settings model.TierSettings
	Tiers    []Tier // with ID 0: a new one
}

// check refuses what can never be meant, and sorts the tiers.
func (s *Service) check(tx *gorm.DB, in *Input) (*Ladder, error) {
	set := &in.Settings
	set.ID = 1
	switch {
	case set.Basis != coupon.Lifetime && set.Basis != coupon.Available:
		return nil, errs.Field("basis", "coupon.basis", "want", coupon.Lifetime+", "+coupon.Available)
	case set.Downgrade != model.TierImmediate && set.Downgrade != model.TierReview:
		return nil, errs.Field("downgrade", "coupon.basis", "want", model.TierImmediate+", "+model.TierReview)
	case set.ReviewDays < 1 || set.ReviewDays > maxReview:
		return nil, errs.Field("review_days", "tier.days", "from", 1, "limit", maxReview)
	case set.NoticeDays < 0 || set.NoticeDays >= set.ReviewDays:
		return nil, errs.Field("notice_days", "tier.days", "from", 0, "limit", set.ReviewDays-1)
	case len(in.Tiers) > maxTiers:
		return nil, errs.Field("tiers", "tier.too_many", "limit", maxTiers)
	}
	if _, err := ledger.Account(tx, set.Account); err != nil {
		return nil, errs.AtField(err, "account")
	}
	old, err := load(tx)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for i := range in.Tiers {
		t, at := &in.Tiers[i], fmt.Sprintf("tiers[%d]", i)
		t.Name = strings.TrimSpace(t.Name)
		switch {
		case t.Name == "" || utf8.RuneCountInString(t.Name) > 16:
			return nil, errs.Field(at+".name", "tier.name", "limit", 16)
		case t.Threshold < 0 || t.Threshold > maxThreshold:
			return nil, errs.Field(at+".threshold", "tier.threshold", "limit", maxThreshold)
		case seen[t.Threshold]:
			return nil, errs.Field(at+".threshold", "tier.threshold_twice")
		case t.ID != 0 && old.place(t.ID) < 0:
			return nil, errs.Field(at+".id", "tier.not_found")
		}
		seen[t.Threshold] = true
		if err := checkGifts(tx, at, set.Account, t.Gifts); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(in.Tiers, func(a, b Tier) int { return cmp.Compare(a.Threshold, b.Threshold) })
	return old, nil
}

// checkGifts also refuses a gift in the account that the tiers count: one tier would lift into the next.
func checkGifts(tx *gorm.DB, at, counted string, gifts []Gift) error {
	if len(gifts) > maxGifts {
		return errs.Field(at+".gifts", "tier.too_many", "limit", maxGifts)
	}
	for i, g := range gifts {
		at := fmt.Sprintf("%s.gifts[%d]", at, i)
		if g.CouponID != 0 {
			if g.Account != "" || g.Amount != 0 {
				return errs.Field(at, "tier.gift")
			}
			if _, err := coupon.Get(tx, g.CouponID); err != nil {
				return errs.AtField(err, at+".coupon_id")
			}
			continue
		}
		if g.Amount <= 0 || g.Amount > maxGift || g.Account == counted {
			return errs.Field(at, "tier.gift")
		}
		if _, err := ledger.Account(tx, g.Account); err != nil {
			return errs.AtField(err, at+".account")
		}
	}
	return nil
}

// Saved is what saving answers.
type Saved struct {
	Ladder Ladder      `json:"ladder"`
	Work   *model.Work `json:"work"` // that looks at every member again
}

// Save puts the tiers as the input says, at once for whatever happens from now on, and starts the work that looks at everybody again.
// Removed tiers stay in the history.
func (s *Service) Save(ctx context.Context, in Input, actor string) (*Saved, error) {
	out, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (r Saved, err error) {
		in := Input{in.Settings, slices.Clone(in.Tiers)}
		if err := db.Bump(tx, revision); err != nil { // two who save at once wait for each other here
			return r, err
		}
		old, err := s.check(tx, &in)
		if err != nil {
			return r, err
		}
		if err := tx.Save(&in.Settings).Error; err != nil {
			return r, fmt.Errorf("tier: settings: %w", err)
		}
		for _, t := range in.Tiers {
			if err := s.saveOne(tx, t); err != nil {
				return r, err
			}
		}
		for _, t := range old.Tiers {
			if slices.ContainsFunc(in.Tiers, func(n Tier) bool { return n.ID == t.ID }) {
				continue
			}
			if err := tx.Model(&model.Tier{}).Where("id = ?", t.ID).Update("removed", true).Error; err != nil {
				return r, fmt.Errorf("tier: remove: %w", err)
			}
		}
		l, err := load(tx)
		if err != nil {
			return r, err
		}
		var total int64
		if err := everybody(tx).Count(&total).Error; err != nil {
			return r, err
		}
		r.Ladder = *l
		r.Work, err = s.Works.StartTx(tx, WorkKind, nil, total, actor)
		return r, err
	})
	return &out, err
}

func (s *Service) saveOne(tx *gorm.DB, t Tier) error {
	if t.Gifts == nil {
		t.Gifts = []Gift{}
	}
	row := model.Tier{ID: t.ID, Name: t.Name, Threshold: t.Threshold, Gifts: model.ToJSON(t.Gifts), CreatedAt: s.Clock.Now()}
	var err error
	if t.ID == 0 {
		err = tx.Create(&row).Error
	} else {
		err = tx.Model(&row).Select("name", "threshold", "gifts").Updates(&row).Error
	}
	if err != nil {
		return fmt.Errorf("tier: save %s: %w", t.Name, err)
	}
	return nil
}

// everybody is the members that have tiers: those who registered and are there.
func everybody(tx *gorm.DB) *gorm.DB {
	return tx.Table("members m").Where("m.joined_at IS NOT NULL AND m.merged_into IS NULL AND m.erased_at IS NULL")
}

// Preview is what saving would change.
type Preview struct {
	Up, Down, Same int64
	Tiers          []Tier
	Members        []int64 // in each of Tiers afterwards
	Below          int64   // in none
}

// Preview says how many would rise and fall by the balances as they are written. It saves nothing.
func (s *Service) Preview(ctx context.Context, in Input) (*Preview, error) {
	tx := s.DB.Reader(ctx)
	in.Tiers = slices.Clone(in.Tiers)
	old, err := s.check(tx, &in)
	if err != nil {
		return nil, err
	}
	l := &Ladder{Settings: in.Settings, Tiers: in.Tiers, names: old.names}
	column := "b.lifetime"
	if in.Settings.Basis == coupon.Available {
		column = "b.available"
	}
	rows, err := everybody(tx).Select("COALESCE(t.tier_id, 0), COALESCE("+column+", 0), COALESCE(h.tier_id, 0)").
		Joins("LEFT JOIN balances b ON b.member_id = m.id AND b.account = ?", in.Settings.Account).
		Joins("LEFT JOIN tier_holds h ON h.member_id = m.id AND h.open = ? AND (h.until_at IS NULL OR h.until_at > ?)", true, s.Clock.Now()).
		Joins("LEFT JOIN member_tiers t ON t.member_id = m.id AND t.open = ?", true).Rows()
	if err != nil {
		return nil, fmt.Errorf("tier: preview: %w", err)
	}
	defer rows.Close()
	p := &Preview{Tiers: l.Tiers, Members: make([]int64, len(l.Tiers))}
	for rows.Next() {
		var tierID, value, heldID int64
		if err := rows.Scan(&tierID, &value, &heldID); err != nil {
			return nil, fmt.Errorf("tier: preview: %w", err)
		}
		p.count(l, l.place(tierID), max(l.reached(value), l.place(heldID)))
	}
	return p, rows.Err()
}

func (p *Preview) count(l *Ladder, from, to int) {
	if to < from && l.Settings.Downgrade == model.TierReview {
		to = from
	}
	switch compare(to, from) {
	case 1:
		p.Up++
	case -1:
		p.Down++
	default:
		p.Same++
	}
	if to < 0 {
		p.Below++
	} else {
		p.Members[to]++
	}
}

// WorkKind is the work that looks at everybody again.
const WorkKind = "tier.evaluate"

// sliceSize keeps a chunk short: others write meanwhile.
const sliceSize = 25

// Evaluated is how far that work is, and what came of it.
type Evaluated struct {
	After int64 `json:"after,omitempty"`
	Up    int64 `json:"up"`
	Down  int64 `json:"down"`
}

func (s *Service) slice(ctx context.Context, w *model.Work) (done bool, err error) {
	err = s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var at Evaluated
		if err := w.Cursor.Into(&at); err != nil {
			return err
		}
		var ids []int64
		if err := everybody(tx).Where("m.id > ?", at.After).Order("m.id").Limit(sliceSize).Pluck("m.id", &ids).Error; err != nil {
			return err
		}
		if err := s.lookAll(ctx, tx, ids, &at); err != nil {
			return err
		}
		done = len(ids) < sliceSize
		return s.Works.ProgressTx(tx, w, at, w.Done+int64(len(ids)), map[string]any{"up": at.Up, "down": at.Down})
	})
	return done, err
}

func (s *Service) lookAll(ctx context.Context, tx *gorm.DB, ids []int64, at *Evaluated) error {
	for _, id := range ids {
		at.After = id
		if err := member.LockTx(tx, id); errs.CodeOf(err) == errs.NotFound { // erased since
			continue
		} else if err != nil {
			return err
		}
		l, err := s.ladder(tx)
		if err != nil {
			return err
		}
		n, err := s.look(ctx, tx, l, id, 0, model.TierBySettings)
		if err != nil {
			return err
		}
		at.Up += int64(max(n, 0))
		at.Down += int64(max(-n, 0))
	}
	return nil
}
