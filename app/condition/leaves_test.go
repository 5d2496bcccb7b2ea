package condition_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// crowd is a database full of people of whom everything that the leaves read was drawn.
type crowd struct {
	*apptest.World
	ids      *roaring.Bitmap
	tags     []int64
	channels []string
}

const crowdSize = 24

// moment is within 110 days after the first start; often at a midnight of the zone or just before it, where days turn.
func moment(t *rapid.T, w *apptest.World) time.Time {
	day := model.Day("2026-11-23").Add(rapid.IntRange(0, 110).Draw(t, "day"))
	switch rapid.IntRange(0, 4).Draw(t, "edge") {
	case 4:
		return w.Zone.Start("2027-02-28")
	case 0:
		return w.Zone.Start(day)
	case 1:
		return w.Zone.Start(day).Add(-time.Microsecond)
	}
	return w.Zone.Start(day).Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute)
}

func newCrowd(t *testing.T, seed int) *crowd {
	w := apptest.New(t)
	c := &crowd{World: w, ids: roaring.New(), tags: []int64{w.Tag(tag.Value, "a"), w.Tag(tag.Value, "b")}, channels: []string{"poster", "tweet"}}
	for range crowdSize {
		c.ids.Add(uint32(w.Joined(fmt.Sprint("m", c.ids.GetCardinality()))))
	}
	gen := rapid.Custom(func(t *rapid.T) func(tx *gorm.DB, n int, id int64) error {
		set := map[string]any{"created_at": moment(t, w), "first_channel": 0, "last_channel": 0, "gender": rapid.SampledFrom([]string{"", "male", "female"}).Draw(t, "gender")}
		set["birthday"] = rapid.SampledFrom([]string{"", "2006-11-24", "2000-02-29", "1996-12-31", "2006-01-01", "1990-02-28"}).Draw(t, "birthday")
		if rapid.Bool().Draw(t, "joined") {
			set["joined_at"] = moment(t, w)
		} else {
			set["joined_at"] = nil
		}
		var rows []any
		kinds := []string{model.EventCheckin, model.EventMessage, model.EventTag, "behavior.share", model.EventTierUp}
		for range rapid.IntRange(0, 8).Draw(t, "events") {
			rows = append(rows, &model.Event{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Source: "drawn", OccurredAt: moment(t, w), Data: model.JSON("{}")})
		}
		for range rapid.IntRange(0, 4).Draw(t, "orders") {
			o := &model.Order{Platform: "jd", AmountFen: int64(rapid.IntRange(1, 400).Draw(t, "yuan")) * 100}
			if rapid.IntRange(0, 9).Draw(t, "told") > 0 {
				at := moment(t, w)
				o.PaidAt = &at
			}
			o.RefundedFen = rapid.SampledFrom([]int64{0, 0, o.AmountFen / 2, o.AmountFen}).Draw(t, "refunded")
			o.Ended = rapid.SampledFrom([]string{"", "", "", model.OrderCancelled}).Draw(t, "ended")
			rows = append(rows, o)
			for line := range rapid.IntRange(0, 2).Draw(t, "lines") {
				rows = append(rows, &model.OrderItem{
					Line: line + 1, Product: rapid.SampledFrom([]string{"草莓精华", "面霜", "Serum"}).Draw(t, "product"), Category: rapid.SampledFrom([]string{"serum", "cream"}).Draw(t, "category"),
					SKU: rapid.SampledFrom([]string{"S1", "S2"}).Draw(t, "sku"), Quantity: int64(rapid.IntRange(1, 3).Draw(t, "quantity")),
				})
			}
		}
		for _, id := range c.tags {
			if rapid.Bool().Draw(t, "tag") {
				rows = append(rows, &model.TagHold{TagID: id, Cause: model.CauseManual, At: apptest.Start})
			}
		}
		return func(tx *gorm.DB, n int, id int64) error {
			if err := tx.Model(&model.Member{}).Where("id = ?", id).Updates(set).Error; err != nil {
				return err
			}
			var order int64
			for i, row := range rows {
				switch row := row.(type) {
				case *model.Event:
					row.MemberID, row.Key = id, fmt.Sprint(n, "-", i)
				case *model.Order:
					row.MemberID, row.No = id, fmt.Sprint(n, "-", i)
				case *model.OrderItem:
					row.OrderID = order
				case *model.TagHold:
					row.MemberID = id
				}
				if err := tx.Create(row).Error; err != nil {
					return err
				}
				if o, ok := row.(*model.Order); ok {
					order = o.ID
				}
			}
			return nil
		}
	})
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("1 = 1").Delete(&model.Event{}).Error; err != nil {
			return err
		}
		for n, id := range c.ids.ToArray() {
			if err := gen.Example(seed*crowdSize+n)(tx, n, int64(id)); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

// leaf draws a leaf of those that read tables.
func (c *crowd) leaf(t *rapid.T) condition.Tree {
	op := rapid.SampledFrom([]string{"gte", "lte", "eq"}).Draw(t, "op")
	n := rapid.IntRange(0, 40).Draw(t, "n")
	item := func(args map[string]any) map[string]any {
		for field, values := range map[string][]string{"product": {"", "草莓", "erum"}, "category": {"", "", "cream"}, "sku": {"", "", "S1"}} {
			if v := rapid.SampledFrom(values).Draw(t, field); v != "" {
				args[field] = v
			}
		}
		return args
	}
	switch rapid.SampledFrom([]string{"inactive", "active_days", "count", "amount", "days", "low", "age", "joined_days", "tag", "did", "gender", "joined"}).Draw(t, "leaf") {
	case "inactive":
		return condition.Is("inactive", map[string]any{"op": op, "days": n})
	case "active_days":
		return condition.Is("active_days", map[string]any{"op": op, "count": n % 4, "days": n + 1})
	case "count":
		args := item(map[string]any{"measure": "count", "op": op, "value": n % 4})
		if n%3 > 0 {
			args["window"] = fmt.Sprint(n, "d")
		}
		return condition.Is("orders", args)
	case "amount":
		return condition.Is("orders", map[string]any{"measure": "amount", "op": op, "value": n * 2000, "window": fmt.Sprint(n+1, "d")})
	case "days":
		return condition.Is("orders", item(map[string]any{"measure": "days", "op": op, "value": n}))
	case "low":
		args := item(map[string]any{"cycle_days": n/4 + 2, "ahead_days": n / 8})
		if len(args) == 2 {
			args["sku"] = "S2"
		}
		return condition.Is("running_low", args)
	case "age":
		return condition.Is("member", map[string]any{"field": "age", "op": op, "value": rapid.SampledFrom([]int{19, 20, 26, 27, 30, 37}).Draw(t, "age")})
	case "joined_days":
		return condition.Is("member", map[string]any{"field": "joined_days", "op": op, "value": n})
	case "tag":
		return condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(c.tags[n%2])})
	case "did":
		return condition.Is("did", map[string]any{"event": model.EventCheckin, "op": op, "count": n % 3, "window": fmt.Sprint(n+1, "d")})
	case "gender":
		return condition.Is("member", map[string]any{"field": "gender", "value": "male"})
	}
	return condition.Is("member", map[string]any{"field": "joined", "value": n%2 == 0})
}

func (c *crowd) tree(t *rapid.T, depth int) condition.Tree {
	kind := rapid.SampledFrom([]string{"leaf", "leaf", "all", "any", "not"}).Draw(t, "kind")
	if depth == 3 {
		kind = "leaf"
	}
	kids := func() (out []condition.Tree) {
		for range rapid.IntRange(1, 3).Draw(t, "kids") {
			out = append(out, c.tree(t, depth+1))
		}
		return out
	}
	switch kind {
	case "all":
		return condition.Tree{All: kids()}
	case "any":
		return condition.Tree{Any: kids()}
	case "not":
		kid := c.tree(t, depth+1)
		return condition.Tree{Not: &kid}
	}
	return c.leaf(t)
}

// TestLeavesOfTables holds the readings of the leaves that read tables equal: of one member and of all, at any moment, and between two flips.
func TestLeavesOfTables(t *testing.T) {
	t.Parallel()
	for seed := range 2 {
		t.Run(fmt.Sprint("Crowd", seed), func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, seed)
			tx := c.DB.Reader(t.Context())
			held, not, flips, changes := 0, 0, 0, 0
			rapid.Check(t, func(rt *rapid.T) {
				tree, at := c.tree(rt, 1), moment(rt, c.World)
				require.NoError(rt, c.Conditions.Check(rt.Context(), tx, tree))
				all, err := c.Conditions.Members(rt.Context(), tx, at, c.ids, tree)
				require.NoError(rt, err)
				id := rapid.SampledFrom(c.ids.ToArray()).Draw(rt, "member")
				v, _, err := c.Conditions.Eval(rt.Context(), tx, &condition.Subject{MemberID: int64(id), At: at}, tree)
				require.NoError(rt, err)
				require.Equal(rt, all.Contains(id), v.Holds, "member %d at %s", id, c.Zone.In(at))
				require.Equal(rt, v, c.warm(rt, tx, id, at, tree), "read for many at once")
				if v.Holds {
					held++
				} else {
					not++
				}
				then := moment(rt, c.World)
				if v.FlipsAt.IsZero() || then.Before(v.FlipsAt) {
					then = laterOf(at, then)
					all, err := c.Conditions.Members(rt.Context(), tx, then, c.ids, tree)
					require.NoError(rt, err)
					require.Equal(rt, v.Holds, all.Contains(id), "member %d at %s, before the flip at %s", id, c.Zone.In(then), c.Zone.In(v.FlipsAt))
				}
				if v.FlipsAt.IsZero() {
					return
				}
				flips++
				all, err = c.Conditions.Members(rt.Context(), tx, v.FlipsAt.Add(-time.Microsecond), c.ids, tree)
				require.NoError(rt, err)
				require.Equal(rt, v.Holds, all.Contains(id), "just before the flip at %s", c.Zone.In(v.FlipsAt))
				all, err = c.Conditions.Members(rt.Context(), tx, v.FlipsAt, c.ids, tree)
				require.NoError(rt, err)
				if all.Contains(id) != v.Holds {
					changes++
				}
			})
			require.Greater(t, min(held, not), (held+not)/10, "the trees drawn hold nearly always or nearly never")
			require.Greater(t, changes, flips/3, "flips that change nothing are the rule")
		})
	}
}

// warm is Eval of one of all, for whom what is needed was read at once.
func (c *crowd) warm(t *rapid.T, tx *gorm.DB, id uint32, at time.Time, tree condition.Tree) condition.Verdict {
	var subjects []*condition.Subject
	for _, m := range c.ids.ToArray() {
		subjects = append(subjects, &condition.Subject{MemberID: int64(m), At: at, Cache: map[string]any{}})
	}
	require.NoError(t, c.Conditions.Warm(t.Context(), tx, tree, subjects))
	i := slices.IndexFunc(subjects, func(s *condition.Subject) bool { return s.MemberID == int64(id) })
	v, _, err := c.Conditions.Eval(t.Context(), tx, subjects[i], tree)
	require.NoError(t, err)
	return v
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// What no member can ever meet is refused when it is saved, at the place where it stands.
func TestLeavesRefuse(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	for name, c := range map[string]struct{ leaf, field string }{
		"NoSuchTag":       {`{"leaf":"tag","tag_id":"999"}`, "tag_id"},
		"NoSuchGender":    {`{"leaf":"member","field":"gender","value":"neither"}`, "value"},
		"GenderAsANumber": {`{"leaf":"member","field":"gender","value":3}`, "value"},
		"AgeInWords":      {`{"leaf":"member","field":"age","op":"gte","value":"ten"}`, "value"},
		"AgeAndAHalf":     {`{"leaf":"member","field":"age","op":"gte","value":3.5}`, "value"},
		"NoSuchField":     {`{"leaf":"member","field":"height","value":3}`, "field"},
		"NoSuchChannel":   {`{"leaf":"member","field":"channel","value":"nowhere"}`, "value"},
		"JoinedOnANumber": {`{"leaf":"member","field":"joined","value":1}`, "value"},
		"NoSuchTier":      {`{"leaf":"tier","at_least":"77"}`, "at_least"},
		"NoSuchEvent":     {`{"leaf":"did","event":"nope.done","op":"gte","count":1}`, "event"},
		"NegativeCount":   {`{"leaf":"did","event":"checkin.done","op":"gte","count":-1}`, "count"},
		"NegativeWindow":  {`{"leaf":"did","event":"checkin.done","op":"gte","count":1,"window":"-3d"}`, "window"},
		"EndlessWindow":   {`{"leaf":"did","event":"checkin.done","op":"gte","count":1,"window":"99999d"}`, "window"},
		"NoSuchMeasure":   {`{"leaf":"orders","measure":"weight","op":"gte","value":1}`, "measure"},
		"NoSuchOp":        {`{"leaf":"inactive","op":"like","days":60}`, "op"},
		"NoSuchAudience":  {`{"leaf":"audience","audience_id":"12"}`, "audience_id"},
		"NoSuchAccount":   {`{"leaf":"account","account":"gold","op":"gte","value":1}`, "account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := w.Conditions.Parse(model.JSON(`{"all":[` + c.leaf + `]}`))
			if err == nil {
				err = w.Conditions.Check(t.Context(), w.DB.Reader(t.Context()), tree)
			}
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, errs.Invalid, e.Code)
			require.Equal(t, "condition.all[0]."+c.field, e.Args["field"])
		})
	}
}
