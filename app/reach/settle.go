package reach

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// settle writes what came of a batch of calls.
func (s *Service) settle(ctx context.Context, tx *gorm.DB, l *lease, f *flight, d *delta, now time.Time) error {
	w := newWriter(l.run.ID, now)
	back := &refunds{}
	var noted []*item
	for _, i := range f.items {
		r := &i.result
		d.move(model.DeliveryAttempting, r.state, 1)
		switch r.state {
		case model.DeliveryAccepted:
			if r.msgID != "" {
				noted = append(noted, i)
			}
			w.set("state = 'accepted'", i.seq)
			continue
		case model.DeliveryUnknown:
			w.set("state = 'unknown', detail = ?", i.seq, r.detail)
			continue
		case model.DeliveryRejected:
			w.set("state = 'rejected', detail = ?", i.seq, r.detail)
		case model.DeliveryDeferred:
			v := decision{detail: r.detail, until: r.until}
			if r.detail == QuietHours {
				v.reason, v.detail = QuietHours, ""
			}
			w.deferred(i.seq, v)
		default:
			w.set("state = 'pending', channel = '', detail = ?", i.seq, r.detail)
		}
		back.give(i)
	}
	if err := w.flush(ctx, tx); err != nil {
		return err
	}
	if err := back.flush(ctx, tx); err != nil {
		return err
	}
	if err := deleteOnces(ctx, tx, l.law.OnceKey, back.members, l.run.ID); err != nil {
		return err
	}
	if err := s.delivered(tx, l, f); err != nil {
		return err
	}
	byAccount := map[string][]*item{}
	for _, i := range noted {
		byAccount[i.account] = append(byAccount[i.account], i)
	}
	for _, account := range slices.Sorted(maps.Keys(byAccount)) {
		if err := note(ctx, tx, l.run.ID, byAccount[account], d, now); err != nil {
			return err
		}
	}
	return nil
}

// note keeps the message ids that one account gave, by which reports find the rows. A report that came first is applied now.
func note(ctx context.Context, tx *gorm.DB, runID int64, items []*item, d *delta, now time.Time) error {
	if len(items) == 0 {
		return nil
	}
	if err := replace(ctx, tx, items); err != nil {
		return err
	}
	early, err := reports(ctx, tx, items)
	if err != nil {
		return err
	}
	for _, i := range items {
		if failure := early[i.result.msgID]; i.channel == Notice && failure != "" { // it was this one's: the next one's comes by itself
			if _, err := exec(ctx, tx, "DELETE FROM receipts WHERE account = ? AND msg_id = ?", i.account, i.result.msgID); err != nil {
				return fmt.Errorf("reach: use receipt: %w", err)
			}
		}
	}
	var cases, values strings.Builder
	var caseArgs, valueArgs []any
	seqs := make([]int64, 0, len(items))
	w := newWriter(runID, now)
	for _, i := range items {
		seqs = append(seqs, i.seq)
		cases.WriteString(" WHEN ? THEN ?")
		caseArgs = append(caseArgs, i.seq, i.result.msgID)
		if failure, ok := early[i.result.msgID]; ok {
			if failure != "" {
				w.set("state = 'rejected', detail = ?", i.seq, failure)
				d.move(model.DeliveryAccepted, model.DeliveryRejected, 1)
			}
			continue
		}
		early[i.result.msgID] = ""
		values.WriteString(",(?,?,?,?,?)")
		valueArgs = append(valueArgs, i.account, i.result.msgID, runID, i.seq, now)
	}
	where, list := these("seq", seqs)
	if _, err := exec(ctx, tx, "UPDATE deliveries SET msg_id = CASE seq"+cases.String()+" ELSE msg_id END WHERE run_id = ? AND "+where,
		args(caseArgs, runID, list)...); err != nil {
		return fmt.Errorf("reach: keep message ids: %w", err)
	}
	if len(valueArgs) > 0 {
		if _, err := exec(ctx, tx, "INSERT INTO receipts (account, msg_id, run_id, seq, at) VALUES "+values.String()[1:], valueArgs...); err != nil {
			return fmt.Errorf("reach: keep receipts: %w", err)
		}
	}
	return w.flush(ctx, tx)
}

// reports are the failures that WeChat reported before we wrote the message id down: id → words.
func reports(ctx context.Context, tx *gorm.DB, items []*item) (map[string]string, error) {
	early := map[string]string{}
	list := []any{items[0].account}
	for _, i := range items {
		list = append(list, i.result.msgID)
	}
	err := each(ctx, tx, func(r *sql.Rows) error {
		var id, failure string
		err := r.Scan(&id, &failure)
		early[id] = failure
		return err
	}, "SELECT msg_id, failure FROM receipts WHERE account = ? AND msg_id IN (?"+strings.Repeat(",?", len(items)-1)+")", list...)
	if err != nil {
		return nil, fmt.Errorf("reach: read receipts: %w", err)
	}
	return early, nil
}

// replace drops the receipts of older notices: WeChat gives a subscribe notice no id, so that its report names the person and the template alone
// (FACTS §3.3) and is taken for that of the newest.
func replace(ctx context.Context, tx *gorm.DB, items []*item) error {
	list := []any{items[0].account}
	for _, i := range items {
		if i.channel == Notice {
			list = append(list, i.result.msgID)
		}
	}
	if len(list) == 1 {
		return nil
	}
	_, err := exec(ctx, tx, "DELETE FROM receipts WHERE account = ? AND run_id > 0 AND msg_id IN (?"+strings.Repeat(",?", len(list)-2)+")", list...)
	if err != nil {
		return fmt.Errorf("reach: replace receipts: %w", err)
	}
	return nil
}

// noticeID stands for the message id that WeChat does not give.
func noticeID(identityID int64, template string) string {
	sum := sha256.Sum256([]byte(template))
	return fmt.Sprintf("n%d-%x", identityID, sum[:8])
}
