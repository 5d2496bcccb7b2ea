// Package playbook_test holds the playbooks: brands' practices written as timelines with exact numbers, and the promises of siyu.
// Everything here speaks HTTP to running processes: siyu, and where a test kills it, a sandbox WeChat of its own.
package playbook_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// binary is the siyu under test.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	// Most of a playbook is waiting for processes, and of a kill test for a lease.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "siyu-playbook")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "siyu")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.Command("go", "build", "-o", binary, "./cmd/siyu")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "playbook: build siyu:", err)
		return 1
	}
	return m.Run()
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

// at reads an instant written in Shanghai's time.
func at(s string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, s, shanghai)
	if err != nil {
		panic(err)
	}
	return t
}

// patience is how long anything may take that has no time of its own.
const patience = 2 * time.Minute

// until polls until ok, and fails the test when it takes too long.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := clock.Real().Add(patience); !ok(); clock.Sleep(t.Context(), 20*time.Millisecond) {
		if clock.Real().After(end) {
			require.Fail(t, "waited too long", what)
		}
	}
}

// process is a running command of the binary.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string // where it listens
	sign string // what it says beside that
	gone chan struct{}
	err  error // after gone

	mu  sync.Mutex
	log bytes.Buffer
}

// Write collects what the process logs.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// logged is what the process has logged so far.
func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// remarkable is what is in the log beside answered requests, its end.
func (p *process) remarkable() string {
	var b strings.Builder
	for line := range strings.Lines(p.logged()) {
		if !strings.Contains(line, "level=INFO msg=request") {
			b.WriteString(line)
		}
	}
	return b.String()[max(0, b.Len()-6000):]
}

// launch starts the binary and waits until it says where it listens: on the line of out that begins with sign.
func launch(t testing.TB, dir string, env []string, sign string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), gone: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, append(environ(), env...), p
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	said := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), sign); ok {
				said <- rest
			}
		}
		p.err = p.cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the log of %v:\n%s", args, p.remarkable())
		}
	})
	select {
	case p.sign = <-said:
		p.url = strings.TrimSuffix(strings.Fields(p.sign)[0], "/console")
	case <-p.gone:
		require.Fail(t, "the process ended", "%v: %v\n%s", args, p.err, p.logged())
	case <-clock.After(patience):
		require.Fail(t, "the process does not listen", "%v\n%s", args, p.logged())
	}
	return p
}

// environ is the environment without settings of siyu.
func environ() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SIYU_") {
			env = append(env, e)
		}
	}
	return env
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.gone
}

// stop ends the process as an operator would; it must end well.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.gone:
		require.NoError(p.t, p.err, "%s", p.logged())
	case <-clock.After(patience):
		require.Fail(p.t, "the process does not stop")
	}
}

// ended reports whether the process has ended, by itself or not.
func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// place is where a siyu keeps everything: several processes after one another, or on MySQL at once.
type place struct {
	t   testing.TB
	dir string
	env []string
}

// onMySQL reports whether the tests run on MySQL.
func onMySQL() bool { return os.Getenv("SIYU_TEST_MYSQL_DSN") != "" }

// newPlace is an empty database and an empty directory, with an empty programme. env are settings as SIYU_…=….
func newPlace(t testing.TB, env ...string) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), env: append([]string{"SIYU_SANDBOX_DEMO=false"}, env...)}
	if !onMySQL() {
		return p
	}
	cfg, err := driver.ParseDSN(os.Getenv("SIYU_TEST_MYSQL_DSN"))
	require.NoError(t, err)
	name := fmt.Sprintf("siyu_playbook_%d_%d", os.Getpid(), clock.Real().UnixNano())
	execSQL(t, cfg, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	t.Cleanup(func() { execSQL(t, cfg, "DROP DATABASE "+name) })
	own := cfg.Clone()
	own.DBName = name
	p.env = append(p.env, "SIYU_DATABASE_DRIVER=mysql", "SIYU_DATABASE_DSN="+own.FormatDSN(), "SIYU_DATABASE_MAX_OPEN=8")
	return p
}

func execSQL(t testing.TB, cfg *driver.Config, statement string) {
	t.Helper()
	c, err := driver.NewConnector(cfg)
	require.NoError(t, err)
	pool := sql.OpenDB(c)
	defer pool.Close()
	_, err = pool.ExecContext(context.Background(), statement)
	require.NoError(t, err)
}

// beginAt makes a sandbox in dir whose clock stands at the instant, so that the timelines do not depend on the day on which they run.
func beginAt(t testing.TB, dir string, start time.Time) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	line, err := json.Marshal(map[string]any{"k": "clock", "clock": map[string]any{"now": start.UTC(), "real": clock.Real(), "frozen": true}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "journal.jsonl"), append(line, '\n'), 0o600))
}

// siyu is a running siyu and a client of its doors.
type siyu struct {
	*phone.Server
	*process
	t     testing.TB
	place *place
	admin string // token
}

// open starts a siyu with an empty programme and the sandbox in it; its clock stands at start. Afterwards the receipts are swept and the
// ledger is verified.
func open(t testing.TB, start string, env ...string) *siyu {
	t.Helper()
	p := newPlace(t, env...)
	beginAt(t, filepath.Join(p.dir, "sandbox"), at(start))
	s := p.serve(t, "")
	t.Cleanup(func() {
		if !t.Failed() {
			s.done()
		}
	})
	return s
}

// done sweeps the receipts, stops siyu and proves the ledger.
func (s *siyu) done() {
	s.t.Helper()
	sweep(s.t, s)
	s.stop()
	s.place.verify(s.t)
}

// serve starts a siyu in the place. address is that of an earlier one, or empty.
func (p *place) serve(t testing.TB, address string, env ...string) *siyu {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	proc := launch(t, p.dir, append(p.env, env...), "console  ", "serve", "--addr", strings.TrimPrefix(address, "http://"), "--data", p.dir)
	token, err := os.ReadFile(filepath.Join(p.dir, "admin.token"))
	require.NoError(t, err)
	s := &siyu{Server: phone.New(proc.url), process: proc, t: t, place: p, admin: strings.TrimSpace(string(token))}
	s.HTTP.Timeout = patience
	for _, e := range p.env {
		if url, ok := strings.CutPrefix(e, "SIYU_SANDBOX_URL="); ok {
			s.Sandbox = url
		}
	}
	t.Cleanup(s.HTTP.CloseIdleConnections)
	return s
}

// verify proves the ledger. Nobody may be using the place.
func (p *place) verify(t testing.TB) {
	t.Helper()
	cmd := exec.Command(binary, "verify", "--data", p.dir)
	cmd.Dir, cmd.Env = p.dir, append(environ(), p.env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// apart starts a sandbox WeChat of its own and makes a place that uses it.
func apart(t testing.TB, start string, env ...string) (*place, *process) {
	t.Helper()
	dir := t.TempDir()
	beginAt(t, dir, at(start))
	wechat := launch(t, dir, nil, "sandbox WeChat on ", "sandbox", "--addr", "127.0.0.1:0", "--data", dir)
	return newPlace(t, append(env, "SIYU_SANDBOX_URL="+wechat.url)...), wechat
}

// ctx lasts until the test's process ends: what follows a test calls too.
func (s *siyu) ctx() context.Context { return context.WithoutCancel(s.t.Context()) }

// obj is a JSON object.
type obj = map[string]any

// do calls the admin API and fails the test on a refusal.
func (s *siyu) do(method, path string, in any) obj {
	s.t.Helper()
	out := obj{}
	require.NoError(s.t, s.Call(s.ctx(), method, "/admin/v1"+path, s.admin, in, &out))
	return out
}

// read calls the admin API into out.
func (s *siyu) read(path string, out any) {
	s.t.Helper()
	require.NoError(s.t, s.Call(s.ctx(), "GET", "/admin/v1"+path, s.admin, nil, out))
}

// refused is the refusal of an admin call.
func (s *siyu) refused(method, path string, in any) *phone.Refusal {
	s.t.Helper()
	return refusal(s.t, s.Call(s.ctx(), method, "/admin/v1"+path, s.admin, in, nil))
}

// refusal is the answer that is not 2xx behind err.
func refusal(t testing.TB, err error) *phone.Refusal {
	t.Helper()
	var r *phone.Refusal
	require.ErrorAs(t, err, &r)
	return r
}

// control calls the sandbox's control API.
func (s *siyu) control(method, path string, in, out any) {
	s.t.Helper()
	require.NoError(s.t, s.Call(s.ctx(), method, "/sandbox/api"+path, "", in, out))
}

// stride is how far the clock moves with one call: a year has a thousand things that fall due, which take a loaded machine its time.
const stride = 14 * 24 * time.Hour

// set moves the clock to an instant in Shanghai's time, through everything that falls due.
func (s *siyu) set(instant string) {
	s.t.Helper()
	end, now := at(instant), s.now()
	for more := true; more; {
		if now, more = now.Add(stride), now.Add(stride).Before(end); !more {
			now = end
		}
		_, err := s.Clock(s.ctx(), obj{"now": now.Format(time.RFC3339)})
		require.NoError(s.t, err)
	}
}

// advance moves the clock on; "0s" settles what is due.
func (s *siyu) advance(d string) {
	s.t.Helper()
	_, err := s.Clock(s.ctx(), obj{"advance": d})
	require.NoError(s.t, err)
}

// person is somebody new with a phone.
func (s *siyu) person(name string) *phone.Person {
	s.t.Helper()
	p, err := s.Person(s.ctx(), name, "")
	require.NoError(s.t, err)
	return p
}

// act does something at the official account and returns what the person saw in answer; a card may come beside it at any moment.
func (s *siyu) act(p *phone.Person, what string, in obj) []string {
	s.t.Helper()
	seen, err := p.Act(s.ctx(), what, in)
	require.NoError(s.t, err)
	var texts []string
	for _, m := range seen.Seen {
		if m.Channel == "reply" || m.Channel == "system" {
			texts = append(texts, m.Content)
		}
	}
	return texts
}

// text writes to the official account and returns the answer; empty if there was none.
func (s *siyu) text(p *phone.Person, content string) string {
	s.t.Helper()
	return strings.Join(s.act(p, "text", obj{"content": content}), "\n")
}

// register logs the person in and makes him a member; it returns his id and what registering earned in points. First it settles what is
// due: siyu asks for a follower's unionid behind the callback, and until then takes him and the person of the mini-program for two.
func (s *siyu) register(p *phone.Person, nickname string) (id string, earned int64) {
	s.t.Helper()
	s.advance("0s")
	_, err := p.Login(s.ctx())
	require.NoError(s.t, err)
	var out struct {
		Member struct{ ID string }
		Grants []grant
	}
	in := obj{}
	if nickname != "" {
		in["nickname"] = nickname
	}
	require.NoError(s.t, p.API(s.ctx(), "POST", "/register", in, &out))
	return out.Member.ID, points(out.Grants)
}

// grant is something that an act earned.
type grant struct {
	Account string
	Amount  int64
	Bonus   bool
	Note    string
	Text    string
}

// points is the sum of what was granted in points.
func points(grants []grant) (sum int64) {
	for _, g := range grants {
		if g.Account == "points" {
			sum += g.Amount
		}
	}
	return sum
}

// balance is what the person can spend.
func (s *siyu) balance(p *phone.Person) int64 {
	s.t.Helper()
	var out struct{ Balance int64 }
	require.NoError(s.t, p.API(s.ctx(), "GET", "/points", nil, &out))
	return out.Balance
}

// inbox are the messages that reached the person by a channel; all of them if it is empty.
func (s *siyu) inbox(p *phone.Person, channel string) []phone.Message {
	s.t.Helper()
	all, err := p.Inbox(s.ctx())
	require.NoError(s.t, err)
	var some []phone.Message
	for _, m := range all {
		if channel == "" || m.Channel == channel {
			some = append(some, m)
		}
	}
	return some
}

// status sends a raw request and returns the answer's status and body.
func status(t testing.TB, method, url, contentType string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var out bytes.Buffer
	_, err = out.ReadFrom(res.Body)
	require.NoError(t, err)
	return res.StatusCode, out.String()
}

// each runs do for every i below n, several at once, and returns the first errors.
func each(n, atOnce int, do func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
