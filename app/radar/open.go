package radar

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Viewer is who asks, as far as the request says it: who is logged in, and the visitor that his browser was given.
type Viewer struct {
	MemberID int64
	Visitor  string
	Stranger bool // WeChat says that he is nobody whom siyu knows: not the addressee of a message either
}

// State is an opening: what it counts, and the person with this link in all.
type State struct {
	View    string        `json:"view"`    // goes on with it
	Visitor string        `json:"visitor"` // for the browser to keep; "" if the viewer is known without it
	Name    string        `json:"name"`
	Target  string        `json:"target"`
	URL     string        `json:"url"` // the address or the path, with the view
	Seconds int64         `json:"seconds"`
	Beat    int64         `json:"beat"`
	Grants  []event.Grant `json:"grants"`
}

// errMoved means that a person became another, by a login or a merge, while his lock was waited for.
var errMoved = errors.New("radar: the viewer is somebody else now")

// doing runs fn as db.Do does, again where the viewer became somebody else meanwhile.
func doing[T any](ctx context.Context, s *Service, fn func(ctx context.Context, tx *gorm.DB, now time.Time) (T, error)) (*T, error) {
	var out T
	var err error
	for range 5 {
		out, err = db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (T, error) { return fn(ctx, tx, s.Clock.Now()) })
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return &out, err
}

// Open notes that somebody opens a link by its token; a token that is not ours is errs.NotFound. Who is not logged in is known by his
// browser; a link that was sent is taken for opened by its addressee in the browser that comes first, whatever comes after is a visitor of
// his. Within again of an opening of the same the opening goes on.
func (s *Service) Open(ctx context.Context, token string, who Viewer, again time.Duration) (*State, error) {
	return doing(ctx, s, func(ctx context.Context, tx *gorm.DB, now time.Time) (State, error) {
		share, l, err := s.shareTx(tx, token, now)
		if err != nil {
			return State{}, err
		}
		v := &model.RadarView{LinkID: l.ID, ShareID: share.ID, OpenedAt: now}
		if err := s.viewerTx(ctx, tx, v, share, who, now); err != nil {
			return State{}, err
		}
		var old []model.RadarView
		err = tx.Where("share_id = ? AND member_id = ? AND visitor_id = ? AND opened_at > ?", v.ShareID, v.MemberID, v.VisitorID, now.Add(-again)).
			Order("id DESC").Limit(1).Find(&old).Error
		if err != nil {
			return State{}, fmt.Errorf("radar: open: %w", err)
		}
		if again > 0 && len(old) > 0 {
			return s.state(l, &old[0]), nil
		}
		if err := tx.Create(v).Error; err != nil {
			return State{}, fmt.Errorf("radar: open: %w", err)
		}
		out := s.state(l, v)
		if v.MemberID != 0 {
			r, err := reader(tx, l.ID, v.MemberID)
			if err != nil {
				return out, err
			}
			if out.Grants, err = s.openedTx(ctx, tx, l, r, v); err != nil {
				return out, err
			}
		}
		return out, nil
	})
}

// Target reads where a token leads, and notes nothing.
func (s *Service) Target(ctx context.Context, token string) (*model.RadarLink, error) {
	tx := s.DB.Reader(ctx)
	kind, ids := s.open(token, sentToken, shareToken)
	id := int64(0)
	switch {
	case kind == sentToken && len(ids) == 3:
		id = ids[0]
	case kind == shareToken && len(ids) == 1:
		if err := tx.Model(&model.RadarShare{}).Where("id = ?", ids[0]).Pluck("link_id", &id).Error; err != nil {
			return nil, fmt.Errorf("radar: target: %w", err)
		}
	}
	l, err := link(tx, id)
	if errs.CodeOf(err) == errs.NotFound {
		err = errs.New(errs.NotFound, "radar.not_found")
	}
	return l, err
}

// shareTx finds what a token stands for. That of a message gets its row when it is opened first.
func (s *Service) shareTx(tx *gorm.DB, token string, now time.Time) (*model.RadarShare, *model.RadarLink, error) {
	kind, ids := s.open(token, sentToken, shareToken)
	share := &model.RadarShare{}
	none := errs.New(errs.NotFound, "radar.not_found")
	var err error
	switch {
	case kind == shareToken && len(ids) == 1:
		err = tx.Take(share, ids[0]).Error
	case kind == sentToken && len(ids) == 3:
		slot := fmt.Sprint(ids[0], ":", ids[1], ":", ids[2])
		err = tx.Where("slot = ?", slot).Take(share).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			*share = model.RadarShare{LinkID: ids[0], RunID: ids[1], Slot: &slot, At: now}
			if m, err := member.Get(tx, ids[2]); err == nil && m.ErasedAt == nil {
				share.MemberID = m.ID
			}
			var dup bool
			if dup, err = db.Insert(tx, share); dup {
				share = &model.RadarShare{}
				err = tx.Where("slot = ?", slot).Take(share).Error
			}
		}
	default:
		return nil, nil, none
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil, none
	} else if err != nil {
		return nil, nil, fmt.Errorf("radar: share: %w", err)
	}
	l, err := link(tx, share.LinkID)
	if errs.CodeOf(err) == errs.NotFound {
		err = none
	}
	return share, l, err
}

// maxFresh is how many openings a minute of one token let people in who say nothing of themselves: each makes a row.
const maxFresh = 600

// viewerTx says in v who views, and locks him.
func (s *Service) viewerTx(ctx context.Context, tx *gorm.DB, v *model.RadarView, share *model.RadarShare, who Viewer, now time.Time) error {
	visitor, err := s.visitor(tx, who.Visitor)
	if err != nil {
		return err
	}
	if who.MemberID != 0 {
		if v.MemberID, err = s.Members.ActTx(tx, who.MemberID, now, false); err != nil || visitor == nil {
			return err
		}
		v.VisitorID = visitor.ID
		return s.knownTx(ctx, tx, visitor.ID, v.MemberID, now)
	}
	if visitor == nil {
		var fresh int64
		if err := tx.Model(&model.RadarView{}).Where("share_id = ? AND opened_at > ?", share.ID, now.Add(-time.Minute)).Count(&fresh).Error; err != nil {
			return fmt.Errorf("radar: visitor: %w", err)
		}
		if fresh >= maxFresh {
			return errs.New(errs.RateLimited, "radar.crowded", "retry_after", 60)
		}
		visitor = &model.RadarVisitor{CreatedAt: now}
		if err := tx.Create(visitor).Error; err != nil {
			return fmt.Errorf("radar: visitor: %w", err)
		}
	}
	v.VisitorID = visitor.ID
	person := visitor.MemberID
	if person == 0 && !who.Stranger && share.Slot != nil && share.MemberID != 0 {
		res := tx.Model(&model.RadarShare{}).Where("id = ? AND visitor_id = 0", share.ID).Update("visitor_id", visitor.ID)
		if res.Error != nil {
			return fmt.Errorf("radar: visitor: %w", res.Error)
		}
		if res.RowsAffected > 0 || share.VisitorID == visitor.ID {
			person = share.MemberID
		}
	}
	if person != 0 {
		v.MemberID, err = s.Members.ActTx(tx, person, now, false)
		if errs.CodeOf(err) != errs.NotFound {
			return err
		}
		v.MemberID = 0 // erased since
	}
	return lockVisitor(tx, visitor.ID)
}

// visitor reads who a browser says it is; nil where that says nothing.
func (s *Service) visitor(tx *gorm.DB, token string) (*model.RadarVisitor, error) {
	var rows []model.RadarVisitor
	err := tx.Where("id = ?", s.id(token, visitorToken)).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// lockVisitor takes the lock of somebody who is not known.
func lockVisitor(tx *gorm.DB, id int64) error {
	res := tx.Exec("UPDATE radar_visitors SET version = version + 1 WHERE id = ? AND member_id = 0", id)
	if res.Error != nil {
		return fmt.Errorf("radar: lock visitor: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		return errMoved
	}
	return nil
}

// openedTx counts an opening of a member and records it. The caller holds his lock.
func (s *Service) openedTx(ctx context.Context, tx *gorm.DB, l *model.RadarLink, r *model.RadarReader, v *model.RadarView) ([]event.Grant, error) {
	r.Opens++
	if r.LastAt == nil || r.LastAt.Before(v.OpenedAt) {
		r.LastAt = &v.OpenedAt
	}
	if err := save(tx, r); err != nil {
		return nil, err
	}
	data := about(l)
	data["first"] = r.Opens == 1
	return s.Events.RecordTx(ctx, tx, &model.Event{
		MemberID: v.MemberID, Kind: model.EventRadarViewed, Source: source, Key: fmt.Sprint("view:", v.ID), OccurredAt: v.OpenedAt, Data: model.ToJSON(data),
	})
}

// source numbers the events by view, share, and link and member.
const source = "radar"

func about(l *model.RadarLink) map[string]any {
	return map[string]any{"link_id": fmt.Sprint(l.ID), "link": l.Name, "kind": l.Kind}
}

// reader is the row of a member, whose lock the caller holds.
func reader(tx *gorm.DB, linkID, memberID int64) (*model.RadarReader, error) {
	r := &model.RadarReader{LinkID: linkID, MemberID: memberID}
	dup, err := db.Insert(tx, r)
	if dup {
		r = &model.RadarReader{}
		err = tx.Where("link_id = ? AND member_id = ?", linkID, memberID).Take(r).Error
	}
	if err != nil {
		return nil, fmt.Errorf("radar: reader: %w", err)
	}
	return r, nil
}

func save(tx *gorm.DB, r *model.RadarReader) error {
	err := tx.Model(&model.RadarReader{}).Where("link_id = ? AND member_id = ?", r.LinkID, r.MemberID).
		Select("Opens", "Seconds", "Forwards", "Grade", "GradedAt", "LastAt").Updates(r).Error
	if err != nil {
		return fmt.Errorf("radar: reader: %w", err)
	}
	return nil
}

func (s *Service) state(l *model.RadarLink, v *model.RadarView) State {
	out := State{View: s.token(viewToken, v.ID), Name: l.Name, Target: l.Target, Seconds: v.Seconds, Beat: v.Beat}
	out.URL = with(l.URL, out.View)
	if v.VisitorID != 0 {
		out.Visitor = s.token(visitorToken, v.VisitorID)
	}
	return out
}

// Param is the name under which a page finds the token or the view that it was opened with.
const Param = "radar"

// with adds the parameter to an address or a path.
func with(target, value string) string {
	target, fragment, _ := strings.Cut(target, "#")
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	target += sep + Param + "=" + url.QueryEscape(value)
	if fragment != "" {
		target += "#" + fragment
	}
	return target
}
