package clock

import "time"

// Seconds are the whole seconds from since to now that count as spent on something, of a stretch of at most most; claimed, what a client
// says that it measured, can only make them fewer (nil: it says nothing).
func Seconds(since, now time.Time, most time.Duration, claimed *int64) int64 {
	n := max(0, int64(min(now.Sub(since), most)/time.Second))
	if claimed != nil {
		n = min(n, max(0, *claimed))
	}
	return n
}
