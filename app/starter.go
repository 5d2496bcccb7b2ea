package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Starter is a programme to begin with: what it makes is made as an operator would make it, and is all his to change. Its names and texts stand
// in the locale files under starter.<code>.
type Starter struct {
	Code                             string
	Register, Checkin, Week, Correct int64 // points: of registering, a day's check-in, a week's streak, a right answer
	PerYuan                          int64 // points for each yuan of an order
	MemberDay                        int   // the weekday on which orders give double, 1 = Monday; 0 = none
	OffFen, FromFen                  int64 // the newcomer's coupon
	Growth                           []int64
	Words                            int      // tags that words in a chat set
	Layers                           bool     // RFM and the value pyramid
	SOPs                             []string // drafts
}

// Starters are those that a first run offers.
var Starters = []Starter{
	{Code: "snack", Register: 30, Checkin: 2, Week: 10, Correct: 5, PerYuan: 1, OffFen: 500, FromFen: 3900, Growth: []int64{0, 500, 2000}, Words: 3, SOPs: []string{"new", "coupon", "spend"}},
	{Code: "tea", Register: 20, Checkin: 1, Week: 8, Correct: 5, PerYuan: 2, MemberDay: 3, OffFen: 300, FromFen: 1500, Growth: []int64{0, 300, 1000}, Words: 3, SOPs: []string{"new", "member_day", "birthday"}},
	{Code: "beauty", Register: 50, Checkin: 5, Week: 20, Correct: 10, PerYuan: 1, OffFen: 2000, FromFen: 14800, Growth: []int64{0, 1000, 3000, 8000}, Words: 3, Layers: true, SOPs: []string{"new", "birthday", "churned"}},
	{Code: "store", Register: 100, Checkin: 3, Week: 15, Correct: 5, PerYuan: 1, MemberDay: 2, OffFen: 1000, FromFen: 9900, Growth: []int64{0, 2000, 6000, 20000}, Words: 3, Layers: true, SOPs: []string{"important", "silent", "spend"}},
}

// Begun says which starter the programme was begun with, and how many of its steps are done.
type Begun struct {
	Starter  Starter
	Done, Of int
}

// Whole reports that nothing is left to make.
func (b *Begun) Whole() bool { return b.Done == b.Of }

// starterStep makes one thing, and counts it in the same transaction.
type starterStep func(ctx context.Context, count func(tx *gorm.DB) error) error

// Coupon names the newcomer's coupon.
func (s *Starter) Coupon(lang string) string {
	return templates.T(lang, "starter.coupon", map[string]any{"from": s.FromFen / 100, "off": s.OffFen / 100})
}

func (s *Starter) revision() string { return "starter-" + s.Code }

// Begun is nil for a programme that was not begun with a starter.
func (a *App) Begun(ctx context.Context) (*Begun, error) {
	for _, s := range Starters {
		n, err := db.Revision(a.DB.Reader(ctx), s.revision())
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return &Begun{s, int(n) - 1, len(a.starterSteps(&s, templates.Chinese, ""))}, nil
		}
	}
	return nil, nil
}

// Begin makes what a starter holds, in a language, and leaves a line in the audit log for each thing. A programme that has a rule of the same
// code or name is refused with errs.Conflict, as is one that was begun with another starter. If it breaks off, the next call goes on; what an
// operator has made meanwhile under the same code stays.
func (a *App) Begin(ctx context.Context, code, lang, actor string) error {
	i := slices.IndexFunc(Starters, func(s Starter) bool { return s.Code == code })
	if i < 0 {
		return errs.Field("starter", "starter.unknown")
	}
	s := &Starters[i]
	if err := a.claimStarter(ctx, s, lang, actor); err != nil {
		return err
	}
	steps := a.starterSteps(s, lang, actor)
	for {
		n, err := db.Revision(a.DB.Reader(ctx), s.revision())
		if err != nil || int(n) > len(steps) {
			return err
		}
		count := func(tx *gorm.DB) error { // once, whoever else makes it at the same moment
			res := tx.Exec("UPDATE revisions SET n = n + 1 WHERE name = ? AND n = ?", s.revision(), n)
			if res.Error == nil && res.RowsAffected == 0 {
				return errs.New(errs.Conflict, "starter.stays")
			}
			return res.Error
		}
		if err = steps[n-1](ctx, count); errs.CodeOf(err) == errs.Conflict { // it is there, made by this or by hand
			err = a.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return count(tx) })
			if errs.CodeOf(err) == errs.Conflict {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("starter: step %d: %w", n, err)
		}
	}
}

// claimStarter lets one starter begin, once.
func (a *App) claimStarter(ctx context.Context, s *Starter, lang, actor string) error {
	rules, err := a.Rewards.List(ctx, lang)
	if err != nil {
		return err
	}
	_, err = db.Do(ctx, a.DB, func(_ context.Context, tx *gorm.DB) (string, error) {
		if err := db.Bump(tx, "starter"); err != nil { // two who begin at once wait for each other here
			return "", err
		}
		for _, other := range Starters {
			n, err := db.Revision(tx, other.revision())
			if err != nil || n > 0 && other.Code == s.Code {
				return s.Code, err // it goes on
			}
			if n > 0 {
				return "", errs.New(errs.Conflict, "starter.begun", "starter", templates.T(lang, "starter."+other.Code+".name", nil))
			}
		}
		for _, r := range rules {
			for _, own := range a.starterRules(s, lang, 0) {
				if r.Code == own.Code || r.Name == own.Name {
					return "", errs.New(errs.Conflict, "starter.rule", "name", r.Name)
				}
			}
		}
		if err := a.Operators.AuditTx(tx, actor, "starter.begin", "starter:"+s.Code, nil, map[string]string{"name": templates.T(lang, "starter."+s.Code+".name", nil)}); err != nil {
			return "", err
		}
		return s.Code, db.Bump(tx, s.revision())
	})
	return err
}

// named is how the audit log names a row.
func named[T any](kind string, id func(T) int64) func(T) string {
	return func(row T) string { return fmt.Sprintf("%s:%d", kind, id(row)) }
}

// as is the name of a thing of which there is one.
func as[T any](name string) func(T) string { return func(T) string { return name } }

// made is a step whose use case answers with a T: the row, its audit line and the count of the step are kept together, or none of them.
func made[T any](a *App, actor, action string, object func(T) string, do func(ctx context.Context) error) starterStep {
	return func(ctx context.Context, count func(tx *gorm.DB) error) error {
		return do(db.Also(ctx, func(tx *gorm.DB, answer any) error {
			row := answer.(T)
			if err := count(tx); err != nil {
				return err
			}
			return a.Operators.AuditTx(tx, actor, action, object(row), nil, row)
		}))
	}
}

// starterRules are the rules of a starter; the newcomer's coupon comes with the registration.
func (a *App) starterRules(s *Starter, lang string, couponID int64) []reward.Input {
	fixed := func(account string, n int64) reward.Spec {
		return reward.Spec{Kind: reward.Fixed, Account: account, Amount: n}
	}
	paid := []reward.Spec{
		{Kind: reward.PerYuan, Account: model.AccountPoints, Amount: s.PerYuan}, {Kind: reward.PerYuan, Account: model.AccountGrowth, Amount: 1},
	}
	rules := []reward.Input{
		{Code: "register", Trigger: model.EventRegistered, Definition: reward.Definition{
			Grants: []reward.Spec{fixed(model.AccountPoints, s.Register), {Kind: reward.Coupon, CouponID: couponID}}, Caps: []reward.Cap{{Period: reward.Lifetime, Times: 1}},
		}},
		{Code: "checkin", Trigger: model.EventCheckin, Definition: reward.Definition{
			Grants: []reward.Spec{
				fixed(model.AccountPoints, s.Checkin), fixed(model.AccountGrowth, 1),
				{Kind: reward.Streak, Account: model.AccountPoints, Table: []reward.Step{{Days: 7, Amount: s.Week}}, Cycle: 7},
			},
			Caps: []reward.Cap{{Period: reward.Day, Times: 1}},
		}},
		{Code: "order", Trigger: model.EventOrderPaid, Definition: reward.Definition{Grants: paid}},
		{Code: "claim", Trigger: model.EventOrderClaimed, Definition: reward.Definition{Grants: paid}},
		{Code: "quiz", Trigger: model.EventQuiz, Definition: reward.Definition{
			Condition: condition.Is("event.field", map[string]any{"field": "correct", "op": "eq", "value": true}), Grants: []reward.Spec{fixed(model.AccountPoints, s.Correct)},
		}},
	}
	if s.MemberDay != 0 {
		rules = append(rules, reward.Input{Code: "member-day", Trigger: model.EventOrderPaid, Definition: reward.Definition{
			Condition: condition.Is("calendar", map[string]any{"weekdays": []int{s.MemberDay}}),
			Grants:    []reward.Spec{{Kind: reward.Multiply, Account: model.AccountPoints, Factor: "2", Rules: []string{"order"}}},
		}})
	}
	for i := range rules {
		rules[i].Name, rules[i].Enabled = templates.T(lang, "starter.rule."+rules[i].Code, nil), true
	}
	return rules
}

// starterSteps are what a starter makes, in order. Their number and order do not depend on the language.
func (a *App) starterSteps(s *Starter, lang, actor string) (steps []starterStep) {
	say := func(key string) string { return templates.T(lang, "starter."+s.Code+"."+key, nil) }
	steps = append(steps, made(a, actor, "coupon.save", named("coupon", func(c coupon.Definition) int64 { return c.ID }), func(ctx context.Context) error {
		_, err := a.Coupons.Save(ctx, coupon.Definition{Coupon: model.Coupon{
			Code: "welcome", Name: s.Coupon(lang), Kind: model.CouponCashOff, OffFen: s.OffFen, ThresholdFen: s.FromFen, ValidDays: 30, PerMember: 1, Enabled: true,
		}})
		return err
	}))
	for i := range a.starterRules(s, lang, 0) {
		steps = append(steps, made(a, actor, "rule.save", named("rule", func(r reward.Rule) int64 { return r.ID }), func(ctx context.Context) error {
			id, err := a.welcomeCoupon(ctx)
			if err != nil {
				return err
			}
			_, err = a.Rewards.Save(ctx, a.starterRules(s, lang, id)[i], lang)
			return err
		}))
	}
	steps = append(steps,
		made(a, actor, "tiers.update", as[tier.Saved]("tiers"), func(ctx context.Context) error { return a.starterTiers(ctx, s, say, actor) }),
		made(a, actor, "checkin.settings", as[model.CheckinSettings]("checkin:settings"), func(ctx context.Context) error {
			if set, err := a.Checkins.Settings(ctx); err != nil || !set.UpdatedAt.IsZero() {
				return errs.New(errs.Conflict, "starter.stays")
			}
			_, err := a.Checkins.SaveSettings(ctx, model.CheckinSettings{MakeupLimit: 2, MakeupReach: 7, MakeupPrice: 2 * s.Checkin})
			return err
		}),
		made(a, actor, "quiz.save", named("quiz", func(v quiz.View) int64 { return v.ID }), func(ctx context.Context) error {
			opens := a.Zone.Start(a.Zone.DayOf(a.Clock.Now()))
			_, err := a.Quizzes.Save(ctx, quiz.View{
				Quiz: model.Quiz{
					Question: say("quiz"), Explanation: say("quiz_why"), OpensAt: opens, ClosesAt: opens.AddDate(0, 0, 30), Attempts: 1, Enabled: true,
				},
				Options: []model.QuizOption{{Text: say("quiz_right"), Correct: true}, {Text: say("quiz_wrong")}},
			})
			return err
		}),
		made(a, actor, "task.save", named("task", func(t model.Task) int64 { return t.ID }), func(ctx context.Context) error {
			name := func(lang, key string) string { return templates.T(lang, "starter."+key, nil) }
			_, err := a.Tasks.Save(ctx, model.Task{
				Code: "checkin-week", TitleZH: name(templates.Chinese, "task"), TitleEN: name(templates.English, "task"), Counts: model.EventCheckin, Goal: 7, Period: string(reward.Month), Enabled: true,
			})
			return err
		}),
		made(a, actor, "channel.save", named("channel", func(c model.ChannelCode) int64 { return c.ID }), func(ctx context.Context) error {
			name := templates.T(lang, "starter.channel", nil)
			t, err := a.Tags.Ensure(ctx, tag.Channel, name)
			if err != nil {
				return err
			}
			_, err = a.Channels.Save(ctx, model.ChannelCode{Code: "store", Name: name, Welcome: say("welcome"), TagID: t.ID})
			return err
		}))
	for i := range s.Words {
		n := strconv.Itoa(i + 1)
		words := condition.Is("event.text", map[string]any{"contains_any": strings.Split(say("words"+n), ",")})
		steps = append(steps, a.starterTag(lang, actor, tag.Preference, say("tag"+n), say("tag"+n), words))
	}
	bought := condition.Is("orders", map[string]any{"measure": "count", "op": condition.Gte, "value": 2})
	steps = append(steps, a.starterTag(lang, actor, tag.ProductLifecycle, templates.T(lang, "starter.again", nil), templates.T(lang, "starter.again_why", nil), bought))
	if s.Layers {
		steps = append(steps,
			made(a, actor, "rfm.update", as[tag.RFM]("rfm"), func(ctx context.Context) error { _, err := a.Tags.SaveRFM(ctx, tag.DefaultRFM()); return err }),
			made(a, actor, "pyramid.update", as[string]("pyramid"), func(ctx context.Context) error {
				_, err := a.Tags.SavePyramid(ctx, tag.DefaultPyramid(), lang)
				return err
			}))
	}
	for _, t := range a.SOPs.Templates(context.Background(), lang, nil) {
		if slices.Contains(s.SOPs, t.Code) {
			steps = append(steps, made(a, actor, "sop.save", named("sop", func(r model.SOP) int64 { return r.ID }), func(ctx context.Context) error {
				_, err := a.SOPs.Save(ctx, sop.Input{Definition: t.Definition, Actor: actor})
				return err
			}))
		}
	}
	return steps
}

func (a *App) starterTag(lang, actor, group, name, why string, tree condition.Tree) starterStep {
	return made(a, actor, "auto_tag.save", named("auto_tag", func(r tag.SavedRule) int64 { return r.ID }), func(ctx context.Context) error {
		t, err := a.Tags.Ensure(ctx, group, name)
		if err == nil {
			_, err = a.Tags.SaveRule(ctx, tag.Rule{TagID: t.ID, Name: why, Enabled: true, Condition: model.ToJSON(tree)}, lang)
		}
		return err
	})
}

// starterTiers makes the ladder, unless there is one.
func (a *App) starterTiers(ctx context.Context, s *Starter, say func(string) string, actor string) error {
	l, err := a.Tiers.Ladder(ctx)
	if err == nil && len(l.Tiers) > 0 {
		err = errs.New(errs.Conflict, "starter.stays")
	}
	if err != nil {
		return err
	}
	in := tier.Input{Settings: model.TierSettings{Account: model.AccountGrowth, Basis: coupon.Lifetime, Downgrade: model.TierReview, ReviewDays: 365, NoticeDays: 30}}
	for i, n := range s.Growth {
		in.Tiers = append(in.Tiers, tier.Tier{Name: say(fmt.Sprint("tier", i+1)), Threshold: n})
	}
	_, err = a.Tiers.Save(ctx, in, actor)
	return err
}

func (a *App) welcomeCoupon(ctx context.Context) (int64, error) {
	all, err := a.Coupons.List(ctx)
	for _, c := range all {
		if c.Code == "welcome" {
			return c.ID, err
		}
	}
	return 0, err
}
