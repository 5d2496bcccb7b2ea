package radar

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Who can be listed, beside the grades.
const (
	Delivered  = "delivered"
	Unopened   = "unopened" // delivered to him, and he has never opened it
	Opened     = "opened"
	Forwarders = "forwarders"
	Visitors   = "visitors" // who came by what another held
)

// Groups are all lists of people.
func Groups() []string {
	return []string{Delivered, Unopened, Opened, Forwarders, Visitors, model.RadarHigh, model.RadarMedium, model.RadarLow}
}

// Person is a member, or a visitor, with what he did with a link.
type Person struct {
	Key                      int64 // of the page: those of the next are greater
	MemberID, VisitorID      int64 // one of them is 0
	Name                     string
	FromMember, FromVisitor  int64 // of a visitor: through whom he came first
	FromName                 string
	SentAt, LastAt           *time.Time
	Opens, Seconds, Forwards int64
	Grade                    string
}

// People lists who stands behind a number of a link, after the last key of the page before.
func (s *Service) People(ctx context.Context, linkID int64, group string, after int64, limit int) (rows []Person, err error) {
	tx := s.DB.Reader(ctx)
	if _, err := link(tx, linkID); err != nil {
		return nil, err
	}
	if group == Visitors {
		rows, err = visitors(tx, linkID, after, limit)
	} else {
		rows, err = readers(tx, linkID, group, after, limit)
	}
	if err != nil {
		return nil, err
	}
	ids := make([]int64, 0, 2*len(rows))
	for _, r := range rows {
		ids = append(ids, r.MemberID, r.FromMember)
	}
	names, err := namesOf(tx, ids)
	for i, r := range rows {
		rows[i].Name, rows[i].FromName = names[r.MemberID], names[r.FromMember]
	}
	return rows, err
}

// namesOf is how operators read members: by nickname, else by number.
func namesOf(tx *gorm.DB, ids []int64) (map[int64]string, error) {
	var members []model.Member
	if err := tx.Select("id", "no", "nickname").Where("id IN ?", ids).Find(&members).Error; err != nil {
		return nil, fmt.Errorf("radar: names: %w", err)
	}
	names := map[int64]string{}
	for _, m := range members {
		if names[m.ID] = m.Nickname; m.Nickname == "" {
			names[m.ID] = m.No
		}
	}
	return names, nil
}

func readers(tx *gorm.DB, linkID int64, group string, after int64, limit int) (rows []Person, err error) {
	const delivered = "m.id IN (SELECT member_id FROM radar_sends WHERE link_id = ?)"
	q := tx.Table("members AS m").Joins("LEFT JOIN radar_readers AS r ON r.member_id = m.id AND r.link_id = ?", linkID)
	switch group {
	case Delivered:
		q = q.Where(delivered, linkID)
	case Unopened:
		q = q.Where(delivered+" AND COALESCE(r.opens, 0) = 0", linkID)
	case Opened:
		q = q.Where("r.opens > 0")
	case Forwarders:
		q = q.Where("r.forwards > 0")
	case model.RadarHigh, model.RadarMedium, model.RadarLow:
		q = q.Where("r.grade = ?", group)
	default:
		return nil, errs.Field("of", "radar.group")
	}
	err = q.Select("m.id AS `key`, m.id AS member_id, r.last_at, COALESCE(r.opens, 0) AS opens, COALESCE(r.seconds, 0) AS seconds, "+
		"COALESCE(r.forwards, 0) AS forwards, COALESCE(r.grade, '') AS grade").
		Where("m.id > ?", after).Order("m.id").Limit(limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("radar: people: %w", err)
	}
	ids, at := make([]int64, len(rows)), map[int64]*Person{}
	for i := range rows {
		ids[i], at[rows[i].MemberID] = rows[i].MemberID, &rows[i]
	}
	var sends []model.RadarSend
	if err := tx.Where("link_id = ? AND member_id IN ?", linkID, ids).Order("at DESC").Find(&sends).Error; err != nil {
		return nil, fmt.Errorf("radar: people: %w", err)
	}
	for _, d := range sends {
		at[d.MemberID].SentAt = &d.At // the first one stays
	}
	return rows, nil
}

// visitors are listed by their first opening.
func visitors(tx *gorm.DB, linkID, after int64, limit int) ([]Person, error) {
	var firsts []int64
	err := visits(tx, "v.link_id = ?", linkID).Select("MIN(v.id) AS id").Group(person).Having("MIN(v.id) > ?", after).Order("id").Limit(limit).Pluck("id", &firsts).Error
	if err != nil {
		return nil, fmt.Errorf("radar: visitors: %w", err)
	}
	out := make([]Person, len(firsts))
	for i, id := range firsts {
		var v model.RadarView
		var from model.RadarShare
		if err := tx.Take(&v, id).Error; err != nil {
			return nil, fmt.Errorf("radar: visitors: %w", err)
		}
		if err := tx.Take(&from, v.ShareID).Error; err != nil {
			return nil, fmt.Errorf("radar: visitors: %w", err)
		}
		p := &out[i]
		p.Key, p.MemberID, p.FromMember = id, v.MemberID, from.MemberID
		if from.MemberID == 0 {
			p.FromVisitor = from.VisitorID
		}
		his := tx.Where("link_id = ? AND member_id = ?", linkID, v.MemberID)
		if v.MemberID == 0 {
			p.VisitorID = v.VisitorID
			his = his.Where("visitor_id = ?", v.VisitorID)
		}
		var all []model.RadarView
		if err := his.Order("id").Find(&all).Error; err != nil {
			return nil, fmt.Errorf("radar: visitors: %w", err)
		}
		for _, one := range all {
			p.Opens, p.Seconds, p.Forwards, p.LastAt = p.Opens+1, p.Seconds+one.Seconds, p.Forwards+one.Forwards, &one.OpenedAt
		}
	}
	return out, nil
}

// Node is a share of the tree of forwards: what was sent to somebody, or what somebody forwarded, and who came by it.
type Node struct {
	ID, ParentID             int64 // ParentID 0: it was sent
	Depth                    int
	MemberID, VisitorID      int64 // whose it is; one of them is 0
	Name                     string
	At                       time.Time
	Visitors, Opens, Seconds int64 // of those who came by it
}

// maxTree bounds how many shares of a link are looked at, the newest.
const maxTree = 2000

// Tree is the forwards of a link, each below the one by which its maker came. What was sent is in it where somebody else came by it.
func (s *Service) Tree(ctx context.Context, linkID int64) ([]Node, error) {
	tx := s.DB.Reader(ctx)
	if _, err := link(tx, linkID); err != nil {
		return nil, err
	}
	var shares []model.RadarShare
	if err := tx.Where("link_id = ?", linkID).Order("id DESC").Limit(maxTree).Find(&shares).Error; err != nil {
		return nil, fmt.Errorf("radar: tree: %w", err)
	}
	nodes, kids, ids := map[int64]*Node{}, map[int64][]*Node{}, []int64{}
	for i := len(shares) - 1; i >= 0; i-- {
		sh := shares[i]
		n := &Node{ID: sh.ID, ParentID: sh.ParentID, MemberID: sh.MemberID, At: sh.At}
		if sh.MemberID == 0 {
			n.VisitorID = sh.VisitorID
		}
		parent := sh.ParentID
		if nodes[parent] == nil {
			parent = 0
		}
		nodes[sh.ID], kids[parent], ids = n, append(kids[parent], n), append(ids, sh.MemberID)
	}
	var sums []struct{ ShareID, Visitors, Opens, Seconds int64 }
	err := visits(tx, "v.link_id = ?", linkID).Select("v.share_id, COUNT(DISTINCT " + person + ") AS visitors, COUNT(*) AS opens, SUM(v.seconds) AS seconds").
		Group("v.share_id").Scan(&sums).Error
	if err != nil {
		return nil, fmt.Errorf("radar: tree: %w", err)
	}
	for _, n := range sums {
		if node := nodes[n.ShareID]; node != nil {
			node.Visitors, node.Opens, node.Seconds = n.Visitors, n.Opens, n.Seconds
		}
	}
	names, err := namesOf(tx, ids)
	var out []Node
	var walk func(n *Node, depth int)
	walk = func(n *Node, depth int) {
		n.Depth, n.Name = depth, names[n.MemberID]
		out = append(out, *n)
		for _, kid := range kids[n.ID] {
			walk(kid, depth+1)
		}
	}
	for _, root := range kids[0] {
		if root.ParentID > 0 || root.Visitors > 0 || len(kids[root.ID]) > 0 {
			walk(root, 0)
		}
	}
	return out, err
}
