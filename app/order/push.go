package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// Pushed is what a push answers.
type Pushed struct {
	Order   model.Order   `json:"order"`
	New     bool          `json:"new"`     // nothing was known of the order
	Applied bool          `json:"applied"` // false: it told nothing new, or what an older version knew
	Grants  []event.Grant `json:"grants"`  // what it earned; negative: what was taken back
}

// Push takes what a platform tells of an order. Any number of pushes of an order, in any sequence and repeated, end in the same: refunds are
// a set by their number, the rest is that of the highest version.
func (s *Service) Push(ctx context.Context, p Push) (*Pushed, error) {
	if err := s.clean(&p); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Pushed, error) {
		set, err := settings(tx)
		if err != nil {
			return Pushed{}, err
		}
		return s.pushTx(ctx, tx, p, set, known{locks: locks{}})
	})
	return &out, err
}

// known is what a transaction knows already of what it is going to push: a batch looks it up at once.
type known struct {
	locks
	absent  map[string]bool // orders that were not there
	members map[int64]buyer // under their locks; who was merged is not in it
}

// buyer is what is known of a member.
type buyer struct {
	joinedAt *time.Time
	watched  bool // some live session
}

// pushTx is Push of what is clean, in the caller's transaction, which holds some locks already.
func (s *Service) pushTx(ctx context.Context, tx *gorm.DB, p Push, set *model.OrderSettings, k known) (out Pushed, err error) {
	if _, ok := k.members[p.MemberID]; p.MemberID != 0 && !ok {
		m, err := member.Get(tx, p.MemberID)
		if err != nil {
			return Pushed{}, err
		}
		p.MemberID = m.ID
	}
	if p.MemberID == 0 && set.MatchPhone && p.PhoneIndex != "" {
		if p.MemberID, err = member.ByPhone(tx, p.PhoneIndex); err != nil {
			return Pushed{}, fmt.Errorf("order: by phone: %w", err)
		}
	}
	d, err := s.look(tx, k, p.Platform, p.No, p.MemberID)
	if err != nil {
		return Pushed{}, err
	}
	if _, ok := k.members[p.MemberID]; p.MemberID != 0 && !ok {
		m, err := k.survivor(tx, p.MemberID)
		if err != nil {
			return Pushed{}, err
		}
		p.MemberID = m.ID
	}
	if d.set = set; d.fresh {
		d.o.MemberID = p.MemberID
	}
	out.Applied, err = d.adopt(&p)
	if errors.Is(err, errThere) { // since the look
		k.absent = nil
		if d, err = s.look(tx, k, p.Platform, p.No, p.MemberID); err != nil {
			return Pushed{}, err
		}
		d.set = set
		out.Applied, err = d.adopt(&p)
	}
	if out.New = d.fresh; err != nil {
		return out, err
	}
	if err := d.own(p.MemberID); err != nil {
		return out, err
	}
	out.Applied = out.Applied || d.o != d.kept
	out.Grants, err = d.settle(ctx)
	out.Order = d.o
	return out, err
}

// deed is one decision about an order, under the locks of its owner and of its row.
type deed struct {
	*Service
	tx    *gorm.DB
	known known
	set   *model.OrderSettings
	now   time.Time
	fresh bool        // the row was not there; until insert it has no id
	kept  model.Order // as the row is
	o     model.Order
	items []model.OrderItem
	told  model.JSON // what its event says, before the deed
	gone  bool       // the owner was erased

	refundedAt time.Time // of the newest refund that the deed added
	refunds    bool      // it made less remain
}

// open takes the locks: of the members first – the owner, who waits for it, and who else – then of the order's row, which it makes where
// there is none.
func (s *Service) open(tx *gorm.DB, platform, no string, other int64) (*deed, error) {
	d, err := s.look(tx, known{locks: locks{}}, platform, no, other)
	if err != nil || !d.fresh {
		return d, err
	}
	if err := d.insert(); !errors.Is(err, errThere) {
		return d, err
	}
	return s.open(tx, platform, no, other)
}

// look is open but for the making of the row, which is left to insert.
func (s *Service) look(tx *gorm.DB, k known, platform, no string, other int64) (*deed, error) {
	d := &deed{Service: s, tx: tx, known: k, now: s.clock.Now()}
	var peek []struct{ Owner, Claimant int64 }
	if !k.absent[orderKey(platform, no)] {
		err := tx.Table("orders").Select("orders.member_id AS owner, COALESCE(c.member_id, 0) AS claimant").
			Joins("LEFT JOIN order_claims AS c ON c.id = orders.claim_id").Where("orders.platform = ? AND orders.no = ?", platform, no).Scan(&peek).Error
		if err != nil {
			return nil, fmt.Errorf("order: open: %w", err)
		}
	}
	ids := []int64{other}
	if len(peek) > 0 {
		ids = append(ids, peek[0].Owner, peek[0].Claimant)
	}
	if err := k.take(tx, ids...); err != nil {
		return nil, err
	}
	if len(peek) > 0 {
		if err := d.read(platform, no); !errors.Is(err, errEmptied) {
			return d, err
		}
	}
	d.fresh = true
	d.o = model.Order{Platform: platform, No: no, CreatedAt: d.now, UpdatedAt: d.now}
	return d, nil
}

func orderKey(platform, no string) string { return platform + " " + no }

// errThere says that the row was made since the look.
var errThere = errors.New("order: the row is there")

// errEmptied says that the row went with its last claim since the look.
var errEmptied = errors.New("order: the row is gone")

// insert makes the row, which locks it.
func (d *deed) insert() error {
	dup, err := db.Insert(d.tx, &d.o)
	if err != nil {
		return fmt.Errorf("order: open: %w", err)
	}
	if dup {
		return errThere
	}
	delete(d.known.absent, orderKey(d.o.Platform, d.o.No))
	d.kept = d.o
	return nil
}

// locks are the members whose locks a transaction holds.
type locks map[int64]bool

// take takes the locks that are missing, ids ascending; who was erased has none.
func (l locks) take(tx *gorm.DB, ids ...int64) error {
	slices.Sort(ids)
	for _, id := range ids {
		if id == 0 || l[id] {
			continue
		}
		if err := member.LockTx(tx, id); err != nil && errs.CodeOf(err) != errs.NotFound {
			return err
		}
		l[id] = true
	}
	return nil
}

// survivor is the member under his lock: who was merged while it was waited for is followed to who he is now.
func (l locks) survivor(tx *gorm.DB, id int64) (*model.Member, error) {
	for {
		if err := l.take(tx, id); err != nil {
			return nil, err
		}
		m, err := member.Get(tx, id)
		if err != nil || m.ID == id {
			return m, err
		}
		id = m.ID
	}
}

// read locks the row and reads the order; who owns it or waits for it by now is locked too.
func (d *deed) read(platform, no string) error {
	if err := d.tx.Exec("UPDATE orders SET locks = locks + 1 WHERE platform = ? AND no = ?", platform, no).Error; err != nil {
		return fmt.Errorf("order: lock: %w", err)
	}
	d.o = model.Order{}
	if err := d.tx.Where("platform = ? AND no = ?", platform, no).Take(&d.o).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return errEmptied
	} else if err != nil {
		return fmt.Errorf("order: read: %w", err)
	}
	d.kept = d.o
	if err := d.known.take(d.tx, d.o.MemberID); err != nil { // since the first look; a deadlock is tried again
		return err
	}
	if err := d.tx.Where("order_id = ?", d.o.ID).Order("line").Find(&d.items).Error; err != nil {
		return fmt.Errorf("order: read: %w", err)
	}
	if d.o.MemberID != 0 {
		var m model.Member
		if err := d.tx.Select("erased_at").Take(&m, d.o.MemberID).Error; err != nil {
			return fmt.Errorf("order: owner: %w", err)
		}
		d.gone = m.ErasedAt != nil
	}
	d.told = d.data()
	return nil
}

// adopt takes over what of the push is new. A fresh row is inserted with it.
func (d *deed) adopt(p *Push) (applied bool, err error) {
	o, known := &d.o, d.o.PaidAt != nil
	before := *o
	head := p.AmountFen != nil && (!known || p.Version >= o.Version)
	if head {
		if known && p.Version == o.Version && p.Version > 0 && (*p.AmountFen != o.AmountFen || !p.PaidAt.Equal(*o.PaidAt)) {
			return false, errs.New(errs.Conflict, "order.version_conflict", "version", p.Version)
		}
		d.adoptHead(p)
	}
	ends := p.Status == model.OrderRefunded || p.Status == model.OrderCancelled
	switch {
	case p.Version > o.EndVersion: // what it says of the end counts alone
		o.EndVersion, o.Ended = p.Version, ""
		if ends {
			o.Ended = p.Status
		}
	case p.Version == o.EndVersion && ends: // an end is not taken back by what came late; of two ends the same stays in any sequence
		o.Ended = min(p.Status, cmpEnd(o.Ended))
	}
	if o.PhoneTail == "" {
		o.PhoneTail = p.PhoneTail
	}
	if o.PhoneIndex == "" {
		o.PhoneIndex = p.PhoneIndex
	}
	if o.Source == "" {
		o.Source = p.Source
	}
	if d.fresh {
		if err := d.insert(); err != nil {
			return false, err
		}
	}
	if head {
		if applied, err = d.adoptItems(p); err != nil {
			return false, err
		}
	}
	if err := d.adoptRefunds(p, known || p.AmountFen != nil); err != nil {
		return false, err
	}
	d.refunds = o.RefundedFen > before.RefundedFen || o.Ended != "" && before.Ended == ""
	return applied || *o != before, nil
}

// cmpEnd is an end that every other is less than, where there is none.
func cmpEnd(ended string) string {
	if ended == "" {
		return "~"
	}
	return ended
}

// adoptHead takes over amount and time.
func (d *deed) adoptHead(p *Push) {
	o, paid := &d.o, p.PaidAt.UTC().Truncate(time.Microsecond)
	if o.PaidAt == nil || !o.PaidAt.Equal(paid) {
		o.PaidAt = &paid
	}
	o.Version, o.AmountFen, o.ShippingFen = p.Version, *p.AmountFen, p.ShippingFen
}

// adoptItems takes over the items.
func (d *deed) adoptItems(p *Push) (applied bool, err error) {
	o := &d.o
	items := make([]model.OrderItem, len(p.Items))
	for i, it := range p.Items {
		items[i] = model.OrderItem{OrderID: o.ID, Line: i + 1, SKU: it.SKU, Product: it.Product, Category: it.Category, Quantity: it.Quantity, AmountFen: it.AmountFen}
	}
	if len(items) == 0 || slices.Equal(items, d.items) {
		return false, nil
	}
	if len(d.items) > 0 {
		err = d.tx.Where("order_id = ?", o.ID).Delete(&model.OrderItem{}).Error
	}
	if err == nil {
		err = d.tx.Create(&items).Error
	}
	if err != nil {
		return false, fmt.Errorf("order: items: %w", err)
	}
	d.items = items
	return true, nil
}

// adoptRefunds adds the refunds that are not there. More than was paid is refused, where that is known.
func (d *deed) adoptRefunds(p *Push, known bool) error {
	was := d.o.RefundedFen
	for i, r := range p.Refunds {
		row := model.OrderRefund{OrderID: d.o.ID, RefundNo: r.No, AmountFen: r.AmountFen, RefundedAt: r.RefundedAt}
		dup, err := db.Insert(d.tx, &row)
		if err != nil {
			return fmt.Errorf("order: refund: %w", err)
		}
		if dup {
			if err := d.sameRefund(r); err != nil {
				return err
			}
			continue
		}
		if d.o.RefundedFen += r.AmountFen; known && d.o.RefundedFen > d.o.AmountFen && was <= d.o.AmountFen {
			return errs.Field(fmt.Sprintf("refunds[%d].amount_fen", i), "order.over_refund", "limit", d.o.AmountFen-d.o.RefundedFen+r.AmountFen)
		}
		if r.RefundedAt.After(d.refundedAt) {
			d.refundedAt = r.RefundedAt
		}
	}
	if known && d.o.RefundedFen > d.o.AmountFen {
		return risk.AddTx(d.tx, model.Risk{
			Kind: model.RiskOverRefund, Subject: subject(d.o.ID), MemberID: d.o.MemberID, At: d.now,
			Data: model.ToJSON(map[string]any{"platform": d.o.Platform, "order_no": d.o.No, "paid_fen": d.o.AmountFen, "refunded_fen": d.o.RefundedFen}),
		})
	}
	return nil
}

func (d *deed) sameRefund(r Refund) error {
	var old model.OrderRefund
	err := d.tx.Where("order_id = ? AND refund_no = ?", d.o.ID, r.No).Take(&old).Error
	if err == nil && old.AmountFen != r.AmountFen {
		return errs.New(errs.Conflict, "order.refund_conflict", "refund_no", r.No, "amount_fen", old.AmountFen)
	}
	return err
}

func subject(id int64) string { return fmt.Sprintf("order:%d", id) }

// own gives the order to whom it belongs: who owns it keeps it; then whom the push names, who waits for it with a claim.
func (d *deed) own(named int64) error {
	o := &d.o
	if o.MemberID != 0 {
		if named != 0 && named != o.MemberID {
			return d.taken(o.MemberID)
		}
		return nil
	}
	c, err := d.waiting()
	if err != nil {
		return err
	}
	switch {
	case c != nil && o.PaidAt != nil && (named == 0 || named == c.MemberID):
		if _, err := d.finish(c); err != nil {
			return err
		}
	case c != nil && named != 0 && named != c.MemberID:
		if err := d.refuse(c, errs.AlreadyClaimed); err != nil {
			return err
		}
		if err := d.taken(c.MemberID); err != nil {
			return err
		}
	}
	if o.MemberID == 0 && named != 0 {
		d.give(named)
	}
	return nil
}

func (d *deed) give(memberID int64) { d.o.MemberID = memberID }

// taken puts on the risk list that a member claimed what is another's.
func (d *deed) taken(memberID int64) error {
	return risk.AddTx(d.tx, model.Risk{
		Kind: model.RiskClaimTaken, Subject: subject(d.o.ID), MemberID: memberID, At: d.now,
		Data: model.ToJSON(map[string]any{"platform": d.o.Platform, "order_no": d.o.No}),
	})
}

var errVanished = errors.New("order: the claim of an order is not there")
