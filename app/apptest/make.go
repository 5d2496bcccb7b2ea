package apptest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Tx runs fn in a transaction.
func (w *World) Tx(fn func(ctx context.Context, tx *gorm.DB) error) {
	w.T.Helper()
	require.NoError(w.T, w.DB.Tx(context.WithoutCancel(w.T.Context()), fn))
}

// Touched is somebody known by an openid alone, as after a first push; it returns his member id.
func (w *World) Touched(account, openID string) int64 {
	w.T.Helper()
	var id int64
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		i, _, err := w.Members.TouchTx(tx, nil, account, account, openID, w.Now())
		if err == nil {
			id = i.MemberID
		}
		return err
	})
	return id
}

// Joined is a registered member without a phone in the sandbox: his openid at mp is his name.
func (w *World) Joined(name string) int64 {
	w.T.Helper()
	id := w.Touched("mp", name)
	_, err := w.Members.Register(w.T.Context(), id, member.Profile{Nickname: &name}, "1")
	require.NoError(w.T, err)
	return id
}

// MemberOf is the member behind a person's openid at an account.
func (w *World) MemberOf(p *phone.Person, account string) *model.Member {
	w.T.Helper()
	who, ok := w.Sandbox.Person(p.ID)
	require.True(w.T, ok)
	m, err := w.Members.Find(w.T.Context(), member.Ref{Account: account, OpenID: who.OpenIDs[account]})
	require.NoError(w.T, err)
	return m
}

// At is an instant written in Shanghai's time, as "2026-11-24 10:00:00".
func (w *World) At(at string) time.Time {
	w.T.Helper()
	t, err := time.ParseInLocation(time.DateTime, at, w.Zone.Location())
	require.NoError(w.T, err)
	return t.UTC()
}

// Tag makes a tag in a group of the first start, or finds it.
func (w *World) Tag(group, name string) int64 {
	w.T.Helper()
	t, err := w.Tags.Ensure(w.T.Context(), group, name)
	require.NoError(w.T, err)
	return t.ID
}

// Held names the tags that a member holds, sorted, each once.
func (w *World) Held(memberID int64) []string {
	w.T.Helper()
	held, err := w.Tags.Of(w.T.Context(), memberID)
	require.NoError(w.T, err)
	names := []string{}
	for _, h := range held {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// AutoTag makes an enabled rule for a tag by the JSON of its condition, and applies it to everybody.
func (w *World) AutoTag(tagID int64, condition string) *tag.SavedRule {
	w.T.Helper()
	r, err := w.Tags.SaveRule(w.T.Context(), tag.Rule{TagID: tagID, Name: "rule", Enabled: true, Condition: []byte(condition)}, templates.Chinese)
	require.NoError(w.T, err)
	w.Settle()
	return r
}

// Rule makes an enabled point rule by the JSON of its definition.
func (w *World) Rule(code, trigger, definition string) *reward.Rule {
	w.T.Helper()
	in := reward.Input{Code: code, Name: code, Enabled: true, Trigger: trigger}
	require.NoError(w.T, json.Unmarshal([]byte(definition), &in.Definition))
	r, err := w.Rewards.Save(w.T.Context(), in, templates.Chinese)
	require.NoError(w.T, err)
	return r
}

// Earns is the definition that gives points, with caps as JSON ("" = none).
func Earns(points int64, caps string) string {
	if caps == "" {
		caps = "[]"
	}
	return fmt.Sprintf(`{"grants":[{"kind":"fixed","account":"points","amount":%d}],"caps":%s}`, points, caps)
}

// Settle does everything that is due now, without moving the clock.
func (w *World) Settle() {
	w.T.Helper()
	require.NoError(w.T, w.Runner.Settle(context.WithoutCancel(w.T.Context()), w.Now()))
}

// Count is the number of rows of a model, with a condition if where is given.
func (w *World) Count(row any, where ...any) int64 {
	w.T.Helper()
	var n int64
	q := w.DB.Reader(w.T.Context()).Model(row)
	if len(where) > 0 {
		q = q.Where(where[0], where[1:]...)
	}
	require.NoError(w.T, q.Count(&n).Error)
	return n
}

// Tables is everything that is written, by table: one line for each row. What writes nothing leaves it as it was.
func (w *World) Tables() map[string][]string {
	w.T.Helper()
	tx := w.DB.Reader(w.T.Context())
	names, err := tx.Migrator().GetTables()
	require.NoError(w.T, err)
	all := map[string][]string{}
	for _, name := range names {
		var rows []map[string]any
		require.NoError(w.T, tx.Table(name).Find(&rows).Error)
		all[name] = []string{}
		for _, r := range rows {
			all[name] = append(all[name], fmt.Sprint(r))
		}
		slices.Sort(all[name])
	}
	return all
}

// Behave records a behaviour of a member, as another system would push it.
func (w *World) Behave(memberID int64, action, key string, at time.Time) error {
	_, err := w.Events.Record(context.WithoutCancel(w.T.Context()), "test", event.Behavior{MemberID: memberID, Action: action, Key: key, OccurredAt: at}, w.LockMember)
	return err
}

// LockMember locks a member for Events.Record.
func (w *World) LockMember(tx *gorm.DB, id int64, at time.Time) (int64, error) {
	return w.Members.ActTx(tx, id, at, false)
}

// Jump sets the clock to an instant, written in Shanghai's time, and runs nothing, as if siyu had been down until then.
func (w *World) Jump(at string) {
	w.T.Helper()
	require.True(w.T, w.Sandbox.Clock().Set(w.At(at)))
}

// Now is app time.
func (w *World) Now() time.Time { return w.App.Clock.Now() }
