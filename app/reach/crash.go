package reach

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// EnvCrash names the point at which a sandbox process kills itself: "mid_calls:3" at the third pass, "mid_calls" at the first.
const EnvCrash = "SIYU_CRASH_AT"

// CrashAt returns an Options.Crash for kill tests: it kills this process (SIGKILL) at the point that EnvCrash names. Where it is not enabled,
// as outside the sandbox, it does nothing. The points: freezing, after_lease, deciding, after_attempting_commit, mid_calls, before_outcome_commit,
// after_outcome_commit, mass_reserved, mass_before_call, mass_after_call, mass_mid_outcome, finishing, advanced; those of app/sop begin with sop_.
func CrashAt(enabled bool) func(point string) {
	name, count, _ := strings.Cut(os.Getenv(EnvCrash), ":")
	if !enabled || name == "" {
		return func(string) {}
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		n = 1
	}
	var passes atomic.Int64
	return func(point string) {
		if point != name || passes.Add(1) != n {
			return
		}
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			_ = p.Kill()
			select {} // the signal is on its way
		}
	}
}
