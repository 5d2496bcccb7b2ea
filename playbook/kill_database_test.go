package playbook_test

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
)

// gate stands between siyu and its database server. Shut, it is a server that restarts: every connection is gone, wherever its
// transaction was, and no other is made.
type gate struct {
	server string
	mu     sync.Mutex
	shut   bool
	open   map[net.Conn]bool
}

// gate puts one before the database of the place.
func (p *place) gate() *gate {
	i := slices.IndexFunc(p.env, func(e string) bool { return strings.HasPrefix(e, "SIYU_DATABASE_DSN=") })
	cfg, err := driver.ParseDSN(strings.TrimPrefix(p.env[i], "SIYU_DATABASE_DSN="))
	require.NoError(p.t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(p.t, err)
	g := &gate{server: cfg.Addr, open: map[net.Conn]bool{}}
	p.t.Cleanup(func() { _ = l.Close(); g.set(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	cfg.Net, cfg.Addr = "tcp", l.Addr().String()
	p.env[i] = "SIYU_DATABASE_DSN=" + cfg.FormatDSN()
	return g
}

func (g *gate) pass(c net.Conn) {
	defer c.Close()
	to, err := net.Dial("tcp", g.server)
	if err != nil {
		return
	}
	defer to.Close()
	g.mu.Lock()
	shut := g.shut
	g.open[c] = true
	g.mu.Unlock()
	if shut {
		return
	}
	go func() {
		_, _ = io.Copy(to, c)
		_ = to.Close()
	}()
	_, _ = io.Copy(c, to)
	g.mu.Lock()
	delete(g.open, c)
	g.mu.Unlock()
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut = shut; shut {
		for c := range g.open {
			_ = c.Close()
		}
	}
}

// The database server restarts twice in the middle of a broadcast: siyu goes on by itself. What was in flight may stay unknown, nobody
// receives it twice. SQLite has no server: there it is the process that dies.
func TestDatabaseRestarts(t *testing.T) {
	t.Parallel()
	if !onMySQL() {
		return
	}
	p, _ := apart(t, "2026-11-25 15:00:00", "SIYU_REACH_IN_FLIGHT=16", "SIYU_REACH_WORKERS=2")
	g := p.gate()
	s := p.serve(t, "")
	c := gather(s, 300)
	s.control("POST", "/faults", obj{"path": "/cgi-bin/message/*", "kind": "latency", "times": -1, "ms": 20}, nil)
	before := len(s.receipts())
	id := s.broadcast(obj{"name": "会员日", "condition": follower, "message": killMessage})
	w := s.watch(id)
	s.fire(id, obj{"confirm": 300})
	for _, some := range []int{30, 90} {
		until(t, "some have received", func() bool { return len(s.receipts()) >= before+some })
		g.set(true)
		clock.Sleep(t.Context(), 1500*time.Millisecond) // longer than siyu tries again by itself
		g.set(false)
	}
	run := s.finish(id)
	w.held(t)
	c.settled(s, run, 2*16)
	s.done()
}
