package reward

import (
	"fmt"
	"testing"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// BenchmarkRules is what 200 active rules cost an event, without what they write: finding those that it concerns, their conditions, and the
// decision. Ten kinds of events share the rules; the conditions of half of those that the event concerns hold. BenchmarkEvent writes too.
func BenchmarkRules(b *testing.B) {
	s := &Service{zone: clock.Shanghai, conditions: condition.New()}
	s.conditions.Seal()
	p := &programme{byTrigger: map[string][]*rule{}}
	for i := range 200 {
		d := Definition{
			Condition: condition.Is("event.field", map[string]any{"field": "n", "op": "gte", "value": 1 + i/10%2*10}),
			Grants:    []Spec{{Kind: PerUnit, Account: "points", Amount: 2, Field: "n"}}, Caps: []Cap{{Period: Day, Account: "points", Amount: 1000}},
		}
		trigger := fmt.Sprint("behavior.", i%10)
		r := &rule{id: int64(i + 1), code: fmt.Sprint("r", i), versions: []version{{model.PointRuleVersion{Enabled: true, Trigger: trigger}, d}}}
		p.rules, p.byTrigger[trigger] = append(p.rules, r), append(p.byTrigger[trigger], r)
	}
	ev := &model.Event{ID: 1, MemberID: 1, Kind: "behavior.3", OccurredAt: time.Unix(1795000000, 0), Data: model.JSON(`{"n":5}`)}
	for b.Loop() {
		hits, err := s.match(b.Context(), nil, p, ev)
		if err != nil {
			b.Fatal(err)
		}
		if outs := decide(s.unused(p, ev, hits)); len(outs) != 10 {
			b.Fatal(len(outs))
		}
	}
}
