package broadcast

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// SourceTest is that of test sends: their SourceID is the broadcast.
const SourceTest = Source + reach.TestSuffix

// Test sends a content of the broadcast (A, B or C; "" is A) to named members now: see reach.TestTx.
func (s *Service) Test(ctx context.Context, id int64, variant string, members []int64) (*model.Run, error) {
	run, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Run, error) {
		b, err := get(tx, id)
		if err != nil {
			return model.Run{}, err
		}
		m, err := content(b, variant)
		if err != nil {
			return model.Run{}, err
		}
		return s.reach.TestTx(ctx, tx, SourceTest, b.ID, m, members)
	})
	if err != nil {
		return nil, wrap("test", err)
	}
	return &run, nil
}

// content is a message of the broadcast.
func content(b *model.Broadcast, variant string) (m reach.Message, err error) {
	if err := b.Message.Into(&m); err != nil {
		return m, err
	}
	trial, err := trialOf(b)
	if err != nil {
		return m, err
	}
	switch n := slices.Index(variantNames, variant); {
	case variant == "" || n == 0:
	case n < 0 || n > len(trial.Variants):
		return m, errs.Field("variant", "broadcast.no_variant")
	default:
		m = trial.Variants[n-1].Message
	}
	return m, nil
}
