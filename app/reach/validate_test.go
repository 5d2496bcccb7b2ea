package reach_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	text := func(s string, channels ...string) reach.Message {
		return reach.Message{Text: s, Channels: append(channels, reach.Customer)}
	}
	data := func(field, value string) reach.Message {
		return reach.Message{
			Channels: []string{reach.Subscribe}, Fallbacks: map[string]string{"nickname": "亲"},
			Subscribe: &reach.SubscribeContent{TemplateID: "tpl", Data: map[string]string{field: value}},
		}
	}
	for _, c := range []struct {
		msg reach.Message
		key string // "" = fine
	}{
		{reach.Message{Text: "x"}, "reach.no_channel"},
		{text("x", "fax"), "reach.unknown_channel"},
		{text("x", reach.Customer), "reach.channel_twice"},
		{text("x", reach.Subscribe), "reach.no_subscribe"},
		{text(" \n"), "reach.empty_text"},
		{text(strings.Repeat("好", 600)), ""},
		{text(strings.Repeat("好", 601)), "reach.long_text"},
		{text(strings.Repeat("😀", 513)), "reach.long_text"}, // 2,052 bytes
		{text("{{nickname}}"), "reach.no_fallback"},
		{text("{{phone}}"), "reach.unknown_variable"},
		{text("{{nickname"), "reach.open_braces"},
		{text("a}}"), "reach.open_braces"},
		{text("\xff"), "reach.not_text"},
		{text("a\x00b"), "reach.not_text"},
		{text("{{nickname}}", reach.Mass), "reach.mass_variable"},
		{reach.Message{Text: "x", Channels: []string{reach.Mass}, Fallbacks: map[string]string{"phone": "x"}}, "reach.unknown_variable"},
		{reach.Message{Text: "x", Channels: []string{reach.Mass}, Fallbacks: map[string]string{"no": "{{no}}"}}, "reach.bad_fallback"},
		{reach.Message{Text: "{{nickname}}", Channels: []string{reach.Customer}, Fallbacks: map[string]string{"nickname": "亲"}}, ""},
		{data("thing1", strings.Repeat("好", 20)), ""},
		{data("thing1", strings.Repeat("好", 21)), "reach.field_value"},
		{data("thing1", "{{nickname}}"), ""},
		{data("thing1", ""), "reach.empty_field"},
		{data("Thing", "x"), "reach.bad_field"},
		{data("number1", "12.5"), ""},
		{data("number1", "十二"), "reach.field_value"},
		{data("phrase1", "已发货"), ""},
		{data("phrase1", "一二三四五六"), "reach.field_value"},
		{data("amount1", "¥12.00"), ""},
		{data("phone_number1", "abc"), "reach.field_value"},
		{data("character_string1", "编号"), "reach.field_value"},
		{data("date1", "2019年10月1日"), ""},
	} {
		err := reach.Validate(model.ClassMarketing, c.msg)
		if c.key == "" {
			require.NoError(t, err, "%+v", c.msg)
			continue
		}
		var e *errs.Error
		require.ErrorAs(t, err, &e, "%+v", c.msg)
		require.Equal(t, errs.Invalid, e.Code)
		require.Equal(t, c.key, e.Key)
		require.True(t, strings.HasPrefix(e.Args["field"].(string), "message."), e.Args["field"])
	}
}

// The forecast and the live send decide by the same code: whatever people are like, they agree.
func TestForecast(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("SaysWhatTheSendDoes", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t)
			var ids []int64
			for range 40 {
				p := who{
					oa: r.IntN(3) > 0, left: r.IntN(6) == 0, mp: r.IntN(2) == 0, optedOut: r.IntN(6) == 0,
					window: r.IntN(3), accepted: r.IntN(2),
				}
				ids = append(ids, w.person(p))
			}
			channels := []string{reach.Customer, reach.Mass, reach.Subscribe}
			for range 4 {
				r.Shuffle(3, func(i, j int) { channels[i], channels[j] = channels[j], channels[i] })
				m := reach.Message{Text: "x", Channels: append([]string(nil), channels[:1+r.IntN(3)]...), Subscribe: &template}
				class := model.ClassService
				if r.IntN(3) > 0 {
					class = model.ClassMarketing
				}
				f, err := w.Forecast(t.Context(), class, m, set(ids))
				require.NoError(t, err)
				run := w.startClass(class, m, ids)
				w.settle(run)
				c := w.exact(run)
				require.Equal(t, f.Reachable, c.Accepted, "%s %v", class, m.Channels)
				reasons, err := w.Reasons(t.Context(), run.ID)
				require.NoError(t, err)
				require.Equal(t, f.Skipped, reasons)
			}
		})
	}
}
