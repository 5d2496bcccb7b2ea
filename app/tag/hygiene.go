package tag

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/siyu-scrm/siyu/model"
)

const (
	deadDays   = 90 // without a member
	crowdedBy  = 30 // more tags than that are too many to mean anything
	maxCrowded = 100
)

// Hygiene is what an operator should tidy up.
type Hygiene struct {
	Dead       []View    // held by nobody for 90 days
	Duplicates [][]View  // of one name, but for case and spaces
	Crowded    []Crowded // members with more than 30 tags, the most first; at most a hundred of them
	CrowdedAll int64     // how many there are
}

// Crowded is a member with many tags.
type Crowded struct {
	MemberID int64
	Tags     int64
}

// Hygiene looks at all tags (PLAYBOOKS P01-F).
func (s *Service) Hygiene(ctx context.Context) (*Hygiene, error) {
	tx, out := s.db.Reader(ctx), &Hygiene{}
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	since := s.clock.Now().AddDate(0, 0, -deadDays)
	byName := map[string][]View{}
	var names []string
	for _, t := range all {
		name := strings.ToLower(strings.Join(strings.Fields(t.Name), ""))
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], t)
		if t.Holders > 0 || t.CreatedAt.After(since) {
			continue
		}
		var recent int64
		if err := tx.Model(&model.TagChange{}).Where("tag_id = ? AND at > ?", t.ID, since).Limit(1).Count(&recent).Error; err != nil {
			return nil, fmt.Errorf("tag: hygiene: %w", err)
		}
		if recent == 0 {
			out.Dead = append(out.Dead, t)
		}
	}
	for _, name := range names {
		if same := byName[name]; len(same) > 1 {
			out.Duplicates = append(out.Duplicates, same)
		}
	}
	many, err := s.Crowded(ctx, crowdedBy)
	if err != nil {
		return nil, err
	}
	out.CrowdedAll = int64(len(many))
	for id, n := range many {
		out.Crowded = append(out.Crowded, Crowded{id, n})
	}
	slices.SortFunc(out.Crowded, func(a, b Crowded) int {
		return cmp.Or(cmp.Compare(b.Tags, a.Tags), cmp.Compare(a.MemberID, b.MemberID))
	})
	out.Crowded = out.Crowded[:min(len(out.Crowded), maxCrowded)]
	return out, nil
}
