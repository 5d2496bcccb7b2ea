// Package sop runs plans of steps per member: who enters when, what each step sends, gives, asks or waits for, and what takes him out.
//
// A step of many members that is due is one firing: a transaction freezes them as one run of reach, and they are moved on in chunks
// from where the cursor of the firing stands, by any number of processes. Whatever is decided about an enrolment is decided under the lock
// of its member; the unique index on what runs lets nobody be in a SOP twice.
package sop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Source is that of the runs of SOPs in reach, and of their coupons.
const Source = model.CouponBySOP

// CatchUp is how late a step may still be sent; later it is missed.
const CatchUp = time.Hour

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Clock      clock.Clock
	Zone       clock.Zone
	Conditions *condition.Registry
	Audience   *audience.Service
	Book       *ledger.Book
	Coupons    *coupon.Service
	Reach      *reach.Service
	Broadcasts *broadcast.Service
	Tags       *tag.Service
	Crash      func(point string) // for kill tests: see reach.CrashAt
}

// Service is the use cases of SOPs.
type Service struct {
	Deps
	plans   db.Cached[*planSet]
	firings db.Fixed[*firing]
}

// New returns the service, and has reach ask it about everybody right before he is sent to.
func New(d Deps) *Service {
	if d.Crash == nil {
		d.Crash = func(string) {}
	}
	s := &Service{Deps: d}
	d.Reach.Recheck(Source, s.recheck)
	return s
}

// revision counts the changes of SOPs.
const revision = "sops"

// plan is a SOP with what its versions say.
type plan struct {
	model.SOP
	defs map[int]*Definition
}

func (p *plan) def() *Definition { return p.defs[p.Version] }

// planSet are the SOPs that were enabled once, as of a revision.
type planSet struct {
	list []*plan
	byID map[int64]*plan
	// enters are the active ones that members enter by an event of the kind.
	enters map[string][]*plan
	hears  map[string]bool // kinds that may change something for a member who is in one
}

func (s *Service) load(tx *gorm.DB) (*planSet, error) { return s.plans.Get(tx, revision, s.readPlans) }

func (s *Service) readPlans(tx *gorm.DB) (*planSet, error) {
	set := &planSet{byID: map[int64]*plan{}, enters: map[string][]*plan{}, hears: map[string]bool{}}
	var rows []model.SOP
	if err := tx.Where("state <> ?", model.SOPDraft).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: load: %w", err)
	}
	for _, row := range rows {
		p := &plan{SOP: row, defs: map[int]*Definition{}}
		set.list, set.byID[row.ID] = append(set.list, p), p
	}
	var versions []model.SOPVersion
	if err := tx.Where("sop_id IN (SELECT id FROM sops WHERE state <> ?)", model.SOPDraft).Find(&versions).Error; err != nil {
		return nil, fmt.Errorf("sop: load: %w", err)
	}
	for _, v := range versions {
		if p := set.byID[v.SOPID]; p != nil {
			d, err := read(v.Definition)
			if err != nil {
				return nil, fmt.Errorf("sop: version %d of %d: %w", v.Version, v.SOPID, err)
			}
			p.defs[v.Version] = d
			s.heard(set.hears, d)
		}
	}
	for _, p := range set.list {
		if d := p.def(); p.State == model.SOPActive && d.Entry.Event != "" {
			set.enters[d.Entry.Event] = append(set.enters[d.Entry.Event], p)
		}
	}
	return set, nil
}

// heard notes the kinds of events that may take somebody out, on, or to the goal.
func (s *Service) heard(kinds map[string]bool, d *Definition) {
	triggers := d.Exit
	if d.Goal != nil {
		triggers = append(triggers[:len(triggers):len(triggers)], d.Goal.Trigger)
	}
	for _, st := range d.Steps {
		if st.Wait != nil {
			kinds[st.Wait.Event] = true
		}
	}
	for _, t := range triggers {
		if t.Event != "" {
			kinds[t.Event] = true
			continue
		}
		for _, k := range s.Conditions.Triggers(t.Condition) {
			kinds[k] = true
		}
	}
}

// Get reads one; errs.NotFound ("sop.not_found").
func (s *Service) Get(ctx context.Context, id int64) (*model.SOP, error) {
	return get(s.DB.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*model.SOP, error) {
	return db.ByID[model.SOP](tx, id, "sop.not_found")
}

// lock reads a SOP that this transaction decides about: all that concerns one goes one after another.
func lock(tx *gorm.DB, id int64) (*model.SOP, error) {
	if err := tx.Exec("UPDATE sops SET turn = turn + 1 WHERE id = ?", id).Error; err != nil {
		return nil, fmt.Errorf("sop: lock: %w", err)
	}
	return get(tx, id)
}

// List reads SOPs, newest first, below beforeID (0 = from the newest).
func (s *Service) List(ctx context.Context, beforeID int64, limit int) (rows []model.SOP, err error) {
	q := s.DB.Reader(ctx).Order("id DESC").Limit(limit)
	if beforeID > 0 {
		q = q.Where("id < ?", beforeID)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: list: %w", err)
	}
	return rows, nil
}

// Version reads what a version of a SOP says; 0 is the one by which members enter.
func (s *Service) Version(ctx context.Context, row *model.SOP, version int) (*Definition, error) {
	if version == 0 {
		version = row.Version
	}
	return definition(s.DB.Reader(ctx), row.ID, version)
}

func definition(tx *gorm.DB, id int64, version int) (*Definition, error) {
	var v model.SOPVersion
	err := tx.Where("sop_id = ? AND version = ?", id, version).Take(&v).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "sop.no_version", "version", strconv.Itoa(version))
	}
	if err != nil {
		return nil, fmt.Errorf("sop: version %d of %d: %w", version, id, err)
	}
	return read(v.Definition)
}

// Versions are those of a SOP, newest first, without what they say.
func (s *Service) Versions(ctx context.Context, id int64) (rows []model.SOPVersion, err error) {
	if err := s.DB.Reader(ctx).Omit("definition").Where("sop_id = ?", id).Order("version DESC").Limit(200).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("sop: versions: %w", err)
	}
	return rows, nil
}
