package sandbox

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// The kinds of faults.
const (
	FaultTimeoutAfter = "timeout_after" // the work is done, the answer never comes
	FaultHTTP500      = "http_500"      // a page of HTML instead of work
	FaultErrcode      = "errcode"       // an errcode instead of work
	FaultLatency      = "latency"       // the work, late
	FaultReset        = "reset"         // the connection is reset before the work
	FaultTruncated    = "truncated"     // the work, and half an answer
	FaultRevokeToken  = "revoke_token"  // the token of the call dies first
)

// fault is one thing that goes wrong with calls of a path.
type fault struct {
	Path    string `json:"path"`    // exact, or a prefix that ends in *
	Kind    string `json:"kind"`    //
	Times   int    `json:"times"`   // how often; -1 until cleared
	Skip    int    `json:"skip"`    // how many calls go well first
	Errcode int    `json:"errcode"` // of errcode
	Status  int    `json:"status"`  // of http_500; 500 unless set
	MS      int    `json:"ms"`      // of latency and timeout_after, real time
	Fired   int    `json:"fired"`
}

func (f *fault) matches(path string) bool {
	if p, ok := strings.CutSuffix(f.Path, "*"); ok {
		return strings.HasPrefix(path, p)
	}
	return f.Path == path
}

// takeFault uses up the first fault that is set for the path; nil if there is none.
func (s *Sandbox) takeFault(path string) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.matches(path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		f.Fired++
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		now := *f
		return &now
	}
	return nil
}

// before does what happens before the work. It is false when the connection must end now.
func (f *fault) before(r *http.Request) bool {
	switch f.Kind {
	case FaultLatency:
		return clock.Sleep(r.Context(), f.wait(0))
	case FaultReset:
		return false
	}
	return true
}

// hangUp ends the connection without an answer: with a reset where the server lets us.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // otherwise an orderly end; either is no answer
	}
	_ = conn.Close() // nothing more is to be said
}

func (f *fault) wait(otherwise time.Duration) time.Duration {
	if f.MS == 0 {
		return otherwise
	}
	return time.Duration(f.MS) * time.Millisecond
}

func (f *fault) status() int {
	if f.Status == 0 {
		return http.StatusInternalServerError
	}
	return f.Status
}

func (s *Sandbox) addFault(f fault) error {
	kinds := []string{FaultTimeoutAfter, FaultHTTP500, FaultErrcode, FaultLatency, FaultReset, FaultTruncated, FaultRevokeToken}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return refuse(400, "INVALID", "kind: %q is none of %v", f.Kind, kinds)
	case !strings.HasPrefix(f.Path, "/") && f.Path != "*":
		return refuse(400, "INVALID", "path: begin it with /, or give *")
	case f.Times < -1 || f.Skip < 0 || f.MS < 0 || f.MS > 600_000:
		return refuse(400, "INVALID", "times, skip, ms: out of range")
	case f.Kind == FaultErrcode && f.Errcode == 0:
		return refuse(400, "INVALID", "errcode: give one that is not 0")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return refuse(400, "INVALID", "status: 400 to 599")
	}
	if f.Times == 0 {
		f.Times = 1
	}
	f.Fired = 0
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}
