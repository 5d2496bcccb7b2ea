package event

import (
	"context"
	"regexp"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Behavior is something a member did in another system, pushed by it.
type Behavior struct {
	MemberID   int64
	Action     string    // [a-z0-9_.-]; the event's kind is behavior.<action>
	Key        string    // the other system's own number of it
	OccurredAt time.Time // zero = now; a repeat then means the same instant as the first time
	Data       model.JSON
}

// Recorded is what recording a behaviour answers.
type Recorded struct {
	EventID int64   `json:"event_id,string"`
	New     bool    `json:"new"` // false: it was recorded before; nothing changed
	Grants  []Grant `json:"grants"`
}

var action = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,22}$`)

// Record stores a behaviour and grants what it earns. The same key again changes nothing; with another content it
// is errs.Conflict. lock takes the member's lock and gives the id of the survivor of a merge.
func (l *Log) Record(ctx context.Context, source string, b Behavior, lock func(tx *gorm.DB, id int64, at time.Time) (int64, error)) (*Recorded, error) {
	if !action.MatchString(b.Action) {
		return nil, errs.Field("action", "event.action")
	}
	if b.Key == "" || len(b.Key) > 96 {
		return nil, errs.Field("key", "event.key", "limit", 96)
	}
	r, err := db.Do(ctx, l.db, func(ctx context.Context, tx *gorm.DB) (Recorded, error) {
		at := b.OccurredAt
		if at.IsZero() {
			at = l.clock.Now()
		}
		id, err := lock(tx, b.MemberID, at)
		if err != nil {
			return Recorded{}, err
		}
		if b.OccurredAt.IsZero() { // under the lock: of two at once the second sees the first
			old, err := recorded(tx, source, b.Key)
			if err != nil {
				return Recorded{}, err
			}
			if len(old) > 0 {
				at = old[0].OccurredAt
			}
		}
		ev := &model.Event{MemberID: id, Kind: model.EventBehavior + "." + b.Action, Source: source, Key: b.Key, OccurredAt: at, Data: b.Data}
		grants, err := l.RecordTx(ctx, tx, ev)
		if errs.CodeOf(err) == errs.Duplicate {
			old, err := recorded(tx, source, b.Key)
			if err != nil || len(old) == 0 {
				return Recorded{}, err
			}
			return Recorded{EventID: old[0].ID}, nil
		}
		return Recorded{EventID: ev.ID, New: true, Grants: grants}, err
	})
	return &r, err
}

// recorded is the event of the key, if there is one: its id and when it happened.
func recorded(tx *gorm.DB, source, key string) (old []model.Event, err error) {
	err = tx.Select("id", "occurred_at").Where("source = ? AND `key` = ?", source, key).Limit(1).Find(&old).Error
	return old, err
}
