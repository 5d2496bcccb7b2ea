package member

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// MergeTx makes one person of two and returns the survivor: the one who registered, of two the one who did so
// first, else the older. Everything of the other goes to him; tokens of both lead to him. A pair that is
// already one is left alone.
func (s *Service) MergeTx(ctx context.Context, tx *gorm.DB, a, b int64, reason string) (int64, error) {
	if err := LockTx(tx, a, b); err != nil {
		return 0, err
	}
	ma, err := Get(tx, a)
	if err != nil {
		return 0, err
	}
	mb, err := Get(tx, b)
	if err != nil {
		return 0, err
	}
	if ma.ID == mb.ID {
		return ma.ID, nil
	}
	if err := LockTx(tx, ma.ID, mb.ID); err != nil {
		return 0, err
	}
	winner, loser := ma, mb
	if survives(mb, ma) {
		winner, loser = mb, ma
	}
	m := MergeOf{Loser: loser.ID, Winner: winner.ID, At: s.clock.Now().Truncate(time.Microsecond)}
	before, moving, err := s.imageOf(ctx, tx, m)
	if err != nil {
		return 0, fmt.Errorf("member: merge: %w", err)
	}
	if err := unite(tx, winner, loser); err != nil {
		return 0, fmt.Errorf("member: merge: %w", err)
	}
	for _, p := range s.parts {
		if p.Merge == nil {
			continue
		}
		if err := p.Merge(ctx, tx, m); err != nil {
			return 0, fmt.Errorf("member: merge: %s: %w", p.Name, err)
		}
	}
	if err := closeLoser(tx, m); err != nil {
		return 0, fmt.Errorf("member: merge: %w", err)
	}
	row := model.Merge{LoserID: loser.ID, WinnerID: winner.ID, Reason: reason, At: m.At}
	dup, err := db.Insert(tx, &row)
	if err == nil && dup {
		err = fmt.Errorf("%d was merged before", loser.ID)
	}
	if err == nil {
		err = s.journal(ctx, tx, row.ID, m, before, moving)
	}
	if err == nil {
		err = ChangedTx(tx, loser.ID, winner.ID)
	}
	if err != nil {
		return 0, fmt.Errorf("member: merge: %w", err)
	}
	return winner.ID, nil
}

// survives reports whether a goes before b.
func survives(a, b *model.Member) bool {
	switch {
	case a.Joined() != b.Joined():
		return a.Joined()
	case a.Joined() && !a.JoinedAt.Equal(*b.JoinedAt):
		return a.JoinedAt.Before(*b.JoinedAt)
	default:
		return a.ID < b.ID
	}
}

// unite fills what the winner lacks: before the Parts, since the rules that they evaluate read it.
func unite(tx *gorm.DB, w, l *model.Member) error {
	set := map[string]any{}
	fill := func(column, have, other string) {
		if have == "" && other != "" {
			set[column] = other
		}
	}
	fill("nickname", w.Nickname, l.Nickname)
	fill("gender", w.Gender, l.Gender)
	fill("address_sealed", w.AddressSealed, l.AddressSealed)
	fill("privacy_read", w.PrivacyRead, l.PrivacyRead)
	if w.Birthday == "" && l.Birthday != "" {
		set["birthday"], set["birthday_at"] = l.Birthday, l.BirthdayAt
	}
	if w.PhoneIndex == "" && l.PhoneIndex != "" {
		set["phone_sealed"], set["phone_index"] = l.PhoneSealed, l.PhoneIndex
	}
	if w.OptedOutAt == nil && l.OptedOutAt != nil {
		set["opted_out_at"] = l.OptedOutAt // a wish not to be written to holds for the person
	}
	if l.CreatedAt.Before(w.CreatedAt) && l.FirstChannel != 0 || w.FirstChannel == 0 {
		set["first_channel"] = l.FirstChannel
	}
	if w.LastChannel == 0 || l.LastChannel != 0 && l.ActiveAt.After(w.ActiveAt) {
		set["last_channel"] = l.LastChannel
	}
	if l.Former {
		set["former"] = true
	}
	if l.ActiveAt.After(w.ActiveAt) {
		set["active_at"] = l.ActiveAt
	}
	if len(set) == 0 {
		return nil
	}
	return tx.Model(&model.Member{}).Where("id = ?", w.ID).Updates(set).Error
}

// closeLoser leaves of the loser what leads to the winner.
func closeLoser(tx *gorm.DB, m MergeOf) error {
	return tx.Model(&model.Member{}).Where("id = ?", m.Loser).Updates(map[string]any{
		"merged_into": m.Winner, "merged_at": m.At, "left_at": nil, "nickname": "", "gender": "", "birthday": "", "phone_sealed": "", "phone_index": "", "address_sealed": "",
	}).Error
}

func mergeIdentities(_ context.Context, tx *gorm.DB, m MergeOf) error {
	for _, table := range []string{"identities", "unions"} {
		if err := Move(tx, table, m); err != nil {
			return err
		}
	}
	if err := noteLeft(tx, m.Winner); err != nil {
		return err
	}
	if err := mergeBirthdays(tx, m); err != nil {
		return err
	}
	return mergePositions(tx, m)
}

// mergePositions keeps the later position, if the winner lets positions be kept.
func mergePositions(tx *gorm.DB, m MergeOf) error {
	var p []model.Position
	if err := tx.Where("member_id IN ?", []int64{m.Loser, m.Winner}).Order("at DESC").Find(&p).Error; err != nil || len(p) == 0 {
		return err
	}
	if err := tx.Where("member_id IN ?", []int64{m.Loser, m.Winner}).Delete(&model.Position{}).Error; err != nil {
		return err
	}
	if w, err := Get(tx, m.Winner); err != nil || !w.LocationOK {
		return err
	}
	p[0].MemberID = m.Winner
	return tx.Create(&p[0]).Error
}

func mergeEvents(_ context.Context, tx *gorm.DB, m MergeOf) error {
	if err := Move(tx, "events", m); err != nil {
		return err
	}
	return Move(tx, "outboxes", m)
}
