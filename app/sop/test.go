package sop

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// SourceTest is that of test sends: their SourceID is the SOP. They are no firings of a step: nobody stands there for them.
const SourceTest = Source + reach.TestSuffix

// Test sends the message of a step to named members now: see reach.TestTx. What the step gives is not given.
func (s *Service) Test(ctx context.Context, id int64, step string, members []int64) (*model.Run, error) {
	row, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := s.Version(ctx, row, 0)
	if err != nil {
		return nil, err
	}
	st := d.step(step)
	if st == nil || st.Send == nil {
		return nil, errs.Field("step", "sop.test_step")
	}
	run, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (model.Run, error) {
		return s.Reach.TestTx(ctx, tx, SourceTest, id, st.Send.Message, members)
	})
	if err != nil {
		return nil, fmt.Errorf("sop: test %d: %w", id, err)
	}
	return &run, nil
}
