package event

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// didArgs is "did <event> ≥15 times in 30d"; with Field only events are counted in whose Data it is Value, such as kind of radar.viewed.
type didArgs struct {
	Event  string       `json:"event"`
	Op     condition.Op `json:"op"`
	Count  int          `json:"count"`
	Window string       `json:"window"` // "30d", rolling and exact; "" = ever

	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
}

// counts reports whether an event with the data is one of those that are counted.
func (a didArgs) counts(data []byte) bool {
	if a.Field == "" {
		return true
	}
	values, _, ok := condition.Scalars(a.Value)
	return ok && condition.Matches(condition.DataFields(data)[a.Field], condition.Eq, values)
}

// roughly restricts a query to events that may be counted, where the database can tell by the text of the value.
func (a didArgs) roughly(q *gorm.DB) *gorm.DB {
	var text string
	if a.Field == "" || json.Unmarshal(a.Value, &text) != nil || json.Valid([]byte(text)) {
		return q // a number is written in several ways
	}
	if quoted := string(model.ToJSON(text)); !strings.ContainsAny(quoted, `\%_`) {
		q = q.Where("data LIKE ?", "%"+quoted+"%")
	}
	return q
}

func (a didArgs) check() (time.Duration, error) {
	window, err := condition.ParseWindow(a.Window)
	if err != nil {
		return 0, err
	}
	if err := condition.CheckCount(a.Op); err != nil {
		return 0, err
	}
	if !Known(a.Event) {
		return 0, errs.Field("event", "event.unknown_kind", "kind", a.Event)
	}
	if values, list, ok := condition.Scalars(a.Value); a.Field == "" && len(a.Value) > 0 || a.Field != "" && (!ok || list || len(values) != 1) {
		return 0, errs.Field("value", "event.did_value")
	}
	if a.Count < 0 || a.Count > 10_000 {
		return 0, errs.Field("count", "event.count", "limit", 10_000)
	}
	return window, nil
}

// kinds are the events that rules and conditions may name.
var kinds = []string{
	model.EventFollowed, model.EventUnfollowed, model.EventScanned, model.EventRegistered, model.EventMessage,
	model.EventNickname, model.EventGender, model.EventBirthday, model.EventBirthdayChanged, model.EventAddress, model.EventPhone,
	model.EventMenu, model.EventCheckin, model.EventMakeup, model.EventQuiz, model.EventForm, model.EventGroup, model.EventArticle, model.EventLive,
	model.EventRadarViewed, model.EventRadarForwarded, model.EventRadarGraded, model.EventTask, model.EventOrderPaid, model.EventOrderClaimed, model.EventOrderRefunded, model.EventOrderCorrected, model.EventTag, model.EventCoupon, model.EventCouponUsed, model.EventCouponBack,
	model.EventTierUp, model.EventTierDown, model.EventTierSoon, model.EventRedeemed, model.EventUnredeemed,
}

// Known reports whether siyu records events of the kind: one of Kinds, or behavior.<action> as other systems push it.
func Known(kind string) bool {
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	name, ok := strings.CutPrefix(kind, model.EventBehavior+".")
	return ok && action.MatchString(name)
}

// Kinds lists the kinds of events that rules may name, without those that other systems push.
func Kinds() []string { return kinds }

// Did is the leaf "did": an event counted in a rolling window.
func Did() condition.Leaf {
	return condition.Leaf{
		Name: "did", ByActing: true,
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			var a didArgs
			if err := condition.DecodeArgs(raw, &a); err != nil {
				return err
			}
			_, err := a.check()
			return err
		},
		Eval:     didEval,
		Members:  didMembers,
		Moves:    didMoves,
		Warm:     didWarm,
		Sentence: didSentence,
		Triggers: func(raw json.RawMessage) []string {
			var a didArgs
			_ = condition.DecodeArgs(raw, &a) // was checked
			return []string{a.Event}
		},
	}
}

func didEval(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
	var a didArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return condition.Verdict{}, err
	}
	window, err := a.check()
	if err != nil {
		return condition.Verdict{}, err
	}
	times, warm := s.Cache[didKey+string(raw)].([]time.Time)
	if !warm {
		all, err := a.times(tx, window, s.At, []int64{s.MemberID})
		if err != nil {
			return condition.Verdict{}, err
		}
		times = all[s.MemberID]
	}
	if ev := s.Event; ev != nil && ev.ID == 0 && ev.Kind == a.Event && a.counts(ev.Data) { // of a forecast: it is counted as it would be
		times = append(times, ev.OccurredAt)
	}
	return condition.CountWindow(times, a.Op, a.Count, window, s.At), nil
}

// didKey is how the key begins under which Warm keeps the times.
const didKey = "did "

func didWarm(_ context.Context, tx *gorm.DB, subjects []*condition.Subject, raw json.RawMessage) error {
	var a didArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return err
	}
	window, err := a.check()
	if err != nil {
		return err
	}
	all, err := a.times(tx, window, subjects[0].At, condition.IDs(subjects))
	for _, s := range subjects {
		s.Cache[didKey+string(raw)] = all[s.MemberID]
	}
	return err
}

// times are when each of the members did what is counted, the latest first: in the window before the instant, and after it.
func (a didArgs) times(tx *gorm.DB, window time.Duration, at time.Time, ids []int64) (map[int64][]time.Time, error) {
	q := tx.Select("member_id", "occurred_at").Where("member_id IN ? AND kind = ?", ids, a.Event)
	if window > 0 {
		q = q.Where("occurred_at > ?", at.Add(-window))
	}
	if a.Field != "" {
		q = a.roughly(q).Select("member_id", "occurred_at", "data")
	}
	var rows []model.Event
	if err := q.Order("occurred_at DESC").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("event: did: %w", err)
	}
	all := map[int64][]time.Time{}
	for _, row := range rows {
		if a.counts(row.Data) {
			all[row.MemberID] = append(all[row.MemberID], row.OccurredAt)
		}
	}
	return all, nil
}

func didMembers(_ context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
	var a didArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return nil, err
	}
	window, err := a.check()
	if err != nil {
		return nil, err
	}
	q := a.roughly(tx.Model(&model.Event{}).Where("kind = ? AND occurred_at <= ?", a.Event, at))
	if window > 0 {
		q = q.Where("occurred_at > ?", at.Add(-window))
	}
	if a.Field != "" {
		return a.found(q, universe)
	}
	rows, err := q.Select("member_id, COUNT(*)").Group("member_id").Rows()
	if err != nil {
		return nil, fmt.Errorf("event: did: %w", err)
	}
	defer rows.Close()
	out := roaring.New()
	none := a.Op.Holds(0, int64(a.Count)) // those without a row have done it no times
	if none {
		out.Or(universe)
	}
	for rows.Next() {
		var id uint32
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("event: did: %w", err)
		}
		if a.Op.Holds(int64(n), int64(a.Count)) {
			out.Add(id)
		} else {
			out.Remove(id)
		}
	}
	return out, rows.Err()
}

// didMoves are those of whom an event is in the window, or ahead.
func didMoves(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
	var a didArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return nil, err
	}
	window, err := a.check()
	if err != nil {
		return nil, err
	}
	return condition.Bitmap(tx.Model(&model.Event{}).Where("kind = ? AND occurred_at > ?", a.Event, at.Add(-window)).Distinct("member_id"))
}

// found is didMembers where the data of each event have to be looked at.
func (a didArgs) found(q *gorm.DB, universe *roaring.Bitmap) (*roaring.Bitmap, error) {
	rows, err := q.Select("member_id, data").Rows()
	if err != nil {
		return nil, fmt.Errorf("event: did: %w", err)
	}
	defer rows.Close()
	sums := map[uint32]int64{}
	for rows.Next() {
		var id uint32
		var data model.JSON
		if err := rows.Scan(&id, &data); err != nil {
			return nil, fmt.Errorf("event: did: %w", err)
		}
		if a.counts(data) {
			sums[id]++
		}
	}
	out := roaring.New()
	if a.Op.Holds(0, int64(a.Count)) {
		out.Or(universe)
	}
	for id, n := range sums {
		if a.Op.Holds(n, int64(a.Count)) {
			out.Add(id)
		} else {
			out.Remove(id)
		}
	}
	return out, rows.Err()
}

func didSentence(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
	var a didArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return "", err
	}
	key := "condition.did_ever"
	if a.Window != "" {
		key = "condition.did"
	}
	what := KindName(lang, a.Event)
	if values, _, ok := condition.Scalars(a.Value); ok && a.Field != "" {
		what = templates.T(lang, "condition.did_where", map[string]any{"event": what, "field": a.Field, "value": fmt.Sprint(values[0])})
	}
	return templates.T(lang, key, map[string]any{
		"event": what, "op": templates.T(lang, "condition.op."+string(a.Op), nil), "count": a.Count, "window": condition.WindowName(lang, a.Window),
	}), nil
}

// KindName is what an operator reads for a kind of event.
func KindName(lang, kind string) string {
	if name, ok := strings.CutPrefix(kind, model.EventBehavior+"."); ok {
		return name
	}
	return templates.T(lang, "event.kind."+kind, nil)
}
