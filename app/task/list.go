package task

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// States of an item.
const (
	Open      = "open"
	Claimable = "claimable" // the goal is reached: the tap is missing
	Done      = "done"      // nothing is left of it today, or at all
	Waiting   = "waiting"   // there is nothing to do right now: no quiz or form is open
)

// How often an item can be done.
const (
	Once      = "once"
	Daily     = "daily"
	Weekly    = "weekly"
	Monthly   = "monthly"
	Limited   = "limited" // several times in a lifetime
	Unlimited = "unlimited"
)

// Item is one way to earn, as a member sees it.
type Item struct {
	TaskID, RuleID int64 // of the entry, of the rule; 0 = none
	Code           string
	Title, Text    string
	Icon, Link     string
	Does           string // the kind of event that does it
	State, Repeats string
	Left           *int64 // times today; nil: as often as he likes
	Caps           []reward.Room
	Gains          []Gain
	Progress       *Progress
	Until          *time.Time
}

// Gain is what doing it once more gives.
type Gain struct {
	Account string
	Amount  int64
	Per     string // of a field of the act, such as seconds; "" = as it is
}

// Progress is how far a goal is.
type Progress struct{ Done, Goal int64 }

// facts are what is known of a member while his list is made.
type facts struct {
	joined    bool
	checkedIn bool
	streak    int
	filled    map[string]bool // kinds of profile events
	asked     map[int64]asked // by rule: the quizzes or forms that are open and that it rewards
}

// asked is how many there are.
type asked struct {
	left int64 // still to be answered by him
	done bool  // he has answered one
}

// List is every way to earn that is open to the member now, in the operator's order.
func (s *Service) List(ctx context.Context, lang string, memberID int64) ([]Item, error) {
	tx, now := s.db.Reader(ctx), s.clock.Now()
	written, err := entries(tx)
	if err != nil {
		return nil, err
	}
	offers, err := s.rewards.Offers(ctx, tx, memberID, now)
	if err != nil {
		return nil, err
	}
	f, err := s.facts(ctx, tx, memberID, offers)
	if err != nil {
		return nil, err
	}
	byRule := map[int64]*reward.Offer{}
	for i := range offers {
		byRule[offers[i].RuleID] = &offers[i]
	}
	var items []Item
	dressed := map[int64]bool{} // rules that do not stand in the list by themselves
	for i := range written {
		t := &written[i]
		dressed[t.RuleID] = true
		o := byRule[t.RuleID]
		if !shown(t, now) || t.RuleID != 0 && o == nil {
			continue // switched off, or its rule is
		}
		item, err := s.item(tx, lang, memberID, now, t, o, f)
		if err != nil {
			return nil, err
		}
		items = append(items, *item)
	}
	for i := range offers {
		if o := &offers[i]; !dressed[o.RuleID] && !slices.Contains(notActs, o.Trigger) {
			item := Item{Code: fmt.Sprintf("rule-%d", o.RuleID), Title: o.Name}
			item.offer(o, f)
			items = append(items, item)
		}
	}
	return items, nil
}

// notActs are triggers that are nothing to do: rules on them stand in the list only where an entry says how to come there.
var notActs = []string{model.EventTag, model.EventUnfollowed, model.EventTask, model.EventMakeup}

func (s *Service) facts(ctx context.Context, tx *gorm.DB, memberID int64, offers []reward.Offer) (*facts, error) {
	m, err := member.Get(tx, memberID)
	if err != nil {
		return nil, err
	}
	f := &facts{joined: m.Joined(), filled: map[string]bool{}}
	uses := func(prefix string) bool {
		return slices.ContainsFunc(offers, func(o reward.Offer) bool { return strings.HasPrefix(o.Trigger, prefix) })
	}
	if uses("profile.") {
		var kinds []string
		err := tx.Model(&model.Event{}).Distinct("kind").
			Where("member_id = ? AND kind IN ?", memberID, []string{model.EventNickname, model.EventGender, model.EventBirthday, model.EventAddress, model.EventPhone}).Pluck("kind", &kinds).Error
		if err != nil {
			return nil, fmt.Errorf("task: profile: %w", err)
		}
		for _, k := range kinds {
			f.filled[k] = true
		}
	}
	if uses(model.EventCheckin) {
		if f.checkedIn, f.streak, err = s.checkins.Today(tx, memberID); err != nil {
			return nil, err
		}
	}
	f.asked, err = s.asked(ctx, tx, memberID, offers)
	return f, err
}

// question is a quiz or a form that is open.
type question struct {
	field, id   string // of the event of its answer
	left, given bool
}

// asked counts, for each rule on answers, what it would reward.
func (s *Service) asked(ctx context.Context, tx *gorm.DB, memberID int64, offers []reward.Offer) (map[int64]asked, error) {
	open, by := map[string][]question{}, map[int64]asked{}
	for i := range offers {
		o := &offers[i]
		if o.Trigger != model.EventQuiz && o.Trigger != model.EventForm {
			continue
		}
		if _, known := open[o.Trigger]; !known {
			list, err := s.questions(ctx, memberID, o.Trigger)
			if err != nil {
				return nil, err
			}
			open[o.Trigger] = list
		}
		var n asked
		for _, q := range open[o.Trigger] {
			if pays, err := s.rewards.For(ctx, tx, memberID, o, map[string]any{q.field: q.id}, s.clock.Now()); err != nil {
				return nil, err
			} else if !pays {
				continue
			}
			if n.done = n.done || q.given; q.left {
				n.left++
			}
		}
		by[o.RuleID] = n
	}
	return by, nil
}

// questions are the quizzes, or the forms, that are open to the member.
func (s *Service) questions(ctx context.Context, memberID int64, kind string) (out []question, err error) {
	if kind == model.EventForm {
		open, err := s.forms.Open(ctx, memberID)
		for _, m := range open {
			out = append(out, question{"form_id", fmt.Sprint(m.ID), m.Answer == nil, m.Answer != nil})
		}
		return out, err
	}
	open, err := s.quizzes.Open(ctx, memberID)
	for _, q := range open {
		out = append(out, question{"quiz_id", fmt.Sprint(q.ID), q.TriesLeft > 0, q.Answered != nil})
	}
	return out, err
}

// item is an entry as the member sees it; o is its rule, if it has one.
func (s *Service) item(tx *gorm.DB, lang string, memberID int64, now time.Time, t *model.Task, o *reward.Offer, f *facts) (*Item, error) {
	i := &Item{TaskID: t.ID, Code: t.Code, Icon: t.Icon, Link: t.Link, Does: t.Counts, State: Open, Repeats: Unlimited, Until: t.EndsAt}
	i.Title, i.Text = cmp.Or(t.TitleZH, t.TitleEN), cmp.Or(t.TextZH, t.TextEN)
	if lang == templates.English {
		i.Title, i.Text = cmp.Or(t.TitleEN, t.TitleZH), cmp.Or(t.TextEN, t.TextZH)
	}
	if o != nil {
		until := i.Until
		i.offer(o, f)
		i.Title = cmp.Or(i.Title, o.Name)
		if until != nil && (i.Until == nil || until.Before(*i.Until)) {
			i.Until = until
		}
	}
	if t.Goal == 0 {
		return i, nil
	}
	i.Does = t.Counts
	return i, s.goal(tx, i, memberID, now, t)
}

// offer fills in what a rule gives, and what is left of it.
func (i *Item) offer(o *reward.Offer, f *facts) {
	i.RuleID, i.Does, i.Caps, i.Until, i.State, i.Repeats = o.RuleID, o.Trigger, o.Caps, o.Until, Open, Unlimited
	for _, g := range o.Grants {
		gain := Gain{Account: g.Account, Amount: g.Next(f.streak)}
		if g.Kind == reward.PerUnit {
			gain.Per = g.Field
		}
		if gain.Amount > 0 {
			i.Gains = append(i.Gains, gain)
		}
	}
	for _, c := range o.Caps {
		if c.Times > 0 {
			i.limit(c.Left())
			i.repeats(map[reward.Period]string{reward.Day: Daily, reward.Week: Weekly, reward.Month: Monthly, reward.Lifetime: lifetime(c.Times)}[c.Period])
		}
	}
	if used := o.Exhausted(); used {
		i.limit(0)
	}
	i.natural(o.Trigger, f)
	if i.State == Open && i.Left != nil && *i.Left == 0 {
		i.State = Done
	}
}

func lifetime(times int64) string {
	if times == 1 {
		return Once
	}
	return Limited
}

func (i *Item) limit(n int64) {
	if i.Left == nil || n < *i.Left {
		i.Left = &n
	}
}

// repeats keeps the word that says most: what is done once is not daily.
func (i *Item) repeats(word string) {
	order := []string{Once, Daily, Weekly, Monthly, Limited, Unlimited}
	if slices.Index(order, word) < slices.Index(order, i.Repeats) {
		i.Repeats = word
	}
}

// natural adds the limits that acts have by themselves.
func (i *Item) natural(trigger string, f *facts) {
	once := func(done bool) int64 {
		if done {
			return 0
		}
		return 1
	}
	switch trigger {
	case model.EventRegistered:
		i.limit(once(f.joined))
		i.repeats(Once)
	case model.EventNickname, model.EventGender, model.EventBirthday, model.EventAddress, model.EventPhone:
		i.limit(once(f.filled[trigger]))
		i.repeats(Once)
	case model.EventCheckin:
		i.limit(once(f.checkedIn))
		i.repeats(Daily)
	case model.EventQuiz, model.EventForm:
		n := f.asked[i.RuleID]
		i.limit(n.left)
		if n.left == 0 && !n.done {
			i.State = Waiting
		}
	}
}

// goal counts towards the goal of an entry.
func (s *Service) goal(tx *gorm.DB, i *Item, memberID int64, now time.Time, t *model.Task) error {
	n, err := s.count(tx, memberID, now, t)
	if err != nil {
		return err
	}
	p := reward.Period(t.Period)
	i.Progress = &Progress{Done: min(n, t.Goal), Goal: t.Goal}
	i.Repeats = map[reward.Period]string{reward.Day: Daily, reward.Week: Weekly, reward.Month: Monthly, reward.Lifetime: Once}[p]
	left := int64(1)
	i.State = Open
	switch {
	case n < t.Goal:
	case !t.Claimed:
		i.State, left = Done, 0
	default:
		i.State = Claimable
		var claims int64
		err := tx.Model(&model.TaskClaim{}).Where("member_id = ? AND task_id = ? AND period = ?", memberID, t.ID, p.Key(s.zone, now)).Count(&claims).Error
		if err != nil {
			return fmt.Errorf("task: claims: %w", err)
		}
		if claims > 0 {
			i.State, left = Done, 0
		}
	}
	i.Left = &left
	return nil
}

// count is how often the member did in the period what the entry counts.
func (s *Service) count(tx *gorm.DB, memberID int64, now time.Time, t *model.Task) (int64, error) {
	var n int64
	q := tx.Model(&model.Event{}).Where("member_id = ? AND kind = ? AND occurred_at <= ?", memberID, t.Counts, now)
	if from := reward.Period(t.Period).Start(s.zone, now); !from.IsZero() {
		q = q.Where("occurred_at >= ?", from)
	}
	if err := q.Count(&n).Error; err != nil {
		return 0, fmt.Errorf("task: count: %w", err)
	}
	return n, nil
}
