package reach_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/reach"
	wx "github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// post is a Sender that makes an HTTP call for each message, as wechat.Client does.
type post struct {
	reach.Sender // what the bench never sends

	client *http.Client
	url    string
}

func (p post) SendText(ctx context.Context, _, openid, text string) error {
	body := fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":%q}}`, openid, text)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func (p post) SendTemplate(context.Context, string, string, wx.TemplateMessage) (string, error) {
	return "", nil
}

func (p post) SendNotice(context.Context, string, string, wx.TemplateMessage) error { return nil }

func (p post) SendSubscribe(context.Context, string, string, string, string, map[string]string) (string, error) {
	return "1", nil
}

func (p post) SendMass(context.Context, string, []string, string, string) (string, error) {
	return "1", nil
}

// BenchmarkSend sends b.N customer messages over HTTP with all their records: go test -bench Send -benchtime 20000x.
func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte(`{"errcode":0,"errmsg":"ok"}`))
	}))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	w := newWorld(b, func(o *reach.Options) { o.RangeSize = 1000 })
	var ids []int64
	for len(ids) < b.N {
		ids = append(ids, w.people(min(5000, b.N-len(ids)), who{oa: true, window: 5})...)
	}
	s := reach.New(w.db, w.clock, clock.Shanghai, post{client: client, url: server.URL}, w.opts)
	run := w.start(reach.Message{Text: "{{nickname}},你好", Fallbacks: map[string]string{"nickname": "亲"}, Channels: []string{reach.Customer}}, ids)
	b.ResetTimer()
	began := clock.Real()
	work(b, s, 2)
	took := clock.Real().Sub(began)
	b.StopTimer()
	require.EqualValues(b, b.N, w.exact(run).Accepted)
	b.ReportMetric(float64(b.N)/took.Seconds(), "msgs/s")
	b.ReportMetric(rss(), "MiB")
}

// BenchmarkMass sends one mass message to b.N+1 people.
func BenchmarkMass(b *testing.B) {
	w := newWorld(b, func(o *reach.Options) { o.RangeSize = 1000 })
	ids := w.people(b.N+1, who{oa: true})
	run := w.start(mass, ids)
	b.ResetTimer()
	began := clock.Real()
	work(b, w.Service, 2)
	took := clock.Real().Sub(began)
	b.StopTimer()
	require.EqualValues(b, b.N+1, w.exact(run).Accepted)
	b.ReportMetric(float64(b.N)/took.Seconds(), "people/s")
}

// BenchmarkForecast decides about b.N people without sending.
func BenchmarkForecast(b *testing.B) {
	w := newWorld(b)
	members := set(w.people(b.N, who{oa: true, window: 5}))
	b.ResetTimer()
	began := clock.Real()
	f, err := w.Forecast(b.Context(), model.ClassMarketing, customer, members)
	took := clock.Real().Sub(began)
	b.StopTimer()
	require.NoError(b, err)
	require.EqualValues(b, b.N, f.Reachable)
	b.ReportMetric(float64(b.N)/took.Seconds(), "people/s")
}

func work(b *testing.B, s *reach.Service, workers int) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for idle := 0; idle < 3; {
				did, err := s.Work(context.Background())
				if err != nil {
					b.Errorf("Work: %v", err)
					return
				}
				if did {
					idle = 0
				} else if idle++; !clock.Sleep(b.Context(), 5*time.Millisecond) {
					return
				}
			}
		})
	}
	wg.Wait()
}

// rss is the memory of this process, on Linux.
func rss() float64 {
	runtime.GC()
	raw, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(line, []byte("VmHWM:")) {
			var kb float64
			_, _ = fmt.Sscanf(string(line), "VmHWM: %f kB", &kb)
			return kb / 1024
		}
	}
	return 0
}
