package reach

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Actions of a person that open customer messages.
const (
	ByMessage = "message"
	ByMenu    = "menu"
	ByFollow  = "follow"
	ByScan    = "scan"
)

// allowed is how many messages an action opens, and for how long (FACTS §3.3).
var allowed = map[string]struct {
	n    int
	span time.Duration
}{
	ByMessage: {5, 48 * time.Hour}, ByMenu: {3, time.Minute}, ByFollow: {3, time.Minute}, ByScan: {3, time.Minute},
}

// OpenAllowanceTx notes that the person did something at the moment at which opens customer messages. The caller holds his lock.
func (s *Service) OpenAllowanceTx(tx *gorm.DB, identityID int64, kind string, at time.Time) error {
	a, ok := allowed[kind]
	if !ok {
		return fmt.Errorf("reach: no action opens %q", kind)
	}
	row := model.Allowance{IdentityID: identityID, Kind: kind, Remaining: a.n, ExpiresAt: at.Add(a.span)}
	n, err := exec(tx.Statement.Context, tx, "UPDATE allowances SET remaining = ?, expires_at = ? WHERE identity_id = ? AND kind = ? AND expires_at < ?",
		row.Remaining, row.ExpiresAt, identityID, kind, row.ExpiresAt)
	if err == nil && n == 0 { // the first, or an older action that comes late: the key is taken then, and nothing more is open
		_, err = db.Insert(tx, &row)
	}
	if err != nil {
		return fmt.Errorf("reach: open allowance: %w", err)
	}
	return nil
}

// UseAllowanceTx uses one customer message of the person, if one is open: for answers sent outside a run. The caller holds his lock.
func (s *Service) UseAllowanceTx(tx *gorm.DB, identityID int64) (ok bool, err error) {
	var rows []model.Allowance
	err = tx.Where("identity_id = ? AND remaining > 0 AND expires_at > ?", identityID, s.clock.Now()).Order("expires_at, kind").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return false, err
	}
	err = tx.Model(&rows[0]).Update("remaining", gorm.Expr("remaining - 1")).Error
	return err == nil, err
}

// CloseAllowancesTx notes that the person unsubscribed.
func (s *Service) CloseAllowancesTx(tx *gorm.DB, identityID int64) error {
	if err := tx.Where("identity_id = ?", identityID).Delete(&model.Allowance{}).Error; err != nil {
		return fmt.Errorf("reach: close allowances: %w", err)
	}
	return nil
}

// AcceptTx notes that the person accepted n more messages of a template.
func (s *Service) AcceptTx(tx *gorm.DB, identityID int64, templateID string, n int, at time.Time) error {
	if n <= 0 || templateID == "" || len(templateID) > 64 {
		return errs.Field("template", "reach.bad_template")
	}
	row := model.Acceptance{IdentityID: identityID, TemplateID: templateID, Count: n, UpdatedAt: at}
	dup, err := db.Insert(tx, &row)
	if dup {
		err = tx.Model(&model.Acceptance{}).Where("identity_id = ? AND template_id = ?", identityID, templateID).
			Updates(map[string]any{"accepted_count": gorm.Expr("accepted_count + ?", n), "updated_at": at}).Error
	}
	if err != nil {
		return fmt.Errorf("reach: accept: %w", err)
	}
	return nil
}

// RejectTx notes that the person wants no messages of a template: what he accepted before is void.
func (s *Service) RejectTx(tx *gorm.DB, identityID int64, templateID string, at time.Time) error {
	err := tx.Model(&model.Acceptance{}).Where("identity_id = ? AND template_id = ?", identityID, templateID).
		Updates(map[string]any{"accepted_count": 0, "updated_at": at}).Error
	if err != nil {
		return fmt.Errorf("reach: reject: %w", err)
	}
	return nil
}

// Acceptances are how many messages of each template the identity accepted and did not get yet.
func (s *Service) Acceptances(ctx context.Context, identityID int64) ([]model.Acceptance, error) {
	var rows []model.Acceptance
	return rows, s.db.Reader(ctx).Where("identity_id = ?", identityID).Order("template_id").Find(&rows).Error
}

// MassFinishedTx keeps WeChat's report on a mass send, whether or not the answer to the call was written down yet.
func (s *Service) MassFinishedTx(tx *gorm.DB, account, msgID, status string, total, filtered, sent, failed int64, at time.Time) error {
	row := &model.MassResult{
		Account: account, MsgID: cut(msgID, 32), Status: cut(status, 64), Total: total, Filtered: filtered, Sent: sent, Errors: failed, FinishedAt: at,
	}
	dup, err := db.Insert(tx, row)
	if dup {
		err = tx.Save(row).Error
	}
	if err != nil {
		return fmt.Errorf("reach: mass finished: %w", err)
	}
	return nil
}

// SubscribeSentTx takes WeChat's report on a subscribe message, or, without a msgID of a call of ours, on the last notice of the template to
// the identity. Code 0 says no more than its first answer did.
func (s *Service) SubscribeSentTx(ctx context.Context, tx *gorm.DB, id *model.Identity, template, msgID string, code int, status string, at time.Time) error {
	if code == 0 {
		return nil
	}
	if id.Kind == model.KindOA {
		msgID = noticeID(id.ID, template)
	}
	return s.FailedTx(ctx, tx, id.Account, msgID, strconv.Itoa(code)+" "+status, at)
}

// TemplateSentTx takes WeChat's report on a template message: "success" says no more than its first answer did.
func (s *Service) TemplateSentTx(ctx context.Context, tx *gorm.DB, account, msgID, status string, at time.Time) error {
	if status == "success" || msgID == "" {
		return nil
	}
	return s.FailedTx(ctx, tx, account, msgID, status, at)
}

// FailedTx takes the report that an accepted message did not arrive, whether or not the answer to its call was written down yet. A report that
// comes again changes nothing.
func (s *Service) FailedTx(ctx context.Context, tx *gorm.DB, account, msgID, failure string, at time.Time) error {
	failure, msgID = cut(failure, 120), cut(msgID, 64)
	dup, err := db.Insert(tx, &model.Receipt{Account: account, MsgID: msgID, Failure: failure, At: at})
	if err != nil || !dup {
		return err // it came before the answer to the call: note applies it
	}
	var row model.Receipt
	if err := tx.Take(&row, "account = ? AND msg_id = ?", account, msgID).Error; err != nil {
		return fmt.Errorf("reach: receipt: %w", err)
	}
	if row.Failure != "" || row.RunID == 0 {
		return nil
	}
	if err := tx.Model(&row).Update("failure", failure).Error; err != nil {
		return fmt.Errorf("reach: receipt: %w", err)
	}
	n, err := exec(ctx, tx, "UPDATE deliveries SET state = 'rejected', detail = ?, at = ? WHERE run_id = ? AND seq = ? AND state = 'accepted'",
		failure, at, row.RunID, row.Seq)
	if err != nil || n == 0 {
		return err
	}
	if err := s.undelivered(tx, row.RunID, row.Seq); err != nil {
		return err
	}
	var run model.Run
	if err := tx.Select("range_size").Take(&run, row.RunID).Error; err != nil {
		return fmt.Errorf("reach: receipt: %w", err)
	}
	var d delta
	d.move(model.DeliveryAccepted, model.DeliveryRejected, 1)
	return bump(ctx, tx, row.RunID, row.Seq/run.RangeSize, &d)
}
