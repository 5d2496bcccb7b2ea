package radar

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// gradeTx saves the reader, whose lock the caller holds, and raises his grade if the new one is higher; it never lowers one. The tag of the
// grade replaces that of the lower ones, unless another link shows him more interested by a tag of the same group.
func (s *Service) gradeTx(ctx context.Context, tx *gorm.DB, l *model.RadarLink, r *model.RadarReader, grade string, now time.Time) ([]event.Grant, error) {
	if model.RadarRank(grade) <= model.RadarRank(r.Grade) {
		return nil, save(tx, r)
	}
	data := about(l)
	data["grade"], data["from"], data["seconds"], data["forwards"] = grade, r.Grade, r.Seconds, r.Forwards
	r.Grade, r.GradedAt = grade, &now
	if err := save(tx, r); err != nil {
		return nil, err
	}
	ev := &model.Event{
		MemberID: r.MemberID, Kind: model.EventRadarGraded, Source: source, Key: fmt.Sprint("grade:", l.ID, ":", r.MemberID, ":", grade), OccurredAt: now,
		Data: model.ToJSON(data),
	}
	grants, err := s.Events.RecordTx(ctx, tx, ev)
	if errs.CodeOf(err) == errs.Duplicate || errs.CodeOf(err) == errs.Conflict { // before a merge and its undoing
		grants, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	higher, err := outshone(tx, l, r)
	if err != nil || higher {
		return grants, err
	}
	c := tag.Cause{Kind: model.CauseRadar, ID: l.ID, EventID: ev.ID, Reason: l.Name}
	_, err = s.Tags.SetTx(ctx, tx, r.MemberID, l.TagOf(grade), c, now)
	return grants, err
}

// outshone reports whether another link gave the member a higher grade by a tag of the same group.
func outshone(tx *gorm.DB, l *model.RadarLink, r *model.RadarReader) (bool, error) {
	var rows []struct {
		model.RadarLink
		Grade string
	}
	err := tx.Table("radar_readers AS r").Select("l.*, r.grade").Joins("JOIN radar_links AS l ON l.id = r.link_id").
		Joins("JOIN tags AS t ON t.id = l.high_tag").Joins("JOIN tags AS own ON own.group_id = t.group_id AND own.id = ?", l.HighTag).
		Where("r.member_id = ? AND r.link_id <> ? AND r.grade <> ''", r.MemberID, l.ID).Scan(&rows).Error
	if err != nil {
		return false, fmt.Errorf("radar: grades: %w", err)
	}
	for _, other := range rows {
		if model.RadarRank(other.Grade) > model.RadarRank(r.Grade) {
			return true, nil
		}
	}
	return false, nil
}

// dueChunk is how many members one transaction looks at.
const dueChunk = 50

// Due is when the next delivery has been left unopened for too long; false if there is none.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.RadarSend
	err := s.DB.Reader(ctx).Where("due_at IS NOT NULL").Order("due_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return *rows[0].DueAt, true, nil
}

// RunDue gives the low grade to those who have not opened in time what was delivered to them; it returns how many it looked at. What one
// transaction looked at stays done, whatever is killed after it.
func (s *Service) RunDue(ctx context.Context, now time.Time) (int, error) {
	var due []model.RadarSend
	err := s.DB.Reader(ctx).Where("due_at <= ?", now).Order("due_at").Limit(dueChunk).Find(&due).Error
	if err != nil || len(due) == 0 {
		return 0, err
	}
	slices.SortFunc(due, func(a, b model.RadarSend) int { return int(a.MemberID - b.MemberID) })
	err = s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, d := range due {
			if err := s.lowTx(ctx, tx, d, now); err != nil {
				return fmt.Errorf("radar: unopened: %w", err)
			}
		}
		return nil
	})
	return len(due), err
}

func (s *Service) lowTx(ctx context.Context, tx *gorm.DB, d model.RadarSend, now time.Time) error {
	m, err := member.SurvivorTx(tx, d.MemberID)
	erased := errs.CodeOf(err) == errs.NotFound
	if err != nil && !erased {
		return err
	}
	done := tx.Model(&model.RadarSend{}).Where("link_id = ? AND run_id = ? AND member_id = ? AND due_at IS NOT NULL", d.LinkID, d.RunID, d.MemberID).Update("due_at", nil)
	if done.Error != nil || done.RowsAffected == 0 || erased { // another process was here, or a merge took the row
		return done.Error
	}
	l, err := link(tx, d.LinkID)
	if err != nil {
		return err
	}
	r, err := reader(tx, d.LinkID, m.ID)
	if err != nil || r.Opens > 0 {
		return err
	}
	_, err = s.gradeTx(ctx, tx, l, r, model.RadarLow, now)
	return err
}
