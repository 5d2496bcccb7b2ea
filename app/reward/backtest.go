package reward

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// KindBacktest is the work that runs a draft over the events of the past.
const KindBacktest = "reward.backtest"

// Bounds of a backtest.
const (
	maxBacktestDays = 366
	backtestChunk   = 50 // members of one slice
	topEarners      = 10
)

// Backtest asks what a draft would have given for the events of the last days.
type Backtest struct {
	Draft       Input     `json:"draft"`
	Days        int       `json:"days"`          // 1 to 366
	FenPerPoint int64     `json:"fen_per_point"` // what a point of the draft's account costs
	From        time.Time `json:"from"`          // filled in: the events of [From, Until)
	Until       time.Time `json:"until"`
}

// Backtested is what came of it. Conditions are asked about the moment of each event; tags and other things without a history are as they are
// now. Counters of caps start at nothing; of a budget the members are served in the order of their ids.
type Backtested struct {
	Account string           `json:"account"` // of the amounts
	Events  int64            `json:"events"`  // that earned something
	Members int64            `json:"members"`
	Amount  int64            `json:"amount"`
	CostFen int64            `json:"cost_fen"`
	Days    map[string]int64 `json:"days"`
	Top     []Earner         `json:"top"` // the ten largest
}

// Earner is a member with what he would have got.
type Earner struct {
	MemberID int64 `json:"member_id,string"`
	Amount   int64 `json:"amount"`
}

// backtestCursor is how far a backtest is.
type backtestCursor struct {
	After   int64        `json:"after"`
	Budgets []budgetUsed `json:"budgets"`
}

type budgetUsed struct {
	ID              int64
	Period, Account string
	Used            int64
}

// StartBacktest begins the work.
func (s *Service) StartBacktest(ctx context.Context, b Backtest, actor string) (*model.Work, error) {
	if b.Days < 1 || b.Days > maxBacktestDays {
		return nil, errs.Field("days", "reward.backtest_days", "limit", maxBacktestDays)
	}
	if b.FenPerPoint < 0 || b.FenPerPoint > maxAmount {
		return nil, errs.Field("fen_per_point", "reward.amount", "limit", maxAmount)
	}
	b.Until = s.clock.Now()
	b.From = b.Until.AddDate(0, 0, -b.Days)
	w, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Work, error) {
		p, err := s.inForce(tx)
		if err != nil {
			return model.Work{}, err
		}
		if _, err := s.drafted(ctx, tx, p, &b.Draft); err != nil {
			return model.Work{}, err
		}
		var members int64
		if err := tx.Model(&model.Member{}).Where(backtestMembers, 0).Count(&members).Error; err != nil {
			return model.Work{}, fmt.Errorf("reward: backtest: %w", err)
		}
		w, err := s.works.StartTx(tx, KindBacktest, b, members, actor)
		if err != nil {
			return model.Work{}, err
		}
		return *w, nil
	})
	return &w, err
}

const backtestMembers = "id > ? AND joined_at IS NOT NULL AND merged_into IS NULL"

// backtest is one slice: some members, each with all his events.
func (s *Service) backtest(ctx context.Context, w *model.Work) (bool, error) {
	var b Backtest
	var cur backtestCursor
	res := Backtested{Days: map[string]int64{}}
	for _, err := range []error{w.Args.Into(&b), w.Cursor.Into(&cur), w.Result.Into(&res)} {
		if err != nil {
			return false, fmt.Errorf("reward: backtest: %w", err)
		}
	}
	tx := s.db.Reader(ctx)
	p, err := s.inForce(tx)
	if err != nil {
		return false, err
	}
	if p, err = s.drafted(ctx, tx, p, &b.Draft); err != nil {
		return false, err
	}
	t := &backtesting{Service: s, p: p, b: &b, draft: p.rules[len(p.rules)-1], budgets: map[use]int64{}, res: &res}
	for _, u := range cur.Budgets {
		t.budgets[use{ofBudget, u.ID, u.Period, u.Account}] = u.Used
	}
	res.Account = accountOf(&b.Draft.Definition)
	var members []int64
	if err := tx.Model(&model.Member{}).Where(backtestMembers, cur.After).Order("id").Limit(backtestChunk).Pluck("id", &members).Error; err != nil {
		return false, fmt.Errorf("reward: backtest: %w", err)
	}
	for _, id := range members {
		if err := t.member(ctx, tx, id); err != nil {
			return false, err
		}
		cur.After = id
	}
	cur.Budgets = nil
	for k, n := range t.budgets {
		cur.Budgets = append(cur.Budgets, budgetUsed{k.id, k.period, k.account, n})
	}
	res.CostFen = res.Amount * b.FenPerPoint
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.works.ProgressTx(tx, w, cur, w.Done+int64(len(members)), res)
	})
	return len(members) < backtestChunk, err
}

// accountOf is the account in which a backtest counts.
func accountOf(d *Definition) string {
	for _, g := range d.Grants {
		if g.Account != "" {
			return g.Account
		}
	}
	return model.AccountPoints
}

// backtesting is one slice.
type backtesting struct {
	*Service
	p       *programme
	b       *Backtest
	draft   *rule
	budgets map[use]int64
	res     *Backtested
}

// member runs the events of one member, in their order.
func (t *backtesting) member(ctx context.Context, tx *gorm.DB, id int64) error {
	q := tx.Where("member_id = ? AND occurred_at >= ? AND occurred_at < ?", id, t.b.From, t.b.Until)
	switch trigger := t.b.Draft.Trigger; trigger {
	case AnyEvent:
	case AnyOrder:
		q = q.Where("kind IN ?", []string{model.EventOrderPaid, model.EventOrderClaimed})
	default:
		q = q.Where("kind = ?", trigger)
	}
	var events []model.Event
	if err := q.Order("occurred_at, id").Find(&events).Error; err != nil {
		return fmt.Errorf("reward: backtest: %w", err)
	}
	with, without := maps.Clone(t.budgets), map[use]int64{}
	var sum int64
	for i := range events {
		n, err := t.event(ctx, tx, &events[i], with, without)
		if err != nil {
			return err
		}
		if n != 0 {
			t.res.Events++
			t.res.Days[string(t.zone.DayOf(events[i].OccurredAt))] += n
			sum += n
		}
	}
	for k, n := range with {
		if k.of == ofBudget {
			t.budgets[k] = n
		}
	}
	t.res.Amount += sum
	if sum != 0 {
		t.res.Members++
		t.res.Top = append(t.res.Top, Earner{id, sum})
		slices.SortStableFunc(t.res.Top, func(a, b Earner) int { return cmp.Compare(b.Amount, a.Amount) })
		t.res.Top = t.res.Top[:min(len(t.res.Top), topEarners)]
	}
	return nil
}

// event is what the draft adds for one event: what it grants, or what it multiplies.
func (t *backtesting) event(ctx context.Context, tx *gorm.DB, ev *model.Event, with, without map[use]int64) (int64, error) {
	if again, err := registersAgain(ev); err != nil || again {
		return 0, err
	}
	if ok, err := joined(tx, ev); err != nil || !ok {
		return 0, err
	}
	hits, err := t.match(ctx, tx, t.p, ev)
	if err != nil {
		return 0, err
	}
	gained := t.given(ev, hits, with)
	if t.draft.versions[0].def.multiplier() == nil {
		return gained, nil
	}
	others := slices.DeleteFunc(slices.Clone(hits), func(h matched) bool { return h.rule.id == t.draft.id })
	return gained - t.given(ev, others, without), nil
}

// given is what the hits give in the account: of a draft that grants, what it gives itself.
func (t *backtesting) given(ev *model.Event, hits []matched, used map[use]int64) (n int64) {
	sit := t.unused(t.p, ev, hits)
	sit.used = used
	multiplies := t.draft.versions[0].def.multiplier() != nil
	for _, o := range decide(sit) {
		for k, more := range o.uses {
			used[k] += more
		}
		for _, l := range o.lines {
			if l.spec.Account == t.res.Account && (multiplies || o.hit.rule.id == t.draft.id) {
				n += l.base + l.bonus
			}
		}
	}
	return n
}
