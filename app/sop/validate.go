package sop

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds.
const (
	maxName   = 64
	maxSteps  = 30
	maxExits  = 10
	maxDays   = 3650
	maxBytes  = 60_000 // of a definition
	maxAmount = 1_000_000
	maxMemo   = 255
	maxAfter  = maxDays * 24 * time.Hour
)

var keyRule = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// check completes the definition and refuses, as errs.Field with the path, what can never be meant.
func (s *Service) check(ctx context.Context, tx *gorm.DB, d *Definition) error {
	d.Name = strings.TrimSpace(d.Name)
	if d.Name == "" || utf8.RuneCountInString(d.Name) > maxName {
		return errs.Field("name", "sop.name", "limit", maxName)
	}
	if err := class("class", d.Class); err != nil {
		return err
	}
	if err := s.checkEntry(ctx, tx, d); err != nil {
		return err
	}
	if len(d.Exit) > maxExits {
		return errs.Field("exit", "sop.exits", "limit", maxExits)
	}
	for i, t := range d.Exit {
		if err := s.checkTrigger(ctx, tx, fmt.Sprintf("exit[%d]", i), t); err != nil {
			return err
		}
	}
	if d.Goal != nil {
		if err := s.checkTrigger(ctx, tx, "goal", d.Goal.Trigger); err != nil {
			return err
		}
		if d.Goal.Days < 0 || d.Goal.Days > maxDays {
			return errs.Field("goal.days", "sop.days", "limit", maxDays)
		}
	}
	if len(d.Steps) == 0 || len(d.Steps) > maxSteps {
		return errs.Field("steps", "sop.steps", "limit", maxSteps)
	}
	for i := range d.Steps {
		if err := s.checkStep(ctx, tx, d, i); err != nil {
			return err
		}
	}
	if len(model.ToJSON(d)) > maxBytes {
		return errs.Field("steps", "sop.too_long")
	}
	return nil
}

func class(at, c string) error {
	if c != "" && c != model.ClassMarketing && c != model.ClassService {
		return errs.Field(at, "broadcast.class")
	}
	return nil
}

func (s *Service) checkEntry(ctx context.Context, tx *gorm.DB, d *Definition) error {
	e, given := d.Entry, 0
	for _, is := range []bool{e.Event != "", e.Cron != "", e.At != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return errs.Field("entry", "sop.entry")
	case e.Event != "" && !event.Known(e.Event):
		return errs.Field("entry.event", "event.unknown_kind", "kind", e.Event)
	}
	if e.Cron != "" {
		if _, _, err := clock.CheckCron(e.Cron, s.Zone, s.Clock.Now()); err != nil {
			return errs.Under(err, "entry")
		}
	}
	if err := s.checkTree(ctx, tx, "entry.condition", e.Condition, e.Event != ""); err != nil {
		return err
	}
	switch r := d.Reentry; {
	case r.Mode != "" && r.Mode != Never && r.Mode != After && r.Mode != Always:
		return errs.Field("reentry.mode", "sop.reentry")
	case (r.Mode == After) != (r.Days > 0) || r.Days < 0 || r.Days > maxDays:
		return errs.Field("reentry.days", "sop.days", "limit", maxDays)
	}
	return nil
}

func (s *Service) checkTrigger(ctx context.Context, tx *gorm.DB, at string, t Trigger) error {
	switch {
	case t.Event == "" && t.Condition.Empty():
		return errs.Field(at, "sop.trigger")
	case t.Event != "" && !event.Known(t.Event):
		return errs.Field(at+".event", "event.unknown_kind", "kind", t.Event)
	}
	return s.checkTree(ctx, tx, at+".condition", t.Condition, t.Event != "")
}

// checkTree refuses a condition that asks about an event where there is none.
func (s *Service) checkTree(ctx context.Context, tx *gorm.DB, at string, t condition.Tree, hasEvent bool) error {
	if err := s.Conditions.Check(ctx, tx, t); err != nil {
		return condition.At(at, err)
	}
	if !hasEvent && s.Conditions.EventScoped(t) {
		return errs.Field(at, "broadcast.event_scoped")
	}
	return nil
}

func (s *Service) checkStep(ctx context.Context, tx *gorm.DB, d *Definition, i int) error {
	st, at := &d.Steps[i], fmt.Sprintf("steps[%d]", i)
	kinds := 0
	for _, is := range []bool{st.Send != nil, st.Branch != nil, st.Wait != nil} {
		if is {
			kinds++
		}
	}
	switch {
	case !keyRule.MatchString(st.Key) || st.Key == End:
		return errs.Field(at+".key", "sop.key")
	case d.index(st.Key) != i:
		return errs.Field(at+".key", "sop.key_twice", "key", st.Key)
	case kinds != 1:
		return errs.Field(at, "sop.kind")
	case st.Otherwise != "" && st.Send != nil:
		return errs.Field(at+".otherwise", "sop.otherwise")
	}
	for field, key := range map[string]string{"next": st.Next, "otherwise": st.Otherwise} {
		if to := d.index(key); key != "" && key != End && (to <= i || to == len(d.Steps)) { // never back: every way ends
			return errs.Field(at+"."+field, "sop.no_step", "key", key)
		}
	}
	if err := s.checkWhen(st, at+".when"); err != nil {
		return err
	}
	switch {
	case st.Send != nil:
		return s.checkSend(ctx, tx, d.class(st), st.Send, at+".send")
	case st.Branch != nil:
		if st.Branch.Condition.Empty() {
			return errs.Field(at+".branch.condition", "condition.empty")
		}
		return s.checkTree(ctx, tx, at+".branch.condition", st.Branch.Condition, false)
	}
	if !event.Known(st.Wait.Event) {
		return errs.Field(at+".wait.event", "event.unknown_kind", "kind", st.Wait.Event)
	}
	if err := after(at+".wait.timeout", st.Wait.Timeout, time.Minute); err != nil {
		return err
	}
	return s.checkTree(ctx, tx, at+".wait.condition", st.Wait.Condition, true)
}

// after refuses what is no duration of hours, minutes and seconds, or out of bounds.
func after(at, text string, least time.Duration) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > maxAfter {
		return errs.Field(at, "sop.after", "limit", maxDays)
	}
	return nil
}

func (s *Service) checkWhen(st *Step, at string) error {
	w := st.When
	if w == nil {
		return nil
	}
	given := 0
	for _, is := range []bool{w.Day != nil, w.After != "", w.At != nil, w.Cron != ""} {
		if is {
			given++
		}
	}
	switch {
	case st.Wait != nil:
		return errs.Field(at, "sop.wait_when")
	case given != 1 || w.Time != "" && w.Day == nil:
		return errs.Field(at, "sop.when")
	case w.After != "":
		return after(at+".after", w.After, 0)
	case w.Cron != "":
		_, _, err := clock.CheckCron(w.Cron, s.Zone, s.Clock.Now())
		return errs.Under(err, at)
	case w.Day == nil:
		return nil
	}
	if *w.Day < 0 || *w.Day > maxDays {
		return errs.Field(at+".day", "sop.days", "limit", maxDays)
	}
	if n, ok := clock.Minutes(w.Time); !ok || n == clock.DayMinutes {
		return errs.Field(at+".time", "sop.time")
	}
	return nil
}

func (s *Service) checkSend(ctx context.Context, tx *gorm.DB, what string, send *Send, at string) error {
	if err := class(at+".class", send.Class); err != nil {
		return err
	}
	if err := s.Reach.CheckTx(tx, what, send.Message); err != nil {
		return errs.Under(err, at)
	}
	if err := s.checkTree(ctx, tx, at+".condition", send.Condition, false); err != nil {
		return err
	}
	g := send.Grants
	if g == nil {
		return nil
	}
	at += ".grants"
	switch {
	case g.Amount == 0 && g.CouponID == 0:
		return errs.Field(at, "sop.no_grant")
	case g.Amount < 0 || g.Amount > maxAmount:
		return errs.Field(at+".amount", "gift.amount", "limit", maxAmount)
	case utf8.RuneCountInString(g.Memo) > maxMemo:
		return errs.Field(at+".memo", "ledger.memo", "limit", maxMemo)
	}
	if g.Amount > 0 {
		if g.Account == "" {
			g.Account = model.AccountPoints
		}
		a, err := ledger.Account(tx, g.Account)
		if err != nil {
			return errs.AtField(err, at+".account")
		}
		if a.ManualLimit > 0 && g.Amount > a.ManualLimit { // what one operator may give by hand
			return errs.Field(at+".amount", "gift.amount", "limit", a.ManualLimit)
		}
	}
	if g.CouponID != 0 {
		if _, err := coupon.Get(tx, g.CouponID); err != nil {
			return errs.AtField(err, at+".coupon_id")
		}
	}
	return nil
}
