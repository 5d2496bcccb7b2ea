package sandbox

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func reader(s string) *strings.Reader { return strings.NewReader(s) }

// BenchmarkCustomSend is one customer message, without the network.
func BenchmarkCustomSend(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir(), Frozen: true, Start: start, QuotaScale: 1e6})
	require.NoError(b, err)
	defer s.Close()
	p := s.NewPerson("a", "")
	_, err = s.followAccount(b.Context(), p.ID, "oa", "")
	require.NoError(b, err)
	require.NoError(b, s.pay(p.ID, "oa"))
	s.mu.Lock()
	token := (&call{now: start}).newToken(s.accounts[0]).text
	s.mu.Unlock()
	h, body := s.Handler(), `{"touser":"`+p.OpenIDs["oa"]+`","msgtype":"text","text":{"content":"你好"}}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/cgi-bin/message/custom/send?access_token="+token, reader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if !strings.Contains(rec.Body.String(), `"errcode":0`) {
			b.Fatal(rec.Body.String())
		}
	}
}

// BenchmarkBulk is a million followers; it reports what they weigh.
func BenchmarkBulk(b *testing.B) {
	for b.Loop() {
		s, err := Open(Options{Dir: b.TempDir()})
		require.NoError(b, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = s.Bulk(1_000_000, "p", "oa")
		require.NoError(b, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		require.NoError(b, s.Close())
	}
}
