package sop

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Preview is what a SOP would do if it was enabled now.
type Preview struct {
	Next     []time.Time // the next five firings of the entry
	Known    bool        // who would enter is known: its condition asks about no event
	Count    int64       // who meets the condition of the entry now
	Sample   []model.Member
	Forecast *reach.Forecast // of the first message to them, sent now
}

// Preview checks a definition as Save does. It writes nothing.
func (s *Service) Preview(ctx context.Context, d Definition) (*Preview, error) {
	if err := s.check(ctx, s.DB.Reader(ctx), &d); err != nil {
		return nil, err
	}
	p := &Preview{Next: s.Next(&d)}
	if s.Conditions.EventScoped(d.Entry.Condition) {
		return p, nil
	}
	found, _, err := s.Audience.Now(ctx, d.Entry.Condition)
	if err != nil {
		return nil, err
	}
	p.Known, p.Count = true, int64(found.GetCardinality()) //nolint:gosec // ids fit 32 bits
	if p.Sample, err = s.Audience.Sample(ctx, found, 12); err != nil {
		return nil, err
	}
	for i := range d.Steps {
		if st := &d.Steps[i]; st.Send != nil {
			f, _, err := s.Reach.Estimate(ctx, d.class(st), st.Send.Message, found)
			if err != nil {
				return nil, err
			}
			p.Forecast = &f
			break
		}
	}
	return p, nil
}

// Next are the next five firings of an entry by the clock.
func (s *Service) Next(d *Definition) (next []time.Time) {
	now := s.Clock.Now()
	if at := d.Entry.At; at != nil && !at.Before(now) {
		return []time.Time{at.UTC()}
	}
	line, err := clock.ParseCron(d.Entry.Cron, s.Zone)
	if d.Entry.Cron == "" || err != nil { // was checked
		return nil
	}
	for t := line.Next(now); len(next) < 5 && !t.IsZero(); t = line.Next(t) {
		next = append(next, t)
	}
	return next
}

// Sentences say a SOP in words: who enters and leaves, what it is for, and each step.
func (s *Service) Sentences(ctx context.Context, lang string, d *Definition) ([]string, error) {
	w := &words{s: s, ctx: ctx, tx: s.DB.Reader(ctx), lang: lang}
	say := func(key string, args map[string]any) string { return templates.T(lang, key, args) }
	lines := []string{say("sop.say_entry", map[string]any{"who": w.entry(&d.Entry)})}
	switch d.Reentry.Mode {
	case After:
		lines = append(lines, say("sop.say_after", map[string]any{"days": d.Reentry.Days}))
	case Always:
		lines = append(lines, say("sop.say_always", nil))
	default:
		lines = append(lines, say("sop.say_never", nil))
	}
	for _, t := range d.Exit {
		lines = append(lines, say("sop.say_exit", map[string]any{"when": w.trigger(t)}))
	}
	if d.Goal != nil {
		lines = append(lines, say("sop.say_goal", map[string]any{"what": w.trigger(d.Goal.Trigger), "days": d.goalDays()}))
	}
	for i := range d.Steps {
		lines = append(lines, w.step(d, i))
	}
	return lines, w.err
}

// words says parts of a SOP; the first error stays.
type words struct {
	s    *Service
	ctx  context.Context // lives as long as one call
	tx   *gorm.DB
	lang string
	err  error
}

func (w *words) say(key string, args map[string]any) string { return templates.T(w.lang, key, args) }

func (w *words) tree(t condition.Tree) string {
	text, err := w.s.Conditions.Sentence(w.ctx, w.tx, w.lang, t)
	if w.err == nil && errs.CodeOf(err) != errs.NotFound { // what it names may be gone
		w.err = err
	}
	return text
}

func (w *words) trigger(t Trigger) string {
	if t.Event == "" {
		return w.tree(t.Condition)
	}
	name := event.KindName(w.lang, t.Event)
	if t.Condition.Empty() {
		return name
	}
	return w.say("sop.say_event", map[string]any{"event": name, "condition": w.tree(t.Condition)})
}

func (w *words) entry(e *Entry) string {
	if e.Event != "" {
		return w.trigger(Trigger{e.Event, e.Condition})
	}
	who := w.tree(e.Condition)
	if e.At != nil {
		return w.say("sop.say_at", map[string]any{"at": w.s.Zone.In(*e.At).Format("2006-01-02 15:04"), "who": who})
	}
	return w.say("sop.say_cron", map[string]any{"when": clock.Say(w.lang, e.Cron), "who": who})
}

func (w *words) when(st *Step) string {
	t := st.When
	switch {
	case t == nil:
		return w.say("sop.say_at_once", nil)
	case t.Day != nil:
		return w.say("sop.say_day", map[string]any{"day": *t.Day, "time": t.Time})
	case t.At != nil:
		return w.s.Zone.In(*t.At).Format("2006-01-02 15:04")
	case t.Cron != "":
		return w.say("sop.say_next", map[string]any{"when": clock.Say(w.lang, t.Cron)})
	}
	return w.say("sop.say_later", map[string]any{"span": t.After})
}

func (w *words) step(d *Definition, i int) string {
	st := &d.Steps[i]
	args := map[string]any{"n": i + 1, "key": st.Key, "when": w.when(st), "next": w.target(d, i, st.Next), "otherwise": w.target(d, i, st.Otherwise)}
	switch {
	case st.Branch != nil:
		args["condition"] = w.tree(st.Branch.Condition)
		return w.say("sop.say_branch", args)
	case st.Wait != nil:
		args["event"], args["span"] = w.trigger(Trigger{st.Wait.Event, st.Wait.Condition}), st.Wait.Timeout
		return w.say("sop.say_wait", args)
	}
	args["text"] = Text(st.Send.Message)
	line := w.say("sop.say_send", args)
	if !st.Send.Condition.Empty() {
		line += w.say("sop.say_if", map[string]any{"condition": w.tree(st.Send.Condition)})
	}
	if g := st.Send.Grants; g != nil {
		line += w.grants(g)
	}
	return line
}

func (w *words) grants(g *Grants) (text string) {
	if g.Amount > 0 {
		text = w.say("sop.say_amount", map[string]any{"amount": g.Amount, "account": ledger.NameOf(w.lang, g.Account, "")})
	}
	if g.CouponID != 0 {
		var names []string
		if err := w.tx.Table("coupons").Where("id = ?", g.CouponID).Pluck("name", &names).Error; err != nil && w.err == nil {
			w.err = err
		}
		text += w.say("sop.say_coupon", map[string]any{"name": strings.Join(names, "")})
	}
	return text
}

// target names the step that a key leads to.
func (w *words) target(d *Definition, i int, key string) string {
	if to := d.after(i, key); to < len(d.Steps) {
		return d.Steps[to].Key
	}
	return w.say("sop.say_end", nil)
}

// Text is what a message says, in short.
func Text(m reach.Message) string {
	text := m.Say()
	if text == "" && m.Subscribe != nil {
		for _, k := range []string{"thing1", "thing2"} {
			text = strings.TrimSpace(text + " " + m.Subscribe.Data[k])
		}
		if text == "" {
			text = m.Subscribe.TemplateID
		}
	}
	if r := []rune(text); len(r) > 40 {
		return fmt.Sprint(string(r[:40]), "…")
	}
	return text
}
