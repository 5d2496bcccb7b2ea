package content

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// The actions of behaviours by which a live platform tells of its viewers. Their data name the session by id; visit, if it is given,
// tells the visits of one person apart, so that they may overlap or arrive in any order.
const (
	Enter = "live.enter"
	Leave = "live.leave"
)

// Follow is the event follower: what a live platform saw counts as watched.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	enters := ev.Kind == model.EventBehavior+"."+Enter
	if !enters && ev.Kind != model.EventBehavior+"."+Leave {
		return nil, nil
	}
	data := condition.DataFields(ev.Data)
	l, err := named(tx, data["session"])
	if err != nil || l == nil {
		return nil, err
	}
	m, err := member.Get(tx, ev.MemberID)
	if err != nil {
		return nil, err
	}
	v := model.LiveVisit{SessionID: l.ID, MemberID: m.ID, Visit: "push:"}
	if name := data["visit"]; name != nil {
		v.Visit = model.Cut(v.Visit+fmt.Sprint(name), 64)
	}
	if enters {
		err = enter(tx, v, ev.OccurredAt)
	} else {
		err = leave(tx, v, ev.OccurredAt)
	}
	if err != nil {
		return nil, fmt.Errorf("content: push: %w", err)
	}
	joined := m.JoinedAt != nil && !ev.OccurredAt.Before(m.JoinedAt.Truncate(time.Second))
	r, err := s.watchedTx(ctx, tx, l, m.ID, ev.OccurredAt, joined)
	return r.Grants, err
}

// named finds the enabled session that a platform names by its id; nil if there is none.
func named(tx *gorm.DB, id any) (*model.LiveSession, error) {
	n, err := strconv.ParseInt(fmt.Sprint(id), 10, 64)
	if err != nil {
		return nil, nil //nolint:nilerr // it names nothing of ours
	}
	var rows []model.LiveSession
	if err := tx.Where("id = ? AND enabled = ?", n, true).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// enter begins a visit, or completes one whose end came first. A visit of the same name that is still open was never left: it counts nothing.
func enter(tx *gorm.DB, v model.LiveVisit, at time.Time) error {
	same := func() *gorm.DB {
		return tx.Model(&model.LiveVisit{}).Where("session_id = ? AND member_id = ? AND visit = ?", v.SessionID, v.MemberID, v.Visit)
	}
	var ended []model.LiveVisit
	if err := same().Where("since IS NULL AND till >= ?", at).Order("till, id").Limit(1).Find(&ended).Error; err != nil {
		return err
	}
	if len(ended) > 0 {
		return tx.Model(&ended[0]).Update("since", at).Error
	}
	if err := same().Where("till IS NULL AND since <= ?", at).Update("till", gorm.Expr("since")).Error; err != nil {
		return err
	}
	v.Since = &at
	return tx.Create(&v).Error
}

// leave ends the visit that is open; the end of one whose beginning has not come yet waits for it.
func leave(tx *gorm.DB, v model.LiveVisit, at time.Time) error {
	var open []model.LiveVisit
	err := tx.Where("session_id = ? AND member_id = ? AND visit = ? AND till IS NULL AND since <= ?", v.SessionID, v.MemberID, v.Visit, at).
		Order("since DESC, id DESC").Limit(1).Find(&open).Error
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return tx.Model(&open[0]).Update("till", at).Error
	}
	v.Till = &at
	return tx.Create(&v).Error
}
