package playbook_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Killed twice while the followers from before are taken over: it goes on by itself, and everybody is there once.
func TestKillDuringFollowerSync(t *testing.T) {
	t.Parallel()
	const n = 3000
	p, _ := apart(t, "2026-11-25 09:00:00")
	s := p.serve(t, "")
	s.control("POST", "/followers", obj{"account": "oa", "count": n}, nil)
	s.control("POST", "/faults", obj{"path": "/cgi-bin/user/info/batchget", "kind": "latency", "times": -1, "ms": 300}, nil)
	s.do("POST", "/followers/syncs", obj{"account": "oa"})
	type progress struct {
		Status                    string
		Total, Seen, Taken, Known int
	}
	look := func() progress {
		var out struct{ Items []progress }
		s.read("/followers/syncs", &out)
		require.Len(t, out.Items, 1)
		require.Equal(t, out.Items[0].Seen, out.Items[0].Taken+out.Items[0].Known)
		return out.Items[0]
	}
	seen := 0
	for range 2 {
		after := seen + 100 + rand.IntN(700)
		until(t, "some are taken over", func() bool { seen = look().Seen; return seen >= after })
		s.kill()
		s = p.serve(t, s.url)
		require.GreaterOrEqual(t, look().Seen, seen, "what was shown is kept")
	}
	s.control("DELETE", "/faults", nil, nil)
	until(t, "the lease of the dead runs out and everybody is taken over", func() bool { return look().Status == "done" })
	require.Equal(t, progress{"done", n, n, n, 0}, look(), "nobody was taken over twice")
	everybody := s.do("POST", "/audience/count", obj{"condition": follower})
	require.EqualValues(t, n, everybody["count"])
	s.done()
}
