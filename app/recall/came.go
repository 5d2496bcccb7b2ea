package recall

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Ways to come back.
const (
	Registered = "registered"
	Followed   = "followed"
)

// Follow is the event follower: who registers, follows or tells his number may have been recalled. Both numbers are one person by then.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if ev.Kind != model.EventRegistered && ev.Kind != model.EventPhone && ev.Kind != model.EventFollowed {
		return nil, nil
	}
	var rows []model.RecallPerson
	if err := tx.Where("member_id = ? AND came_at IS NULL", ev.MemberID).Order("recall_id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("recall: follow: %w", err)
	}
	for i := range rows {
		if err := s.came(ctx, tx, &rows[i]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// came notes the return of a person whom the recall has reached, if he followed or registered within its window since then.
func (s *Service) came(ctx context.Context, tx *gorm.DB, p *model.RecallPerson) error {
	r, err := get(tx, p.RecallID)
	if err != nil {
		return err
	}
	reached, ok, err := s.Reach.ReachedTx(ctx, tx, Source, r.ID, p.MemberID)
	if err != nil || !ok {
		return err
	}
	m, err := member.Get(tx, p.MemberID)
	if err != nil {
		return err
	}
	var ids []model.Identity
	if err := tx.Where("member_id = ? AND subscribed_at IS NOT NULL", m.ID).Find(&ids).Error; err != nil {
		return fmt.Errorf("recall: came: %w", err)
	}
	take := func(at *time.Time, by string) {
		if at != nil && !at.Before(reached.Truncate(time.Second)) && at.Before(*r.EndsAt) && (p.CameAt == nil || at.Before(*p.CameAt)) { // WeChat's times have whole seconds
			p.CameAt, p.CameBy = at, by
		}
	}
	take(m.JoinedAt, Registered)
	for _, i := range ids {
		take(i.SubscribedAt, Followed)
	}
	if p.CameAt == nil {
		return nil
	}
	if err := tx.Model(p).Select("came_at", "came_by").Updates(p).Error; err != nil {
		return fmt.Errorf("recall: came: %w", err)
	}
	if _, err := tag.Get(tx, r.TagID); errs.CodeOf(err) == errs.NotFound { // removed since
		return nil
	}
	_, err = s.Tags.SetTx(ctx, tx, m.ID, r.TagID, tag.Cause{Kind: model.CauseRecall, ID: r.ID}, s.Clock.Now())
	return err
}

// Part says that at a merge each recall keeps one of the two, the one who came back.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "recall",
		Tables: []member.Table{{
			Row: &model.RecallPerson{}, Export: []string{"recall_id", "came_at", "came_by"}, Erase: member.Delete,
		}},
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
			var rows []model.RecallPerson
			if err := tx.Where("member_id IN ?", []int64{m.Loser, m.Winner}).Order("came_at IS NULL, came_at").Find(&rows).Error; err != nil {
				return fmt.Errorf("recall: merge: %w", err)
			}
			if len(rows) == 0 {
				return nil
			}
			if err := tx.Where("member_id IN ?", []int64{m.Loser, m.Winner}).Delete(&model.RecallPerson{}).Error; err != nil {
				return fmt.Errorf("recall: merge: %w", err)
			}
			kept := map[int64]bool{}
			for _, r := range rows {
				if kept[r.RecallID] {
					continue
				}
				kept[r.RecallID], r.MemberID = true, m.Winner
				if err := tx.Create(&r).Error; err != nil {
					return fmt.Errorf("recall: merge: %w", err)
				}
			}
			return nil
		},
	}
}

// Skip is a number of lines of the file, or of people, who got nothing.
type Skip struct {
	Reason string
	Count  int64
}

// Figures are what came of a recall. Lines is the sum of Reached, Pending and all Skipped.
type Figures struct {
	Lines    int64 // of the file
	Reached  int64 // people who got the SMS or the call
	Pending  int64 // who may get it yet
	Recalled int64 // of Reached, who followed or registered within the window
	Followed int64 // of Recalled, by following alone or first
	Calls    int64 // people called
	Skipped  []Skip
}

// Rate is Recalled of Reached in hundredths of a percent, rounded half up.
func (f *Figures) Rate() int64 {
	if f.Reached == 0 {
		return 0
	}
	return (f.Recalled*20000 + f.Reached) / (2 * f.Reached)
}

// page is how many deliveries are read at once.
const page = 500

// Figures counts what came of a recall so far.
func (s *Service) Figures(ctx context.Context, r *model.Recall) (*Figures, error) {
	tx := s.DB.Reader(ctx)
	f := &Figures{}
	var in model.Import
	if err := tx.Take(&in, r.ImportID).Error; err != nil {
		return nil, fmt.Errorf("recall: figures: %w", err)
	}
	f.Lines = in.Lines
	skipped := map[string]int64{}
	bad, err := s.bad(tx, r.ImportID)
	if err != nil {
		return nil, err
	}
	for _, b := range bad {
		skipped[b.Reason]++
	}
	runs, err := s.Reach.Runs(ctx, Source, r.ID, 0, 2)
	if err != nil {
		return nil, err
	}
	got := map[int64]bool{}
	last := map[int64]model.Delivery{} // of the SMS: why he is skipped
	for _, run := range runs {
		for next := int64(0); ; {
			rows, err := s.Reach.Deliveries(ctx, run.ID, reach.Filter{}, next, page)
			if err != nil {
				return nil, err
			}
			for _, d := range rows {
				next = d.Seq + 1
				sent := d.State == model.DeliveryAccepted || d.State == model.DeliveryUnknown
				if got[d.MemberID] = got[d.MemberID] || sent; sent && run.Slot == slotCall {
					f.Calls++
				}
				if run.Slot == slotSMS {
					last[d.MemberID] = d
				}
			}
			if len(rows) < page {
				break
			}
		}
	}
	for id, d := range last {
		switch {
		case got[id]:
			f.Reached++
		case d.State == model.DeliverySuppressed:
			skipped[d.Reason]++
		case d.State == model.DeliveryRejected, d.State == model.DeliveryCancelled:
			skipped[d.State]++
		default:
			f.Pending++
		}
	}
	for reason, n := range skipped {
		f.Skipped = append(f.Skipped, Skip{reason, n})
	}
	slices.SortFunc(f.Skipped, func(a, b Skip) int { return cmp.Compare(a.Reason, b.Reason) })
	var came []struct {
		CameBy string
		N      int64
	}
	err = tx.Model(&model.RecallPerson{}).Select("came_by, COUNT(*) AS n").Where("recall_id = ? AND came_at IS NOT NULL", r.ID).Group("came_by").Scan(&came).Error
	for _, c := range came {
		if f.Recalled += c.N; c.CameBy == Followed {
			f.Followed = c.N
		}
	}
	return f, err
}

// Skipped is one line, or one person, who got nothing.
type Skipped struct {
	Line   int64 // of the file
	Phone  string
	Reason string
	Detail string
}

// bad are the lines of the file that did not land: numbers that stood before, and what is no number.
func (s *Service) bad(tx *gorm.DB, importID int64) ([]Skipped, error) {
	var lines []model.ImportLine
	err := tx.Where("import_id = ? AND state = ?", importID, model.LineFailed).Order("line").Find(&lines).Error
	if err != nil {
		return nil, fmt.Errorf("recall: lines: %w", err)
	}
	out := make([]Skipped, len(lines))
	for i, l := range lines {
		var e errs.Error
		if err := l.Error.Into(&e); err != nil {
			return nil, err
		}
		out[i] = Skipped{l.Line, l.Label, reach.InvalidTarget, e.Key}
		if e.Key == "customer.duplicate" {
			out[i] = Skipped{l.Line, l.Label, reach.Duplicate, ""}
		}
	}
	return out, nil
}

// Skipped lists who got nothing, for the reason if one is given: the lines of the file that name nobody, in their order, then people after the afterth of the SMS, at most
// limit; next is where the next page begins, 0 = there is none.
func (s *Service) Skipped(ctx context.Context, r *model.Recall, reason string, after int64, limit int) (list []Skipped, next int64, err error) {
	tx := s.DB.Reader(ctx)
	if after == 0 {
		if list, err = s.bad(tx, r.ImportID); err != nil {
			return nil, 0, err
		}
		list = slices.DeleteFunc(list, func(l Skipped) bool { return reason != "" && l.Reason != reason })
	}
	var run model.Run
	res := tx.Omit("members").Where("source = ? AND source_id = ? AND slot = ?", Source, r.ID, slotSMS).Limit(1).Find(&run)
	if res.Error != nil || res.RowsAffected == 0 {
		return list, 0, res.Error
	}
	rows, err := s.Reach.Deliveries(ctx, run.ID, reach.Filter{State: model.DeliverySuppressed, Reason: reason}, after, limit+1)
	if err != nil {
		return nil, 0, err
	}
	if len(rows) > limit {
		next = rows[limit].Seq
		rows = rows[:limit]
	}
	for _, d := range rows {
		one := Skipped{Reason: d.Reason, Detail: d.Detail}
		m, err := member.Get(tx, d.MemberID)
		if err != nil {
			return nil, 0, err
		}
		var known []model.Customer
		err = tx.Where("id IN (SELECT customer_id FROM recall_people WHERE recall_id = ? AND member_id = ?)", r.ID, m.ID).Limit(1).Find(&known).Error
		if err != nil {
			return nil, 0, fmt.Errorf("recall: skipped: %w", err)
		}
		if len(known) > 0 {
			one.Line, one.Phone = known[0].Line, s.Customers.Phone(&known[0])
		}
		list = append(list, one)
	}
	return list, next, nil
}

// Came lists who came back, in the order of the people's ids, after the one given.
func (s *Service) Came(ctx context.Context, recallID, after int64, limit int) (rows []model.RecallPerson, err error) {
	err = s.DB.Reader(ctx).Where("recall_id = ? AND came_at IS NOT NULL AND member_id > ?", recallID, after).Order("member_id").Limit(limit).Find(&rows).Error
	if err != nil {
		err = fmt.Errorf("recall: came: %w", err)
	}
	return rows, err
}
