package reach_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/reach"
	wx "github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// noon is 2026-11-24 12:00 in Shanghai.
var noon = time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC)

// call is one call that WeChat got.
type call struct {
	channel, openid, text, clientMsgID string
	openids                            []string
	data                               map[string]string
	at                                 time.Time
}

// wechat is a Sender that keeps what it was asked. answer, if set, decides about a call after it was kept.
type wechat struct {
	mu     sync.Mutex
	clock  clock.Clock
	calls  []call
	answer func(c call) error
	n      int
}

// failure is an error with its verdict.
type failure struct{ reach.Verdict }

func (f failure) Error() string { return f.Text }

func fail(o reach.Outcome, code int) error {
	return failure{reach.Verdict{Outcome: o, Code: code, Text: string(o)}}
}

func read(err error) reach.Verdict {
	var f failure
	if errors.As(err, &f) {
		return f.Verdict
	}
	return reach.Verdict{Outcome: reach.Unknown, Text: err.Error()}
}

func (w *wechat) take(c call) (string, error) {
	w.mu.Lock()
	w.n++
	c.at = w.clock.Now()
	w.calls = append(w.calls, c)
	answer, id := w.answer, fmt.Sprint("m", w.n)
	w.mu.Unlock()
	if answer != nil {
		return id, answer(c)
	}
	return id, nil
}

func (w *wechat) SendText(_ context.Context, _, openid, text string) error {
	_, err := w.take(call{channel: reach.Customer, openid: openid, text: text})
	return err
}

func (w *wechat) SendImage(_ context.Context, _, openid, mediaID string) error {
	_, err := w.take(call{channel: reach.Customer, openid: openid, text: mediaID})
	return err
}

func (w *wechat) SendNews(_ context.Context, _, openid string, a wx.Article) error {
	_, err := w.take(call{channel: reach.Customer, openid: openid, text: a.Title})
	return err
}

func (w *wechat) SendMiniProgramCard(_ context.Context, _, openid string, c wx.Card) error {
	_, err := w.take(call{channel: reach.Customer, openid: openid, text: c.Title})
	return err
}

func (w *wechat) SendMenu(_ context.Context, _, openid string, m wx.MessageMenu) error {
	_, err := w.take(call{channel: reach.Customer, openid: openid, text: m.Head})
	return err
}

func (w *wechat) SendSubscribe(_ context.Context, _, openid, _, _ string, data map[string]string) (string, error) {
	return w.take(call{channel: reach.Subscribe, openid: openid, data: data})
}

func (w *wechat) SendTemplate(_ context.Context, _, openid string, m wx.TemplateMessage) (string, error) {
	return w.take(call{channel: reach.Template, openid: openid, data: m.Data})
}

func (w *wechat) SendNotice(_ context.Context, _, openid string, m wx.TemplateMessage) error {
	_, err := w.take(call{channel: reach.Notice, openid: openid, data: m.Data})
	return err
}

func (w *wechat) SendMass(_ context.Context, _ string, openids []string, text, id string) (string, error) {
	return w.take(call{channel: reach.Mass, openids: openids, text: text, clientMsgID: id})
}

// got are the people who were called, by openid, as often as they were.
func (w *wechat) got() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, c := range w.calls {
		for _, o := range append(c.openids, c.openid) {
			if o != "" {
				n[o]++
			}
		}
	}
	return n
}

func (w *wechat) sizes() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var n []int
	for _, c := range w.calls {
		n = append(n, len(c.openids))
	}
	return n
}

// world is a database with people and an engine.
type world struct {
	*reach.Service
	t     testing.TB
	db    *db.DB
	clock *clock.Movable
	wx    *wechat
	opts  reach.Options
	n     int64
}

func newWorld(t testing.TB, set ...func(*reach.Options)) *world {
	w := &world{t: t, db: dbtest.Open(t), clock: clock.NewFrozen(noon)}
	w.wx = &wechat{clock: w.clock}
	w.opts = reach.DefaultOptions()
	w.opts.Classify = read
	w.opts.RangeSize = 10
	for _, f := range set {
		f(&w.opts)
	}
	w.Service = w.engine()
	return w
}

// settings changes what every send obeys.
func (w *world) settings(change func(*model.ReachSettings)) {
	w.t.Helper()
	set, err := w.Settings(context.Background())
	require.NoError(w.t, err)
	change(set)
	_, err = w.SaveSettings(context.Background(), *set)
	require.NoError(w.t, err)
}

// engine is another process on the same database.
func (w *world) engine() *reach.Service {
	return reach.New(w.db, w.clock, clock.Shanghai, w.wx, w.opts)
}

func (w *world) tx(f func(tx *gorm.DB) error) {
	w.t.Helper()
	require.NoError(w.t, w.db.Tx(context.Background(), func(_ context.Context, tx *gorm.DB) error { return f(tx) }))
}

// who is what a person has.
type who struct {
	oa, mp   bool // an identity; of oa: subscribed
	left     bool // unsubscribed
	optedOut bool
	window   int // open customer messages
	accepted int // of template "tpl"
	nickname string
}

// person makes a person; his openids are oa<id> and mp<id>.
func (w *world) person(p who) int64 {
	w.t.Helper()
	return w.people(1, p)[0]
}

// people makes n alike, in transactions that a loaded machine finishes too.
func (w *world) people(n int, p who) []int64 {
	w.t.Helper()
	var ids []int64
	for n > 0 {
		some := min(n, 500)
		ids = append(ids, w.some(some, p)...)
		n -= some
	}
	return ids
}

func (w *world) some(n int, p who) []int64 {
	w.t.Helper()
	var ids []int64
	now := w.clock.Now()
	w.tx(func(tx *gorm.DB) error {
		var members []model.Member
		var identities []model.Identity
		var allowances []model.Allowance
		var acceptances []model.Acceptance
		ids = nil
		for i := range int64(n) {
			id := w.n + i + 1
			ids = append(ids, id)
			m := model.Member{ID: id, No: fmt.Sprint("no", id), Nickname: p.nickname, CreatedAt: now, ActiveAt: now}
			if p.optedOut {
				m.OptedOutAt = &now
			}
			members = append(members, m)
			if p.oa || p.left {
				identities = append(identities, model.Identity{
					ID: 2 * id, MemberID: id, Account: "oa", OpenID: fmt.Sprint("oa", id), Kind: model.KindOA, Subscribed: !p.left, CreatedAt: now,
				})
			}
			if p.mp {
				identities = append(identities, model.Identity{
					ID: 2*id + 1, MemberID: id, Account: "mp", OpenID: fmt.Sprint("mp", id), Kind: model.KindMP, CreatedAt: now,
				})
			}
			if p.window > 0 {
				allowances = append(allowances, model.Allowance{IdentityID: 2 * id, Kind: reach.ByMessage, Remaining: p.window, ExpiresAt: now.Add(48 * time.Hour)})
			}
			if p.accepted > 0 {
				acceptances = append(acceptances, model.Acceptance{IdentityID: 2*id + 1, TemplateID: "tpl", Count: p.accepted, UpdatedAt: now})
			}
		}
		for _, rows := range []any{members, identities, allowances, acceptances} {
			if err := tx.CreateInBatches(rows, 500).Error; err != nil {
				return err
			}
		}
		return nil
	})
	w.n += int64(n)
	return ids
}

var (
	customer = reach.Message{Text: "你好", Channels: []string{reach.Customer}}
	mass     = reach.Message{Text: "你好", Channels: []string{reach.Mass}}
	template = reach.SubscribeContent{TemplateID: "tpl", Data: map[string]string{"thing1": "你好"}}
	subs     = reach.Message{Channels: []string{reach.Subscribe}, Subscribe: &template}
)

func set(ids ...[]int64) *roaring.Bitmap {
	bm := roaring.New()
	for _, list := range ids {
		for _, id := range list {
			bm.Add(uint32(id))
		}
	}
	return bm
}

// start freezes a marketing run.
func (w *world) start(m reach.Message, ids ...[]int64) *model.Run {
	w.t.Helper()
	return w.startClass(model.ClassMarketing, m, ids...)
}

func (w *world) startClass(class string, m reach.Message, ids ...[]int64) *model.Run {
	w.t.Helper()
	return w.startSpec(reach.RunSpec{Class: class, Message: m, Members: set(ids...)})
}

func (w *world) startSpec(spec reach.RunSpec) *model.Run {
	w.t.Helper()
	w.n++ // ids of runs' slots and of people never meet
	var run *model.Run
	slot := fmt.Sprint("slot", w.n)
	require.NoError(w.t, w.db.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) (err error) {
		spec.Source, spec.SourceID, spec.Slot = "test", 1, slot
		run, err = w.StartTx(ctx, tx, spec)
		return err
	}))
	return run
}

// settle works until nothing is due; after each piece the sum holds.
func (w *world) settle(runs ...*model.Run) {
	w.t.Helper()
	w.settleWith(w.Service, runs...)
}

func (w *world) settleWith(s *reach.Service, runs ...*model.Run) {
	w.t.Helper()
	for n := 0; ; n++ {
		did, err := s.Work(context.Background())
		require.NoError(w.t, err)
		for _, run := range runs {
			w.holds(run)
		}
		if !did {
			return
		}
		require.Less(w.t, n, 10_000, "it does not settle")
	}
}

// holds asserts that the counters are those of the rows and that their sum is the audience.
func (w *world) holds(run *model.Run) reach.Counts {
	w.t.Helper()
	c, err := w.Counts(context.Background(), run.ID)
	require.NoError(w.t, err)
	require.Equal(w.t, c.Audience, c.Sum(), "%+v", c)
	return c
}

// exact asserts that the counters equal the rows, once nobody works.
func (w *world) exact(run *model.Run) reach.Counts {
	w.t.Helper()
	c := w.holds(run)
	r := w.db.Reader(context.Background())
	var rows []struct {
		State string
		N     int64
	}
	require.NoError(w.t, r.Raw("SELECT state, COUNT(*) n FROM deliveries WHERE run_id = ? GROUP BY state", run.ID).Scan(&rows).Error)
	got := map[string]int64{}
	for _, row := range rows {
		got[row.State] = row.N
	}
	want := map[string]int64{
		"pending": c.Pending, "deferred": c.Deferred, "accepted": c.Accepted, "rejected": c.Rejected, "unknown": c.Unknown,
		"suppressed": c.Suppressed, "cancelled": c.Cancelled,
	}
	got["pending"] += got["attempting"]
	delete(got, "attempting")
	for k, n := range want {
		require.Equal(w.t, n, got[k], "%s of %v", k, got)
	}
	return c
}

// why is the state and reason of each person of a run: "suppressed NO_QUOTA window_closed".
func (w *world) why(run *model.Run, id int64) string {
	w.t.Helper()
	rows, err := w.Deliveries(context.Background(), run.ID, reach.Filter{}, 0, 500)
	require.NoError(w.t, err)
	i := slices.IndexFunc(rows, func(d model.Delivery) bool { return d.MemberID == id })
	require.GreaterOrEqual(w.t, i, 0)
	s := rows[i].State
	for _, more := range []string{rows[i].Channel, rows[i].Reason, rows[i].Detail} {
		if more != "" {
			s += " " + more
		}
	}
	return s
}

func (w *world) used(id int64, kind string) int {
	w.t.Helper()
	var rows []model.ReachUse
	require.NoError(w.t, w.db.Reader(context.Background()).Where("member_id = ? AND (kind = ? OR kind LIKE ?)", id, kind, kind+"/%").Find(&rows).Error)
	n := 0
	for _, r := range rows {
		n += r.Used
	}
	return n
}

func (w *world) state(run *model.Run) string {
	w.t.Helper()
	r, err := w.Run(context.Background(), run.ID)
	require.NoError(w.t, err)
	return r.State
}
