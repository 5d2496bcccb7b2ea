package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// page is the work on some members' books within one transaction: balances and open lots as they are after the lines so far, and
// the lines that are not written yet.
type page struct {
	tx      *gorm.DB
	now     time.Time
	sheets  map[owner]*sheet
	lines   []*line
	changed map[owner]Change
}

type owner struct {
	member int64
	code   string
}

// sheet is one member's account.
type sheet struct {
	model.Balance
	was    was   // in the database
	stored int64 // Seq of the row in the database; 0 = no row yet
	loaded bool  // lots holds every open lot
	some   bool  // lots holds the earliest-expiring of them, and there is no other kind
	lots   []*lot
	made   int // lots of unwritten lines: they have no id yet
}

// lot is an open lot and what the database holds of it.
type lot struct {
	model.Lot
	remaining int64
	active    bool
	expires   *time.Time
}

// line is an entry and what it does to lots.
type line struct {
	entry   model.Entry
	made    []*model.Lot
	moves   []model.LotMove
	written bool
}

// newPage reads the balances of the members in the accounts; no codes means all of them.
func newPage(tx *gorm.DB, now time.Time, members []int64, codes ...string) (*page, error) {
	p := &page{tx: tx, now: micro(now), sheets: map[owner]*sheet{}}
	q := tx.Where("member_id IN ?", members)
	if len(codes) > 0 {
		q = q.Where("account IN ?", codes)
	}
	var rows []model.Balance
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: read balances: %w", err)
	}
	for _, r := range rows {
		p.sheets[owner{r.MemberID, r.Account}] = &sheet{Balance: r, was: wasOf(r), stored: r.Seq}
	}
	return p, nil
}

// sheet is the member's account, empty if he never held anything in it.
func (p *page) sheet(member int64, code string) *sheet {
	k := owner{member, code}
	if p.sheets[k] == nil {
		p.sheets[k] = &sheet{Balance: model.Balance{MemberID: member, Account: code}, loaded: true}
	}
	return p.sheets[k]
}

// sorted is every sheet, by member and code: the order of all writing.
func (p *page) sorted() []*sheet {
	all := make([]*sheet, 0, len(p.sheets))
	for _, s := range p.sheets {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *sheet) int {
		return cmp.Or(cmp.Compare(a.MemberID, b.MemberID), cmp.Compare(a.Account, b.Account))
	})
	return all
}

// lots reads the open lots of the sheets that lack them, one statement per account. Lines that made lots there are written first, so
// that every lot has its id.
func (p *page) lots(sheets ...*sheet) error {
	for _, s := range sheets {
		if s.made > 0 || s.some {
			if err := p.write(); err != nil {
				return err
			}
		}
	}
	missing := map[string][]int64{}
	for _, s := range sheets {
		if !s.loaded {
			missing[s.Account] = append(missing[s.Account], s.MemberID)
			s.loaded, s.some, s.lots = true, false, nil
		}
	}
	for code, members := range missing {
		var rows []model.Lot
		err := p.tx.Where("member_id IN ? AND account = ? AND open = ?", members, code, true).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("ledger: read lots: %w", err)
		}
		for _, r := range rows {
			p.sheets[owner{r.MemberID, code}].hold(r)
		}
	}
	for _, s := range sheets {
		s.sort()
	}
	return nil
}

// few is how many open lots a spending looks at before it reads them all.
const few = 32

// enough reads as many open lots as taking amount needs, and what remains of the last: what a member holds beside them costs a spending nothing.
// Where lots wait, or never expire beside others that do, it reads them all.
func (p *page) enough(s *sheet, amount int64) error {
	if s.loaded || s.some && !s.covered(amount) || s.made > 0 || amount >= s.Available {
		return p.lots(s)
	}
	if s.some {
		return nil
	}
	var rows []model.Lot // those that wait come first, then those that never expire
	err := p.tx.Where("member_id = ? AND account = ? AND open = ?", s.MemberID, s.Account, true).
		Order("active, expires_at, id").Limit(few).Find(&rows).Error
	if err != nil {
		return fmt.Errorf("ledger: read lots: %w", err)
	}
	for _, r := range rows {
		s.hold(r)
	}
	s.loaded = len(rows) < few
	s.some = !s.loaded && rows[0].Active && (rows[0].ExpiresAt != nil || s.NextDueAt == nil)
	s.sort()
	if s.loaded || s.some && s.covered(amount) {
		return nil
	}
	s.lots = nil
	return p.lots(s)
}

// covered reports whether the lots in memory hold more than amount.
func (s *sheet) covered(amount int64) bool {
	for _, l := range s.lots {
		if l.Active {
			amount -= l.Remaining
		}
	}
	return amount < 0
}

func (s *sheet) hold(r model.Lot) *lot {
	l := &lot{Lot: r, remaining: r.Remaining, active: r.Active, expires: r.ExpiresAt}
	s.lots = append(s.lots, l)
	return l
}

// sort puts the earliest-expiring lot first.
func (s *sheet) sort() {
	slices.SortFunc(s.lots, func(a, b *lot) int {
		return cmp.Or(compareExpiry(a.ExpiresAt, b.ExpiresAt), cmp.Compare(a.ID, b.ID))
	})
}

func compareExpiry(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

func (s *sheet) debt() int64 { return max(0, -s.Available) }

// take takes up to amount from the active lots, those that stem from the lot own first, then the earliest-expiring.
func (s *sheet) take(amount, own int64) []model.LotMove {
	var moves []model.LotMove
	for _, wantOwn := range []bool{true, false} {
		for _, l := range s.lots {
			isOwn := own != 0 && (l.ID == own || l.OriginID == own)
			if amount > 0 && l.Active && isOwn == wantOwn && l.Remaining > 0 {
				n := min(amount, l.Remaining)
				moves = append(moves, l.move(-n))
				amount -= n
			}
		}
	}
	return moves
}

func (l *lot) move(delta int64) model.LotMove {
	l.Remaining += delta
	l.Open = l.Remaining > 0
	return model.LotMove{LotID: l.ID, Delta: delta}
}

// put adds a line that puts e.Delta into the account: it repays the debt first, the rest is a lot like t.
func (p *page) put(s *sheet, e model.Entry, t model.Lot) (*line, error) {
	return p.add(s, e, nil, s.make(t, s.afterDebt(e))...)
}

// afterDebt is what a line that adds to the account leaves when the debt is repaid.
func (s *sheet) afterDebt(e model.Entry) int64 {
	if e.Bucket != model.BucketAvailable {
		return e.Delta
	}
	return e.Delta - min(e.Delta, s.debt())
}

// make is a new lot of the sheet like t that holds amount; none for nothing.
func (s *sheet) make(t model.Lot, amount int64) []*model.Lot {
	if amount == 0 {
		return nil
	}
	t.ID, t.MemberID, t.Account, t.Open = 0, s.MemberID, s.Account, true
	t.Amount, t.Remaining = amount, amount
	if t.Sliding() {
		t.BornUntil = t.ExpiresAt
	}
	return []*model.Lot{&t}
}

// add adds a line whose moves are already done to the lots, and asserts that it is balanced.
func (p *page) add(s *sheet, e model.Entry, moves []model.LotMove, made ...*model.Lot) (*line, error) {
	before := s.debt()
	s.Seq++
	s.Lifetime += e.Lifetime
	e.MemberID, e.Account, e.Seq, e.RecordedAt = s.MemberID, s.Account, s.Seq, p.now
	bucket := bucketOf(&s.Balance, e.Bucket)
	*bucket += e.Delta
	e.Balance = *bucket
	if beyond(e.Balance) || beyond(s.Lifetime) {
		return nil, errs.Field("amount", "ledger.overflow", "limit", int64(maxValue))
	}
	slices.SortFunc(moves, func(a, b model.LotMove) int { return cmp.Compare(a.LotID, b.LotID) })
	l := &line{entry: e, made: made, moves: moves}
	got := l.inLots() - (s.debt() - before)
	if e.Bucket == model.BucketHeld { // what is held is in no lot
		got += e.Delta
	}
	if got != e.Delta {
		return nil, fmt.Errorf("ledger: member %d, %s: a line of %d moves %d", s.MemberID, s.Account, e.Delta, got)
	}
	s.made += len(made)
	p.lines = append(p.lines, l)
	return l, nil
}

// bucketOf is the balance of a bucket.
func bucketOf(b *model.Balance, name string) *int64 {
	switch name {
	case model.BucketPending:
		return &b.Pending
	case model.BucketHeld:
		return &b.Held
	}
	return &b.Available
}

// inLots is what the line changes in lots.
func (l *line) inLots() (sum int64) {
	for _, m := range l.moves {
		sum += m.Delta
	}
	for _, m := range l.made {
		sum += m.Amount
	}
	return sum
}

func beyond(n int64) bool { return n > maxValue || n < -maxValue }
