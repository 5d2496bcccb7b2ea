package deduction

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Worth is what a balance of the account could pay at most, in fen: whole units of points.
func (s *Service) Worth(_ context.Context, tx *gorm.DB, account string, balance int64) (fen int64, err error) {
	set, err := settings(tx)
	if err != nil || !set.Enabled || account != model.AccountPoints || balance < 0 {
		return 0, err
	}
	return balance / set.Points * set.Fen, nil
}
