package tag_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// BenchmarkFollow is what auto-tag rules cost an event, per event: with none, and with a hundred of the kinds that a programme has: sixty words in
// messages, twenty counted behaviours, ten on orders, five ages, five tags.
func BenchmarkFollow(b *testing.B) {
	for _, rules := range []int{0, 100} {
		for _, kind := range []string{model.EventMessage, model.EventCheckin, model.EventOrderPaid} {
			b.Run(fmt.Sprint(kind, "/rules=", rules), func(b *testing.B) {
				w := apptest.New(b)
				for i := range rules {
					tree := condition.Is("event.text", map[string]any{"contains_any": []string{fmt.Sprint("词", i), fmt.Sprint("word", i)}, "excludes": []string{"不"}})
					switch {
					case i >= 95:
						tree = condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(w.Tag(tag.Value, "source"))})
					case i >= 90:
						tree = condition.Is("member", map[string]any{"field": "age", "op": "gte", "value": i - 70})
					case i >= 80:
						tree = condition.Is("orders", map[string]any{"measure": "count", "op": "gte", "value": i - 79, "window": "365d"})
					case i >= 60:
						tree = condition.Is("did", map[string]any{"event": fmt.Sprint("behavior.b", i), "op": "gte", "count": 3, "window": "30d"})
					}
					_, err := w.Tags.SaveRule(b.Context(), tag.Rule{TagID: w.Tag(tag.Value, fmt.Sprint("t", i)), Name: "r", Enabled: true, Condition: model.ToJSON(tree)}, templates.English)
					require.NoError(b, err)
				}
				alice := w.Joined("alice")
				ev := &model.Event{ID: 1, MemberID: alice, Kind: kind, OccurredAt: w.Now(), Data: model.JSON(`{"type":"text","content":"请问这款面霜敏感肌可以用吗,多少钱一瓶,有没有小样可以先试试"}`)}
				w.Tx(func(ctx context.Context, tx *gorm.DB) error {
					for b.Loop() {
						if _, err := w.Tags.Follow(ctx, tx, ev); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
	}
}
