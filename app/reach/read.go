package reach

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Counts are the people of a run by state. Audience is their sum at every moment.
type Counts struct {
	Audience   int64 `json:"audience"`
	Pending    int64 `json:"pending"`
	Deferred   int64 `json:"deferred"`
	Accepted   int64 `json:"accepted"`
	Rejected   int64 `json:"rejected"`
	Unknown    int64 `json:"unknown"`
	Suppressed int64 `json:"suppressed"`
	Cancelled  int64 `json:"cancelled"`
}

// Sum is what Audience must be.
func (c Counts) Sum() int64 {
	return c.Pending + c.Deferred + c.Accepted + c.Rejected + c.Unknown + c.Suppressed + c.Cancelled
}

// Counts reads a run's people by state.
func (s *Service) Counts(ctx context.Context, runID int64) (c Counts, err error) {
	run, err := s.Run(ctx, runID)
	if err != nil {
		return c, err
	}
	c.Audience = run.Audience
	err = each(ctx, s.db.Reader(ctx), func(r *sql.Rows) error {
		return r.Scan(&c.Pending, &c.Deferred, &c.Accepted, &c.Rejected, &c.Unknown, &c.Suppressed, &c.Cancelled)
	}, "SELECT COALESCE(SUM(pending), 0), COALESCE(SUM(deferred_count), 0), COALESCE(SUM(accepted), 0), COALESCE(SUM(rejected), 0), "+
		"COALESCE(SUM(unknown_count), 0), COALESCE(SUM(suppressed), 0), COALESCE(SUM(cancelled), 0) FROM ranges WHERE run_id = ?", runID)
	if err != nil {
		return c, fmt.Errorf("reach: counts: %w", err)
	}
	return c, nil
}

// Reason is a skip reason with its number of people.
type Reason struct {
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"` // of NO_QUOTA
	Count  int64  `json:"count"`
}

// Reasons are those for which people of a run were skipped, by name.
func (s *Service) Reasons(ctx context.Context, runID int64) ([]Reason, error) {
	sum := map[string]int64{}
	err := each(ctx, s.db.Reader(ctx), func(r *sql.Rows) error {
		var raw model.JSON
		if err := r.Scan(&raw); err != nil {
			return err
		}
		one := map[string]int64{}
		err := json.Unmarshal(raw, &one)
		for k, n := range one {
			sum[k] += n
		}
		return err
	}, "SELECT reasons FROM ranges WHERE run_id = ? AND suppressed > 0", runID)
	if err != nil {
		return nil, fmt.Errorf("reach: reasons: %w", err)
	}
	return listReasons(sum), nil
}

// Run reads a run, without its members.
func (s *Service) Run(ctx context.Context, runID int64) (*model.Run, error) {
	return get(s.db.Reader(ctx), runID)
}

func get(tx *gorm.DB, runID int64) (*model.Run, error) {
	var run model.Run
	err := tx.Omit("members").Take(&run, runID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "reach.no_run")
	}
	if err != nil {
		return nil, fmt.Errorf("reach: read run: %w", err)
	}
	return &run, nil
}

// Runs are the runs of a source, newest first, below beforeID (0 = from the newest). An empty source means all.
func (s *Service) Runs(ctx context.Context, source string, sourceID, beforeID int64, limit int) ([]model.Run, error) {
	tx := s.db.Reader(ctx).Omit("members").Order("id DESC").Limit(min(max(limit, 1), 200))
	if source != "" {
		tx = tx.Where("source = ? AND source_id = ?", source, sourceID)
	}
	if beforeID > 0 {
		tx = tx.Where("id < ?", beforeID)
	}
	var runs []model.Run
	if err := tx.Find(&runs).Error; err != nil {
		return nil, fmt.Errorf("reach: list runs: %w", err)
	}
	return runs, nil
}

// Unfinished are the runs of a source and class since the moment that are not over.
func (s *Service) Unfinished(tx *gorm.DB, source, class string, since time.Time) ([]model.Run, error) {
	var runs []model.Run
	err := tx.Omit("members").Where("state IN ? AND source = ? AND class = ? AND created_at >= ?", []string{model.RunSending, model.RunMassing}, source, class, since).
		Order("id").Find(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("reach: unfinished runs: %w", err)
	}
	return runs, nil
}

// Filter narrows the deliveries of a run. Empty fields do not.
type Filter struct{ State, Reason, Detail, Channel string }

// Deliveries are those of a run with seq ≥ cursor, in order; the next cursor is the last seq + 1.
func (s *Service) Deliveries(ctx context.Context, runID int64, f Filter, cursor int64, limit int) ([]model.Delivery, error) {
	tx := s.db.Reader(ctx).Where("run_id = ? AND seq >= ?", runID, cursor).Order("seq").Limit(min(max(limit, 1), 500))
	for column, v := range map[string]string{"state": f.State, "reason": f.Reason, "detail": f.Detail, "channel": f.Channel} {
		if v != "" {
			tx = tx.Where(column+" = ?", v)
		}
	}
	var rows []model.Delivery
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reach: list deliveries: %w", err)
	}
	return rows, nil
}

// Sent is a delivery with the run that it belongs to.
type Sent struct {
	model.Delivery
	Run model.Run
}

// OfMember are the newest messages to a person, also those to whom he was before merges; beforeRun pages (0 = from the newest).
func (s *Service) OfMember(ctx context.Context, memberID, beforeRun int64, limit int) ([]Sent, error) {
	r := s.db.Reader(ctx)
	losers, err := mergedInto(ctx, r, []int64{memberID})
	if err != nil {
		return nil, err
	}
	tx := r.Where("member_id IN ?", append(losers[memberID], memberID)).Order("run_id DESC, seq DESC").Limit(min(max(limit, 1), 200))
	if beforeRun > 0 {
		tx = tx.Where("run_id < ?", beforeRun)
	}
	var rows []model.Delivery
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reach: list deliveries: %w", err)
	}
	ids := make([]int64, len(rows))
	for i, d := range rows {
		ids[i] = d.RunID
	}
	var runs []model.Run
	if len(ids) > 0 {
		if err := s.db.Reader(ctx).Omit("members").Find(&runs, ids).Error; err != nil {
			return nil, fmt.Errorf("reach: list runs: %w", err)
		}
	}
	byID := map[int64]model.Run{}
	for _, run := range runs {
		byID[run.ID] = run
	}
	out := make([]Sent, len(rows))
	for i, d := range rows {
		out[i] = Sent{d, byID[d.RunID]}
	}
	return out, nil
}

// MassBatch is a mass send with WeChat's own report on it, if that has come.
type MassBatch struct {
	model.Batch
	Report *model.MassResult
}

// Batches are the mass sends of a run.
func (s *Service) Batches(ctx context.Context, runID int64) ([]MassBatch, error) {
	var rows []model.Batch
	if err := s.db.Reader(ctx).Where("run_id = ?", runID).Order("no").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reach: list batches: %w", err)
	}
	out := make([]MassBatch, len(rows))
	for i, b := range rows {
		out[i].Batch = b
		if b.MsgID == "" {
			continue
		}
		var reports []model.MassResult
		err := s.db.Reader(ctx).Where("account = ? AND msg_id = ?", b.Account, b.MsgID).Limit(1).Find(&reports).Error
		if err != nil {
			return nil, fmt.Errorf("reach: list reports: %w", err)
		}
		if len(reports) > 0 {
			out[i].Report = &reports[0]
		}
	}
	return out, nil
}

// MonthlyMass is how many mass sends a person got this month, of how many: what a forecast for one customer shows.
func (s *Service) MonthlyMass(ctx context.Context, memberID int64) (used, limit int, err error) {
	var rows []model.ReachUse
	err = s.db.Reader(ctx).Where("member_id = ? AND kind = ? AND period = ?", memberID, useMass(s.o.OA), s.zone.MonthOf(s.clock.Now())).Find(&rows).Error
	if len(rows) > 0 {
		used = rows[0].Used
	}
	return used, s.o.MassMonthly, err
}

// listReasons splits "NO_QUOTA/monthly_used".
func listReasons(sum map[string]int64) []Reason {
	var list []Reason
	for k, n := range sum {
		if n != 0 {
			reason, detail, _ := strings.Cut(k, "/")
			list = append(list, Reason{reason, detail, n})
		}
	}
	sortReasons(list)
	return list
}
