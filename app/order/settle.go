package order

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// source numbers the events by the order and a counter: "7:2".
const source = "order"

// data is what the event of the order says.
func (d *deed) data() model.JSON {
	o := &d.o
	if o.PaidAt == nil {
		return nil
	}
	quantity, products, categories := int64(0), []string{}, []string{}
	for _, it := range d.items {
		quantity += it.Quantity
		products = append(products, it.Product)
		if it.Category != "" && !slices.Contains(categories, it.Category) {
			categories = append(categories, it.Category)
		}
	}
	return model.ToJSON(map[string]any{
		"order_id": strconv.FormatInt(o.ID, 10), "platform": o.Platform, "order_no": o.No, model.OrderAmount: o.Net(),
		"quantity": quantity, "products": products, "categories": categories, "paid_at": o.PaidAt.UTC().Format(time.RFC3339),
	})
}

// settle saves the order and brings what it earned to what it earns now: the first time that it has an owner and something remains of it
// by its event, later by adjusting what that event gave.
func (d *deed) settle(ctx context.Context) (grants []event.Grant, err error) {
	o := &d.o
	if err := d.save(); err != nil { // before the event: its followers look at the row
		return nil, err
	}
	if o.MemberID != 0 && o.PaidAt != nil && !d.gone {
		switch data := d.data(); {
		case o.EventID == 0 && o.Net() > 0:
			grants, err = d.earn(ctx, data)
		case o.EventID != 0 && !bytes.Equal(data, d.told):
			grants, err = d.adjust(ctx, data)
		}
		if err != nil {
			return nil, err
		}
	}
	return grants, d.save()
}

func (d *deed) save() error {
	if d.o == d.kept {
		return nil
	}
	d.o.UpdatedAt = d.now
	of := d.kept
	of.EventID, of.Events, of.UpdatedAt = d.o.EventID, d.o.Events, d.o.UpdatedAt
	var err error
	if of == d.o { // as of most orders: no index needs to be written
		err = d.tx.Exec("UPDATE orders SET event_id = ?, events = ?, updated_at = ? WHERE id = ?", of.EventID, of.Events, of.UpdatedAt, of.ID).Error
	} else {
		err = d.tx.Save(&d.o).Error
	}
	if err != nil {
		return fmt.Errorf("order: save: %w", err)
	}
	d.kept = d.o
	return nil
}

// earn records the one event by which the owner got the order: claimed when he claimed it, or paid when it was paid (PLAYBOOKS H7).
func (d *deed) earn(ctx context.Context, data model.JSON) ([]event.Grant, error) {
	ev := &model.Event{Kind: model.EventOrderPaid, OccurredAt: *d.o.PaidAt, Data: data}
	if m, ok := d.known.members[d.o.MemberID]; ok {
		ev.Joined = m.joinedAt != nil && !ev.OccurredAt.Before(*m.joinedAt)
	}
	if d.o.ClaimID != 0 {
		var c model.OrderClaim
		if err := d.tx.Take(&c, d.o.ClaimID).Error; err != nil {
			return nil, fmt.Errorf("order: claim: %w", err)
		}
		ev.Kind, ev.OccurredAt, ev.Joined = model.EventOrderClaimed, c.At, true
	}
	if err := d.credit(); err != nil {
		return nil, err
	}
	grants, err := d.record(ctx, ev)
	d.o.EventID = ev.ID
	return grants, err
}

// record records an event about the order for its owner.
func (d *deed) record(ctx context.Context, ev *model.Event) ([]event.Grant, error) {
	d.o.Events++
	ev.MemberID, ev.Source, ev.Key = d.o.MemberID, source, d.key()
	return d.events.RecordTx(ctx, d.tx, ev)
}

func (d *deed) key() string { return fmt.Sprintf("%d:%d", d.o.ID, d.o.Events) }

// adjust brings what the event gave to what it gives for the order as it is now (PLAYBOOKS H10).
func (d *deed) adjust(ctx context.Context, data model.JSON) ([]event.Grant, error) {
	ev := &model.Event{Kind: model.EventOrderCorrected, OccurredAt: d.now, Data: data}
	if d.refunds {
		ev.Kind = model.EventOrderRefunded
		if !d.refundedAt.IsZero() {
			ev.OccurredAt = d.refundedAt
		}
	}
	grants, err := d.record(ctx, ev)
	if err != nil {
		return nil, err
	}
	more, err := d.change(ctx, data, ev)
	return append(grants, more...), err
}

// change adjusts the grants of the order's event; nil: nothing remains.
func (d *deed) change(ctx context.Context, data model.JSON, cause *model.Event) ([]event.Grant, error) {
	if d.o.Net() == 0 {
		data = nil
	}
	return d.rewards.AdjustTx(ctx, d.tx, reward.Adjustment{
		EventID: d.o.EventID, Data: data, Key: "order:" + d.key(), Reason: cause.Kind, CauseID: cause.ID, At: d.now,
	})
}

// takeAll takes back what a former owner's event gave; both sides name the event of the present one.
func (d *deed) takeAll(ctx context.Context, former int64) error {
	_, err := d.rewards.AdjustTx(ctx, d.tx, reward.Adjustment{
		EventID: former, Key: "order:" + d.key(), Reason: "order.reassigned", CauseID: d.o.EventID, At: d.now,
	})
	return err
}

// credit says which live session and which quiz the order came from (PLAYBOOKS P35): what its source names, else the session that the owner
// watched and in whose window it was paid, and the quiz that he had answered and that leads there.
func (d *deed) credit() error {
	o := &d.o
	if _, err := fmt.Sscanf(o.Source, "live:%d", &o.LiveID); err == nil {
		return nil
	}
	if _, err := fmt.Sscanf(o.Source, "quiz:%d", &o.QuizID); err == nil {
		return nil
	}
	if m, ok := d.known.members[o.MemberID]; ok && !m.watched {
		return nil
	}
	var live []model.LiveSession
	err := d.tx.Model(&model.LiveSession{}).Select("live_sessions.id", "live_sessions.url").
		Joins("JOIN live_views AS v ON v.session_id = live_sessions.id").
		Where("v.member_id = ? AND v.seconds > 0 AND opens_at <= ? AND closes_at > ?", o.MemberID, *o.PaidAt, *o.PaidAt).
		Order("opens_at DESC, live_sessions.id DESC").Limit(1).Find(&live).Error
	if err != nil || len(live) == 0 {
		return err
	}
	o.LiveID = live[0].ID
	if live[0].URL == "" {
		return nil
	}
	var quiz []int64
	err = d.tx.Model(&model.QuizAnswer{}).Joins("JOIN quizzes AS q ON q.id = quiz_id").
		Where("member_id = ? AND q.link = ? AND at <= ?", o.MemberID, live[0].URL, *o.PaidAt).Order("at DESC").Limit(1).Pluck("quiz_id", &quiz).Error
	if len(quiz) > 0 {
		o.QuizID = quiz[0]
	}
	return err
}

// Backflow counts the orders that live sessions, or quizzes, brought: column is live_id or quiz_id.
func backflow(tx *gorm.DB, column string, ids []int64) (map[int64]int64, error) {
	var rows []struct{ ID, N int64 }
	err := tx.Model(&model.Order{}).Select(column+" AS id, COUNT(*) AS n").Where(column+" IN ? AND member_id > 0", ids).Group(column).Scan(&rows).Error
	out := map[int64]int64{}
	for _, r := range rows {
		out[r.ID] = r.N
	}
	return out, err
}

// LiveBackflow counts the orders with an owner that each live session brought.
func (s *Service) LiveBackflow(ctx context.Context, ids ...int64) (map[int64]int64, error) {
	return backflow(s.db.Reader(ctx), "live_id", ids)
}

// QuizBackflow counts the orders with an owner that each quiz brought.
func (s *Service) QuizBackflow(ctx context.Context, ids ...int64) (map[int64]int64, error) {
	return backflow(s.db.Reader(ctx), "quiz_id", ids)
}
