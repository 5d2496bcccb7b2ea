package radar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// maxBeat is the most that one heartbeat counts.
const maxBeat = 30 * time.Minute

// Beat counts what was looked at since the heartbeat before. beat numbers the heartbeats of an opening from 1: one that comes again or late
// counts nothing. claimed are the seconds that the client measured: at most those that passed by the server's clock count, and of several
// openings of one person a second counts once.
func (s *Service) Beat(ctx context.Context, view string, who Viewer, beat, claimed int64) (*State, error) {
	if beat < 1 {
		return nil, errs.Field("beat", "radar.beat")
	}
	if claimed < 0 {
		return nil, errs.Field("seconds", "radar.claimed")
	}
	return doing(ctx, s, func(ctx context.Context, tx *gorm.DB, now time.Time) (State, error) {
		v, l, err := s.viewTx(tx, view, who, now)
		if err != nil {
			return State{}, err
		}
		if beat <= v.Beat {
			return s.state(l, v), nil
		}
		since, err := countedTill(tx, v)
		if err != nil {
			return State{}, err
		}
		seconds := clock.Seconds(since, now, maxBeat, &claimed)
		till := now
		if rest := now.Sub(since) - time.Duration(seconds)*time.Second; 0 <= rest && rest < time.Second { // the part of a second is kept for the next
			till = now.Add(-rest)
		} else if rest < 0 { // another opening is ahead
			till = since
		}
		v.Beat, v.CountedTill, v.Seconds = beat, &till, v.Seconds+seconds
		if err := tx.Model(v).Select("Beat", "CountedTill", "Seconds").Updates(v).Error; err != nil {
			return State{}, fmt.Errorf("radar: beat: %w", err)
		}
		out := s.state(l, v)
		if v.MemberID == 0 {
			return out, nil
		}
		r, err := reader(tx, l.ID, v.MemberID)
		if err != nil {
			return out, err
		}
		r.Seconds += seconds
		out.Grants, err = s.gradeTx(ctx, tx, l, r, l.Grade(r.Seconds, r.Forwards), now)
		return out, err
	})
}

// countedTill is until when the viewer's time has been counted, for this opening or another of his.
func countedTill(tx *gorm.DB, v *model.RadarView) (time.Time, error) {
	since := v.OpenedAt
	if v.CountedTill != nil {
		since = *v.CountedTill
	}
	q := tx.Where("member_id = ?", v.MemberID)
	if v.MemberID == 0 {
		q = q.Where("visitor_id = ?", v.VisitorID)
	}
	var last []model.RadarView
	if err := q.Where("counted_till > ?", since).Order("counted_till DESC").Limit(1).Find(&last).Error; err != nil {
		return since, fmt.Errorf("radar: beat: %w", err)
	}
	if len(last) > 0 {
		since = *last[0].CountedTill
	}
	return since, nil
}

// viewTx finds an opening by its token and locks its viewer. One of somebody else than who is logged in is errs.NotFound.
func (s *Service) viewTx(tx *gorm.DB, token string, who Viewer, now time.Time) (*model.RadarView, *model.RadarLink, error) {
	id := s.id(token, viewToken)
	v, err := viewOf(tx, id)
	if err != nil {
		return nil, nil, err
	}
	var holder int64
	if v.MemberID != 0 {
		holder, err = s.Members.ActTx(tx, v.MemberID, now, false)
	} else {
		err = lockVisitor(tx, v.VisitorID)
	}
	if err != nil {
		return nil, nil, err
	}
	if v, err = viewOf(tx, id); err != nil {
		return nil, nil, err
	}
	if v.MemberID != holder {
		return nil, nil, errMoved
	}
	if who.MemberID != 0 && holder != 0 && who.MemberID != holder {
		return nil, nil, errs.New(errs.NotFound, "radar.not_found")
	}
	l, err := link(tx, v.LinkID)
	return v, l, err
}

func viewOf(tx *gorm.DB, id int64) (*model.RadarView, error) {
	var v model.RadarView
	if err := tx.Take(&v, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "radar.not_found")
	} else if err != nil {
		return nil, fmt.Errorf("radar: view: %w", err)
	}
	return &v, nil
}

// Forwarded is what somebody hands on.
type Forwarded struct {
	Token    string `json:"token"`
	URL      string `json:"url"`  // of the link in a browser
	Path     string `json:"path"` // of the page in the mini-program; "" if the link is an article
	Forwards int64  `json:"forwards"`
}

// Forward makes the token that the viewer hands on; who opens it is a visitor of his. Openings that forward without end are errs.LimitReached.
func (s *Service) Forward(ctx context.Context, view string, who Viewer) (*Forwarded, error) {
	return doing(ctx, s, func(ctx context.Context, tx *gorm.DB, now time.Time) (Forwarded, error) {
		v, l, err := s.viewTx(tx, view, who, now)
		if err != nil {
			return Forwarded{}, err
		}
		if v.Forwards >= maxForwards {
			return Forwarded{}, errs.New(errs.LimitReached, "radar.forwarded_often", "limit", maxForwards)
		}
		parent := &model.RadarShare{}
		if err := tx.Take(parent, v.ShareID).Error; err != nil {
			return Forwarded{}, fmt.Errorf("radar: forward: %w", err)
		}
		share := &model.RadarShare{LinkID: l.ID, RunID: parent.RunID, ParentID: parent.ID, MemberID: v.MemberID, ViewID: v.ID, At: now}
		if v.MemberID == 0 {
			share.VisitorID = v.VisitorID
		}
		v.Forwards++
		err = errors.Join(tx.Create(share).Error, tx.Model(v).Update("forwards", v.Forwards).Error)
		if err != nil {
			return Forwarded{}, fmt.Errorf("radar: forward: %w", err)
		}
		out := Forwarded{Token: s.token(shareToken, share.ID), Forwards: v.Forwards}
		out.URL = s.Base + Route + out.Token
		if l.Target == model.RadarPage {
			out.Path = with(l.URL, out.Token)
		}
		if v.MemberID == 0 {
			return out, nil
		}
		r, err := reader(tx, l.ID, v.MemberID)
		if err != nil {
			return out, err
		}
		r.Forwards++
		if err := s.forwardedTx(ctx, tx, l, share); err != nil {
			return out, err
		}
		_, err = s.gradeTx(ctx, tx, l, r, l.Grade(r.Seconds, r.Forwards), now)
		return out, err
	})
}

// Route is where the links that people open begin.
const Route = "/r/"

func (s *Service) forwardedTx(ctx context.Context, tx *gorm.DB, l *model.RadarLink, share *model.RadarShare) error {
	_, err := s.Events.RecordTx(ctx, tx, &model.Event{
		MemberID: share.MemberID, Kind: model.EventRadarForwarded, Source: source, Key: fmt.Sprint("share:", share.ID), OccurredAt: share.At, Data: model.ToJSON(about(l)),
	})
	return err
}
