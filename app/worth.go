package app

import (
	"context"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/model"
)

// Ask is a subscribe template that is worth asking a member for now: what is to come would use more than he has accepted.
type Ask struct {
	Account    string
	TemplateID string
	Accepted   int
	Needed     int
	NextAt     *time.Time // when the first message would go; nil = by hand
}

// WorthAsking lists the templates for a member, those of the reminders first, then that of the first message to come. Who wants no marketing is asked for none.
func (a *App) WorthAsking(ctx context.Context, m *model.Member) ([]Ask, error) {
	wanted, err := a.wanted(ctx)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	identities, err := a.Members.Identities(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	byAccount := map[string]int64{}
	for _, id := range identities {
		if id.Kind == model.KindMP && byAccount[id.Account] == 0 {
			byAccount[id.Account] = id.ID
		}
	}
	mp := firstOf(a.Accounts, model.KindMP).Name
	var asks []Ask
	for _, w := range wanted {
		if w.Account == "" {
			w.Account = mp
		}
		if byAccount[w.Account] == 0 || w.Class == model.ClassMarketing && m.OptedOutAt != nil {
			continue
		}
		asks = need(asks, w)
	}
	return a.unaccepted(ctx, byAccount, asks)
}

// wanted are the templates of everything that is to come.
func (a *App) wanted(ctx context.Context) ([]broadcast.Wanted, error) {
	all, err := a.Broadcasts.Wanted(ctx)
	if err != nil {
		return nil, err
	}
	reminders, err := a.Reminders.List(ctx)
	if err != nil {
		return nil, err
	}
	var first []broadcast.Wanted
	for i := range reminders {
		r := &reminders[i]
		m, err := reminder.Message(r)
		if err != nil {
			return nil, err
		}
		if r.Enabled && m.Subscribe != nil && slices.Contains(m.Channels, reach.Subscribe) {
			first = append(first, broadcast.Wanted{Account: m.Subscribe.Account, TemplateID: m.Subscribe.TemplateID, Class: a.Reminders.Class(r.Kind), NextAt: r.NextAt})
		}
	}
	return append(first, all...), nil
}

// need counts one more message of a template.
func need(asks []Ask, w broadcast.Wanted) []Ask {
	for i := range asks {
		if asks[i].Account == w.Account && asks[i].TemplateID == w.TemplateID {
			asks[i].Needed++
			return asks
		}
	}
	return append(asks, Ask{Account: w.Account, TemplateID: w.TemplateID, Needed: 1, NextAt: w.NextAt})
}

// unaccepted leaves out what was accepted often enough.
func (a *App) unaccepted(ctx context.Context, byAccount map[string]int64, asks []Ask) ([]Ask, error) {
	accepted := map[string]map[string]int{}
	out := []Ask{}
	for _, k := range asks {
		if accepted[k.Account] == nil {
			rows, err := a.Reach.Acceptances(ctx, byAccount[k.Account])
			if err != nil {
				return nil, err
			}
			accepted[k.Account] = map[string]int{}
			for _, r := range rows {
				accepted[k.Account][r.TemplateID] = r.Count
			}
		}
		if k.Accepted = accepted[k.Account][k.TemplateID]; k.Accepted < k.Needed {
			out = append(out, k)
		}
	}
	return out, nil
}
