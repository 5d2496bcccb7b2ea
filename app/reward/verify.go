package reward

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// window is how many members one step of Verify holds in memory.
const window = 256

// Verify re-derives the counters of the caps from the entries and reports each that differs. It writes nothing and may run beside a
// live siyu. What the entries alone cannot tell is held to what they can: an event that gave only tags, or nothing because of
// another cap, counts as a time and leaves no entry, and a merge cuts what is given so many times in a lifetime.
func Verify(ctx context.Context, d *db.DB, z clock.Zone, report func(ledger.Mismatch)) error {
	budgets := map[use]int64{}
	for from, more := int64(0), true; more; {
		err := d.Snapshot(ctx, func(tx *gorm.DB) error {
			var ids []int64
			err := tx.Model(&model.Member{}).Where("id > ? AND merged_into IS NULL", from).Order("id").Limit(window).Pluck("id", &ids).Error
			if more = len(ids) > 0; err != nil || !more {
				return err
			}
			from = ids[len(ids)-1]
			v := &verifier{tx: tx, zone: z, report: report, budgets: budgets, found: map[counter]*tally{}}
			return v.verify(ids)
		})
		if err != nil {
			return fmt.Errorf("reward: verify: %w", err)
		}
	}
	if err := verifyBudgets(ctx, d, z, budgets, report); err != nil {
		return fmt.Errorf("reward: verify: %w", err)
	}
	var strays []model.RuleUse
	err := d.Reader(ctx).Where("member_id NOT IN (SELECT id FROM members WHERE merged_into IS NULL)").Limit(100).Find(&strays).Error
	for _, u := range strays {
		differ(report, counter{u.MemberID, useOf(u)}, "no row of one who is not there", fmt.Sprint(u.Used))
	}
	return err
}

// counter is a row of rule_uses.
type counter struct {
	member int64
	use    use
}

// tally is what the entries say of a counter.
type tally struct {
	amount int64
	events map[[2]int64]bool
	loose  bool // the entries do not tell all
}

type verifier struct {
	tx     *gorm.DB
	zone   clock.Zone
	report func(ledger.Mismatch)
	defs   map[int64]map[int]*Definition
	sets   map[string]model.CapSet
	// budgets adds up what was given to all members.
	budgets map[use]int64
	found   map[counter]*tally
}

func (v *verifier) verify(members []int64) error {
	root, err := v.families(members)
	if err != nil {
		return err
	}
	if err := v.definitions(); err != nil {
		return err
	}
	all := make([]int64, 0, len(root))
	for id := range root {
		all = append(all, id)
	}
	if err := v.granted(root, all); err != nil {
		return err
	}
	if err := v.grew(members); err != nil {
		return err
	}
	var uses []model.RuleUse
	if err := v.tx.Where("member_id IN ?", members).Find(&uses).Error; err != nil {
		return err
	}
	merged := map[int64]bool{}
	for id, r := range root {
		merged[r] = merged[r] || id != r
	}
	v.compare(uses, merged)
	return nil
}

// granted counts the entries of the members by rules that something bounds. They are most of the ledger: gorm's reflection would be most of the work.
func (v *verifier) granted(root map[int64]int64, members []int64) error {
	var bounded []int64
	for rule, versions := range v.defs {
		for _, d := range versions {
			if len(v.caps(rule, d)) > 0 {
				bounded = append(bounded, rule)
				break
			}
		}
	}
	if len(bounded) == 0 {
		return nil
	}
	rows, err := v.tx.Model(&model.Entry{}).Select("member_id", "account", "delta", "rule_id", "rule_version", "event_id", "occurred_at", "key").
		Where("member_id IN ? AND kind = ? AND rule_id IN ?", members, model.EntryEarn, bounded).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var e model.Entry
		if err := rows.Scan(&e.MemberID, &e.Account, &e.Delta, &e.RuleID, &e.RuleVersion, &e.EventID, &e.OccurredAt, &e.Key); err != nil {
			return err
		}
		if !strings.Contains(e.Key, adjusted) {
			v.add(root[e.MemberID], &e)
		}
	}
	return rows.Err()
}

// families maps the members, and everybody who was merged into them, to the member that is left.
func (v *verifier) families(members []int64) (map[int64]int64, error) {
	root := map[int64]int64{}
	for _, id := range members {
		root[id] = id
	}
	for next := members; len(next) > 0; {
		var merges []model.Merge
		if err := v.tx.Where("winner_id IN ?", next).Find(&merges).Error; err != nil {
			return nil, err
		}
		next = nil
		for _, m := range merges {
			if _, known := root[m.LoserID]; !known {
				root[m.LoserID] = root[m.WinnerID]
				next = append(next, m.LoserID)
			}
		}
	}
	return root, nil
}

func (v *verifier) definitions() error {
	var rows []model.PointRuleVersion
	if err := v.tx.Find(&rows).Error; err != nil {
		return err
	}
	var sets []model.CapSet
	if err := v.tx.Find(&sets).Error; err != nil {
		return err
	}
	v.sets = map[string]model.CapSet{}
	for _, s := range sets {
		v.sets[s.Code] = s
	}
	v.defs = map[int64]map[int]*Definition{}
	for _, row := range rows {
		d := &Definition{}
		if err := row.Definition.Into(d); err != nil {
			return err
		}
		if v.defs[row.RuleID] == nil {
			v.defs[row.RuleID] = map[int]*Definition{}
		}
		v.defs[row.RuleID][row.Version] = d
	}
	return nil
}

// grew adds what corrections of orders granted beyond what was granted at first: the caps count the most that it ever was.
func (v *verifier) grew(members []int64) error {
	var rows []struct {
		model.RuleGrant
		MemberID   int64
		OccurredAt time.Time
	}
	err := v.tx.Model(&model.RuleGrant{}).Select("rule_grants.*, events.member_id, events.occurred_at").Joins("JOIN events ON events.id = rule_grants.event_id").
		Where("events.member_id IN ? AND rule_grants.peak > rule_grants.granted", members).Find(&rows).Error
	for _, r := range rows {
		v.add(r.MemberID, &model.Entry{
			Account: r.Account, Delta: r.Peak - r.Granted, RuleID: r.RuleID, RuleVersion: r.RuleVersion, EventID: r.EventID, OccurredAt: r.OccurredAt,
		})
	}
	return err
}

// add counts an entry for every cap of the version that gave it, each counter once. One without a key counts no time.
func (v *verifier) add(member int64, e *model.Entry) {
	d := v.defs[e.RuleID][e.RuleVersion]
	if d == nil {
		return
	}
	seen := map[use]bool{}
	for _, c := range v.caps(e.RuleID, d) {
		k := use{c.of, c.id, c.Period.Key(v.zone, e.OccurredAt), c.Account}
		if seen[k] || c.Account != "" && c.Account != e.Account || c.Account == "" && (grown(e.Key) || e.Key == "") {
			continue
		}
		seen[k] = true
		if k.of == ofBudget {
			v.budgets[k] += e.Delta
			continue
		}
		t := v.tally(counter{member, k})
		t.amount += e.Delta
		t.events[[2]int64{e.EventID, e.RuleID}] = true
	}
}

// scoped is a cap and what it is over.
type scoped struct {
	Cap
	of scope
	id int64
}

// caps are those that bound what the version of a rule gave.
func (v *verifier) caps(rule int64, d *Definition) (caps []scoped) {
	for _, c := range d.Caps {
		caps = append(caps, scoped{c, ofRule, rule})
	}
	for _, code := range d.CapSets {
		set := v.sets[code]
		caps = append(caps, scoped{capOf(set), ofSet, set.ID})
	}
	if b := d.Budget; b != nil {
		caps = append(caps, scoped{Cap{Period: b.Period, Account: b.Account, Amount: b.Amount}, ofBudget, rule})
	}
	return caps
}

func (v *verifier) tally(k counter) *tally {
	t := v.found[k]
	if t == nil {
		t = &tally{events: map[[2]int64]bool{}, loose: k.use.account == "" && v.silent(k.use)}
		v.found[k] = t
	}
	return t
}

// silent reports a counter of times of a rule, or of a set with a rule, that may act without an entry.
func (v *verifier) silent(k use) bool {
	for rule, versions := range v.defs {
		for _, d := range versions {
			caps := v.caps(rule, d)
			if !slices.ContainsFunc(caps, func(c scoped) bool { return c.of == k.of && c.id == k.id }) {
				continue
			}
			wordless := slices.ContainsFunc(d.Grants, func(s Spec) bool { return s.Account == "" })
			if wordless || slices.ContainsFunc(caps, func(c scoped) bool { return c.Account != "" }) {
				return true
			}
		}
	}
	return false
}

func (v *verifier) compare(uses []model.RuleUse, merged map[int64]bool) {
	used := map[counter]int64{}
	for _, u := range uses {
		k := counter{u.MemberID, useOf(u)}
		used[k] = u.Used
		v.tally(k)
	}
	for k, t := range v.found {
		want, got := t.amount, used[k]
		if k.use.account == "" {
			want = int64(len(t.events))
		}
		cut := merged[k.member] && k.use.account == "" && k.use.period == string(Lifetime)
		switch {
		case got == want, t.loose && got > want, cut && got > 0 && got < want:
		default:
			differ(v.report, k, fmt.Sprint(want), fmt.Sprint(got))
		}
	}
}

func differ(report func(ledger.Mismatch), k counter, want, got string) {
	report(ledger.Mismatch{
		Table: "rule_uses", Column: "used of " + k.use.period, ID: k.use.id, MemberID: k.member, Account: k.use.account, Want: want, Got: got,
	})
}
