package ledger

import (
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// held checks the holds behind the lines of the window that set aside, and that the members hold as much as their holds say.
func (v *verifier) held(tx *gorm.DB, from, to int64) error {
	for lines := range slices.Chunk(v.holds, batch) {
		if err := v.holdsOf(tx, lines); err != nil {
			return err
		}
	}
	open := map[owner]int64{}
	type sum struct {
		MemberID int64
		Account  string
		Amount   int64
	}
	err := each(tx.Raw("SELECT member_id, account, SUM(amount) AS amount FROM holds WHERE state = ? AND member_id >= ? AND member_id < ? GROUP BY member_id, account",
		model.HoldHeld, from, to), func(s *sum) { open[owner{s.MemberID, s.Account}] = s.Amount })
	if err != nil {
		return err
	}
	for k := range open {
		v.tally(k.member, k.code)
	}
	for k, t := range v.tallies {
		same(v, Mismatch{Table: "holds", MemberID: k.member, Account: k.code}, "amount", t.Held, open[k])
	}
	return nil
}

func (v *verifier) holdsOf(tx *gorm.DB, lines []model.Entry) error {
	ids := make([]int64, len(lines))
	for i, e := range lines {
		ids[i] = e.ID
	}
	var rows []model.Hold
	if err := tx.Where("entry_id IN ?", ids).Find(&rows).Error; err != nil {
		return fmt.Errorf("ledger: verify holds: %w", err)
	}
	byEntry, ends := map[int64]*model.Hold{}, []int64{}
	for i, h := range rows {
		byEntry[h.EntryID], ends = &rows[i], append(ends, h.EndID)
	}
	var found []model.Entry
	if err := tx.Where("id IN ?", ends).Find(&found).Error; err != nil {
		return fmt.Errorf("ledger: verify holds: %w", err)
	}
	endings := map[int64]*model.Entry{}
	for i, e := range found {
		endings[e.ID] = &found[i]
	}
	for i := range lines {
		h := byEntry[lines[i].ID]
		if h == nil {
			v.differ(Mismatch{Table: "holds", Column: "*", MemberID: lines[i].MemberID, Account: lines[i].Account},
				fmt.Sprintf("a hold of entry %d", lines[i].ID), "none")
			continue
		}
		v.hold(h, &lines[i], endings[h.EndID])
	}
	return nil
}

// hold checks a hold against the line that made it and the one that ended it.
func (v *verifier) hold(h *model.Hold, e, end *model.Entry) {
	at := Mismatch{Table: "holds", ID: h.ID, MemberID: h.MemberID, Account: h.Account}
	same(v, at, "key", e.Key, "hold:out:"+h.Key)
	same(v, at, "amount", -e.Delta, h.Amount)
	same(v, at, "*", e.Hash, holdHash(h, e.MemberID, e.Reason, e.EventID))
	if h.State == model.HoldHeld {
		same(v, at, "end_id", 0, h.EndID)
		same(v, at, "end_key", "", h.EndKey)
		same(v, at, "ended_at", "none", shown(h.EndedAt))
		return
	}
	if end == nil {
		same(v, at, "end_id", "the line that ended it", fmt.Sprint(h.EndID))
		return
	}
	same(v, at, "state", end.Key, endKey(h))
	same(v, at, "end_key", end.Hash, endHash(h))
	same(v, at, "member_id", end.MemberID, h.MemberID)
}
