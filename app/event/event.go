// Package event is the behaviour log: everything a member does is recorded once, under a key that a retry repeats,
// and is followed in its own transaction by what it earns, and after it by the outbox.
package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// maxDepth bounds a chain of events that cause events.
const maxDepth = 8

// maxAhead is how far in the future an event may claim to be.
const maxAhead = 5 * time.Minute

// Grant is one thing that an event earned: an amount in an account, a tag, or coupons.
type Grant struct {
	Account string `json:"account,omitempty"`
	Amount  int64  `json:"amount,omitempty"`
	Balance int64  `json:"balance,omitempty"` // of the account, afterwards
	Tag     string `json:"tag,omitempty"`     // its name
	Coupon  string `json:"coupon,omitempty"`  // its name; Amount counts them
	RuleID  int64  `json:"rule_id,string,omitempty"`
	Rule    string `json:"rule,omitempty"` // name of the rule
	Bonus   bool   `json:"bonus,omitempty"`
	Note    string `json:"note,omitempty"` // DAILY_CAP when a cap cut the amount
}

// Follower acts on an event in its transaction. What it granted comes back to whoever recorded the event.
type Follower func(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]Grant, error)

// Log records events. Followers are registered while the app is built, before it serves.
type Log struct {
	db        *db.DB
	clock     clock.Clock
	followers []Follower
	later     map[string]Handler
	sealed    bool
	wake      chan struct{}
}

// New returns a log without followers.
func New(d *db.DB, c clock.Clock) *Log {
	return &Log{db: d, clock: c, later: map[string]Handler{}, wake: make(chan struct{}, 1)}
}

// Follow adds a follower; they run in the order in which they were added.
func (l *Log) Follow(f Follower) {
	l.open("follower")
	l.followers = append(l.followers, f)
}

// Seal ends registration: what serves does not change.
func (l *Log) Seal() { l.sealed = true }

func (l *Log) open(what string) {
	if l.sealed {
		panic("event: " + what + " registered after Seal")
	}
}

type chainKey struct{}

// chain is the events that one event caused, first in, first out: an event recorded by a follower waits
// until every follower has seen the one before it.
type chain struct {
	waiting []link
	depth   int // of the event whose followers run now
}

type link struct {
	ev    *model.Event
	depth int
}

// RecordTx stores ev and runs its followers, all in the caller's transaction; it returns what they granted.
// The caller holds the member's lock. The same (Source, Key) again is errs.Duplicate; with another input errs.Conflict.
// An event more than five minutes ahead of the clock is refused.
func (l *Log) RecordTx(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]Grant, error) {
	if err := l.prepare(ev); err != nil {
		return nil, err
	}
	dup, err := db.Insert(tx, ev)
	if err != nil {
		return nil, fmt.Errorf("event: record %s: %w", ev.Kind, err)
	}
	if dup {
		return nil, duplicate(tx, ev)
	}
	if err := l.outbox(tx, ev); err != nil {
		return nil, err
	}
	return l.caused(ctx, tx, ev)
}

// RecordNewTx is RecordTx of many events whose keys nobody can have used: those of rows that were just written.
func (l *Log) RecordNewTx(ctx context.Context, tx *gorm.DB, list []*model.Event) error {
	for _, ev := range list {
		if err := l.prepare(ev); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(list, recordRows).Error; err != nil {
		return fmt.Errorf("event: record %s: %w", list[0].Kind, err)
	}
	if err := l.outbox(tx, list...); err != nil {
		return err
	}
	for _, ev := range list {
		if _, err := l.caused(ctx, tx, ev); err != nil {
			return err
		}
	}
	return nil
}

// recordRows is how many rows one statement writes.
const recordRows = 500

// caused runs the followers of a stored event, now or after those of the one that caused it.
func (l *Log) caused(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]Grant, error) {
	if c, ok := ctx.Value(chainKey{}).(*chain); ok {
		return nil, c.add(ev)
	}
	c := &chain{}
	return l.follow(context.WithValue(ctx, chainKey{}, c), tx, c, ev)
}

func (c *chain) add(ev *model.Event) error {
	if c.depth >= maxDepth {
		return fmt.Errorf("event: %s: a chain of events is more than %d deep", ev.Kind, maxDepth)
	}
	c.waiting = append(c.waiting, link{ev, c.depth + 1})
	return nil
}

func (l *Log) follow(ctx context.Context, tx *gorm.DB, c *chain, ev *model.Event) ([]Grant, error) {
	var grants []Grant
	for next := 0; ; next++ {
		for _, f := range l.followers {
			g, err := f(ctx, tx, ev)
			if err != nil {
				return nil, fmt.Errorf("event %s: %w", ev.Kind, err)
			}
			grants = append(grants, g...)
		}
		if next == len(c.waiting) {
			return grants, nil
		}
		ev, c.depth = c.waiting[next].ev, c.waiting[next].depth
	}
}

func (l *Log) prepare(ev *model.Event) error {
	now := l.clock.Now()
	if ev.OccurredAt.After(now.Add(maxAhead)) {
		return errs.Field("occurred_at", "event.future", "now", now)
	}
	if ev.Data == nil {
		ev.Data = model.JSON("{}")
	}
	ev.RecordedAt = now
	ev.Hash = hash(ev)
	return nil
}

// outbox notes what is done after the transaction.
func (l *Log) outbox(tx *gorm.DB, list ...*model.Event) error {
	var rows []model.Outbox
	for _, ev := range list {
		if l.later[ev.Kind] != nil {
			rows = append(rows, model.Outbox{EventID: ev.ID, MemberID: ev.MemberID, State: model.OutboxPending, DueAt: ev.RecordedAt, LeaseTill: clock.Real()})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(rows, recordRows).Error; err != nil {
		return fmt.Errorf("event: outbox: %w", err)
	}
	return nil
}

// duplicate tells a retry of the same fact from another fact under its key.
func duplicate(tx *gorm.DB, ev *model.Event) error {
	var old model.Event
	err := tx.Where("source = ? AND `key` = ?", ev.Source, ev.Key).Take(&old).Error
	if err != nil {
		return fmt.Errorf("event: read duplicate: %w", err)
	}
	if old.Hash != ev.Hash || old.MemberID != ev.MemberID { // a merge moves the events of the loser
		return errs.New(errs.Conflict, "event.conflict", "key", ev.Key)
	}
	return errs.New(errs.Duplicate, "event.duplicate", "key", ev.Key)
}

// hash covers the input but the member, who may be merged into another.
func hash(ev *model.Event) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00", ev.Kind, ev.OccurredAt.UnixMicro())
	h.Write(ev.Data)
	return hex.EncodeToString(h.Sum(nil))
}
