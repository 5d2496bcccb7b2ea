package reach

import (
	"context"
	"crypto/rand"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// TestSuffix ends the source of test sends.
const TestSuffix = "_test"

// TestMark begins the text of a test send.
const TestMark = "【测试】"

// maxTesters is to how many people a test goes at most.
const maxTesters = 20

// TestTx sends a message to named members now, as a service of the operator: no cap counts it, no quiet hours hold it, and its text says that
// it is a test. Where the message goes out as a mass send, which one person alone cannot get, it goes as a customer message.
func (s *Service) TestTx(ctx context.Context, tx *gorm.DB, source string, sourceID int64, m Message, members []int64) (run model.Run, err error) {
	if len(members) == 0 || len(members) > maxTesters {
		return run, errs.Field("members", "reach.testers", "limit", maxTesters)
	}
	who := roaring.New()
	for _, id := range members {
		row, err := member.Get(tx, id)
		if err != nil {
			return run, err
		}
		who.Add(uint32(row.ID)) //nolint:gosec // ids fit 32 bits
	}
	started, err := s.StartTx(ctx, tx, RunSpec{
		Source: source, SourceID: sourceID, Slot: rand.Text(), Class: model.ClassService, Message: m.asTest(), Members: who, Rules: Rules{Test: true},
	})
	if err != nil {
		return run, err
	}
	return *started, nil
}

// asTest is the message as a test sends it.
func (m Message) asTest() Message {
	if i := slices.Index(m.Channels, Mass); i >= 0 {
		m.Channels = slices.Delete(slices.Clone(m.Channels), i, i+1)
		if !slices.Contains(m.Channels, Customer) {
			m.Channels = append(m.Channels, Customer)
		}
	}
	if m.Text != "" {
		m.Text = TestMark + m.Text
	}
	return m
}
