package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// ReasonHold is the reason of the lines of a hold whose caller gave none.
const ReasonHold = "hold"

// timedOut is the key under which a hold releases itself.
const timedOut = "timeout"

// Hold asks for an amount to be set aside.
type Hold struct {
	MemberID int64
	Account  string
	Amount   int64     // above 0
	Until    time.Time // released by itself from then on
	Ref      string    // what it is for: an order's number; at most 96 bytes
	Worth    int64     // what the caller gives for it, in fen
	Key      string    // unique for ever: a repeat returns the first hold; at most 96 bytes
	Reason   string    // locale key or reason code; "" = ReasonHold
	EventID  int64     // 0 = none
	At       time.Time // zero = now
}

// HoldTx sets points aside: they leave the balance as a spending does, and their lots wait for them, also past their expiry. The caller
// holds the member's lock. More than is usable is refused as a spending is; the same key with another input is errs.Conflict.
func (b *Book) HoldTx(ctx context.Context, tx *gorm.DB, h Hold) (*model.Hold, error) {
	now := micro(b.clock.Now())
	h.Until = micro(h.Until)
	if h.At.IsZero() {
		h.At = now
	}
	if h.Reason == "" {
		h.Reason = ReasonHold
	}
	switch {
	case h.Amount <= 0 || beyond(h.Amount):
		return nil, errs.Field("amount", "ledger.amount", "limit", int64(maxValue))
	case h.MemberID <= 0 || h.Key == "" || len(h.Key) > 96 || len(h.Ref) > 96:
		return nil, fmt.Errorf("ledger: hold %q needs a member, and a key and a ref of at most 96 bytes", h.Key)
	}
	row := &model.Hold{
		MemberID: h.MemberID, Account: h.Account, Amount: h.Amount, State: model.HoldHeld, Until: h.Until, Ref: h.Ref, Worth: h.Worth, Key: h.Key,
	}
	e := model.Entry{
		Kind: model.EntryHold, Reason: h.Reason, EventID: h.EventID, OccurredAt: micro(h.At), Bucket: model.BucketAvailable,
		Delta: -h.Amount, Key: "hold:out:" + h.Key, Hash: holdHash(row, h.MemberID, h.Reason, h.EventID),
	}
	if old, err := b.heldBefore(tx, &e); old != nil || err != nil {
		return old, err
	}
	if !h.Until.After(now) {
		return nil, errs.Field("until", "ledger.hold_until")
	}
	policies, err := b.accounts(tx, []string{h.Account})
	if err != nil {
		return nil, err
	}
	if !policies[h.Account].Spendable {
		return nil, errs.Field("account", "ledger.not_spendable", "account", h.Account)
	}
	p, s, err := b.open(tx, h.MemberID, h.Account)
	if err != nil {
		return nil, err
	}
	if err := s.covers(h.Amount); err != nil {
		return nil, err
	}
	out, err := b.act(p, s, policies[h.Account], e, s.take(h.Amount, 0))
	if err != nil {
		return nil, err
	}
	e.Bucket, e.Delta = model.BucketHeld, h.Amount
	if _, err := p.add(s, named(e, "hold:in:"+h.Key), nil); err != nil {
		return nil, err
	}
	if err := b.finishTx(ctx, p); err != nil {
		return nil, err
	}
	row.EntryID = out.entry.ID
	if err := tx.Create(row).Error; err != nil {
		return nil, fmt.Errorf("ledger: hold %s: %w", h.Key, err)
	}
	return row, nil
}

// holdHash covers what the caller gave and what a hold keeps of it.
func holdHash(h *model.Hold, memberID int64, reason string, eventID int64) string {
	return digest(fmt.Appendf(nil, "hold\x00%d\x00%q\x00%d\x00%d\x00%d\x00%q\x00%q\x00%q\x00%d",
		memberID, h.Account, h.Amount, h.Worth, h.Until.UnixMicro(), h.Ref, h.Key, reason, eventID))
}

// heldBefore is the hold that an earlier request with the key made.
func (b *Book) heldBefore(tx *gorm.DB, e *model.Entry) (*model.Hold, error) {
	old, err := byKey(tx, e.Key)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	first := old[e.Key]
	if first.Hash != e.Hash {
		return nil, errs.New(errs.Conflict, "ledger.key_reused", "key", e.Key)
	}
	var h model.Hold
	if err := tx.Take(&h, "entry_id = ?", first.ID).Error; err != nil {
		return nil, fmt.Errorf("ledger: hold of entry %d: %w", first.ID, err)
	}
	return &h, nil
}

// open is the settled page of one member's account, with its lots.
func (b *Book) open(tx *gorm.DB, memberID int64, code string) (*page, *sheet, error) {
	p, err := newPage(tx, b.clock.Now(), []int64{memberID}, code)
	if err != nil {
		return nil, nil, err
	}
	if err := p.settle(); err != nil {
		return nil, nil, err
	}
	s := p.sheet(memberID, code)
	return p, s, p.lots(s)
}

// FindHold is the hold; errs.NotFound if there is none.
func (b *Book) FindHold(tx *gorm.DB, id int64) (*model.Hold, error) {
	var h model.Hold
	err := tx.Take(&h, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "ledger.hold_unknown")
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: hold %d: %w", id, err)
	}
	return &h, nil
}

// CommitHoldTx spends what is held. It takes the member's lock. Committed under the same key before, it returns the hold as it is;
// under another key, released, or past its time: errs.Conflict, with state or until.
func (b *Book) CommitHoldTx(ctx context.Context, tx *gorm.DB, holdID int64, key string, at time.Time) (*model.Hold, error) {
	return b.endHoldTx(ctx, tx, holdID, model.HoldCommitted, key, at)
}

// ReleaseHoldTx gives back what is held, into the same lots; those that expired meanwhile come back with the account's days of grace.
// It takes the member's lock. A hold that is released already is returned as it is; a committed one is errs.Conflict.
func (b *Book) ReleaseHoldTx(ctx context.Context, tx *gorm.DB, holdID int64, key string, at time.Time) (*model.Hold, error) {
	return b.endHoldTx(ctx, tx, holdID, model.HoldReleased, key, at)
}

func (b *Book) endHoldTx(ctx context.Context, tx *gorm.DB, holdID int64, state, key string, at time.Time) (*model.Hold, error) {
	h, err := b.lockHold(tx, holdID)
	if err != nil {
		return nil, err
	}
	switch {
	case h.State == state && (state == model.HoldReleased || h.EndKey == key):
		return h, nil
	case h.State != model.HoldHeld:
		return nil, errs.New(errs.Conflict, "ledger.hold_over", "state", h.State)
	case state == model.HoldCommitted && !h.Until.After(b.clock.Now()):
		return nil, errs.New(errs.Conflict, "ledger.hold_timed_out", "until", h.Until)
	}
	p, s, err := b.open(tx, h.MemberID, h.Account)
	if err != nil {
		return nil, err
	}
	at = micro(at)
	h.State, h.EndKey, h.EndedAt = state, key, &at
	end, err := b.endHold(p, s, h)
	if err != nil {
		return nil, err
	}
	if err := b.finishTx(ctx, p); err != nil {
		return nil, err
	}
	h.EndID = end.entry.ID
	res := tx.Exec("UPDATE holds SET state = ?, end_key = ?, ended_at = ?, end_id = ? WHERE id = ? AND state = ?",
		h.State, h.EndKey, h.EndedAt, h.EndID, h.ID, model.HoldHeld)
	if err := one(res, 1); err != nil {
		return nil, fmt.Errorf("ledger: end hold %d: %w", h.ID, err)
	}
	return h, nil
}

// lockHold locks the member of a hold, also if he changes until then.
func (b *Book) lockHold(tx *gorm.DB, id int64) (*model.Hold, error) {
	for {
		h, err := b.FindHold(tx, id)
		if err != nil {
			return nil, err
		}
		if err := member.LockTx(tx, h.MemberID); err != nil {
			return nil, err
		}
		again, err := b.FindHold(tx, id)
		if err != nil || again.MemberID == h.MemberID {
			return again, err
		}
	}
}

// endHold adds the lines that end h, whose new state it holds. The first of them takes it from held.
func (b *Book) endHold(p *page, s *sheet, h *model.Hold) (*line, error) {
	var orig model.Entry
	if err := p.tx.Take(&orig, h.EntryID).Error; err != nil {
		return nil, fmt.Errorf("ledger: entry of hold %d: %w", h.ID, err)
	}
	e := model.Entry{
		Bucket: model.BucketHeld, Delta: -h.Amount, Kind: model.EntrySpend, Reason: orig.Reason, EventID: orig.EventID, OccurredAt: *h.EndedAt,
		Key: endKey(h), Hash: endHash(h),
	}
	if h.State == model.HoldReleased {
		e.Kind = model.EntryRelease
	}
	end, err := p.add(s, e, nil)
	if err != nil || h.State == model.HoldCommitted {
		return end, err
	}
	e.Bucket, e.ReversesID = model.BucketAvailable, orig.ID
	_, err = b.giveBack(p, s, named(e, endKey(h)+":in"), &orig)
	return end, err
}

func endKey(h *model.Hold) string { return "held:" + strconv.FormatInt(h.ID, 10) + ":" + h.State }

func endHash(h *model.Hold) string {
	return digest(fmt.Appendf(nil, "%s\x00%q\x00%d", endKey(h), h.EndKey, instant(h.EndedAt)))
}

// HoldsDue is when the next hold releases itself; false if none does.
func (b *Book) HoldsDue(ctx context.Context) (time.Time, bool, error) {
	var rows []model.Hold
	if err := b.db.Reader(ctx).Where("state = ?", model.HoldHeld).Order("until").Limit(1).Find(&rows).Error; err != nil {
		return time.Time{}, false, fmt.Errorf("ledger: holds due: %w", err)
	}
	if len(rows) == 0 {
		return time.Time{}, false, nil
	}
	return rows[0].Until, true, nil
}

// ReleaseDue releases up to limit holds whose time is over; it reports how many. One that fails does not keep the others from it.
func (b *Book) ReleaseDue(ctx context.Context, now time.Time, limit int) (n int, err error) {
	var due []model.Hold
	if err := b.db.Reader(ctx).Where("state = ? AND until <= ?", model.HoldHeld, micro(now)).Order("until, id").Limit(limit).Find(&due).Error; err != nil {
		return 0, fmt.Errorf("ledger: find due holds: %w", err)
	}
	for _, h := range due {
		e := b.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			_, err := b.ReleaseHoldTx(ctx, tx, h.ID, timedOut, h.Until)
			if errs.CodeOf(err) == errs.Conflict { // committed in the last moment
				return nil
			}
			return err
		})
		if e != nil {
			err = errors.Join(err, fmt.Errorf("ledger: release hold %d: %w", h.ID, e))
			continue
		}
		n++
	}
	return n, err
}
