package reward

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// Adjustment is a change of an order after it earned: a refund, or a correction.
type Adjustment struct {
	EventID int64      // of the order
	Data    model.JSON // its data with the new amount_fen; nil = nothing remains
	Key     string     // unique for every change: order:7:3; at most 48 bytes
	Reason  string     // of the lines
	CauseID int64      // the event of the refund; 0 = none
	At      time.Time  // when the order changed
}

// adjusted stands in the key of a line that an upward correction granted, between that of the grant and that of the correction.
const adjusted = ":adjust:"

// AdjustTx brings what the rules gave for an order to what they give for its changed data (PLAYBOOKS H10): per grant it takes back what
// stands − f(new), with the version, the rate and the multipliers of the grant, base and bonus each by its own formula, so that several
// partial refunds take back exactly what one full refund would. A fixed amount goes when nothing remains, or when it is the change that makes the
// rule's condition on the order fail. Caps do not reopen; an upward correction grants the difference within the cap room at the grant and what
// the caps leave now. What the member does not have any more, where the account clamps, goes to the risk list. Tags stay.
// The caller holds the member's lock.
func (s *Service) AdjustTx(ctx context.Context, tx *gorm.DB, a Adjustment) ([]event.Grant, error) {
	if a.Key == "" || len(a.Key) > 48 {
		return nil, fmt.Errorf("reward: adjustment %q needs a key of at most 48 bytes", a.Key)
	}
	j := &adjusting{Service: s, tx: tx, a: a}
	if err := tx.Take(&j.old, a.EventID).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "event.not_found")
	} else if err != nil {
		return nil, fmt.Errorf("reward: adjust: %w", err)
	}
	j.changed = j.old
	j.changed.Data = a.Data
	j.data = condition.DataFields(a.Data)
	j.gone = number(j.data, model.OrderAmount) == 0
	var rows []model.RuleGrant
	if err := tx.Where("event_id = ?", a.EventID).Order("rule_id, grant_index").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reward: adjust: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	if err := j.load(); err != nil {
		return nil, err
	}
	var grants []event.Grant
	for i := range rows {
		g, err := j.adjust(ctx, &rows[i])
		if err != nil {
			return nil, err
		}
		grants = append(grants, g...)
	}
	return grants, nil
}

// adjusting is one call of AdjustTx.
type adjusting struct {
	*Service
	tx           *gorm.DB
	a            Adjustment
	p            *programme
	old, changed model.Event
	data         map[string]any // of changed
	gone         bool           // nothing of the order remains
	entries      []model.Entry
	left         map[int64]int64 // of each entry
}

// load reads the lines that the order earned and what is left of each.
func (j *adjusting) load() (err error) {
	if j.p, err = j.inForce(j.tx); err != nil {
		return err
	}
	q := j.tx.Where("event_id = ? AND kind = ?", j.a.EventID, model.EntryEarn)
	if err := q.Order("id DESC").Find(&j.entries).Error; err != nil {
		return fmt.Errorf("reward: adjust: %w", err)
	}
	ids := make([]int64, len(j.entries))
	for i, e := range j.entries {
		ids[i] = e.ID
	}
	j.left, err = j.book.LeftTx(j.tx, ids...)
	return err
}

// adjust brings one grant to what it gives now.
func (j *adjusting) adjust(ctx context.Context, row *model.RuleGrant) ([]event.Grant, error) {
	h, spec, err := j.granted(row)
	if err != nil {
		return nil, err
	}
	base, bonus, err := j.due(ctx, h, spec, row)
	if err != nil {
		return nil, err
	}
	if base, bonus, err = j.grow(h, row, base, bonus); err != nil {
		return nil, err
	}
	var grants []event.Grant
	for _, part := range []struct {
		bonus    bool
		from, to int64
	}{{false, row.Base, base}, {true, row.Bonus, bonus}} {
		g, err := j.move(ctx, h, spec, row, part.bonus, part.to-part.from)
		if err != nil {
			return nil, err
		}
		grants = append(grants, g...)
	}
	if base == row.Base && bonus == row.Bonus {
		return nil, nil
	}
	set := map[string]any{"base": base, "bonus": bonus, "peak": max(row.Peak, base+bonus)}
	res := j.tx.Model(&model.RuleGrant{}).Where("event_id = ? AND rule_id = ? AND grant_index = ? AND base = ? AND bonus = ?",
		row.EventID, row.RuleID, row.GrantIndex, row.Base, row.Bonus).Updates(set)
	if res.Error != nil || res.RowsAffected != 1 {
		return nil, fmt.Errorf("reward: adjust event %d, rule %d: the member was not locked: %w", row.EventID, row.RuleID, res.Error)
	}
	return grants, nil
}

// granted is the version of the rule that granted, and what it grants.
func (j *adjusting) granted(row *model.RuleGrant) (h matched, spec *Spec, err error) {
	for _, r := range j.p.rules {
		for i := range r.versions {
			v := &r.versions[i]
			if r.id == row.RuleID && v.Version == row.RuleVersion && row.GrantIndex < len(v.def.Grants) {
				return matched{r, v}, &v.def.Grants[row.GrantIndex], nil
			}
		}
	}
	return h, nil, fmt.Errorf("reward: rule %d has no version %d", row.RuleID, row.RuleVersion)
}

// due is f of the changed order, within the room at the grant.
func (j *adjusting) due(ctx context.Context, h matched, spec *Spec, row *model.RuleGrant) (base, bonus int64, err error) {
	if j.gone {
		return 0, 0, nil
	}
	fails, err := j.fails(ctx, h)
	if err != nil || fails {
		return 0, 0, err
	}
	by, ok := new(big.Rat).SetString(row.Multiplier)
	if !ok {
		return 0, 0, fmt.Errorf("reward: event %d, rule %d: multiplier %q", row.EventID, row.RuleID, row.Multiplier)
	}
	base, bonus = worth(spec, j.data, by)
	if row.Room != nil {
		base, bonus = within(base, bonus, *row.Room)
	}
	return base, bonus, nil
}

// fails reports that the change alone makes the rule's condition fail: it holds for the order as it was and not as it is.
func (j *adjusting) fails(ctx context.Context, h matched) (bool, error) {
	if !j.conditions.EventScoped(h.v.def.Condition) {
		return false, nil
	}
	holds := func(ev *model.Event) (bool, error) {
		v, _, err := j.conditions.Eval(ctx, j.tx, &condition.Subject{MemberID: ev.MemberID, At: ev.OccurredAt, Event: ev}, h.v.def.Condition)
		return v.Holds, err
	}
	before, err := holds(&j.old)
	if err != nil || !before {
		return false, err
	}
	now, err := holds(&j.changed)
	return !now, err
}

// grow counts what goes beyond the most that the grant ever was in the caps, and cuts what they do not leave.
func (j *adjusting) grow(h matched, row *model.RuleGrant, base, bonus int64) (int64, int64, error) {
	more := base + bonus - row.Peak
	if more <= 0 {
		return base, bonus, nil
	}
	if err := j.lockBudgets(j.tx, &j.old, []matched{h}); err != nil {
		return 0, 0, err
	}
	sit, err := j.situation(j.tx, j.p, &j.old, []matched{h})
	if err != nil {
		return 0, 0, err
	}
	l := line{spec: &Spec{Account: row.Account}, base: more, wantBase: more}
	uses := map[use]int64{}
	sit.count(&l, sit.limits(h), sit.used, uses)
	base, bonus = within(base, bonus, row.Peak+l.base)
	return base, bonus, j.store(j.tx, &j.old, h, sit.used, uses)
}

// move takes back or grants so much of a part of the grant.
func (j *adjusting) move(ctx context.Context, h matched, spec *Spec, row *model.RuleGrant, bonus bool, by int64) ([]event.Grant, error) {
	key := lineKey(row.EventID, row.RuleID, row.GrantIndex, bonus)
	g := event.Grant{Account: row.Account, RuleID: h.rule.id, Rule: h.rule.name, Bonus: bonus}
	switch {
	case by > 0:
		g.Amount = by
		p := posting(&j.old, h, &line{index: row.GrantIndex, spec: spec}, g, adjusted+j.a.Key)
		p.Reason = j.a.Reason
		e, err := j.book.PostTx(ctx, j.tx, p)
		if err != nil {
			return nil, err
		}
		g.Balance = e.Balance
		return []event.Grant{g}, nil
	case by < 0:
		return j.takeBackPart(ctx, g, key, -by)
	}
	return nil, nil
}

// takeBackPart takes back so much of the lines under the key, the newest first.
func (j *adjusting) takeBackPart(ctx context.Context, g event.Grant, key string, amount int64) (grants []event.Grant, err error) {
	for _, e := range j.entries {
		n := min(amount, j.left[e.ID])
		if n <= 0 || e.Key != key && !strings.HasPrefix(e.Key, key+adjusted) {
			continue
		}
		back, short, err := j.book.TakeBackTx(ctx, j.tx, ledger.TakeBack{
			EntryID: e.ID, Amount: n, Key: fmt.Sprintf("%s:%d", j.a.Key, e.ID), Reason: j.a.Reason, EventID: j.a.CauseID, At: j.a.At,
		})
		if err != nil {
			return nil, err
		}
		if short > 0 {
			if err := j.lost(g, back, short); err != nil {
				return nil, err
			}
		}
		g.Amount, g.Balance, g.Note = back.Delta, back.Balance, back.Note
		grants = append(grants, g)
		amount -= n
	}
	return grants, nil // what a merge took back as a duplicate is not there any more
}

// lost tells the risk list of what the member does not have any more.
func (j *adjusting) lost(g event.Grant, e *model.Entry, short int64) error {
	return risk.AddTx(j.tx, model.Risk{
		MemberID: e.MemberID, Kind: model.RiskShortfall, Subject: e.Key, At: j.a.At,
		Data: model.ToJSON(map[string]any{"account": g.Account, "shortfall": short, "event_id": fmt.Sprint(j.a.EventID), "rule_id": fmt.Sprint(g.RuleID)}),
	})
}
