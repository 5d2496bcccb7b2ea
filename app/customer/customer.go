// Package customer keeps whom the brand knew before siyu: what files say of phone numbers. Once a member has the number, what is known becomes
// his: tags, the level that he had elsewhere, that he wants no marketing.
package customer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Service is the use cases of customers.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	members *member.Service
	tags    *tag.Service
	tiers   *tier.Service
	sheets  *sheet.Service
	consent *consent.Service
}

// New returns the service. Its follower is registered by the app.
func New(d *db.DB, c clock.Clock, members *member.Service, tags *tag.Service, tiers *tier.Service, sheets *sheet.Service, consents *consent.Service) *Service {
	return &Service{db: d, clock: c, members: members, tags: tags, tiers: tiers, sheets: sheets, consent: consents}
}

// source is the actor of tiers that customers bring.
const source = "import"

// Follow is the event follower: who registers, or tells his number, is looked for among the customers.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if ev.Kind != model.EventRegistered && ev.Kind != model.EventPhone {
		return nil, nil
	}
	m, err := member.Get(tx, ev.MemberID)
	if err != nil || m.PhoneIndex == "" || !m.Joined() {
		return nil, err
	}
	var rows []model.Customer
	if err := tx.Where("phone_index = ?", m.PhoneIndex).Limit(1).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("customer: follow: %w", err)
	}
	if len(rows) == 0 || rows[0].MatchedAt != nil {
		return nil, nil
	}
	return nil, s.giveTx(ctx, tx, &rows[0], m.ID)
}

// given is a tag of a customer.
type given struct {
	TagID int64 `json:"tag_id"`
}

// giveTx gives a member what is known of a customer; the member is locked.
func (s *Service) giveTx(ctx context.Context, tx *gorm.DB, c *model.Customer, memberID int64) error {
	now := s.clock.Now()
	if c.MatchedAt == nil {
		c.MemberID, c.MatchedAt = memberID, &now
		if err := tx.Model(c).Select("member_id", "matched_at").Updates(c).Error; err != nil {
			return fmt.Errorf("customer: match: %w", err)
		}
	}
	var tags []given
	if err := c.Tags.Into(&tags); err != nil {
		return err
	}
	for _, t := range tags {
		if _, err := tag.Get(tx, t.TagID); errs.CodeOf(err) == errs.NotFound { // removed since
			continue
		}
		if _, err := s.tags.SetTx(ctx, tx, memberID, t.TagID, tag.Cause{Kind: model.CauseImport, ID: c.ImportID}, now); err != nil {
			return err
		}
	}
	if c.TierID != 0 {
		reason := templates.T(templates.Chinese, "customer.brings", map[string]any{"level": c.Level, "import": c.ImportID})
		if err := s.tiers.BringTx(ctx, tx, memberID, c.TierID, source, reason); err != nil {
			return err
		}
	}
	if c.Consent == no {
		if err := s.members.OptOutTx(tx, memberID, now); err != nil {
			return err
		}
	}
	return s.consentTx(tx, c, memberID)
}

// consentTx puts into a person's ledger what the file says of SMS and calls. He is locked.
func (s *Service) consentTx(tx *gorm.DB, c *model.Customer, memberID int64) error {
	if c.Consent == "" {
		return nil
	}
	for _, kind := range consent.Kinds {
		err := s.consent.PutTx(tx, model.Consent{
			MemberID: memberID, Kind: kind, Given: c.Consent == yes, Source: consent.Import, Evidence: fmt.Sprintf("import %d, line %d", c.ImportID, c.Line), At: c.UpdatedAt,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// PersonTx is the person of a customer, locked: the member who has the number, or somebody known by it alone until he appears. What is known of
// him becomes his when he does; what he consented to is his at once.
func (s *Service) PersonTx(tx *gorm.DB, c *model.Customer) (*model.Member, error) {
	if c.MemberID != 0 {
		return member.SurvivorTx(tx, c.MemberID)
	}
	m, err := s.members.PersonTx(tx, c.PhoneIndex, c.PhoneSealed)
	if err != nil {
		return nil, err
	}
	c.MemberID = m.ID
	if err := tx.Model(c).Update("member_id", m.ID).Error; err != nil {
		return nil, fmt.Errorf("customer: person: %w", err)
	}
	return m, s.consentTx(tx, c, m.ID)
}

// matchChunk is how many customers one transaction matches.
const matchChunk = 100

// Match finds the members of customers who appeared without an event that told of it: a number that was changed, a file that landed while its
// member registered.
func (s *Service) Match(ctx context.Context, _ time.Time) error {
	for after := int64(0); ; {
		var found []struct{ ID, MemberID int64 }
		err := s.db.Reader(ctx).Table("customers AS c").Joins("JOIN members AS m ON m.phone_index = c.phone_index").
			Where("c.matched_at IS NULL AND c.id > ? AND m.joined_at IS NOT NULL AND m.merged_into IS NULL AND m.erased_at IS NULL", after).
			Group("c.id").Having("COUNT(*) = 1").Order("c.id").Limit(matchChunk).Select("c.id, MIN(m.id) AS member_id").Scan(&found).Error
		if err != nil {
			return fmt.Errorf("customer: match: %w", err)
		}
		for _, f := range found {
			after = f.ID
			if err := s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.matchTx(ctx, tx, f.ID, f.MemberID) }); err != nil {
				return err
			}
		}
		if len(found) < matchChunk {
			return nil
		}
	}
}

// matchTx looks again, under the member's lock.
func (s *Service) matchTx(ctx context.Context, tx *gorm.DB, id, memberID int64) error {
	if err := member.LockTx(tx, memberID); err != nil {
		return err
	}
	m, err := member.Get(tx, memberID)
	if err != nil || m.ID != memberID {
		return err
	}
	var rows []model.Customer
	if err := tx.Where("id = ? AND phone_index = ? AND matched_at IS NULL", id, m.PhoneIndex).Find(&rows).Error; err != nil || len(rows) == 0 {
		return err
	}
	if other := rows[0].MemberID; other != 0 && other != memberID { // known by his number alone: he registered just then
		if memberID, err = s.members.MergeTx(ctx, tx, memberID, other, "phone"); err != nil {
			return err
		}
	}
	return s.giveTx(ctx, tx, &rows[0], memberID)
}

// Query chooses customers.
type Query struct {
	Before   int64 // id of the last one of the page before; 0 = the first page
	Matched  *bool // whether he is a member by now
	MemberID int64 // 0 = any
	Limit    int
}

// List lists customers, newest first.
func (s *Service) List(ctx context.Context, q Query) ([]model.Customer, error) {
	tx := s.db.Reader(ctx).Order("id DESC").Limit(q.Limit)
	if q.Before > 0 {
		tx = tx.Where("id < ?", q.Before)
	}
	if q.Matched != nil {
		tx = tx.Where("(matched_at IS NOT NULL) = ?", *q.Matched)
	}
	if q.MemberID != 0 {
		tx = tx.Where("member_id = ?", q.MemberID)
	}
	var rows []model.Customer
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("customer: list: %w", err)
	}
	return rows, nil
}

// Get reads one.
func (s *Service) Get(ctx context.Context, id int64) (*model.Customer, error) {
	var c model.Customer
	if err := s.db.Reader(ctx).Take(&c, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "customer.not_found")
	} else if err != nil {
		return nil, fmt.Errorf("customer: %w", err)
	}
	return &c, nil
}

// Of is what the brand knew of a member before; nil = nothing.
func (s *Service) Of(ctx context.Context, memberID int64) (*model.Customer, error) {
	var rows []model.Customer
	err := s.db.Reader(ctx).Where("member_id = ?", memberID).Order("id DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// Forget removes a customer: somebody asked for it. What a member got by him stays the member's.
func (s *Service) Forget(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (struct{}, error) {
		res := tx.Delete(&model.Customer{}, id)
		if res.Error == nil && res.RowsAffected == 0 {
			return struct{}{}, errs.New(errs.NotFound, "customer.not_found")
		}
		return struct{}{}, res.Error
	})
	return err
}

// Phone is a customer's number, masked.
func (s *Service) Phone(c *model.Customer) string {
	return s.members.Phone(&model.Member{PhoneSealed: c.PhoneSealed})
}

// Part says what a merge does with customers, and that they go with the person.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "customer",
		Tables: []member.Table{{
			Row: &model.Customer{}, Undo: member.Return, Erase: member.Delete,
			Export: []string{"name", "level", "last_order_at", "consent", "created_at", "matched_at"},
		}},
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error { return member.Move(tx, "customers", m) },
	}
}
