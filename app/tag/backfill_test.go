package tag_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// A rule that is filled in leaves everybody as one that had been in force all the while would: he holds the tag or not, and is asked again when time
// changes that.
func TestBackfill(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	now := w.At("2027-02-24 09:00:00")
	at := func(days int) time.Time { return now.AddDate(0, 0, -days).Add(-time.Minute) }
	vip, other := w.Tag(tag.Value, "VIP"), w.Tag(tag.Value, "other")
	var people []int64
	for i := range 24 {
		w.Jump(now.AddDate(0, 0, 3*i-72).Format(time.DateTime))
		people = append(people, w.Joined(fmt.Sprint("m", i)))
	}
	w.Jump("2027-02-24 09:00:00")
	now = w.Now()
	for i, id := range people {
		if i%3 > 0 {
			w.Tx(func(_ context.Context, tx *gorm.DB) error {
				return tx.Model(&model.Member{}).Where("id = ?", id).Update("birthday", now.AddDate(-18-i%5, 0, i-12).Format(time.DateOnly)).Error
			})
		}
		for k := range i % 4 {
			require.NoError(t, w.Behave(id, "visit", fmt.Sprint(i, "-", k), at(9*k+2*(24-i))))
		}
		if i%2 == 0 {
			paid, fen := at(5*i), int64(1000*(i+1))
			_, err := w.Orders.Push(t.Context(), order.Push{Platform: "jd", No: fmt.Sprint(i), Status: model.OrderPaid, MemberID: id, PaidAt: &paid, AmountFen: &fen})
			require.NoError(t, err)
		}
		if i%5 == 0 {
			require.NoError(t, w.Tags.SetManual(t.Context(), id, vip, 1, true, "x"))
		}
	}
	rules := map[string]string{
		"a tag":           fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, vip),
		"not a tag":       fmt.Sprintf(`{"not":{"leaf":"tag","tag_id":"%d"}}`, vip),
		"ever":            `{"leaf":"did","event":"behavior.visit","op":"gte","count":2}`,
		"a window":        `{"leaf":"did","event":"behavior.visit","op":"gte","count":2,"window":"20d"}`,
		"fewer":           `{"leaf":"did","event":"behavior.visit","op":"lte","count":1,"window":"20d"}`,
		"orders":          `{"leaf":"orders","measure":"amount","op":"gte","value":9000,"window":"60d"}`,
		"days of orders":  `{"leaf":"orders","measure":"days","op":"gte","value":30}`,
		"recent orders":   `{"leaf":"orders","measure":"days","op":"lte","value":30}`,
		"inactive":        `{"leaf":"inactive","op":"gte","days":20}`,
		"active days":     `{"leaf":"active_days","op":"gte","count":2,"days":20}`,
		"age":             `{"leaf":"member","field":"age","op":"gte","value":20}`,
		"newly joined":    `{"leaf":"member","field":"joined_days","op":"lte","value":30}`,
		"birthday":        `{"leaf":"birthday","scope":"month"}`,
		"several":         fmt.Sprintf(`{"any":[{"leaf":"inactive","op":"gte","days":40},{"all":[{"leaf":"tag","tag_id":"%d"},{"leaf":"orders","measure":"count","op":"gte","value":1,"window":"50d"}]}]}`, vip),
		"some of a crowd": `{"all":[{"leaf":"random","percent":50,"salt":"s"},{"leaf":"member","field":"joined","value":true}]}`,
	}
	for name, raw := range rules {
		tagID := w.Tag(tag.Preference, name)
		rule, err := w.Tags.SaveRule(t.Context(), tag.Rule{TagID: tagID, Name: name, Enabled: true, Condition: []byte(raw)}, templates.English)
		require.NoError(t, err)
		for n := 1; n > 0; {
			n, err = w.Tags.Review(t.Context(), now)
			require.NoError(t, err)
		}
		tree, err := w.Conditions.Parse([]byte(raw))
		require.NoError(t, err)
		tx, held := w.DB.Reader(t.Context()), 0
		for _, id := range people {
			v, _, err := w.Conditions.Eval(t.Context(), tx, &condition.Subject{MemberID: id, At: now, Cache: map[string]any{}}, tree)
			require.NoError(t, err)
			require.Equal(t, v.Holds, w.Count(&model.TagHold{}, "member_id = ? AND tag_id = ?", id, tagID) == 1, "%s: member %d", name, id)
			if v.Holds {
				held++
			}
			var flip model.TagFlip
			require.NoError(t, tx.Where("auto_tag_id = ? AND member_id = ?", rule.ID, id).Limit(1).Find(&flip).Error)
			require.True(t, flip.At.Equal(v.FlipsAt), "%s: member %d is asked again at %s, not at %s", name, id, flip.At, v.FlipsAt)
		}
		require.Positive(t, held, name)
		require.Less(t, held, len(people)+1, name)
	}

	// Saved anew, it takes away what does not hold any more, and leaves alone what was set by hand.
	tagID := w.Tag(tag.Preference, "a tag")
	require.NoError(t, w.Tags.SetManual(t.Context(), people[1], tagID, 1, true, "by hand"))
	saved, err := w.Tags.ListRules(t.Context(), templates.English)
	require.NoError(t, err)
	for _, r := range saved {
		if r.TagID == tagID {
			_, err := w.Tags.SaveRule(t.Context(), tag.Rule{ID: r.ID, TagID: tagID, Name: r.Name, Enabled: true, Condition: fmt.Appendf(nil, `{"leaf":"tag","tag_id":"%d"}`, other)}, templates.English)
			require.NoError(t, err)
		}
	}
	w.Settle()
	require.EqualValues(t, 1, w.Count(&model.TagHold{}, "tag_id = ?", tagID))
	w.Indexed()
}
