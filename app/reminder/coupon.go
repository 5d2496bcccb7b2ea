package reminder

import (
	"context"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func (s *Service) checkCoupon(_ context.Context, _ *gorm.DB, r *model.Reminder) error {
	r.Account, r.AtLeast, r.Condition = "", 0, model.JSON("{}")
	return days(r)
}

// lapsing are those who hold a coupon that expires by the end of the day, and of which the reminder has not told yet.
func (s *Service) lapsing(ctx context.Context, r *model.Reminder, until model.Day) (*roaring.Bitmap, error) {
	return s.Coupons.Ending(ctx, s.uncovered(r), s.Zone.End(until))
}

// lapsingNow: it is over for who has used them.
func (s *Service) lapsingNow(_ context.Context, tx *gorm.DB, _ *model.Reminder, until string, ids []int64) (map[int64]reach.Now, error) {
	held, err := s.Coupons.EndingTx(tx, ids, s.Zone.End(model.Day(until)))
	if err != nil {
		return nil, err
	}
	out := map[int64]reach.Now{}
	for _, id := range ids {
		list := held[id]
		if len(list) == 0 {
			out[id] = reach.Now{Gone: true}
			continue
		}
		out[id] = reach.Now{Values: map[string]string{
			"coupon": list[0].Coupon.Name, "coupons": strconv.Itoa(len(list)),
			"ends_on": string(s.Zone.DayOf(list[0].ExpiresAt.Add(-time.Microsecond))), // its last day
		}}
	}
	return out, nil
}
