package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// verifier checks windows of members.
type verifier struct {
	book   *Book
	report func(Mismatch)
	totals Totals
	codes  map[string]bool
	slides map[string]bool // accounts in which lots may slide

	// Of the current window.
	lots    map[int64]*derived
	byEntry map[int64][]*derived
	moves   map[int64][]model.LotMove
	tallies map[owner]*tally
	pairs   map[string]model.Entry // merge lines, by the key of the other line
	sliding map[owner][]*derived
	holds   []model.Entry // lines that set aside
	turned  []model.Entry // lines that conversions added
}

// derived is a lot and what the entries say of it.
type derived struct {
	model.Lot
	remaining    int64
	active, made bool
	until        *time.Time
}

// tally is what the entries and lots of a member in an account add up to.
type tally struct {
	model.Balance
	lastID          int64
	active, pending int64 // in lots
	row             bool  // there is a balance
}

// differ reports a mismatch.
func (v *verifier) differ(m Mismatch, want, got string) {
	m.Want, m.Got = want, got
	v.totals.Mismatches++
	v.report(m)
}

// same reports a mismatch unless got is want.
func same[T comparable](v *verifier, m Mismatch, column string, want, got T) {
	if want != got {
		m.Column = column
		v.differ(m, fmt.Sprint(want), fmt.Sprint(got))
	}
}

// account checks that an account says how what is earned in it expires.
func (v *verifier) account(a *model.Account) {
	v.codes[a.Code], v.slides[a.Code] = true, a.Slides
	at := Mismatch{Table: "accounts", Account: a.Code}
	if row := *a; checkExpiry(&row) != nil || row.ExpiryCount != a.ExpiryCount || row.ExpiryOn != a.ExpiryOn {
		same(v, at, "expiry", "one that counts", fmt.Sprintf("%s %d %s", a.Expiry, a.ExpiryCount, a.ExpiryOn))
	}
	if a.Expiry == model.ExpirySlidingDays || a.Expiry == model.ExpirySlidingMonths {
		same(v, at, "slides", true, a.Slides)
	}
}

// window checks the members from ≤ id < to.
func (v *verifier) window(tx *gorm.DB, from, to int64) error {
	v.lots, v.byEntry, v.moves = map[int64]*derived{}, map[int64][]*derived{}, map[int64][]model.LotMove{}
	v.tallies, v.pairs, v.sliding, v.holds, v.turned = map[owner]*tally{}, map[string]model.Entry{}, map[owner][]*derived{}, nil, nil
	err := v.eachLot(tx, from, to, func(l *model.Lot) {
		d := &derived{Lot: *l, remaining: l.Amount, until: born(l)}
		if l.Sliding() {
			k := owner{l.MemberID, l.Account}
			v.sliding[k] = append(v.sliding[k], d)
		}
		v.lots[l.ID] = d
		v.byEntry[l.EntryID] = append(v.byEntry[l.EntryID], d)
		v.totals.Lots++
	})
	if err != nil {
		return err
	}
	for _, made := range v.byEntry {
		slices.SortFunc(made, func(a, b *derived) int { return cmp.Compare(a.ID, b.ID) })
	}
	if err := v.entries(tx, from, to); err != nil {
		return err
	}
	for _, l := range v.lots {
		v.lot(l)
	}
	if err := v.merged(tx); err != nil {
		return err
	}
	if err := v.held(tx, from, to); err != nil {
		return err
	}
	if err := v.conversions(tx); err != nil {
		return err
	}
	if err := v.eachBalance(tx, from, to, v.balance); err != nil {
		return err
	}
	members := map[int64]bool{}
	for k, t := range v.tallies {
		members[k.member] = true
		if !t.row {
			v.differ(Mismatch{Table: "balances", Column: "*", MemberID: k.member, Account: k.code}, "a row", "none")
		}
	}
	v.totals.Members += int64(len(members))
	return nil
}

// entries checks the lines of the members from ≤ id < to, with their moves. Earnings have none: strays looks for those.
func (v *verifier) entries(tx *gorm.DB, from, to int64) error {
	var lines []model.Entry
	var moving []int64
	err := v.eachEntry(tx, from, to, func(e *model.Entry) {
		lines = append(lines, *e)
		if e.Kind != model.EntryEarn {
			moving = append(moving, e.ID)
		}
	})
	if err != nil {
		return err
	}
	for ids := range slices.Chunk(moving, batch) {
		var moves []model.LotMove
		if err := tx.Where("entry_id IN ?", ids).Order("entry_id, lot_id").Find(&moves).Error; err != nil {
			return fmt.Errorf("ledger: verify moves: %w", err)
		}
		for _, m := range moves {
			v.moves[m.EntryID] = append(v.moves[m.EntryID], m)
		}
		v.totals.Moves += int64(len(moves))
	}
	for i := range lines {
		v.entry(&lines[i])
	}
	return nil
}

func (v *verifier) tally(member int64, code string) *tally {
	k := owner{member, code}
	if v.tallies[k] == nil {
		v.tallies[k] = &tally{Balance: model.Balance{MemberID: member, Account: code}}
	}
	return v.tallies[k]
}

// entry checks one line against the lines before it, its moves, the lots that it made, and its seal.
func (v *verifier) entry(e *model.Entry) {
	at := Mismatch{Table: "entries", ID: e.ID, MemberID: e.MemberID, Account: e.Account}
	t := v.tally(e.MemberID, e.Account)
	v.totals.Entries++
	if !v.codes[e.Account] {
		same(v, at, "account", "a known account", e.Account)
	}
	same(v, at, "seq", t.Seq+1, e.Seq)
	if e.ID <= t.lastID {
		same(v, at, "id", "more than "+fmt.Sprint(t.lastID), fmt.Sprint(e.ID))
	}
	t.Seq, t.lastID = e.Seq, e.ID
	before := max(0, -t.Available)
	same(v, at, "balance", t.run(e), e.Balance)
	if e.Kind != model.EntryMergeIn && e.Kind != model.EntryMergeOut {
		same(v, at, "lifetime", lifetime(e), e.Lifetime)
	} else {
		v.pairs[otherKey(e)] = *e
	}
	t.Lifetime += e.Lifetime
	made, moved := v.effects(e)
	if e.Bucket == model.BucketHeld {
		same(v, at, "moves", 0, moved)
	} else {
		same(v, at, "delta", moved-(max(0, -t.Available)-before), e.Delta)
	}
	same(v, at, "seal", seal(e, made, v.moves[e.ID]), e.Seal)
	if e.Kind == model.EntryHold && e.Bucket == model.BucketAvailable {
		v.holds = append(v.holds, *e)
	}
	if e.Kind == model.EntryEarn && e.Reason == ReasonConversion {
		v.turned = append(v.turned, *e)
	}
	v.count(e)
}

// run adds the line to its bucket and returns the bucket's balance.
func (t *tally) run(e *model.Entry) int64 {
	bucket := bucketOf(&t.Balance, e.Bucket)
	*bucket += e.Delta
	return *bucket
}

// lifetime is what a line that is no merge adds to the lifetime.
func lifetime(e *model.Entry) int64 {
	switch {
	case e.Bucket != model.BucketAvailable:
		return 0
	case e.Kind == model.EntryEarn, e.Kind == model.EntryActivate, e.Kind == model.EntryRestore, e.Kind == model.EntryReverse && e.Delta < 0:
		return e.Delta
	}
	return 0
}

// effects does what the line did to the derived lots, and returns the lots that it made and what it changed in lots.
func (v *verifier) effects(e *model.Entry) (made []*model.Lot, sum int64) {
	for _, l := range v.byEntry[e.ID] {
		if l.MemberID == e.MemberID && l.Account == e.Account {
			l.made, l.active = true, e.Bucket == model.BucketAvailable
			made = append(made, &l.Lot)
			sum += l.Amount
		}
	}
	for _, m := range v.moves[e.ID] {
		sum += m.Delta
		l := v.lots[m.LotID]
		if l == nil || l.MemberID != e.MemberID || l.Account != e.Account {
			v.differ(Mismatch{Table: "lot_moves", Column: "lot_id", ID: e.ID, MemberID: e.MemberID, Account: e.Account},
				"a lot of the same member and account", fmt.Sprint(m.LotID))
			continue
		}
		l.remaining += m.Delta
		l.active = l.active || e.Kind == model.EntryActivate
	}
	if acts(e) {
		for _, l := range v.sliding[owner{e.MemberID, e.Account}] {
			if l.made && l.remaining > 0 && l.until != nil {
				l.until = v.book.slid(&model.Lot{SlideDays: l.SlideDays, SlideMonths: l.SlideMonths, ExpiresAt: l.until}, e.OccurredAt)
			}
		}
	}
	return made, sum
}

// count adds the line to the totals of its account. Merges move within them.
func (v *verifier) count(e *model.Entry) {
	if e.Bucket == model.BucketPending || e.Bucket == model.BucketHeld && e.Kind != model.EntrySpend {
		return
	}
	t := v.totals.Accounts[e.Account]
	switch {
	case e.Kind == model.EntryEarn, e.Kind == model.EntryActivate:
		t.Issued += e.Delta
	case e.Kind == model.EntryExpire:
		t.Expired -= e.Delta
	case e.Kind == model.EntrySpend, e.Kind == model.EntryConvert, e.Kind == model.EntryReverse && e.Delta > 0:
		t.Spent -= e.Delta
	case e.Kind == model.EntryReverse, e.Kind == model.EntryRestore:
		t.Reversed -= e.Delta
	}
	v.totals.Accounts[e.Account] = t
}

// lot checks a lot against what the entries made of it.
func (v *verifier) lot(l *derived) {
	at := Mismatch{Table: "lots", ID: l.ID, MemberID: l.MemberID, Account: l.Account}
	if !l.made {
		same(v, at, "entry_id", "an entry of the same member and account", fmt.Sprint(l.EntryID))
	}
	same(v, at, "remaining", l.remaining, l.Remaining)
	v.sameTime(at, "expires_at", l.until, l.ExpiresAt)
	if l.Sliding() {
		same(v, Mismatch{Table: "accounts", Account: l.Account}, "slides", true, v.slides[l.Account])
	} else {
		v.sameTime(at, "born_until", nil, l.BornUntil)
	}
	same(v, at, "open", l.Remaining > 0, l.Open)
	same(v, at, "active", l.active, l.Active)
	if l.Remaining < 0 {
		same(v, at, "remaining", "at least 0", fmt.Sprint(l.Remaining))
	}
	t := v.tally(l.MemberID, l.Account)
	if l.Active {
		t.active += l.Remaining
	} else {
		t.pending += l.Remaining
	}
	if d := l.Due(); d != nil && (t.NextDueAt == nil || d.Before(*t.NextDueAt)) {
		t.NextDueAt = d
	}
}

// balance checks a balance against the entries and the lots.
func (v *verifier) balance(b *model.Balance) {
	at := Mismatch{Table: "balances", MemberID: b.MemberID, Account: b.Account}
	t := v.tally(b.MemberID, b.Account)
	t.row = true
	if t.lastID == 0 {
		same(v, at, "*", "entries", "none")
	}
	same(v, at, "seq", t.Seq, b.Seq)
	same(v, at, "available", t.Available, b.Available)
	same(v, at, "pending", t.Pending, b.Pending)
	same(v, at, "held", t.Held, b.Held)
	same(v, at, "lifetime", t.Lifetime, b.Lifetime)
	v.sameTime(at, "next_due_at", t.NextDueAt, b.NextDueAt)
	debt := max(0, -b.Available)
	same(v, at, "available", t.active-debt, b.Available)
	same(v, at, "pending", t.pending, b.Pending)
	a := v.totals.Accounts[b.Account]
	a.Available += b.Available
	a.Pending += b.Pending
	a.Held += b.Held
	a.InLots += t.active
	a.Debt += debt
	v.totals.Accounts[b.Account] = a
}

// sameTime is same for a time that may be missing.
func (v *verifier) sameTime(at Mismatch, column string, want, got *time.Time) {
	if compareExpiry(want, got) != 0 {
		same(v, at, column, shown(want), shown(got))
	}
}

func shown(t *time.Time) string {
	if t == nil {
		return "none"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// otherKey is the key of the other line of a merge's pair.
func otherKey(e *model.Entry) string {
	if base, ok := strings.CutSuffix(e.Key, ":out"); ok {
		return base + ":in"
	}
	return strings.TrimSuffix(e.Key, ":in") + ":out"
}

// merged checks that each line of a merge has its opposite at the other member.
func (v *verifier) merged(tx *gorm.DB) error {
	keys := make([]string, 0, len(v.pairs))
	for k := range v.pairs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for some := range slices.Chunk(keys, batch) {
		others, err := byKey(tx, some...)
		if err != nil {
			return err
		}
		for _, k := range some {
			e, o := v.pairs[k], others[k]
			if e.Delta != -o.Delta || e.Lifetime != -o.Lifetime || e.OriginID != o.MemberID || e.Kind == o.Kind {
				v.differ(Mismatch{Table: "entries", Column: "key", ID: e.ID, MemberID: e.MemberID, Account: e.Account},
					"the opposite line "+k, fmt.Sprintf("entry %d of member %d: %d", o.ID, o.MemberID, o.Delta))
			}
		}
	}
	return nil
}
