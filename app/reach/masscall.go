package reach

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// send commits that the call is made, then makes it.
func (s *Service) send(ctx context.Context, b *massLease) (more bool, err error) {
	if !s.pace.wait(ctx, path{Mass, b.Account}, s.o.Rates[Mass]) {
		return false, s.changeBatch(context.WithoutCancel(ctx), b, false)
	}
	if _, err := s.mayCall(ctx, Mass, b.Account); err != nil { // where none is left, the path pauses: blocked says until when
		return false, err
	}
	old := b.Batch
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		b.Batch, more = old, true
		now := s.clock.Now()
		paused, over, err := stopped(ctx, tx, b.RunID)
		if err != nil {
			return err
		}
		until, err := s.blocked(tx, b, now)
		if err != nil {
			return err
		}
		switch {
		case over:
			b.settleAs(model.DeliveryCancelled, now)
		case !s.valid(b, now) || !paused && b.skips(now, until):
			b.settleAs(model.BatchFilling, now)
		case paused:
			more = false
		case !until.IsZero():
			if b.DueAt = until; s.valid(b, until) {
				more = false
			} else {
				b.settleAs(model.BatchFilling, now)
			}
		default:
			b.State, b.CalledAt, b.DueAt = model.BatchCalling, &now, now.Add(massRetry+5*time.Second)
		}
		return s.save(ctx, tx, b, more)
	})
	if err != nil || b.State != model.BatchCalling {
		return more, err
	}
	s.o.Crash("mass_before_call")
	return s.callMass(ctx, b, true)
}

// retry makes an unanswered call again: with the same list and clientmsgid WeChat sends it once. It is given up after a day, and when
// the caps that it used are no longer those of now.
func (s *Service) retry(ctx context.Context, b *massLease) (more bool, err error) {
	if _, err := s.mayCall(ctx, Mass, b.Account); err != nil {
		return false, err
	}
	now := s.clock.Now()
	var paused, over bool
	if paused, over, err = stopped(ctx, s.db.Reader(ctx), b.RunID); err != nil {
		return false, err
	}
	until, err := s.blocked(s.db.Reader(ctx), b, now)
	if err != nil {
		return false, err
	}
	if err := s.unanswered(ctx, b, paused || !until.IsZero()); err != nil {
		return false, err
	}
	switch {
	case over || now.Sub(*b.CalledAt) >= massGiveUp || !s.valid(b, now) || b.skips(now, until):
		b.settleAs(model.BatchUnknown, now)
		return true, s.changeBatch(ctx, b, true)
	case paused:
		return false, s.changeBatch(ctx, b, false)
	case !until.IsZero():
		b.DueAt = until
		return false, s.changeBatch(ctx, b, false)
	}
	b.DueAt = now.Add(massRetry + 5*time.Second)
	if err := s.changeBatch(ctx, b, true); err != nil {
		return false, err
	}
	return s.callMass(ctx, b, false)
}

// callMass makes the call; first: no earlier one may have been accepted.
func (s *Service) callMass(ctx context.Context, b *massLease, first bool) (more bool, err error) {
	var openids []string
	err = each(ctx, s.db.Reader(ctx), func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		openids = append(openids, id)
		return err
	}, "SELECT i.open_id FROM deliveries d JOIN identities i ON i.id = d.identity_id WHERE d.run_id = ? AND d.seq >= ? AND d.seq < ? AND d.batch_no = ? ORDER BY d.seq",
		b.RunID, b.FromSeq, b.ToSeq, b.No)
	if err != nil {
		return false, err
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.CallTimeout)
	defer cancel()
	msgID, err := s.sender.SendMass(call, b.Account, openids, b.msg.Text, b.ClientMsgID)
	s.o.Crash("mass_after_call")
	more, t := s.readMass(b, msgID, err, first)
	if err := s.changeBatch(context.WithoutCancel(ctx), b, more); err != nil {
		return more, err
	}
	set, err := settings(s.db.Reader(context.WithoutCancel(ctx)))
	if err != nil {
		return more, err
	}
	return more, s.stopIfIll(ctx, b.run, set, t)
}

// readMass is what an answer means for the batch.
func (s *Service) readMass(b *massLease, msgID string, err error, first bool) (more bool, t told) {
	now := s.clock.Now()
	t.calls = b.Size
	if err == nil {
		b.MsgID = cut(msgID, 32)
		b.settleAs(model.BatchAccepted, now)
		return true, t
	}
	v := s.o.Classify(err)
	b.Detail = v.detail()
	t.failed, t.detail = t.calls, b.Detail
	switch v.Outcome {
	case Unknown, TooSoon: // asked again: no failure yet
		t.calls, t.failed, b.DueAt = 0, 0, now.Add(massRetry)
	case NotSent: // nothing was sent by this call; an earlier one may have been
		b.DueAt = now.Add(massRetry)
		if first {
			b.State, b.CalledAt = model.BatchReady, nil
			b.DueAt = now.Add(retryAfter)
		}
	case MinuteLimit:
		t.failed = 0
		b.DueAt = s.limit(Mass, b.Account, v.Outcome, now).until
		if first {
			b.State, b.CalledAt = model.BatchReady, nil
		}
	case DayLimit:
		t.failed = 0
		until := s.limit(Mass, b.Account, v.Outcome, now).until
		if first {
			b.settleAs(model.BatchFilling, until)
			return true, t
		}
		b.DueAt = until
	case Broken: // the run pauses itself; the list waits
		s.o.Log.Error("reach: WeChat refuses the account", "account", b.Account, "channel", Mass, "answer", b.Detail)
		t.broken, b.DueAt = true, now
		if first {
			b.State, b.CalledAt = model.BatchReady, nil
		}
	case Refused, Window, Unaccepted:
		b.settleAs(model.BatchRejected, now)
		return true, t
	}
	return false, t
}
