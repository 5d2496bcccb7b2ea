package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// local talks to processes on this machine: never through a proxy, and as long as the context lasts.
var local = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}

type clockView struct {
	Now  time.Time `json:"now"`
	Mode string    `json:"mode"` // ticking or frozen
}

const (
	ticking = "ticking"
	frozen  = "frozen"
)

func viewClock(c *clock.Movable) clockView {
	v := clockView{Now: clock.Shanghai.In(c.Now()), Mode: ticking}
	if c.Frozen() {
		v.Mode = frozen
	}
	return v
}

func (v clockView) applyTo(c *clock.Movable) {
	freezeAt(c, v.Now)
	if v.Mode == ticking {
		c.Tick()
	}
}

// exchange sends in as JSON (nil: a GET) and reads the answer into out. An error of the other side is told in its own words.
func exchange(ctx context.Context, address string, in, out any) error {
	method, body := http.MethodGet, io.Reader(nil)
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		method, body = http.MethodPost, bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := local.Do(req)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		// A process that was killed while it answered is as gone as one that refuses the connection.
		return fmt.Errorf("sandbox: read the answer: %w", &net.OpError{Op: "read", Net: "tcp", Err: err})
	}
	if res.StatusCode/100 != 2 {
		var e errorBody
		if json.Unmarshal(raw, &e) == nil && e.Error.Message != "" {
			return errors.New(e.Error.Message)
		}
		return fmt.Errorf("sandbox: %s answered %s", address, res.Status)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("sandbox: %s: %w", address, err)
	}
	return nil
}

// httpFollower is a Follower in another process, behind RemoteHandler.
type httpFollower struct{ url string }

type dueView struct {
	Due *time.Time `json:"due"`
}

// Due asks the other process.
func (f httpFollower) Due(ctx context.Context, after, until time.Time) (time.Time, bool, error) {
	q := url.Values{"after": {after.Format(time.RFC3339Nano)}, "until": {until.Format(time.RFC3339Nano)}}
	var v dueView
	if err := exchange(ctx, f.url+"/due?"+q.Encode(), nil, &v); err != nil {
		return time.Time{}, false, reached(err)
	}
	if v.Due == nil {
		return time.Time{}, false, nil
	}
	return *v.Due, true, nil
}

// Settle moves the other process's clock and waits for it to come to rest.
func (f httpFollower) Settle(ctx context.Context, now time.Time) error {
	return reached(exchange(ctx, f.url+"/settle", clockView{now, frozen}, nil))
}

func (f httpFollower) setClock(ctx context.Context, now time.Time, tick bool) error {
	v := clockView{now, frozen}
	if tick {
		v.Mode = ticking
	}
	return reached(exchange(ctx, f.url+"/clock", v, nil))
}

// reached turns the end of a connection without an answer into the same kind of error as a refused one.
func reached(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("sandbox: %w", &net.OpError{Op: "read", Net: "tcp", Err: err})
	}
	return err
}

// followURL registers a process that serves RemoteHandler at address. The same address replaces itself.
func (s *Sandbox) followURL(ctx context.Context, address string) (clockView, error) {
	address = strings.TrimRight(address, "/")
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" || u.Host == "" {
		return clockView{}, refuse(400, "INVALID", "url: give an http URL")
	}
	s.clockMu.Lock() // not in the middle of a move
	defer s.clockMu.Unlock()
	fo := &following{"the process at " + address, httpFollower{address}}
	v := viewClock(s.clk)
	if err := (httpFollower{address}).setClock(ctx, v.Now, v.Mode == ticking); err != nil {
		return v, refuse(502, "UNREACHABLE", "url: %s", err)
	}
	for _, old := range s.followed() {
		if old.name == fo.name {
			s.drop(old)
		}
	}
	s.followersMu.Lock()
	s.followers = append(s.followers, fo)
	s.followersMu.Unlock()
	return v, nil
}

// Remote is a sandbox in another process, as a siyu process sees it.
type Remote struct {
	url string
	clk *clock.Movable

	mu       sync.Mutex
	accounts []Account // as they were last seen
}

// Connect reads the accounts and the clock of the sandbox at baseURL, such as http://127.0.0.1:9090.
func Connect(ctx context.Context, baseURL string) (*Remote, error) {
	r := &Remote{url: strings.TrimRight(baseURL, "/")}
	if err := r.readAccounts(ctx); err != nil {
		return nil, err
	}
	var v clockView
	if err := exchange(ctx, r.url+"/sandbox/api/clock", nil, &v); err != nil {
		return nil, err
	}
	// The answer is a moment old, so that this clock is behind the sandbox's and never has to run backwards.
	r.clk = clock.NewMovable(v.Now)
	if v.Mode == frozen {
		r.clk = clock.NewFrozen(v.Now)
	}
	return r, nil
}

// accountsTimeout is how long Accounts waits for the other process: well within the five seconds of a push.
const accountsTimeout = time.Second

// Accounts lists the accounts as they are now, since their modes change while siyu runs; as they were last seen where
// the other process does not answer.
func (r *Remote) Accounts() []Account {
	ctx, cancel := context.WithTimeout(context.Background(), accountsTimeout)
	defer cancel()
	if err := r.readAccounts(ctx); err != nil {
		slog.WarnContext(ctx, "sandbox: accounts not read: taken as they were", "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accounts
}

func (r *Remote) readAccounts(ctx context.Context) error {
	var list struct {
		Items []Account `json:"items"`
	}
	if err := exchange(ctx, r.url+"/sandbox/api/accounts", nil, &list); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accounts = list.Items
	return nil
}

// Clock follows the sandbox's clock once Follow has registered a RemoteHandler with it.
func (r *Remote) Clock() *clock.Movable { return r.clk }

// Follow registers the RemoteHandler that this process serves at address.
func (r *Remote) Follow(ctx context.Context, address string) error {
	return exchange(ctx, r.url+"/sandbox/api/followers", map[string]string{"url": address}, nil)
}

// SetCallbackBase tells the sandbox where siyu is.
func (r *Remote) SetCallbackBase(ctx context.Context, base string) error {
	return exchange(ctx, r.url+"/sandbox/api/accounts", map[string]string{"callback_base": base}, nil)
}

// RemoteHandler serves GET …/due, POST …/settle and POST …/clock to a sandbox in another process. Settle first sets clk.
func RemoteHandler(f Follower, clk *clock.Movable) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v clockView
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&v); err != nil || v.Now.IsZero() {
				writeError(w, refuse(400, "INVALID", "now: give a time"))
				return
			}
		}
		switch r.Method + " " + path.Base(r.URL.Path) {
		case "GET due":
			serveDue(w, r, f)
		case "POST settle":
			v.applyTo(clk)
			if err := f.Settle(r.Context(), clk.Now()); err != nil {
				writeError(w, refuse(500, "NOT_SETTLED", "%s", err))
				return
			}
			writeJSON(w, 200, viewClock(clk))
		case "POST clock":
			v.applyTo(clk)
			writeJSON(w, 200, viewClock(clk))
		default:
			writeError(w, refuse(404, "NOT_FOUND", "only due, settle and clock are here"))
		}
	})
}

func serveDue(w http.ResponseWriter, r *http.Request, f Follower) {
	after, err1 := time.Parse(time.RFC3339Nano, r.URL.Query().Get("after"))
	until, err2 := time.Parse(time.RFC3339Nano, r.URL.Query().Get("until"))
	if err := errors.Join(err1, err2); err != nil {
		writeError(w, refuse(400, "INVALID", "after, until: %s", err))
		return
	}
	t, ok, err := f.Due(r.Context(), after, until)
	if err != nil {
		writeError(w, refuse(500, "NOT_SETTLED", "%s", err))
		return
	}
	var v dueView
	if ok {
		v.Due = &t
	}
	writeJSON(w, 200, v)
}
