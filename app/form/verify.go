package form

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// Verify re-derives how many prizes each form gave, from the coupons and the entries that were given, and reports each form whose counter
// differs. What a merge took back counts, as it does in the stock: its undoing gives it again. It writes nothing.
func Verify(ctx context.Context, d *db.DB, report func(ledger.Mismatch)) error {
	err := d.Snapshot(ctx, func(tx *gorm.DB) error {
		given, err := given(tx)
		if err != nil {
			return err
		}
		var forms []model.Form
		err = tx.Select("id", "taken").FindInBatches(&forms, 500, func(*gorm.DB, int) error {
			for _, f := range forms {
				if f.Taken != given[f.ID] {
					report(ledger.Mismatch{Table: "forms", Column: "taken", ID: f.ID, Want: fmt.Sprint(given[f.ID]), Got: fmt.Sprint(f.Taken)})
				}
			}
			return nil
		}).Error
		return err
	})
	if err != nil {
		return fmt.Errorf("form: verify: %w", err)
	}
	return nil
}

// given counts the prizes by form.
func given(tx *gorm.DB) (map[int64]int64, error) {
	var coupons []struct{ SourceID, N int64 }
	err := tx.Model(&model.MemberCoupon{}).Select("source_id, COUNT(*) AS n").Where("source = ?", model.CouponByForm).Group("source_id").Scan(&coupons).Error
	if err != nil {
		return nil, err
	}
	out := map[int64]int64{}
	for _, c := range coupons {
		out[c.SourceID] += c.N
	}
	var events []model.Event // an answer that a merge took away left its event and its entry
	err = tx.Select("id", "key", "data").Where("source = ? AND kind = ?", source, model.EventForm).FindInBatches(&events, 500, func(*gorm.DB, int) error {
		form, keys := map[string]int64{}, []string{}
		for _, ev := range events {
			var data struct {
				FormID int64 `json:"form_id,string"`
			}
			if err := ev.Data.Into(&data); err != nil {
				return err
			}
			key := pointsKey(ev.Key)
			form[key], keys = data.FormID, append(keys, key)
		}
		var paid []string
		if err := tx.Model(&model.Entry{}).Where("`key` IN ?", keys).Pluck("key", &paid).Error; err != nil {
			return err
		}
		for _, key := range paid {
			out[form[key]]++
		}
		return nil
	}).Error
	return out, err
}
