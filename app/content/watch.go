package content

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// Watched is what a heartbeat answers.
type Watched struct {
	SessionID  int64         `json:"session_id,string"`
	Seconds    int64         `json:"seconds"` // in all
	MinSeconds int           `json:"min_seconds"`
	Reached    bool          `json:"reached"`
	Grants     []event.Grant `json:"grants"`
}

const (
	gap     = 90 * time.Second // between two heartbeats of one visit
	inApp   = "app"
	liveKey = "live" // numbers the events by session and member
)

// Heartbeat notes that the member watches at this moment. Time counts from one heartbeat to the next, if that is not too long, whatever
// the number of his devices. Outside the window it is errs.WindowClosed.
func (s *Service) Heartbeat(ctx context.Context, memberID, sessionID int64) (*Watched, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Watched, error) {
		now := s.clock.Now()
		id, err := s.members.ActTx(tx, memberID, now, true)
		if err != nil {
			return Watched{}, err
		}
		l, err := live(tx, sessionID)
		switch {
		case err != nil:
			return Watched{}, err
		case !l.Enabled:
			return Watched{}, errs.New(errs.NotFound, "content.no_live")
		case now.Before(l.OpensAt) || !now.Before(l.ClosesAt.Add(gap)): // the last heartbeat may come after the end
			return Watched{}, errs.New(errs.WindowClosed, "content.live_closed", "opens_at", s.zone.In(l.OpensAt), "closes_at", s.zone.In(l.ClosesAt))
		}
		if err := beat(tx, l.ID, id, now); err != nil {
			return Watched{}, err
		}
		return s.watchedTx(ctx, tx, l, id, now, true)
	})
	return &r, err
}

// beat makes the member's visit in the app longer, or begins one.
func beat(tx *gorm.DB, sessionID, memberID int64, now time.Time) error {
	var last []model.LiveVisit
	err := tx.Where("session_id = ? AND member_id = ? AND visit = ?", sessionID, memberID, inApp).Order("till DESC, id DESC").Limit(1).Find(&last).Error
	switch {
	case err != nil:
		return fmt.Errorf("content: visit: %w", err)
	case len(last) > 0 && now.Sub(*last[0].Till) <= gap:
		return tx.Model(&last[0]).Update("till", now).Error
	}
	return tx.Create(&model.LiveVisit{SessionID: sessionID, MemberID: memberID, Visit: inApp, Since: &now, Till: &now}).Error
}

// watchedTx counts the member's visits anew and records live.watched the first time that they are long enough. The caller holds his lock.
func (s *Service) watchedTx(ctx context.Context, tx *gorm.DB, l *model.LiveSession, memberID int64, at time.Time, joined bool) (Watched, error) {
	r := Watched{SessionID: l.ID, MinSeconds: l.MinSeconds}
	var visits []model.LiveVisit
	if err := tx.Where("session_id = ? AND member_id = ?", l.ID, memberID).Find(&visits).Error; err != nil {
		return r, fmt.Errorf("content: visits: %w", err)
	}
	r.Seconds = int64(union(visits, l.OpensAt, earlier(l.ClosesAt, s.clock.Now())) / time.Second)
	view := model.LiveView{SessionID: l.ID, MemberID: memberID}
	if dup, err := db.Insert(tx, &view); err != nil {
		return r, fmt.Errorf("content: view: %w", err)
	} else if dup {
		if err := tx.Where("session_id = ? AND member_id = ?", l.ID, memberID).Take(&view).Error; err != nil {
			return r, fmt.Errorf("content: view: %w", err)
		}
	}
	view.Seconds = r.Seconds
	if view.ReachedAt == nil && joined && r.Seconds >= int64(l.MinSeconds) {
		ev := &model.Event{
			MemberID: memberID, Kind: model.EventLive, Source: liveKey, Key: fmt.Sprint(l.ID, ":", memberID), OccurredAt: at, Joined: true,
			Data: model.ToJSON(map[string]any{"session_id": fmt.Sprint(l.ID), "session": l.Title, "seconds": r.Seconds, "minutes": r.Seconds / 60}),
		}
		grants, err := s.events.RecordTx(ctx, tx, ev)
		if err != nil {
			return r, err
		}
		r.Grants, view.ReachedAt, view.EventID = grants, &at, ev.ID
	}
	r.Reached = view.ReachedAt != nil
	return r, tx.Where("session_id = ? AND member_id = ?", l.ID, memberID).Select("Seconds", "ReachedAt", "EventID").Updates(&view).Error
}

// union is how long at least one visit lasted inside [from, to).
func union(visits []model.LiveVisit, from, to time.Time) (sum time.Duration) {
	visits = slices.DeleteFunc(slices.Clone(visits), func(v model.LiveVisit) bool { return v.Since == nil || v.Till == nil })
	slices.SortFunc(visits, func(a, b model.LiveVisit) int { return cmp.Or(a.Since.Compare(*b.Since), cmp.Compare(a.ID, b.ID)) })
	for _, v := range visits {
		if v.Since.After(from) {
			from = *v.Since
		}
		if till := earlier(*v.Till, to); till.After(from) {
			sum += till.Sub(from)
			from = till
		}
	}
	return sum
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
