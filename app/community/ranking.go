package community

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Question is which ranking is asked for.
type Question struct {
	GroupID int64
	Period  string    // day | week (from Monday)
	By      string    // interactions | points
	Day     model.Day // a day of the period; "" = today
}

// Rank is a line of a ranking. The more the better; of equals the one who got there first. So no two share a place.
type Rank struct {
	Place    int
	MemberID int64
	Score    int64
	Latest   int64 // the interaction that made the score
	No       string
	Nickname string
}

// Ranking reads a whole ranking. A WeChat group has at most 500 people, so pages are cut from it.
func (s *Service) Ranking(ctx context.Context, q Question) ([]Rank, error) {
	tx := s.db.Reader(ctx)
	if _, err := get(tx, q.GroupID); err != nil {
		return nil, err
	}
	from, to, err := s.period(q)
	if err != nil {
		return nil, err
	}
	find := tx.Table("interactions i").Joins("JOIN members m ON m.id = i.member_id").
		Where("i.group_id = ? AND i.day >= ? AND i.day < ?", q.GroupID, from, to).Group("i.member_id, m.no, m.nickname")
	switch q.By {
	case "", "interactions":
		find = find.Select("i.member_id, m.no, m.nickname, COUNT(*) AS score, MAX(i.id) AS latest")
	case "points":
		find = find.Joins("JOIN entries e ON e.event_id = i.event_id AND e.account = ? AND e.kind IN ?", model.AccountPoints, []string{model.EntryEarn, model.EntryReverse}).
			Select("i.member_id, m.no, m.nickname, SUM(e.delta) AS score, MAX(i.id) AS latest").Having("SUM(e.delta) > 0")
	default:
		return nil, errs.Field("by", "community.by")
	}
	var rows []Rank
	if err := find.Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("community: ranking: %w", err)
	}
	slices.SortFunc(rows, compare)
	for i := range rows {
		rows[i].Place = i + 1
	}
	return rows, nil
}

// compare orders a ranking: that of all its pages.
func compare(a, b Rank) int {
	return cmp.Or(-cmp.Compare(a.Score, b.Score), cmp.Compare(a.Latest, b.Latest))
}

func (s *Service) period(q Question) (from, to model.Day, err error) {
	from = q.Day
	if from == "" {
		from = s.today()
	}
	switch q.Period {
	case "", "day":
		return from, from.Add(1), nil
	case "week":
		monday := from.Add(-(int(from.Time().Weekday()) + 6) % 7)
		return monday, monday.Add(7), nil
	}
	return "", "", errs.Field("period", "community.period")
}

// Behind are the lines of a ranking behind one that was shown.
func Behind(rows []Rank, shown Rank) []Rank {
	for i, r := range rows {
		if compare(r, shown) > 0 {
			return rows[i:]
		}
	}
	return nil
}
