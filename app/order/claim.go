package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// Claimed is what a claim answers.
type Claimed struct {
	Claim   model.OrderClaim `json:"claim"` // done, or pending: it completes when the order is told
	Order   *model.Order     `json:"order"` // nil while it is pending
	Until   time.Time        `json:"until"` // a pending claim waits so long
	Grants  []event.Grant    `json:"grants"`
	Refusal *errs.Error      `json:"refusal,omitempty"` // a wrong claim: committed with its count
}

// Claim is a member saying that an order is his; tail is the end of the phone number that he gave there, "" for his own. An order that is not
// told yet makes the claim wait, at the rules of now. Of any number of claimants one gets an order; the others learn nothing about him. Wrong
// claims are counted together with their refusal, and limited per day.
func (s *Service) Claim(ctx context.Context, memberID int64, platform, no, tail string) (*Claimed, error) {
	no, err := Number("order_no", no)
	if err != nil {
		return nil, err
	}
	if tail != "" && !isTail(tail) {
		return nil, errs.Field("phone_tail", "order.tail")
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Claimed, error) {
		return s.claimTx(ctx, tx, memberID, model.OrderClaim{Platform: platform, No: no, PhoneTail: tail})
	})
	if err == nil && out.Refusal != nil {
		return nil, out.Refusal
	}
	return &out, err
}

func (s *Service) claimTx(ctx context.Context, tx *gorm.DB, memberID int64, c model.OrderClaim) (out Claimed, err error) {
	set, err := settings(tx)
	if err != nil {
		return out, err
	}
	c.At = s.clock.Now()
	if c.MemberID, err = s.members.ActTx(tx, memberID, c.At, true); err != nil {
		return out, err
	}
	if list := claimable(set); !slices.Contains(list, c.Platform) {
		return out, errs.Field("platform", "order.not_claimable", "platforms", strings.Join(list, ", "))
	}
	wrong, err := s.mayClaim(tx, &c, set)
	if err != nil {
		return out, err
	}
	if c.PhoneTail == "" {
		m, err := member.Get(tx, c.MemberID)
		if err != nil {
			return out, err
		}
		c.PhoneTail = s.members.PhoneTail(m)
	}
	d, err := s.open(tx, c.Platform, c.No, c.MemberID)
	if err != nil {
		return out, err
	}
	d.set, c.OrderID = set, d.o.ID
	out.Claim, out.Until = c, d.lapses(&c)
	code, err := d.claim(&out.Claim)
	if err != nil {
		return out, err
	}
	if code != "" {
		out.Refusal = refusal(code)
		return out, d.count(&out.Claim, code, wrong+1)
	}
	if out.Grants, err = d.settle(ctx); err == nil && d.o.MemberID != 0 {
		out.Order = &d.o
	}
	return out, err
}

// mayClaim refuses who claimed wrongly too often today, or waits for too many orders; it reports how often he was wrong.
func (s *Service) mayClaim(tx *gorm.DB, c *model.OrderClaim, set *model.OrderSettings) (wrong int64, err error) {
	day := s.zone.DayOf(c.At)
	err = tx.Model(&model.OrderClaim{}).Where("member_id = ? AND state = ? AND ended_at >= ?", c.MemberID, model.ClaimRefused, s.zone.Start(day)).Count(&wrong).Error
	if err != nil {
		return 0, fmt.Errorf("order: wrong claims: %w", err)
	}
	if wrong >= set.WrongLimit {
		opens := s.zone.End(day)
		return wrong, errs.New(errs.RateLimited, "order.wrong_limit", "limit", set.WrongLimit, "opens_at", s.zone.In(opens), "retry_after", int(opens.Sub(c.At).Seconds())+1)
	}
	return wrong, nil
}

// claim decides: "" where the claim is done or waits, else the code of the refusal that counts as wrong.
func (d *deed) claim(c *model.OrderClaim) (errs.Code, error) {
	old, err := d.waiting()
	if err != nil {
		return "", err
	}
	switch {
	case d.o.MemberID == c.MemberID:
		return "", errs.New(errs.AlreadyClaimed, "order.claimed_by_you")
	case d.o.MemberID != 0:
		return errs.AlreadyClaimed, d.taken(c.MemberID)
	case old != nil && old.MemberID == c.MemberID:
		*c = *old
		return "", nil
	case old != nil:
		return errs.AlreadyClaimed, d.taken(c.MemberID)
	case d.o.PaidAt == nil:
		return "", d.wait(c)
	}
	return d.fits(c)
}

// fits gives the order to the claimant if the claim is right.
func (d *deed) fits(c *model.OrderClaim) (errs.Code, error) {
	if d.o.PhoneTail != "" && d.o.PhoneTail != c.PhoneTail {
		return errs.Mismatch, nil
	}
	if last := d.o.PaidAt.AddDate(0, 0, d.set.ClaimDays); c.At.After(last) {
		return "", errs.New(errs.WindowClosed, "order.too_old", "limit", d.set.ClaimDays, "closed_at", d.zone.In(last))
	}
	if d.o.Net() == 0 {
		return "", errs.New(errs.Conflict, "order.nothing_left")
	}
	return "", d.done(c)
}

// done ends the claim: the order is the claimant's.
func (d *deed) done(c *model.OrderClaim) error {
	c.State, c.EndedAt = model.ClaimDone, &d.now
	if err := d.tx.Save(c).Error; err != nil {
		return fmt.Errorf("order: claim: %w", err)
	}
	d.o.ClaimID = c.ID
	d.give(c.MemberID)
	return nil
}

// wait keeps the claim until the order is told.
func (d *deed) wait(c *model.OrderClaim) error {
	var n int64
	err := d.tx.Model(&model.OrderClaim{}).Where("member_id = ? AND state = ?", c.MemberID, model.ClaimPending).Count(&n).Error
	if err != nil {
		return fmt.Errorf("order: pending claims: %w", err)
	}
	if n >= d.set.PendingLimit {
		return errs.New(errs.LimitReached, "order.pending_limit", "limit", d.set.PendingLimit)
	}
	c.State = model.ClaimPending
	if err := d.tx.Create(c).Error; err != nil {
		return fmt.Errorf("order: claim: %w", err)
	}
	d.o.ClaimID = c.ID
	return nil
}

// waiting is the claim that waits for the order; nil where none does any more.
func (d *deed) waiting() (*model.OrderClaim, error) {
	if d.o.ClaimID == 0 || d.o.MemberID != 0 {
		return nil, nil
	}
	var c model.OrderClaim
	if err := d.tx.Take(&c, d.o.ClaimID).Error; err != nil {
		return nil, errors.Join(errVanished, err)
	}
	if d.now.Before(d.lapses(&c)) {
		return &c, nil
	}
	return nil, d.end(&c, model.ClaimLapsed, "")
}

// empty reports that nothing was ever told of the order: its row stood for a claim alone.
func (d *deed) empty() bool {
	o := &d.o
	return o.PaidAt == nil && o.MemberID == 0 && o.ClaimID == 0 && o.Ended == "" && o.Version == 0 && o.EndVersion == 0 && o.RefundedFen == 0 && o.Events == 0
}

func (d *deed) lapses(c *model.OrderClaim) time.Time { return c.At.AddDate(0, 0, d.set.PendingDays) }

// finish completes a claim that waited, now that the order is told; a wrong one is refused and frees the number.
func (d *deed) finish(c *model.OrderClaim) (errs.Code, error) {
	code, err := d.fits(c)
	var e *errs.Error
	if errors.As(err, &e) {
		code, err = e.Code, nil
	}
	if err != nil || code == "" {
		return "", err
	}
	return code, d.refuse(c, code)
}

func (d *deed) refuse(c *model.OrderClaim, code errs.Code) error {
	return d.end(c, model.ClaimRefused, code)
}

// end ends a claim that did not get the order: the number is free.
func (d *deed) end(c *model.OrderClaim, state string, code errs.Code) error {
	d.o.ClaimID = 0
	c.State, c.Reason, c.EndedAt = state, string(code), &d.now
	if err := d.tx.Save(c).Error; err != nil {
		return fmt.Errorf("order: end of a claim: %w", err)
	}
	return nil
}

// count keeps a wrong claim; the last one that a day allows goes to the risk list.
func (d *deed) count(c *model.OrderClaim, code errs.Code, wrong int64) error {
	c.State, c.Reason, c.EndedAt = model.ClaimRefused, string(code), &d.now
	if err := d.tx.Create(c).Error; err != nil {
		return fmt.Errorf("order: wrong claim: %w", err)
	}
	if wrong < d.set.WrongLimit {
		return d.save()
	}
	err := risk.AddTx(d.tx, model.Risk{
		Kind: model.RiskClaimWrong, Subject: "day:" + string(d.zone.DayOf(d.now)), MemberID: c.MemberID, At: d.now, Data: model.ToJSON(map[string]any{"times": wrong}),
	})
	if err != nil {
		return err
	}
	return d.save()
}

func refusal(code errs.Code) *errs.Error {
	if code == errs.Mismatch {
		return errs.New(code, "order.mismatch", "field", "phone_tail")
	}
	return errs.New(code, "order.claimed")
}

// Lapse ends claims whose order did not come in time, at most limit of them; it reports how many. It only writes what counts already: from the
// instant on a claim holds nothing. A row of which nothing was told goes with its claim.
func (s *Service) Lapse(ctx context.Context, limit int) (n int, err error) {
	set, err := s.Settings(ctx)
	if err != nil {
		return 0, err
	}
	var due []model.OrderClaim
	err = s.db.Reader(ctx).Where("state = ? AND at <= ?", model.ClaimPending, s.clock.Now().AddDate(0, 0, -set.PendingDays)).Order("at, id").Limit(limit).Find(&due).Error
	if err != nil {
		return 0, fmt.Errorf("order: lapse: %w", err)
	}
	for _, c := range due {
		err := s.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			d, err := s.open(tx, c.Platform, c.No, 0)
			if err != nil {
				return err
			}
			d.set = set
			if _, err := d.waiting(); err != nil {
				return err
			}
			if d.empty() {
				return d.tx.Delete(&d.o).Error
			}
			return d.save()
		})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
