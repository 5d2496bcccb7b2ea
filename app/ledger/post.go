package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Posting is one change that a caller asks for.
type Posting struct {
	MemberID    int64
	Account     string
	Amount      int64      // above 0 earns, below 0 spends
	Kind        string     // earn, spend or, with a negative amount, reverse: takes back what was granted; "" = by the sign
	Reason      string     // locale key or reason code
	Note        string     // what was cut, and by what: DAILY_CAP
	Memo        string     // an operator's words
	Actor       string     // who did it by hand
	RuleID      int64      // 0 = none
	RuleVersion int        // of RuleID
	Bonus       bool       // a multiplier's part, beside the base line
	EventID     int64      // the event that caused it; 0 = none
	OccurredAt  time.Time  // zero = now
	ActivatesAt *time.Time // pending until then; nil = at once
	ExpiresAt   *time.Time // nil = by the account's policy, from OccurredAt
	Key         string     // unique for ever: a repeat returns the first entry
	AllowDebt   bool       // a negative amount may take more than there is
}

// PostTx writes the member's due lines and then the posting. The caller holds the member's lock.
//
// The same key with the same input returns the first entry; with another input it is errs.Conflict. Taking more than is usable now
// is errs.Insufficient, or errs.PointsDebt while the balance is negative, unless AllowDebt; both carry short_by. An earning
// repays debt first. Spending in an account that only qualifies, and amounts or balances beyond 10^15, are errs.Invalid.
func (b *Book) PostTx(ctx context.Context, tx *gorm.DB, p Posting) (*model.Entry, error) {
	es, err := b.PostAllTx(ctx, tx, []Posting{p})
	if err != nil {
		return nil, err
	}
	return &es[0], nil
}

// PostAllTx is PostTx for several postings, in their order, all or nothing, with few statements. The entries come back in the
// same order.
func (b *Book) PostAllTx(ctx context.Context, tx *gorm.DB, ps []Posting) ([]model.Entry, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	j, err := newJob(b, tx, ps)
	if err != nil {
		return nil, err
	}
	err = j.run()
	if err != nil && (errors.Is(err, errTaken) || errs.CodeOf(err) != "") { // some may be repeats: do the others
		found, e := j.findRepeats()
		switch {
		case e != nil:
			return nil, e
		case !found:
			return nil, err
		}
		err = j.run()
	}
	if err != nil {
		return nil, err
	}
	return j.done, b.tell(ctx, tx, j.pages...)
}

// job is a list of postings on its way into the books.
type job struct {
	book     *Book
	tx       *gorm.DB
	now      time.Time
	ps       []Posting
	hashes   []string
	policies map[string]model.Account
	lines    []*line       // by posting; nil = not planned, or a repeat
	done     []model.Entry // by posting
	pages    []*page       // of the attempts
}

func newJob(b *Book, tx *gorm.DB, ps []Posting) (*job, error) {
	j := &job{
		book: b, tx: tx, now: b.clock.Now(), ps: slices.Clone(ps), hashes: make([]string, len(ps)),
		lines: make([]*line, len(ps)), done: make([]model.Entry, len(ps)),
	}
	keys := map[string]bool{}
	var codes []string
	for i := range j.ps {
		p := &j.ps[i]
		if err := p.check(); err != nil {
			return nil, err
		}
		if keys[p.Key] {
			return nil, errs.New(errs.Conflict, "ledger.key_reused", "key", p.Key)
		}
		keys[p.Key] = true
		j.hashes[i] = inputHash(*p)
		if p.OccurredAt.IsZero() {
			p.OccurredAt = j.now
		}
		codes = append(codes, p.Account)
	}
	slices.Sort(codes)
	var err error
	j.policies, err = b.accounts(tx, slices.Compact(codes))
	return j, err
}

// check completes the posting and refuses what can never be posted.
func (p *Posting) check() error {
	if p.Kind == "" {
		p.Kind = model.EntryEarn
		if p.Amount < 0 {
			p.Kind = model.EntrySpend
		}
	}
	p.OccurredAt, p.ActivatesAt, p.ExpiresAt = micro(p.OccurredAt), microPtr(p.ActivatesAt), microPtr(p.ExpiresAt)
	earns := p.Kind == model.EntryEarn
	switch {
	case p.Amount == 0 || beyond(p.Amount):
		return errs.Field("amount", "ledger.amount", "limit", int64(maxValue))
	case earns != (p.Amount > 0), !earns && p.Kind != model.EntrySpend && p.Kind != model.EntryReverse:
		return fmt.Errorf("ledger: a posting of %d cannot be of kind %q", p.Amount, p.Kind)
	case p.MemberID <= 0 || p.Reason == "" || p.Key == "" || len(p.Key) > 128:
		return fmt.Errorf("ledger: posting %q needs a member, a reason and a key of at most 128 bytes", p.Key)
	case p.ExpiresAt != nil && p.ActivatesAt != nil && !p.ActivatesAt.Before(*p.ExpiresAt):
		return errs.Field("expires_at", "ledger.never_usable")
	}
	return nil
}

// run plans and writes the postings that have no entry yet.
func (j *job) run() error {
	var members []int64
	var codes []string
	for i, p := range j.ps {
		if j.done[i].ID == 0 {
			members, codes = append(members, p.MemberID), append(codes, p.Account)
		}
	}
	if len(members) == 0 {
		return nil
	}
	pg, err := newPage(j.tx, j.now, members, codes...)
	if err != nil {
		return err
	}
	j.pages = append(j.pages, pg)
	if err := pg.settle(); err != nil {
		return err
	}
	for i, p := range j.ps {
		if j.done[i].ID == 0 {
			if j.lines[i], err = j.plan(pg, p, j.hashes[i]); err != nil {
				return err
			}
		}
	}
	err = pg.finish()
	for i, l := range j.lines {
		if l != nil && l.written {
			j.done[i] = l.entry
		}
	}
	return err
}

// plan adds the line of a posting to the page.
func (j *job) plan(pg *page, p Posting, hash string) (*line, error) {
	s := pg.sheet(p.MemberID, p.Account)
	e := model.Entry{
		Bucket: model.BucketAvailable, Delta: p.Amount, Kind: p.Kind, Reason: p.Reason, Note: p.Note, Memo: p.Memo, Actor: p.Actor,
		RuleID: p.RuleID, RuleVersion: p.RuleVersion, Bonus: p.Bonus, EventID: p.EventID, OccurredAt: p.OccurredAt, Key: p.Key, Hash: hash,
	}
	if p.Amount > 0 {
		return j.earn(pg, s, e, p)
	}
	policy := j.policies[p.Account]
	if p.Kind == model.EntrySpend && !policy.Spendable {
		return nil, errs.Field("account", "ledger.not_spendable", "account", p.Account)
	}
	if err := s.covers(-p.Amount); err != nil && !p.AllowDebt {
		return nil, err
	}
	read := func() error { return pg.enough(s, -p.Amount) }
	if policy.Slides { // all of them
		read = func() error { return pg.lots(s) }
	}
	if err := read(); err != nil {
		return nil, err
	}
	if p.Kind == model.EntryReverse {
		e.Lifetime = p.Amount
	}
	return j.book.act(pg, s, policy, e, s.take(-p.Amount, 0))
}

func (j *job) earn(pg *page, s *sheet, e model.Entry, p Posting) (*line, error) {
	policy := j.policies[p.Account]
	l := j.book.earned(policy, p.OccurredAt)
	if p.ExpiresAt != nil {
		l.ExpiresAt, l.SlideDays, l.SlideMonths = p.ExpiresAt, 0, 0
	}
	l.ActivatesAt = p.ActivatesAt
	if l.ExpiresAt != nil && l.ActivatesAt != nil && !l.ActivatesAt.Before(*l.ExpiresAt) {
		return nil, errs.Field("expires_at", "ledger.never_usable")
	}
	if l.ActivatesAt != nil && l.ActivatesAt.After(pg.now) {
		l.Active, e.Bucket = false, model.BucketPending
	} else {
		e.Lifetime = p.Amount
	}
	if policy.Slides {
		if err := pg.lots(s); err != nil {
			return nil, err
		}
	}
	return j.book.act(pg, s, policy, e, nil, s.make(l, s.afterDebt(e))...)
}

// covers refuses a price that is more than is usable now.
func (s *sheet) covers(price int64) error { return Covers(s.Account, s.Available, price) }

// Covers is what a spending of the price is refused with where so much is usable: errs.PointsDebt, errs.Insufficient, or nil.
func Covers(account string, available, price int64) error {
	short := price - available
	switch {
	case available < 0:
		return errs.New(errs.PointsDebt, "ledger.debt", "account", account, "debt", -available, "short_by", short)
	case short > 0:
		return errs.New(errs.Insufficient, "ledger.insufficient", "account", account, "balance", available, "short_by", short)
	}
	return nil
}

// findRepeats looks for postings whose key has an entry; it reports whether there is one.
func (j *job) findRepeats() (bool, error) {
	var keys []string
	for i, p := range j.ps {
		if j.done[i].ID == 0 {
			keys = append(keys, p.Key)
		}
	}
	old, err := byKey(j.tx, keys...)
	if err != nil || len(old) == 0 {
		return false, err
	}
	for i, p := range j.ps {
		e, ok := old[p.Key]
		if !ok {
			continue
		}
		if e.Hash != j.hashes[i] {
			return false, errs.New(errs.Conflict, "ledger.key_reused", "key", p.Key)
		}
		j.done[i], j.lines[i] = e, nil
	}
	return true, nil
}

// byKey finds entries.
func byKey(tx *gorm.DB, keys ...string) (map[string]model.Entry, error) {
	var rows []model.Entry
	if err := tx.Where("`key` IN ?", keys).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: find entries: %w", err)
	}
	found := make(map[string]model.Entry, len(rows))
	for _, e := range rows {
		found[e.Key] = e
	}
	return found, nil
}
