package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler"
	"github.com/siyu-scrm/siyu/model"
)

const (
	consoleEntries = 10 // lines of the ledger for each member
	consoleEvery   = 36 // days between two of them
	consolePages   = 20 // how often each page is opened
	consoleLimit   = 100.0
)

// consolePage is a page of the console as an operator meets it.
type consolePage struct {
	path     string
	p50, p95 float64 // milliseconds, until the last byte is here
	size     int     // gzipped, without what a browser keeps
}

// benchConsole opens every page that others lead to, of a large programme, one after another. There is no floor: what counts is that none of
// them waits for the number of members. A data directory of one's own keeps the programme for the next run.
func benchConsole(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	cfg.Sandbox.Demo = true
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	began := clock.Real()
	made, err := benchProgramme(ctx, a, o.members)
	if err != nil {
		return fmt.Errorf("bench console: %w", err)
	}
	if made {
		fmt.Fprintf(out, "members  %d with %d entries, made in %.0fs\n", o.members, o.members*consoleEntries, clock.Real().Sub(began).Seconds())
	}
	for more := true; more; { // as the schedule would have
		if more, err = a.Book.SumUp(ctx); err != nil {
			return err
		}
	}
	if err := report.New(a.DB, a.Clock, a.Zone).KeepDays(ctx, a.Clock.Now()); err != nil {
		return err
	}
	a.Seal()
	h, err := handler.New(a, handler.Options{Version: version})
	if err != nil {
		return err
	}
	base, stop, err := listen(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	d, err := benchDesk(ctx, a, base)
	if err != nil {
		return err
	}
	if err := d.crawl("/console", "/console/members?q=B7", "/console/members?joined=yes", "/console/audit?action=rule"); err != nil {
		return err
	}
	first := 0 // of the style and the script, which a browser keeps
	for _, file := range []string{"/static/console.css", "/static/console.js", "/static/console.svg"} {
		body, err := d.get(file)
		if err != nil {
			return err
		}
		first += zipped(body)
	}
	pages, err := d.measure()
	if err != nil {
		return err
	}
	slices.SortFunc(pages, func(a, b consolePage) int { return cmp.Compare(b.p95, a.p95) })
	over, largest := 0, 0
	for i, p := range pages {
		if p.p95 > consoleLimit {
			over++
		}
		largest = max(largest, p.size)
		if i < 10 || p.p95 > consoleLimit {
			fmt.Fprintf(out, "%8.1fms p50 %8.1fms p95 %6.1f KB  %s\n", p.p50, p.p95, float64(p.size)/1000, p.path)
		}
	}
	fmt.Fprintf(out, "bench console db=%s members=%d entries=%d pages=%d opened=%d worst_p95=%.1fms over_%.0fms=%d first_load=%.1fKB after=%.1fKB rss=%dMiB\n",
		a.DB.Dialect(), o.members, o.members*consoleEntries, len(pages), consolePages, pages[0].p95, consoleLimit, over,
		float64(first+largest)/1000, float64(largest)/1000, peakMiB())
	return nil
}

// benchProgramme makes the members with what pages count and list, unless they are there.
func benchProgramme(ctx context.Context, a *app.App, n int) (made bool, err error) {
	var last int64
	if err := a.DB.Reader(ctx).Model(&model.Entry{}).Select("COALESCE(MAX(id), 0)").Scan(&last).Error; err != nil || last >= int64(n*consoleEntries) {
		return false, err
	}
	if _, err := benchCrowd(ctx, a, n); err != nil {
		return false, err
	}
	now := a.Clock.Now()
	var end int64
	if err := a.DB.Reader(ctx).Model(&model.Member{}).Select("MAX(id) + 1").Scan(&end).Error; err != nil {
		return false, err
	}
	pieces := func(query string, args ...any) error { // a transaction must not last: the members in pieces, m
		for from := end - int64(n); from < end; from += audiencePiece {
			within := append(slices.Clone(args), from, min(from+audiencePiece, end))
			if err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
				return tx.Exec(query+" AND m.id >= ? AND m.id < ?", within...).Error
			}); err != nil {
				return err
			}
		}
		return nil
	}
	err = errors.Join(
		pieces("UPDATE members AS m SET nickname = CONCAT('会员', id) WHERE 1 = 1"),
		pieces("INSERT INTO identities (member_id, account, open_id, kind, union_id, subscribed, subscribe_scene, session_sealed, created_at)"+
			" SELECT id, 'oa', no, 'oa', '', ?, '', '', ? FROM members m WHERE 1 = 1", true, now),
		pieces("INSERT INTO balances (member_id, account, seq, available, pending, held, lifetime, next_due_at)"+
			" SELECT id, 'points', ?, 50, 0, 0, 50, ? FROM members m WHERE 1 = 1", consoleEntries, now.AddDate(0, 1, 0)),
		pieces("INSERT INTO checkins (member_id, day, streak, at, via) SELECT id, ?, 1, ?, 'api' FROM members m WHERE 1 = 1", a.Zone.DayOf(now), now),
		pieces("INSERT INTO orders (platform, no, member_id, ended, amount_fen, shipping_fen, refunded_fen, paid_at, phone_index, phone_tail, source, live_id, quiz_id, created_at, updated_at)"+
			" SELECT 'bench', no, id, '', 9900, 0, 0, ?, '', '', '', 0, 0, ?, ? FROM members m WHERE id % 3 = 0", now, now, now),
	)
	if err != nil {
		return false, err
	}
	for day := range consoleEntries * consoleEvery { // as they came: the ids grow with the days
		k, at := day/consoleEvery+1, now.Add(-time.Hour).AddDate(0, 0, day+1-consoleEntries*consoleEvery)
		err := pieces("INSERT INTO entries (member_id, account, seq, bucket, delta, balance, lifetime, kind, reason, rule_id, rule_version, occurred_at, recorded_at, `key`, hash, seal)"+
			" SELECT id, 'points', ?, 'available', 5, ?, 5, 'earn', 'rule.checkin.done', 1 + id % 5, 1, ?, ?, CONCAT('bench:', id, ':', ?), '', '' FROM members m WHERE id % ? = ?",
			k, 5*k, at, at, k, consoleEvery, day%consoleEvery)
		if err != nil {
			return false, err
		}
	}
	if err := benchChanged(ctx, a, end-int64(n), n); err != nil {
		return false, err
	}
	return true, pieces("INSERT INTO lots (member_id, account, `open`, entry_id, amount, remaining, active, expires_at, earned_at)"+
		" SELECT m.id, 'points', ?, e.id, 50, 50, ?, ?, ? FROM members m JOIN entries e ON e.member_id = m.id AND e.account = 'points' AND e.seq = ? WHERE 1 = 1",
		true, true, now.AddDate(0, 1, 0), now, consoleEntries)
}

// desk is an operator's browser.
type desk struct {
	base   string
	client *http.Client
	paths  []string // one of each kind
	kinds  map[string]bool
}

// benchDesk signs in an owner of its own.
func benchDesk(ctx context.Context, a *app.App, base string) (*desk, error) {
	boss := operator.Caller{Name: "bench", Rights: operator.AllRights()}
	login := fmt.Sprint("bench", clock.Real().UnixMicro())
	u, err := a.Operators.CreateUser(ctx, boss, login, operator.RoleOwner)
	if err != nil {
		return nil, err
	}
	err = a.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Operator{}).Where("id = ?", u.ID).Update("must_change", false).Error
	})
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	d := &desk{base: base, client: &http.Client{Jar: jar, Timeout: 10 * time.Minute}, kinds: map[string]bool{}}
	res, err := d.client.PostForm(base+"/console/login", url.Values{"login": {login}, "password": {u.Password}})
	if err != nil {
		return nil, err
	}
	return d, res.Body.Close()
}

func (d *desk) get(path string) ([]byte, error) {
	res, err := d.client.Get(d.base + path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s %s", path, res.Status, body[max(0, len(body)-300):])
	}
	return body, err
}

// What leads from page to page.
var (
	consoleLink = regexp.MustCompile(`href="(/console[^"#]*)"`)
	consoleID   = regexp.MustCompile(`/(\d+|points|growth|experience)(/|$)`)
	consoleFile = regexp.MustCompile(`\.png$|/export$|/report$|^/console/media/\d+$`)
)

// crawl opens one page of each kind, by its path without ids and the names of its query.
func (d *desk) crawl(paths ...string) error {
	for len(paths) > 0 {
		path := paths[0]
		paths = paths[1:]
		u, err := url.Parse(path)
		if err != nil {
			return err
		}
		kind := consoleID.ReplaceAllString(u.Path, "/:id$2")
		for _, name := range slices.Sorted(maps.Keys(u.Query())) {
			kind += "&" + name
		}
		if d.kinds[kind] || consoleFile.MatchString(u.Path) {
			continue
		}
		d.kinds[kind] = true
		body, err := d.get(path)
		if err != nil {
			return err
		}
		d.paths = append(d.paths, path)
		for _, m := range consoleLink.FindAllSubmatch(body, -1) {
			paths = append(paths, html.UnescapeString(string(m[1])))
		}
	}
	return nil
}

// measure opens each page so many times.
func (d *desk) measure() (pages []consolePage, err error) {
	for _, path := range d.paths {
		p := consolePage{path: path}
		var took []time.Duration
		for range consolePages {
			began := clock.Real()
			body, err := d.get(path)
			if err != nil {
				return nil, err
			}
			took = append(took, clock.Real().Sub(began))
			p.size = zipped(body)
			if took[0] > 5*time.Second {
				break // once is enough
			}
		}
		slices.Sort(took)
		p.p50, p.p95 = at(took, 0.5), at(took, 0.95)
		pages = append(pages, p)
	}
	return pages, nil
}

func zipped(body []byte) int {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a buffer never fails
	_ = z.Close()
	return b.Len()
}
