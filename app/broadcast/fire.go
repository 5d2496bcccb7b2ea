package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Slots of runs. A cron firing is its instant.
const (
	slotOnce   = "once"    // a one-off is sent once, at its time or by hand
	slotMissed = "missed"  // a one-off that was not sent at its time
	slotManual = "manual:" // by hand, at most once a minute
)

// RunNow fires a broadcast by hand. Sending to everybody has to be confirmed with their number: otherwise errs.Conflict
// ("broadcast.confirm", args audience). A one-off that was sent, and a second time within a minute, are errs.Duplicate; a paused
// broadcast is errs.Conflict ("broadcast.paused").
func (s *Service) RunNow(ctx context.Context, id int64, confirm *int64) (*model.Run, error) {
	run, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Run, error) {
		b, err := lock(tx, id)
		if err != nil {
			return model.Run{}, err
		}
		now := s.clock.Now()
		slot := slotOnce
		if b.Cron != "" {
			slot = slotManual + s.zone.In(now).Format("2006-01-02T15:04")
		}
		ran, err := hasRun(tx, id, slot)
		switch {
		case err != nil:
			return model.Run{}, err
		case ran:
			return model.Run{}, errs.New(errs.Duplicate, "broadcast.duplicate")
		case b.State == model.BroadcastPaused:
			return model.Run{}, errs.New(errs.Conflict, "broadcast.paused")
		}
		members, everybody, err := s.members(ctx, tx, b, now)
		if err != nil {
			return model.Run{}, err
		}
		if n := int64(members.GetCardinality()); everybody > 0 && n == everybody && (confirm == nil || *confirm != n) { //nolint:gosec // ids fit 32 bits
			return model.Run{}, errs.New(errs.Conflict, "broadcast.confirm", "audience", n)
		}
		run, err := s.start(ctx, tx, b, slot, members)
		if err != nil {
			return model.Run{}, err
		}
		if b.Cron == "" {
			b.State, b.NextAt, b.UpdatedAt = model.BroadcastDone, nil, now
			if err := tx.Save(b).Error; err != nil {
				return model.Run{}, err
			}
		}
		return *run, nil
	})
	if err != nil {
		return nil, wrap("run", err)
	}
	return &run, nil
}

// members are those who meet the condition now, and how many people there are.
func (s *Service) members(ctx context.Context, tx *gorm.DB, b *model.Broadcast, now time.Time) (*roaring.Bitmap, int64, error) {
	var t condition.Tree
	if err := b.Condition.Into(&t); err != nil {
		return nil, 0, fmt.Errorf("condition of %d: %w", b.ID, err)
	}
	return s.audience.Members(ctx, tx, now, t)
}

// start freezes the runs of a firing: one, or one for each content that is tried. The first is returned; it keeps who is held back.
func (s *Service) start(ctx context.Context, tx *gorm.DB, b *model.Broadcast, slot string, members *roaring.Bitmap) (first *model.Run, err error) {
	find := func(t condition.Tree) (*roaring.Bitmap, error) {
		found, _, err := s.audience.Members(ctx, tx, s.clock.Now(), t)
		return found, err
	}
	all, err := s.specs(tx, b, slot, members, find)
	if err != nil {
		return nil, err
	}
	for i := range all {
		run, err := s.reach.StartTx(ctx, tx, all[i])
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = run
		}
	}
	return first, nil
}

// specs are the runs of a firing that begins now. find answers who meets a condition.
func (s *Service) specs(tx *gorm.DB, b *model.Broadcast, slot string, members *roaring.Bitmap, find finder) ([]reach.RunSpec, error) {
	base, err := spec(b, slot)
	if err != nil {
		return nil, err
	}
	trial, err := trialOf(b)
	if err != nil {
		return nil, err
	}
	if base.Reserves, err = s.reserves(tx, b, base.Rules, find); err != nil {
		return nil, err
	}
	held, groups := trial.split(members)
	all := make([]reach.RunSpec, len(groups))
	for i, group := range groups {
		all[i] = base
		all[i].Members = group
		if len(groups) > 1 {
			all[i].Variant = variantNames[i]
		}
		if i > 0 {
			all[i].Slot, all[i].Message = slot+"#"+variantNames[i], trial.Variants[i-1].Message
		}
	}
	all[0].Held = held
	return all, nil
}

// finder answers who meets a condition now.
type finder func(condition.Tree) (*roaring.Bitmap, error)

// reserves are the more important marketing sends of the day that are not over: those to come, and those that are being sent.
func (s *Service) reserves(tx *gorm.DB, b *model.Broadcast, r reach.Rules, find finder) (all []reach.Reserve, err error) {
	if b.Class != model.ClassMarketing {
		return nil, nil
	}
	now := s.clock.Now()
	day := s.zone.DayOf(now)
	var later []model.Broadcast
	err = tx.Where("state = ? AND class = ? AND id <> ? AND next_at >= ? AND next_at < ?", model.BroadcastActive, model.ClassMarketing, b.ID, now, s.zone.End(day)).
		Order("next_at, id").Find(&later).Error
	if err != nil {
		return nil, fmt.Errorf("more important broadcasts: %w", err)
	}
	for i := range later {
		other, err := spec(&later[i], "")
		if err != nil {
			return nil, err
		}
		if other.Rules.Priority <= r.Priority {
			continue
		}
		var t condition.Tree
		if err := later[i].Condition.Into(&t); err != nil {
			return nil, fmt.Errorf("condition of %d: %w", later[i].ID, err)
		}
		members, err := find(t)
		if err != nil {
			return nil, err
		}
		trial, err := trialOf(&later[i])
		if err != nil {
			return nil, err
		}
		held, _ := trial.split(members)
		members = members.Clone()
		members.AndNot(held)
		all = append(all, reach.Reserve{SourceID: later[i].ID, At: *later[i].NextAt, Channels: other.Message.Channels, Members: members})
	}
	return s.sending(tx, b, r, all, s.zone.Start(day))
}

// sending adds the more important runs since the moment that are not over.
func (s *Service) sending(tx *gorm.DB, b *model.Broadcast, r reach.Rules, all []reach.Reserve, since time.Time) ([]reach.Reserve, error) {
	runs, err := s.reach.Unfinished(tx, Source, model.ClassMarketing, since)
	if err != nil {
		return nil, err
	}
	for i := range runs {
		var rules reach.Rules
		var m reach.Message
		if err := errors.Join(runs[i].Rules.Into(&rules), runs[i].Message.Into(&m)); err != nil {
			return nil, fmt.Errorf("run %d: %w", runs[i].ID, err)
		}
		if runs[i].SourceID == b.ID || rules.Priority <= r.Priority {
			continue
		}
		members, _, err := s.reach.MembersOf(tx, &runs[i])
		if err != nil {
			return nil, err
		}
		if n := slices.IndexFunc(all, func(x reach.Reserve) bool { return x.SourceID == runs[i].SourceID }); n >= 0 {
			all[n].Members.Or(members)
			continue
		}
		all = append(all, reach.Reserve{SourceID: runs[i].SourceID, At: runs[i].CreatedAt, Channels: m.Channels, Members: members})
	}
	return all, nil
}

func spec(b *model.Broadcast, slot string) (reach.RunSpec, error) {
	r := reach.RunSpec{Source: Source, SourceID: b.ID, Slot: slot, Class: b.Class}
	if err := errors.Join(b.Message.Into(&r.Message), b.Rules.Into(&r.Rules)); err != nil {
		return r, fmt.Errorf("broadcast %d: %w", b.ID, err)
	}
	return r, nil
}

// RunDue fires what is due at now; n is how many broadcasts it took care of. Any number of processes may call it: one of them fires.
func (s *Service) RunDue(ctx context.Context, now time.Time) (n int, err error) {
	var due []model.Broadcast
	err = s.db.Reader(ctx).Where("state = ? AND next_at <= ?", model.BroadcastActive, now).Order("next_at").Limit(20).Find(&due).Error
	if err != nil {
		return 0, wrap("due", err)
	}
	for i := range due {
		fired, e := s.fire(ctx, &due[i], now)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("broadcast: fire %d: %w", due[i].ID, e))
		}
		if fired {
			n++
		}
	}
	return n, err
}

// maxMissed bounds the rows of one downtime.
const maxMissed = 20

// fire takes care of a due broadcast, unless another process did.
func (s *Service) fire(ctx context.Context, seen *model.Broadcast, now time.Time) (fired bool, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		fired = false
		b, err := lock(tx, seen.ID)
		if errs.CodeOf(err) == errs.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if b.State != model.BroadcastActive || b.NextAt == nil || b.NextAt.After(now) {
			return nil
		}
		fired = true
		slots := s.slots(b, now)
		last := slots[len(slots)-1]
		send := now.Sub(last) <= CatchUp
		if send {
			slots = slots[:len(slots)-1]
		}
		for _, slot := range slots[max(0, len(slots)-maxMissed):] {
			if err := s.miss(ctx, tx, b, slot); err != nil {
				return err
			}
		}
		if send {
			if err := s.fireSlot(ctx, tx, b, last, now); err != nil {
				return err
			}
		}
		b.UpdatedAt = now
		if b.NextAt = nil; b.Cron != "" {
			b.NextAt = s.next(b, now)
		} else if send {
			b.State = model.BroadcastDone // a missed one can still be sent by hand
		}
		return tx.Save(b).Error
	})
	return fired, err
}

// slots are the firings from the one that is due up to now.
func (s *Service) slots(b *model.Broadcast, now time.Time) []time.Time {
	all := []time.Time{b.NextAt.UTC()}
	if b.Cron == "" {
		return all
	}
	line, err := clock.ParseCron(b.Cron, s.zone)
	if err != nil { // was checked
		return all
	}
	for t := line.Next(all[0]); !t.IsZero() && !t.After(now); t = line.Next(t) {
		if all = append(all, t); len(all) > 2*maxMissed {
			all = append(all[:0], all[len(all)-maxMissed-1:]...)
		}
	}
	return all
}

func slotOf(b *model.Broadcast, at time.Time) string {
	if b.Cron == "" {
		return slotOnce
	}
	return at.Format(time.RFC3339)
}

func (s *Service) fireSlot(ctx context.Context, tx *gorm.DB, b *model.Broadcast, at, now time.Time) error {
	slot := slotOf(b, at)
	if ran, err := hasRun(tx, b.ID, slot); err != nil || ran {
		return err
	}
	members, _, err := s.members(ctx, tx, b, now)
	if err != nil {
		return err
	}
	_, err = s.start(ctx, tx, b, slot, members)
	return err
}

// miss records a firing that nobody was up for.
func (s *Service) miss(ctx context.Context, tx *gorm.DB, b *model.Broadcast, at time.Time) error {
	slot := slotOf(b, at)
	if b.Cron == "" {
		slot = slotMissed
	}
	if ran, err := hasRun(tx, b.ID, slot); err != nil || ran {
		return err
	}
	slog.WarnContext(ctx, "a broadcast was missed", "broadcast", b.ID, "firing", at)
	spec, err := spec(b, slot)
	if err != nil {
		return err
	}
	if _, err = s.reach.MissTx(tx, spec); err != nil {
		return err
	}
	return s.reach.MissedTx(ctx, tx, Source, b.ID, at)
}

// Due is the next firing; false if there is none.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.Broadcast
	err := s.db.Reader(ctx).Select("next_at").Where("state = ? AND next_at IS NOT NULL", model.BroadcastActive).Order("next_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, wrap("due", err)
	}
	return rows[0].NextAt.UTC(), true, nil
}
