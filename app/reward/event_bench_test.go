package reward_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// BenchmarkEvent is an event with all that it writes: without a rule, with 200 rules of which 20 are asked and none holds – the difference is
// what the rules cost –, and with ten that hold, each of which writes a line of the ledger and a counter.
func BenchmarkEvent(b *testing.B) {
	for name, c := range map[string]struct{ rules, n int }{"NoRules": {0, 5}, "200RulesNoneHolds": {200, 0}, "200RulesTenHold": {200, 5}} {
		b.Run(name, func(b *testing.B) {
			w := apptest.New(b)
			alice := w.Joined("alice")
			for i := range c.rules {
				w.Rule(fmt.Sprint("r", i), fmt.Sprint("behavior.b", i%10), fmt.Sprintf(`{"condition":{"leaf":"event.field","field":"n","op":"gte","value":%d},
					"grants":[{"kind":"per_unit","account":"points","amount":2,"field":"n"}],"caps":[{"period":"day","account":"points","amount":1000000000}]}`, 1+i/10%2*10))
			}
			data := model.ToJSON(map[string]int{"n": c.n})
			var lines int
			for i := 0; b.Loop(); i++ {
				r, err := w.Events.Record(b.Context(), "bench", event.Behavior{
					MemberID: alice, Action: "b3", Key: fmt.Sprint(i), OccurredAt: w.Now(), Data: data,
				}, w.LockMember)
				require.NoError(b, err)
				lines = len(r.Grants)
			}
			b.ReportMetric(float64(lines), "lines/event")
		})
	}
}
