package community

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// The proofs of having taken part.
const (
	ByEnter = "enter" // he opened the mini-program from the group
	ByWord  = "word"  // he typed the word of the day
	ByPush  = "push"  // another system saw it
)

// Interacted is what a proof answers.
type Interacted struct {
	GroupID int64         `json:"group_id,string"`
	Group   string        `json:"group"` // its name
	Day     model.Day     `json:"day"`
	Via     string        `json:"via"`
	New     bool          `json:"new"` // false: this proof was counted today
	Grants  []event.Grant `json:"grants"`
	Wrong   int           `json:"wrong"` // words guessed wrong today, this one included; 0 where it was right
}

// source numbers the events by the row of the interaction.
const source = "community"

// interactTx counts a proof once per member, group and day; key tells proofs of one kind apart. The caller holds the member's lock.
func (s *Service) interactTx(ctx context.Context, tx *gorm.DB, memberID int64, g *model.CommunityGroup, via, key string, at time.Time) (Interacted, error) {
	r := Interacted{GroupID: g.ID, Group: g.Name, Day: s.zone.DayOf(at), Via: via}
	known, err := db.Insert(tx, &model.GroupMember{GroupID: g.ID, MemberID: memberID, Via: via, JoinedAt: at})
	if err == nil && !known {
		err = member.ChangedTx(tx, memberID)
	}
	if err != nil {
		return r, fmt.Errorf("community: join: %w", err)
	}
	row := &model.Interaction{MemberID: memberID, GroupID: g.ID, Day: r.Day, Proof: via + key, At: at}
	dup, err := db.Insert(tx, row)
	if err != nil || dup {
		return r, err
	}
	r.New = true
	ev := &model.Event{
		MemberID: memberID, Kind: model.EventGroup, Source: source, Key: fmt.Sprint(row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"group_id": fmt.Sprint(g.ID), "group": g.Name, "via": via, "day": r.Day}),
	}
	if r.Grants, err = s.events.RecordTx(ctx, tx, ev); err != nil {
		return r, err
	}
	return r, tx.Model(row).Update("event_id", ev.ID).Error
}

// Talk is the action of a behaviour that counts as taking part: its data name the group, by id or by name.
const Talk = "group.talk"

// Follow is the event follower: what another system saw in a group counts there. Before he registers it does not.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if ev.Kind != model.EventBehavior+"."+Talk {
		return nil, nil
	}
	g, err := named(tx, condition.DataFields(ev.Data)["group"])
	if err != nil || g == nil {
		return nil, err
	}
	m, err := member.Get(tx, ev.MemberID)
	if err != nil || m.JoinedAt == nil || ev.OccurredAt.Before(m.JoinedAt.Truncate(time.Second)) {
		return nil, err
	}
	r, err := s.interactTx(ctx, tx, m.ID, g, ByPush, fmt.Sprint(":", ev.ID), ev.OccurredAt)
	return r.Grants, err
}

// named finds the enabled group that another system names; nil if there is none.
func named(tx *gorm.DB, name any) (*model.CommunityGroup, error) {
	text := fmt.Sprint(name)
	if name == nil || text == "" {
		return nil, nil
	}
	id, _ := strconv.ParseInt(text, 10, 64)
	var rows []model.CommunityGroup
	err := tx.Where("enabled = ? AND (id = ? OR name = ?)", true, id, text).Order("id").Limit(2).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if len(rows) == 2 && rows[1].Name == text { // its name is another's id
		return &rows[1], nil
	}
	return &rows[0], nil
}
