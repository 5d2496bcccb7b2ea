package order

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Assign gives an order to another member by an operator's decision. What it earned is taken back from the owner and earned by the other at
// the same moment's rules, or those of when he registered where that was later; both sides name the same event. Coupons that the owner could
// claim only with it are taken back like after a refund.
func (s *Service) Assign(ctx context.Context, id, memberID int64) (*Pushed, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Pushed, error) {
		old, err := get(tx, id)
		if err != nil {
			return Pushed{}, err
		}
		set, err := settings(tx)
		if err != nil {
			return Pushed{}, err
		}
		d, err := s.open(tx, old.Platform, old.No, memberID)
		if err != nil {
			return Pushed{}, err
		}
		m, err := d.known.survivor(tx, memberID)
		if err != nil {
			return Pushed{}, err
		}
		if m.JoinedAt == nil {
			return Pushed{}, errs.New(errs.NotMember, "member.not_joined")
		}
		d.set = set
		return d.assign(ctx, m)
	})
	return &out, err
}

func (d *deed) assign(ctx context.Context, m *model.Member) (out Pushed, err error) {
	if d.o.MemberID == m.ID {
		return out, errs.New(errs.Conflict, "order.assigned")
	}
	c, err := d.waiting()
	if err == nil && c != nil {
		err = d.refuse(c, errs.AlreadyClaimed)
	}
	if err != nil {
		return out, err
	}
	before := d.o.EventID
	var was model.Event
	if before != 0 {
		if err := d.tx.Take(&was, before).Error; err != nil {
			return out, err
		}
	}
	owner, gone := d.o.MemberID, d.gone
	d.give(m.ID)
	d.gone = false
	if err := d.save(); err != nil { // before the event: its followers look at the row
		return out, err
	}
	if d.o.PaidAt != nil && d.o.Net() > 0 {
		ev := &model.Event{Kind: model.EventOrderPaid, OccurredAt: *d.o.PaidAt, Data: d.data()}
		if before != 0 {
			ev.Kind, ev.OccurredAt = was.Kind, was.OccurredAt
		}
		if ev.OccurredAt.Before(*m.JoinedAt) {
			ev.OccurredAt = *m.JoinedAt
		}
		if err := d.credit(); err != nil {
			return out, err
		}
		if out.Grants, err = d.record(ctx, ev); err != nil {
			return out, err
		}
		d.o.EventID = ev.ID
	}
	out.Applied = true
	if before != 0 && before != d.o.EventID {
		if err := d.takeAll(ctx, before); err != nil {
			return out, err
		}
	}
	if err = d.save(); err == nil && owner != 0 && !gone && d.Lost != nil {
		err = d.Lost(ctx, d.tx, owner, d.now)
	}
	out.Order = d.o
	return out, err
}
