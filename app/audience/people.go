package audience

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// Wanted filters the list of people.
type Wanted struct {
	Search  string // in full a number, a phone number, an openid or a unionid, else a part of the nickname
	TagID   int64
	Joined  *bool
	Among   *roaring.Bitmap // nil = everybody
	AfterID int64           // keyset: ids below it, newest first; 0 = from the newest
	Limit   int
}

// People reads one page of the people wanted, newest first, and how many there are on all pages.
func (s *Service) People(ctx context.Context, w Wanted) (rows []model.Member, total int64, err error) {
	var t condition.Tree
	if w.Joined != nil {
		t = condition.Is("member", map[string]any{"field": "joined", "value": *w.Joined})
	}
	found, _, err := s.Now(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	if w.Among != nil {
		found.And(w.Among)
	}
	if w.TagID > 0 {
		found = s.index.Among(found, "tag", []int64{w.TagID})
	}
	if w.Search != "" {
		who, err := s.people.Known(ctx, w.Search)
		if err != nil {
			return nil, 0, err
		}
		if who.IsEmpty() {
			if who, err = s.index.named(ctx, w.Search); err != nil {
				return nil, 0, err
			}
		}
		found.And(who)
	}
	total = int64(found.GetCardinality()) //nolint:gosec // ids fit 32 bits
	if w.AfterID > 0 {
		found.RemoveRange(uint64(w.AfterID), 1<<32)
	}
	ids := make([]uint32, 0, min(max(w.Limit, 1), 200))
	for it := found.ReverseIterator(); it.HasNext() && len(ids) < cap(ids); {
		ids = append(ids, it.Next())
	}
	if len(ids) > 0 {
		err = wrap("people", s.db.Reader(ctx).Order("id DESC").Find(&rows, ids).Error)
	}
	return rows, total, err
}
