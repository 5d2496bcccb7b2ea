package clock

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/siyu-scrm/siyu/templates"
)

// Say reads a cron line back: the common shapes in words, any other as it is.
func Say(lang, line string) string {
	say := func(key string, args map[string]any) string { return templates.T(lang, "cron.say_"+key, args) }
	other := say("line", map[string]any{"line": line})
	f := strings.Fields(line)
	if len(f) != 5 || f[3] != "*" {
		return other
	}
	minute, err := strconv.Atoi(f[0])
	if err != nil {
		return other
	}
	if f[1] == "*" && f[2] == "*" && f[4] == "*" {
		return say("hourly", map[string]any{"minute": minute})
	}
	hour, err := strconv.Atoi(f[1])
	if err != nil {
		return other
	}
	at := map[string]any{"time": fmt.Sprintf("%02d:%02d", hour, minute)}
	day, dayErr := strconv.Atoi(f[2])
	switch {
	case f[2] == "*" && f[4] == "*":
		return say("daily", at)
	case dayErr == nil && f[4] == "*":
		at["day"] = day
		return say("monthly", at)
	case f[2] == "*":
		if n, ok := weekday(f[4]); ok {
			return say("weekly_"+strconv.Itoa(n), at)
		}
		if f[4] == "1-5" {
			return say("weekdays", at)
		}
	}
	return other
}

// weekday reads one day of the week: 0 or sun is Sunday.
func weekday(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= 6 {
		return n, true
	}
	for n, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if strings.EqualFold(s, name) {
			return n, true
		}
	}
	return 0, false
}
