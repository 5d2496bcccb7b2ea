package broadcast

import (
	"context"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Wanted is a subscribe template that a broadcast will send with.
type Wanted struct {
	Account    string // mini-program; "" = the default one
	TemplateID string
	Class      string
	NextAt     *time.Time // nil = by hand
}

// wantedFrom is how many broadcasts are looked at, the next to fire first.
const wantedFrom = 50

// Wanted lists the templates of the broadcasts to come, one for each broadcast.
func (s *Service) Wanted(ctx context.Context) ([]Wanted, error) {
	var rows []model.Broadcast
	err := s.db.Reader(ctx).Select("class", "message", "next_at").Where("state = ?", model.BroadcastActive).
		Order("next_at IS NULL, next_at, id DESC").Limit(wantedFrom).Find(&rows).Error
	if err != nil {
		return nil, wrap("wanted", err)
	}
	var all []Wanted
	for _, b := range rows {
		var m reach.Message
		if err := b.Message.Into(&m); err != nil {
			return nil, wrap("wanted", err)
		}
		if m.Subscribe != nil && slices.Contains(m.Channels, reach.Subscribe) {
			all = append(all, Wanted{m.Subscribe.Account, m.Subscribe.TemplateID, b.Class, b.NextAt})
		}
	}
	return all, nil
}
