package broadcast

import (
	"context"
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// SourceTest is that of test sends: their SourceID is the broadcast.
const SourceTest = "broadcast_test"

// maxTesters is to how many people a test goes at most.
const maxTesters = 20

// TestMark begins the text of a test send.
const TestMark = "【测试】"

// Test sends a content of the broadcast (A, B or C; "" is A) to named members now, as a service of the operator: no cap counts it, no
// quiet hours hold it, and its text says that it is a test. Where the message goes out as a mass send, which one person alone cannot get,
// it goes as a customer message.
func (s *Service) Test(ctx context.Context, id int64, variant string, members []int64) (*model.Run, error) {
	if len(members) == 0 || len(members) > maxTesters {
		return nil, errs.Field("members", "broadcast.testers", "limit", maxTesters)
	}
	run, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Run, error) {
		b, err := lock(tx, id)
		if err != nil {
			return model.Run{}, err
		}
		m, err := content(b, variant)
		if err != nil {
			return model.Run{}, err
		}
		who := roaring.New()
		for _, id := range members {
			row, err := member.Get(tx, id)
			if err != nil {
				return model.Run{}, err
			}
			who.Add(uint32(row.ID)) //nolint:gosec // ids fit 32 bits
		}
		run, err := s.reach.StartTx(ctx, tx, reach.RunSpec{
			Source: SourceTest, SourceID: b.ID, Slot: strconv.FormatInt(b.Version, 10), Class: model.ClassService, Message: m, Members: who,
			Rules: reach.Rules{Test: true},
		})
		if err != nil {
			return model.Run{}, err
		}
		return *run, nil
	})
	if err != nil {
		return nil, wrap("test", err)
	}
	return &run, nil
}

// content is a message of the broadcast as a test sends it.
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
	if i := slices.Index(m.Channels, reach.Mass); i >= 0 {
		m.Channels = slices.Delete(slices.Clone(m.Channels), i, i+1)
		if !slices.Contains(m.Channels, reach.Customer) {
			m.Channels = append(m.Channels, reach.Customer)
		}
	}
	if m.Text != "" {
		m.Text = TestMark + m.Text
	}
	return m, nil
}
