package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Change is what a member holds in an account after lines were written.
type Change struct {
	MemberID            int64
	Account             string
	Available, Lifetime int64
	EventID             int64     // the last event that caused a line; 0 = none did
	At                  time.Time // when the last line occurred
}

// OnChange registers what follows every change of a balance or a lifetime, in the transaction, once the lines are written. The changes
// come by member and account, each once. A merge tells only of the survivor. What follows may post again: it is
// told of that first, so that a change later in the list may be old by then.
func (b *Book) OnChange(f func(ctx context.Context, tx *gorm.DB, changes []Change) error) {
	b.followers = append(b.followers, f)
}

// note remembers what the lines changed.
func (p *page) note(touched []*sheet) {
	if p.changed == nil {
		p.changed = map[owner]Change{}
	}
	for _, s := range touched {
		k := owner{s.MemberID, s.Account}
		if old, ok := p.changed[k]; ok || s.Available != s.was.Available || s.Lifetime != s.was.Lifetime {
			p.changed[k] = Change{s.MemberID, s.Account, s.Available, s.Lifetime, old.EventID, old.At}
		}
	}
	for _, l := range p.lines {
		k := owner{l.entry.MemberID, l.entry.Account}
		if c, ok := p.changed[k]; ok && (l.entry.EventID != 0 || c.EventID == 0) {
			c.EventID, c.At = l.entry.EventID, l.entry.OccurredAt
			p.changed[k] = c
		}
	}
}

// tell calls the followers with what the pages changed, the last word of each account.
func (b *Book) tell(ctx context.Context, tx *gorm.DB, pages ...*page) error {
	last := map[owner]Change{}
	for _, p := range pages {
		for k, c := range p.changed {
			last[k] = c
		}
		p.changed = nil
	}
	if len(last) == 0 || len(b.followers) == 0 {
		return nil
	}
	changes := make([]Change, 0, len(last))
	for _, c := range last {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.MemberID, b.MemberID), cmp.Compare(a.Account, b.Account))
	})
	for _, f := range b.followers {
		if err := f(ctx, tx, changes); err != nil {
			return err
		}
	}
	return nil
}

// finishTx writes what the page holds and tells of it.
func (b *Book) finishTx(ctx context.Context, p *page) error {
	if err := p.finish(); err != nil {
		return err
	}
	return b.tell(ctx, p.tx, p)
}

// was is the balance before the lines.
type was struct{ Available, Lifetime int64 }

func wasOf(r model.Balance) was { return was{r.Available, r.Lifetime} }
