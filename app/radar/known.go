package radar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Known notes that a member who logged in is the visitor of a browser: what that did until now was he. A visitor who is known already, and
// a token that is none, change nothing.
func (s *Service) Known(ctx context.Context, memberID int64, visitor string) error {
	id := s.id(visitor, visitorToken)
	if id == 0 {
		return nil
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		now := s.Clock.Now()
		memberID, err := s.Members.ActTx(tx, memberID, now, false)
		if err != nil {
			return err
		}
		return s.knownTx(ctx, tx, id, memberID, now)
	})
}

// knownTx makes the visitor the member, whose lock the caller holds. The events of what he did come at their own instants.
func (s *Service) knownTx(ctx context.Context, tx *gorm.DB, visitorID, memberID int64, now time.Time) error {
	if err := lockVisitor(tx, visitorID); errors.Is(err, errMoved) {
		return nil // he is known
	} else if err != nil {
		return err
	}
	var views []model.RadarView
	var shares []model.RadarShare
	his := func() *gorm.DB { return tx.Where("visitor_id = ? AND member_id = 0", visitorID) }
	if err := his().Order("id").Find(&views).Error; err != nil {
		return fmt.Errorf("radar: known: %w", err)
	}
	if err := his().Where("parent_id > 0").Order("id").Find(&shares).Error; err != nil {
		return fmt.Errorf("radar: known: %w", err)
	}
	for _, change := range []*gorm.DB{
		tx.Model(&model.RadarVisitor{}).Where("id = ?", visitorID).Update("member_id", memberID),
		his().Model(&model.RadarView{}).Update("member_id", memberID),
		his().Model(&model.RadarShare{}).Where("parent_id > 0").Update("member_id", memberID),
	} {
		if change.Error != nil {
			return fmt.Errorf("radar: known: %w", change.Error)
		}
	}
	links, readers := map[int64]*model.RadarLink{}, map[int64]*model.RadarReader{}
	for i := range views {
		v := &views[i]
		v.MemberID = memberID
		if links[v.LinkID] == nil {
			var err error
			if links[v.LinkID], err = link(tx, v.LinkID); err != nil {
				return err
			}
			if readers[v.LinkID], err = reader(tx, v.LinkID, memberID); err != nil {
				return err
			}
		}
		l, r := links[v.LinkID], readers[v.LinkID]
		r.Seconds, r.Forwards = r.Seconds+v.Seconds, r.Forwards+v.Forwards
		if _, err := s.openedTx(ctx, tx, l, r, v); err != nil {
			return err
		}
	}
	for i := range shares {
		shares[i].MemberID = memberID
		if err := s.forwardedTx(ctx, tx, links[shares[i].LinkID], &shares[i]); err != nil {
			return err
		}
	}
	for _, v := range views { // in their order, each link once
		l, r := links[v.LinkID], readers[v.LinkID]
		if l == nil {
			continue
		}
		delete(links, v.LinkID)
		if _, err := s.gradeTx(ctx, tx, l, r, l.Grade(r.Seconds, r.Forwards), now); err != nil {
			return err
		}
	}
	return nil
}
