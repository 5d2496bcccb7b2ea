package task

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// Claimed is what a claim answers.
type Claimed struct {
	TaskID int64         `json:"task_id,string"`
	Grants []event.Grant `json:"grants"`
}

// source numbers the events by the row of the claim.
const source = "task"

// Claim takes what reaching the goal of a task gives: by the rules on task.claimed, once in the period of the task. Short of the goal is
// errs.ThresholdNotMet, the second time errs.LimitReached; a task that is off or not to be claimed is errs.NotFound.
func (s *Service) Claim(ctx context.Context, memberID, taskID int64, at time.Time) (*Claimed, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Claimed, error) {
		return s.claimTx(ctx, tx, memberID, taskID, at)
	})
	return &r, err
}

func (s *Service) claimTx(ctx context.Context, tx *gorm.DB, memberID, taskID int64, at time.Time) (r Claimed, err error) {
	if memberID, err = s.members.ActTx(tx, memberID, at, true); err != nil {
		return r, err
	}
	t, err := get(tx, taskID)
	if err != nil {
		return r, err
	}
	if !shown(t, at) || !t.Claimed {
		return r, errs.New(errs.NotFound, "task.not_found")
	}
	if on, err := s.ruleOn(ctx, tx, t, memberID, at); err != nil || !on {
		if err == nil {
			err = errs.New(errs.NotFound, "task.not_found")
		}
		return r, err
	}
	n, err := s.count(tx, memberID, at, t)
	if err != nil {
		return r, err
	}
	if n < t.Goal {
		return r, errs.New(errs.ThresholdNotMet, "task.short", "done", n, "goal", t.Goal, "short_by", t.Goal-n)
	}
	p := reward.Period(t.Period)
	row := &model.TaskClaim{TaskID: t.ID, MemberID: memberID, Period: p.Key(s.zone, at), At: at}
	dup, err := db.Insert(tx, row)
	if dup {
		e := errs.New(errs.LimitReached, "task.claimed", "limit", 1)
		if end := p.End(s.zone, at); !end.IsZero() {
			e.Args["opens_at"] = s.zone.In(end)
		}
		return r, e
	}
	if err != nil {
		return r, fmt.Errorf("task: claim: %w", err)
	}
	r.TaskID = t.ID
	r.Grants, err = s.events.RecordTx(ctx, tx, &model.Event{
		MemberID: memberID, Kind: model.EventTask, Source: source, Key: fmt.Sprint(row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"task": t.Code, "task_id": fmt.Sprint(t.ID)}),
	})
	return r, err
}

// ruleOn reports whether the rule that the entry shows is open to the member: without it the task is not in his list.
func (s *Service) ruleOn(ctx context.Context, tx *gorm.DB, t *model.Task, memberID int64, at time.Time) (bool, error) {
	if t.RuleID == 0 {
		return true, nil
	}
	offers, err := s.rewards.Offers(ctx, tx, memberID, at)
	for _, o := range offers {
		if o.RuleID == t.RuleID {
			return true, err
		}
	}
	return false, err
}

// Part says what a merge does: a task that both claimed in a period stays claimed once, and what the other claim earned is taken back.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "task",
		Tables: []member.Table{
			{Row: &model.TaskClaim{}, Export: []string{"(SELECT code FROM tasks WHERE id = task_id) AS task", "period", "at"}, Erase: member.Keep},
			{Row: &model.GrantRead{}, Hidden: "how far he has read", Erase: member.Delete},
		},
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			if err := s.dropTwice(ctx, tx, m); err != nil {
				return err
			}
			if err := tx.Where("member_id = ?", m.Loser).Delete(&model.GrantRead{}).Error; err != nil {
				return err
			}
			return member.Move(tx, "task_claims", m)
		},
	}
}

func (s *Service) dropTwice(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var twice []int64
	err := tx.Raw("SELECT l.id FROM task_claims l JOIN task_claims w ON w.task_id = l.task_id AND w.period = l.period AND w.member_id = ? WHERE l.member_id = ? ORDER BY l.id",
		m.Winner, m.Loser).Scan(&twice).Error
	if err != nil || len(twice) == 0 {
		return err
	}
	keys := make([]string, len(twice))
	for i, id := range twice {
		keys[i] = fmt.Sprint(id)
	}
	var events []int64
	if err := tx.Model(&model.Event{}).Where("source = ? AND `key` IN ?", source, keys).Order("id").Pluck("id", &events).Error; err != nil {
		return err
	}
	if err := s.rewards.TakeBackTx(ctx, tx, m, events); err != nil {
		return err
	}
	return tx.Where("id IN ?", twice).Delete(&model.TaskClaim{}).Error
}
