package reach

import (
	"bytes"
	"fmt"
	"regexp"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Rules are what the messages of one run obey beside the house rules.
type Rules struct {
	Quiet       string `json:"quiet,omitempty" enum:"defer,drop" doc:"What becomes of marketing in quiet hours: defer (default) sends it after them, drop skips it as QUIET_HOURS."`
	HoldMinutes int    `json:"hold_minutes,omitempty" minimum:"0" maximum:"43200" doc:"So long after its start nobody is sent to any more: who would wait longer is skipped for what he waits for, such as QUIET_HOURS. 0: without end."`
	Priority    int    `json:"priority,omitempty" minimum:"0" maximum:"9" doc:"A marketing broadcast holds a place in the caps for its people against less important ones of the same day: those are skipped as FREQ_CAP, reserved:<id>."`
	Test        bool   `json:"test,omitempty" hidden:"true"` // to people whom the operator named: no cap counts it
	OnceKey     string `json:"once_key,omitempty" maxLength:"64" doc:"Who received a message of any broadcast with this key is skipped as DUPLICATE."`
}

// What a message does in quiet hours.
const (
	QuietDefer = "defer"
	QuietDrop  = "drop"
)

var onceKey = regexp.MustCompile(`^[0-9A-Za-z_.:-]{0,64}$`)

// maxHold is how long a run may be held: 30 days, in minutes.
const maxHold = 30 * 24 * 60

// Validate refuses, as errs.Field with a path below "rules", what no run can obey.
func (r Rules) Validate() error {
	switch {
	case r.Quiet != "" && r.Quiet != QuietDefer && r.Quiet != QuietDrop:
		return errs.Field("rules.quiet", "reach.quiet")
	case r.HoldMinutes < 0 || r.HoldMinutes > maxHold:
		return errs.Field("rules.hold_minutes", "reach.hold", "limit", maxHold)
	case r.Priority < 0 || r.Priority > 9:
		return errs.Field("rules.priority", "reach.priority")
	case !onceKey.MatchString(r.OnceKey):
		return errs.Field("rules.once_key", "reach.once_key")
	}
	return nil
}

// until is the end of a run that starts at the moment; zero = none.
func (r Rules) until(start time.Time) time.Time {
	if r.HoldMinutes == 0 {
		return time.Time{}
	}
	return start.Add(time.Duration(r.HoldMinutes) * time.Minute)
}

// Reserve is a more important send of the same day, and whom it is for.
type Reserve struct {
	SourceID int64
	At       time.Time
	Channels []string
	Members  *roaring.Bitmap
}

// law is what a run's messages obey.
type law struct {
	Rules
	class    string
	until    time.Time // zero: without end
	reserves []Reserve
}

// lawOf reads the law of a run.
func (s *Service) lawOf(tx *gorm.DB, run *model.Run) (*law, error) {
	return s.laws.Get(run.ID, maxSets, func() (*law, error) { return readLaw(tx, run) })
}

func readLaw(tx *gorm.DB, run *model.Run) (*law, error) {
	l := &law{class: run.Class}
	if err := run.Rules.Into(&l.Rules); err != nil {
		return nil, fmt.Errorf("reach: rules of run %d: %w", run.ID, err)
	}
	if run.Until != nil {
		l.until = *run.Until
	}
	if run.Reserves > 0 {
		var rows []model.RunReserve
		if err := tx.Order("at, source_id").Find(&rows, "run_id = ?", run.ID).Error; err != nil {
			return nil, fmt.Errorf("reach: reserves of run %d: %w", run.ID, err)
		}
		for _, row := range rows {
			r := Reserve{SourceID: row.SourceID, At: row.At, Members: roaring.New()}
			if _, err := r.Members.ReadFrom(bytes.NewReader(row.Members)); err != nil {
				return nil, fmt.Errorf("reach: reserves of run %d: %w", run.ID, err)
			}
			if err := row.Channels.Into(&r.Channels); err != nil {
				return nil, fmt.Errorf("reach: reserves of run %d: %w", run.ID, err)
			}
			l.reserves = append(l.reserves, r)
		}
	}
	return l, nil
}

// freezeReserves keeps the more important sends with a run.
func freezeReserves(tx *gorm.DB, runID int64, all []Reserve) error {
	for _, r := range all {
		r.Members.RunOptimize()
		raw, err := r.Members.ToBytes()
		if err != nil {
			return fmt.Errorf("reach: reserve: %w", err)
		}
		row := &model.RunReserve{RunID: runID, SourceID: r.SourceID, At: r.At, Channels: model.ToJSON(r.Channels), Members: raw}
		if err := tx.Create(row).Error; err != nil {
			return fmt.Errorf("reach: reserve: %w", err)
		}
	}
	return nil
}
