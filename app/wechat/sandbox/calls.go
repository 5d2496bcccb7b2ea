package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// callRecord is one API call in the log.
type callRecord struct {
	r       *http.Request
	raw     []byte
	answer  answer
	fault   *fault
	account string
	rid     string
	at      time.Time
}

const (
	callLogSize  = 5000
	callBodyMax  = 64 << 10
	callLogBytes = 32 << 20 // of all bodies: those of the oldest calls go first
)

// callLog keeps the newest calls, and counts all.
type callLog struct {
	first   int
	items   []*callRecord
	bytes   int
	dropped int // calls before this index have lost their bodies
	total   int
	unknown int
	counts  map[string]int
}

func (l *callLog) add(r *callRecord) {
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	l.total++
	if len(l.counts) < 1000 {
		l.counts[r.r.URL.Path]++
	}
	if len(r.raw) > callBodyMax {
		r.raw = slices.Clone(r.raw[:callBodyMax])
	}
	if len(r.answer.body) > callBodyMax || strings.HasPrefix(r.answer.typ, "image/") {
		r.answer.body = []byte("[binary]")
	}
	r.r = &http.Request{Method: r.r.Method, URL: r.r.URL, RemoteAddr: r.r.RemoteAddr, Host: r.r.Header.Get("X-Sim-Host")}
	if len(l.items) >= 2*callLogSize {
		for _, old := range l.items[:callLogSize] {
			l.bytes -= old.size()
		}
		l.items = slices.Clone(l.items[callLogSize:])
		l.first += callLogSize
		l.dropped = max(0, l.dropped-callLogSize)
	}
	l.items = append(l.items, r)
	for l.bytes += r.size(); l.bytes > callLogBytes; l.dropped++ {
		old := l.items[l.dropped]
		l.bytes -= old.size()
		old.raw, old.answer.body = nil, nil
	}
}

func (r *callRecord) size() int { return len(r.raw) + len(r.answer.body) }

func (l *callLog) byRid(rid string) *callRecord {
	for i := len(l.items) - 1; i >= 0; i-- {
		if l.items[i].rid == rid && rid != "" {
			return l.items[i]
		}
	}
	return nil
}

// Call is one API call as it is told.
type Call struct {
	Seq     int    `json:"seq"`
	Time    string `json:"time"`
	Account string `json:"account"`
	Host    string `json:"host,omitempty"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Query   string `json:"query"` // without secrets
	Body    string `json:"body"`
	Status  int    `json:"status"` // 0: no answer
	Errcode int    `json:"errcode"`
	Answer  string `json:"answer"`
	Fault   string `json:"fault,omitempty"`
}

// CallFilter picks calls from the log.
type CallFilter struct {
	Since int    // only those with a greater seq
	Path  string // only this path
	Limit int
}

// Calls lists what the log holds, oldest first, with the number of all calls ever made per path.
func (s *Sandbox) Calls(f CallFilter) (items []Call, counts map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, counts = []Call{}, map[string]int{}
	for p, n := range s.calls.counts {
		counts[p] = n
	}
	for i, r := range s.calls.items {
		seq := s.calls.first + i + 1
		if seq <= f.Since || (f.Path != "" && r.r.URL.Path != f.Path) {
			continue
		}
		if f.Limit > 0 && len(items) >= f.Limit {
			break
		}
		items = append(items, r.view(seq))
	}
	return items, counts
}

func (r *callRecord) view(seq int) Call {
	q := r.r.URL.Query()
	for _, secret := range []string{"access_token", "secret", "appsecret"} {
		if q.Has(secret) {
			q.Set(secret, "***")
		}
	}
	v := Call{
		Seq: seq, Time: showTime(r.at), Account: r.account, Host: r.r.Host, Method: r.r.Method, Path: r.r.URL.Path, Query: q.Encode(),
		Body: showBody(r.raw), Status: r.answer.status, Errcode: r.answer.code, Answer: showBody(r.answer.body),
	}
	if r.fault != nil {
		v.Fault = r.fault.Kind
	}
	return v
}

// showBody is text as it is, a picture as its size, and secrets left out.
func showBody(raw []byte) string {
	var m map[string]any
	if json.Unmarshal(raw, &m) == nil {
		hidden := false
		for _, k := range []string{"secret", "access_token", "session_key"} {
			if _, ok := m[k]; ok {
				m[k], hidden = "***", true
			}
		}
		if hidden {
			if out, err := json.Marshal(m); err == nil {
				return string(out)
			}
		}
		return string(raw)
	}
	if text := string(raw); scrub(text) == text && !strings.ContainsRune(text, 0) {
		return text
	}
	return "[binary]"
}
