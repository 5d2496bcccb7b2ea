package reminder

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func (s *Service) checkSpend(ctx context.Context, tx *gorm.DB, r *model.Reminder) error {
	r.Days = 0
	if r.AtLeast < 1 {
		return errs.Field("at_least", "reminder.at_least")
	}
	if err := account(tx, r); err != nil {
		return err
	}
	t, err := whom(r)
	if err == nil {
		err = s.Conditions.Check(ctx, tx, t)
	}
	if err == nil && s.Conditions.EventScoped(t) {
		err = errs.Field("condition", "broadcast.event_scoped")
	}
	return err
}

func whom(r *model.Reminder) (t condition.Tree, err error) {
	if err := r.Condition.Into(&t); err != nil {
		return t, fmt.Errorf("reminder: condition: %w", err)
	}
	return t, nil
}

// rich are those who hold enough and meet the condition.
func (s *Service) rich(ctx context.Context, r *model.Reminder, _ model.Day) (*roaring.Bitmap, error) {
	t, err := whom(r)
	if err != nil {
		return nil, err
	}
	who, err := s.Book.Holding(ctx, r.Account, r.AtLeast)
	if err != nil {
		return nil, err
	}
	meet, _, err := s.Audience.Members(ctx, s.DB.Reader(ctx), s.Clock.Now(), t)
	if err != nil {
		return nil, err
	}
	who.And(meet)
	return who, nil
}

// spendNow: it is over for who has spent it meanwhile.
func (s *Service) spendNow(ctx context.Context, tx *gorm.DB, r *model.Reminder, _ string, ids []int64) (map[int64]reach.Now, error) {
	held, err := s.Book.UsableTx(tx, r.Account, ids, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	m, err := Message(r)
	if err != nil {
		return nil, err
	}
	out := map[int64]reach.Now{}
	for _, id := range ids {
		n := held[id].Available
		out[id] = reach.Now{Gone: true}
		if n < r.AtLeast {
			continue
		}
		values := map[string]string{"balance": strconv.FormatInt(n, 10)}
		if m.Uses("deduct") {
			if values["deduct"], err = s.deduct(ctx, tx, r.Account, n); err != nil {
				return nil, err
			}
		}
		if m.Uses("gifts") {
			if values["gifts"], err = s.gifts(ctx, tx, id, r.Account, n); err != nil {
				return nil, err
			}
		}
		out[id] = reach.Now{Values: values}
	}
	return out, nil
}

// deduct is what a balance is worth at the till, in yuan: 3, 3.50.
func (s *Service) deduct(ctx context.Context, tx *gorm.DB, account string, balance int64) (string, error) {
	if s.Deduct == nil {
		return "0", nil
	}
	fen, err := s.Deduct(ctx, tx, account, balance)
	return strings.TrimSuffix(fmt.Sprintf("%d.%02d", fen/100, fen%100), ".00"), err
}

// gifts is how many things a balance buys: they are priced in points.
func (s *Service) gifts(ctx context.Context, tx *gorm.DB, memberID int64, account string, balance int64) (string, error) {
	if s.Gifts == nil || account != model.AccountPoints {
		return "0", nil
	}
	n, err := s.Gifts(ctx, tx, memberID, balance)
	return strconv.Itoa(n), err
}

func (s *Service) checkExpiring(_ context.Context, tx *gorm.DB, r *model.Reminder) error {
	r.AtLeast, r.Condition = 0, model.JSON("{}")
	if err := days(r); err != nil {
		return err
	}
	return account(tx, r)
}

// ahead is the last day on which what the firing announces can be used: each day is announced once, however often it fires.
func (s *Service) ahead(r *model.Reminder, at time.Time) model.Day {
	return s.Zone.DayOf(at).Add(r.Days)
}

// ending are those who hold something whose last day is not announced yet. What ends on a day is unusable from its end.
func (s *Service) ending(ctx context.Context, r *model.Reminder, until model.Day) (*roaring.Bitmap, error) {
	return s.Book.Ending(ctx, r.Account, s.uncovered(r), s.Zone.End(until))
}

// uncovered is the moment up to which everything was announced or is over.
func (s *Service) uncovered(r *model.Reminder) time.Time {
	now := s.Clock.Now()
	if r.Covered != "" && s.Zone.End(r.Covered).After(now) {
		return s.Zone.End(r.Covered)
	}
	return now
}

// endingNow: it is over for who holds nothing of it any more.
func (s *Service) endingNow(_ context.Context, tx *gorm.DB, r *model.Reminder, until string, ids []int64) (map[int64]reach.Now, error) {
	held, err := s.Book.UsableTx(tx, r.Account, ids, s.Zone.End(model.Day(until)))
	if err != nil {
		return nil, err
	}
	out := map[int64]reach.Now{}
	for _, id := range ids {
		out[id] = s.endingOf(held[id])
	}
	return out, nil
}

func (s *Service) endingOf(u ledger.Usable) reach.Now {
	if u.Ending <= 0 || u.EndsAt == nil {
		return reach.Now{Gone: true}
	}
	return reach.Now{Values: map[string]string{
		"balance": strconv.FormatInt(u.Available, 10), "expiring": strconv.FormatInt(u.Ending, 10),
		"ends_on": string(s.Zone.DayOf(u.EndsAt.Add(-time.Microsecond))), // its last day
	}}
}
