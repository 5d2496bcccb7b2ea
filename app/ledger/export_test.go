package ledger

import "context"

// SumUpAll is SumUp for every line that is old enough, in small pieces.
func (b *Book) SumUpAll(ctx context.Context) error {
	for {
		if did, err := b.sumUp(ctx, 1, 7); err != nil || !did {
			return err
		}
	}
}
