package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// OfEventTx is what an event gave in an account, what is pending counted too.
func (b *Book) OfEventTx(tx *gorm.DB, account string, eventID int64) (n int64, err error) {
	err = tx.Model(&model.Entry{}).Where("event_id = ? AND account = ? AND kind = ?", eventID, account, model.EntryEarn).
		Select("COALESCE(SUM(delta), 0)").Scan(&n).Error
	return n, err
}

// Usable is what a member can use of an account now, and what of it ends by some instant.
type Usable struct {
	Available, Ending int64
	EndsAt            *time.Time // the first instant at which some of it ends; nil = nothing does
}

// UsableTx is what the members can use of the account, and what of it is unusable from an instant up to until; who never had any is
// absent. What fell due and is not written yet counts as written, in memory only.
func (b *Book) UsableTx(tx *gorm.DB, account string, ids []int64, until time.Time) (map[int64]Usable, error) {
	p, err := newPage(tx, b.clock.Now(), ids, account)
	if err != nil {
		return nil, err
	}
	if err := p.lots(p.sorted()...); err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	out := make(map[int64]Usable, len(p.sheets))
	for k, s := range p.sheets {
		v := s.view(model.Account{Code: account}, until)
		out[k.member] = Usable{v.Available, v.ExpiringSoon, v.NextExpiry}
	}
	return out, nil
}

// Holding is who has at least so much in the account, by the balances as they are written: what fell due since then counts still.
func (b *Book) Holding(ctx context.Context, account string, atLeast int64) (*roaring.Bitmap, error) {
	return b.members(ctx, "SELECT member_id FROM balances WHERE account = ? AND available >= ?", account, atLeast)
}

// Ending is who has something in the account that is unusable from an instant in (after, until].
func (b *Book) Ending(ctx context.Context, account string, after, until time.Time) (*roaring.Bitmap, error) {
	return b.members(ctx, `SELECT DISTINCT l.member_id FROM balances b
JOIN lots l ON l.member_id = b.member_id AND l.account = b.account AND l.open = ? AND l.active = ? AND l.expires_at > ? AND l.expires_at <= ?
WHERE b.next_due_at <= ? AND b.account = ?`, true, true, after, until, until, account)
}

func (b *Book) members(ctx context.Context, query string, args ...any) (*roaring.Bitmap, error) {
	out := roaring.New()
	rows, err := b.db.Reader(ctx).Raw(query, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("ledger: members: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uint32
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("ledger: members: %w", err)
		}
		out.Add(id)
	}
	return out, rows.Err()
}
