package reach

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// keep delivers what needs no call, in the transaction that decided it: messages for the mini-program, and events.
func (s *Service) keep(ctx context.Context, tx *gorm.DB, l *lease, f *flight, at time.Time) error {
	if len(f.items) == 0 {
		return nil
	}
	var rows []model.InboxMessage
	for _, i := range f.items {
		i.result.state = model.DeliveryAccepted
		if i.channel == InApp {
			row := model.InboxMessage{RunID: l.run.ID, Seq: i.seq, MemberID: i.who, Title: i.title, Text: i.text, At: at}
			if l.msg.Inbox != nil {
				row.Page = l.msg.Inbox.Page
			}
			rows = append(rows, row)
			continue
		}
		_, err := s.o.Events.RecordTx(ctx, tx, &model.Event{
			MemberID: i.who, Kind: model.EventSend, Source: "reach", Key: i.key, OccurredAt: at,
			Data: model.ToJSON(map[string]any{"run_id": fmt.Sprint(l.run.ID), "source": l.run.Source, "source_id": fmt.Sprint(l.run.SourceID), "text": i.text}),
		})
		if err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		if err := tx.Create(&rows).Error; err != nil {
			return fmt.Errorf("reach: inbox: %w", err)
		}
	}
	return s.delivered(tx, l, f)
}

// Inbox is what was kept for a member, newest first, below an id (0 = from the newest).
func (s *Service) Inbox(ctx context.Context, memberID, before int64, limit int) (rows []model.InboxMessage, unread int64, err error) {
	tx := s.db.Reader(ctx).Where("member_id = ?", memberID).Order("id DESC").Limit(limit)
	if before > 0 {
		tx = tx.Where("id < ?", before)
	}
	if err := tx.Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("reach: inbox: %w", err)
	}
	err = s.db.Reader(ctx).Model(&model.InboxMessage{}).Where("member_id = ? AND read_at IS NULL", memberID).Count(&unread).Error
	return rows, unread, err
}

// ReadInbox notes that the member read a message of his; again changes nothing. Another's is errs.NotFound.
func (s *Service) ReadInbox(ctx context.Context, memberID, id int64) (*model.InboxMessage, error) {
	m, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (row model.InboxMessage, err error) {
		if err := tx.Model(&row).Where("id = ? AND member_id = ? AND read_at IS NULL", id, memberID).Update("read_at", s.clock.Now()).Error; err != nil {
			return row, err
		}
		res := tx.Where("id = ? AND member_id = ?", id, memberID).Limit(1).Find(&row)
		if res.Error == nil && res.RowsAffected == 0 {
			return row, errs.New(errs.NotFound, "reach.no_message")
		}
		return row, res.Error
	})
	if err != nil {
		return nil, err
	}
	return &m, nil
}
