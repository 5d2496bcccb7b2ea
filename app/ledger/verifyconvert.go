package ledger

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// conversions checks the rows behind the lines of the window that conversions added, and the lines that gave for them.
func (v *verifier) conversions(tx *gorm.DB) error {
	for lines := range slices.Chunk(v.turned, batch) {
		var ids []int64
		var keys []string
		for _, e := range lines {
			ids, keys = append(ids, e.ID), append(keys, outKey(&e))
		}
		var rows []model.Conversion
		if err := tx.Where("entry_id IN ?", ids).Find(&rows).Error; err != nil {
			return fmt.Errorf("ledger: verify conversions: %w", err)
		}
		byEntry := map[int64]*model.Conversion{}
		for i, c := range rows {
			byEntry[c.EntryID] = &rows[i]
		}
		outs, err := byKey(tx, keys...)
		if err != nil {
			return err
		}
		for i := range lines {
			if err := v.conversion(tx, byEntry[lines[i].ID], &lines[i], outs[outKey(&lines[i])]); err != nil {
				return err
			}
		}
	}
	return nil
}

func outKey(e *model.Entry) string { return strings.TrimSuffix(e.Key, ":in") + ":out" }

func (v *verifier) conversion(tx *gorm.DB, c *model.Conversion, in *model.Entry, out model.Entry) error {
	at := Mismatch{Table: "conversions", MemberID: in.MemberID, Account: in.Account}
	if c == nil {
		same(v, at, "*", fmt.Sprintf("a conversion of entry %d", in.ID), "none")
		return nil
	}
	at.ID = c.ID
	same(v, at, "*", in.Hash, conversionHash(c, in.MemberID))
	same(v, at, "amount", in.Delta, c.Amount)
	if c.MemberID != in.MemberID { // whoever he was merged into since
		now, err := holder(tx, in.MemberID, in.Account)
		if err != nil {
			return err
		}
		same(v, at, "member_id", now, c.MemberID)
	}
	if c.Mode == model.ConvertConsume {
		same(v, at, "units", -out.Delta, c.Units)
	} else {
		same(v, at, "mode", 0, out.ID)
	}
	return nil
}
