package reward

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// Offer is a rule in force, as what a member can get by it.
type Offer struct {
	RuleID        int64
	Name, Trigger string
	Grants        []Spec // but tags, which are the operator's own business, and multipliers
	Caps          []Room
	Until         *time.Time

	condition condition.Tree
}

// Room is a cap with what the member has used of it in the period.
type Room struct {
	Cap
	Used int64
	key  use
}

// Left is what remains of the cap.
func (r Room) Left() int64 { return max(0, r.Times+r.Amount-r.Used) } // one of the two is set

// Offers lists the rules that can give the member something at the moment, by priority: what is switched off, outside its window or meant
// for others is not there.
func (s *Service) Offers(ctx context.Context, tx *gorm.DB, memberID int64, at time.Time) ([]Offer, error) {
	p, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	var offers []Offer
	subject := &condition.Subject{MemberID: memberID, At: at, Cache: map[string]any{}}
	for _, r := range p.rules {
		v := r.at(at)
		if v == nil || !v.Enabled || !inWindow(&v.def, at) {
			continue
		}
		o := Offer{RuleID: r.id, Name: r.name, Trigger: v.Trigger, Until: v.def.Until, condition: v.def.Condition}
		o.Grants = slices.DeleteFunc(slices.Clone(v.def.Grants), func(g Spec) bool { return g.thing() || g.Kind == Multiply })
		if len(o.Grants) == 0 {
			continue
		}
		if open, err := s.conditions.Open(ctx, tx, subject, v.def.Condition); err != nil {
			return nil, fmt.Errorf("reward: rule %d: %w", r.id, err)
		} else if !open {
			continue
		}
		for _, c := range v.def.Caps {
			o.Caps = append(o.Caps, Room{Cap: c, key: use{ofRule, r.id, c.Period.Key(s.zone, at), c.Account}})
		}
		for _, code := range v.def.CapSets {
			c := capOf(p.sets[code])
			o.Caps = append(o.Caps, Room{Cap: c, key: use{ofSet, p.sets[code].ID, c.Period.Key(s.zone, at), c.Account}})
		}
		offers = append(offers, o)
	}
	return offers, s.fillRooms(tx, memberID, at, offers)
}

// For reports whether the offer can give something for an act of which so much is known beforehand: data are fields of its event.
func (s *Service) For(ctx context.Context, tx *gorm.DB, memberID int64, o *Offer, data map[string]any, at time.Time) (bool, error) {
	ev := &model.Event{MemberID: memberID, Kind: o.Trigger, OccurredAt: at, Data: model.ToJSON(data)}
	return s.conditions.Open(ctx, tx, &condition.Subject{MemberID: memberID, At: at, Event: ev, Cache: map[string]any{}}, o.condition)
}

// fillRooms reads what the member used of the caps, in one statement.
func (s *Service) fillRooms(tx *gorm.DB, memberID int64, at time.Time, offers []Offer) error {
	if !slices.ContainsFunc(offers, func(o Offer) bool { return len(o.Caps) > 0 }) {
		return nil
	}
	periods := make([]string, len(Periods))
	for i, p := range Periods {
		periods[i] = p.Key(s.zone, at)
	}
	var rows []model.RuleUse
	if err := tx.Where("member_id = ? AND period IN ?", memberID, periods).Find(&rows).Error; err != nil {
		return fmt.Errorf("reward: what is left: %w", err)
	}
	used := map[use]int64{}
	for _, r := range rows {
		used[useOf(r)] = r.Used
	}
	for _, o := range offers {
		for i := range o.Caps {
			o.Caps[i].Used = used[o.Caps[i].key]
		}
	}
	return nil
}

// Next is what the grant gives for one more act; streak is the length that a check-in would have now.
func (s *Spec) Next(streak int) int64 {
	if s.Kind == Streak {
		return s.reached(int64(streak))
	}
	return s.Amount
}

// Exhausted reports that caps on amounts leave nothing of any grant.
func (o *Offer) Exhausted() bool {
	return len(o.Grants) > 0 && !slices.ContainsFunc(o.Grants, func(g Spec) bool {
		return !slices.ContainsFunc(o.Caps, func(r Room) bool { return r.Account == g.Account && r.Left() == 0 })
	})
}
