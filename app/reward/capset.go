package reward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// CapSet is a cap that several rules share, with the rules that name it now.
type CapSet struct {
	model.CapSet
	Rules []string `json:"rules"` // names
}

func capOf(s model.CapSet) Cap {
	return Cap{Period: Period(s.Period), Times: s.Times, Account: s.Account, Amount: s.Amount}
}

// CapSets lists the cap sets.
func (s *Service) CapSets(ctx context.Context) ([]CapSet, error) {
	tx := s.db.Reader(ctx)
	var rows []model.CapSet
	if err := tx.Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reward: cap sets: %w", err)
	}
	p, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	out := make([]CapSet, len(rows))
	for i, row := range rows {
		out[i].CapSet = row
		for _, r := range p.rules {
			if v := &r.versions[0]; v.Enabled && slices.Contains(v.def.CapSets, row.Code) {
				out[i].Rules = append(out[i].Rules, r.name)
			}
		}
	}
	return out, nil
}

// SaveCapSet makes a cap set or changes its name and limit. What it counts – the period, and times or an account – stays, because it was
// counted so; a rule says itself, version by version, to which sets it belongs.
func (s *Service) SaveCapSet(ctx context.Context, in model.CapSet) (*model.CapSet, error) {
	in.Name = strings.TrimSpace(in.Name)
	if n := utf8.RuneCountInString(in.Name); n == 0 || n > 64 {
		return nil, errs.Field("name", "reward.name", "limit", 64)
	}
	if in.ID == 0 && !code.MatchString(in.Code) {
		return nil, errs.Field("code", "reward.code")
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.CapSet, error) { return s.saveCapSetTx(tx, in) })
	return &out, err
}

func (s *Service) saveCapSetTx(tx *gorm.DB, in model.CapSet) (model.CapSet, error) {
	if err := db.Bump(tx, revision); err != nil { // first: who deletes it meanwhile waits, or it is gone
		return in, fmt.Errorf("reward: cap set: %w", err)
	}
	accounts, err := accountCodes(tx)
	if err != nil {
		return in, err
	}
	c := capOf(in)
	if err := c.check("", accounts); err != nil {
		return in, err
	}
	now := s.clock.Now()
	in.UpdatedAt = now
	if in.ID == 0 {
		in.CreatedAt = now
		dup, err := db.Insert(tx, &in)
		if dup {
			return in, errs.New(errs.Conflict, "reward.code_taken", "field", "code")
		}
		if err != nil {
			return in, fmt.Errorf("reward: cap set: %w", err)
		}
		return in, nil
	}
	var old model.CapSet
	if err := tx.Take(&old, in.ID).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return in, errs.New(errs.NotFound, "reward.set_not_found")
	} else if err != nil {
		return in, fmt.Errorf("reward: cap set: %w", err)
	}
	if old.Period != in.Period || (old.Times > 0) != (in.Times > 0) || old.Account != in.Account {
		return in, errs.Field("period", "reward.set_counts")
	}
	in.Code, in.CreatedAt = old.Code, old.CreatedAt
	if err := tx.Save(&in).Error; err != nil {
		return in, fmt.Errorf("reward: cap set: %w", err)
	}
	return in, nil
}

// DeleteCapSet deletes a cap set that no version of a rule ever named: an event of that version's time may still come.
func (s *Service) DeleteCapSet(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (row model.CapSet, err error) {
		if err := db.Bump(tx, revision); err != nil { // first: a rule that is saved meanwhile waits, or is seen
			return row, fmt.Errorf("reward: cap set: %w", err)
		}
		if err := tx.Take(&row, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return row, errs.New(errs.NotFound, "reward.set_not_found")
		} else if err != nil {
			return row, fmt.Errorf("reward: cap set: %w", err)
		}
		p, err := load(tx)
		if err != nil {
			return row, err
		}
		for _, r := range p.rules {
			if slices.ContainsFunc(r.versions, func(v version) bool { return slices.Contains(v.def.CapSets, row.Code) }) {
				return row, errs.New(errs.Conflict, "reward.set_used", "rule", r.name)
			}
		}
		return row, tx.Delete(&row).Error
	})
	return err
}

// CapSet reads one.
func (s *Service) CapSet(ctx context.Context, id int64) (*CapSet, error) {
	all, err := s.CapSets(ctx)
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	if err == nil {
		err = errs.New(errs.NotFound, "reward.set_not_found")
	}
	return nil, err
}

// checkSets refuses codes that name no cap set.
func checkSets(tx *gorm.DB, codes []string) error {
	for i, c := range codes {
		var n int64
		if err := tx.Model(&model.CapSet{}).Where("code = ?", c).Count(&n).Error; err != nil {
			return fmt.Errorf("reward: cap sets: %w", err)
		}
		if n == 0 || slices.Contains(codes[:i], c) {
			return errs.Field(fmt.Sprintf("cap_sets[%d]", i), "reward.set_unknown", "code", c)
		}
	}
	return nil
}

func accountCodes(tx *gorm.DB) (codes []string, err error) {
	if err := tx.Model(&model.Account{}).Order("position").Pluck("code", &codes).Error; err != nil {
		return nil, fmt.Errorf("reward: accounts: %w", err)
	}
	return codes, nil
}
