package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/model"
)

// benchEnv makes this binary the WeChat of a bench, in a process of its own, so that what is measured of siyu is siyu.
const benchEnv = "SIYU_TEST_BENCH_WECHAT"

// The WeChats of benches.
const (
	benchYes     = "yes"     // says yes to everything
	benchSandbox = "sandbox" // the sandbox, in memory
)

func serveBenchWeChat(out io.Writer) (err error) {
	h := yes()
	if os.Getenv(benchEnv) == benchSandbox {
		s, err := sandbox.Open(sandbox.Options{Start: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), Frozen: true})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		h = s.Handler()
	}
	base, _, err := listen(h)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, base)
	_, err = io.Copy(io.Discard, os.Stdin) // ends with the bench
	return err
}

func yes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/cgi-bin/stable_token", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"bench-token-0123456789","expires_in":7200}`)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	})
	return mux
}

// startBenchWeChat runs one and returns its address.
func startBenchWeChat(ctx context.Context, kind string) (base string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	c := exec.CommandContext(ctx, self)
	c.Env = append(os.Environ(), benchEnv+"="+kind)
	in, err := c.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), func() error { return errors.Join(in.Close(), c.Wait()) }, err
}

// benchBroadcast: one run to very many people as customer messages, each person a durable row with his caps and
// allowance. The floor sends the same messages with the bare HTTP client and keeps nothing.
func benchBroadcast(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	base, stop, err := startBenchWeChat(ctx, benchYes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cfg.Reach.DayCalls = nil // WeChat's quota is not what is measured
	a, err := openBroadcastBench(ctx, cfg, base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	fmt.Fprintf(out, "people   %d, each with an open allowance\n", o.recipients)
	members, err := benchAudience(ctx, a, o.recipients)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "set up   rss=%dMiB\n", peakMiB())
	text := reach.Message{Text: "{{nickname}},新品上架,会员专享价。", Fallbacks: map[string]string{"nickname": "亲"}, Channels: []string{reach.Customer}}
	start := clock.Real()
	run, err := freezeBench(ctx, a, model.ClassMarketing, text, members)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "freeze   %d people in %.2f s\n", o.recipients, clock.Real().Sub(start).Seconds())
	ours, err := measureRun(ctx, a, run.ID, o)
	if err != nil {
		return err
	}
	counts, err := a.Reach.Counts(ctx, run.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ours     %d deliveries in %.1f s: %+v\n", ours.done, ours.took.Seconds(), counts)
	fmt.Fprintf(out, "memory   rss=%dMiB\n", peakMiB())
	if err := errors.Join(benchPause(ctx, a, run, out), benchMass(ctx, a, members, o, base, out)); err != nil {
		return err
	}
	client := benchClient(cfg.Reach.InFlight)
	body := []byte(`{"touser":"obench0000000001","msgtype":"text","text":{"content":"亲,新品上架,会员专享价。"}}`)
	bare, err := load(0, min(max(ours.done, 1000), 200_000), cfg.Reach.InFlight, func(int) error {
		return post(client, base+"/cgi-bin/message/custom/send?access_token=bench-token-0123456789", "", "application/json", body, http.StatusOK)
	})
	if err != nil {
		return err
	}
	verdict(out, "broadcast", a.DB.Dialect(), ours.rate(), bare.rate())
	return nil
}

func freezeBench(ctx context.Context, a *app.App, class string, m reach.Message, members *roaring.Bitmap) (run *model.Run, err error) {
	err = a.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		run, err = a.Reach.StartTx(ctx, tx, reach.RunSpec{Source: "bench", SourceID: 1, Slot: class + m.Channels[0], Class: class, Members: members, Message: m})
		return err
	})
	return run, err
}

// benchPause lets the rest of a run go on for a moment and pauses it: how long until nobody is sent to any more.
func benchPause(ctx context.Context, a *app.App, run *model.Run, out io.Writer) error {
	var paused time.Time
	done := make(chan error, 1)
	go func() {
		clock.Sleep(ctx, 500*time.Millisecond)
		paused = clock.Real()
		done <- a.Reach.Pause(ctx, run.ID, true)
	}()
	r, err := measureRun(ctx, a, run.ID, benchOptions{})
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	fmt.Fprintf(out, "pause    %.3f s until the last call ended (%d sent by then)\n", max(0, clock.Real().Sub(paused).Seconds()), r.done)
	return nil
}

// benchMass sends one text to everybody as mass sends. The floor reads the same openids, writes one row for each person and makes the same calls.
func benchMass(ctx context.Context, a *app.App, members *roaring.Bitmap, o benchOptions, base string, out io.Writer) error {
	run, err := freezeBench(ctx, a, model.ClassService, reach.Message{Text: "新品上架,会员专享价。", Channels: []string{reach.Mass}}, members)
	if err != nil {
		return err
	}
	r, err := measureRun(ctx, a, run.ID, o)
	if err != nil {
		return err
	}
	floor, err := massFloor(ctx, a, members, base)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "mass     %d recipients in %.1f s: %.0f/s, floor %.0f/s, ratio %.2f\n", r.done, r.took.Seconds(), r.rate(), floor.rate(), r.rate()/floor.rate())
	return nil
}

func massFloor(ctx context.Context, a *app.App, members *roaring.Bitmap, base string) (result, error) {
	const callSize = 10_000
	client, sent := benchClient(1), 0
	start := clock.Real()
	for from := int64(members.Minimum()); from <= int64(members.Maximum()); from += callSize {
		var openids []string
		err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			err := tx.Model(&model.Identity{}).Where("member_id >= ? AND member_id < ?", from, from+callSize).Order("member_id").Pluck("open_id", &openids).Error
			if err != nil || len(openids) == 0 {
				return err
			}
			var q strings.Builder
			for i := range openids {
				fmt.Fprintf(&q, ",(-1,%d,%d,'accepted')", from+int64(i), from+int64(i))
			}
			return tx.Exec("INSERT INTO deliveries (run_id, seq, member_id, state) VALUES " + q.String()[1:]).Error
		})
		if err != nil {
			return result{}, err
		}
		body, err := json.Marshal(map[string]any{"touser": openids, "msgtype": "text", "text": map[string]string{"content": "新品上架,会员专享价。"}})
		if err != nil {
			return result{}, err
		}
		if err := post(client, base+"/cgi-bin/message/mass/send?access_token=bench-token-0123456789", "", "application/json", body, http.StatusOK); err != nil {
			return result{}, err
		}
		sent += len(openids)
	}
	return result{sent, clock.Real().Sub(start)}, nil
}

// measureRun works on the run until it is done or the time is up.
func measureRun(ctx context.Context, a *app.App, runID int64, o benchOptions) (result, error) {
	deadline := time.Duration(o.seconds) * time.Second
	start := clock.Real()
	var over atomic.Bool
	if o.seconds > 0 {
		go func() {
			clock.Sleep(ctx, deadline)
			over.Store(true)
		}()
	}
	_, err := load(0, a.Config.Reach.Workers, a.Config.Reach.Workers, func(int) error {
		for !over.Load() && ctx.Err() == nil {
			did, err := a.Reach.Work(ctx)
			if err != nil {
				return err
			}
			if !did {
				return nil
			}
		}
		return nil
	})
	took := clock.Real().Sub(start)
	if err != nil {
		return result{}, err
	}
	var accepted int64
	err = a.DB.Reader(ctx).Model(&model.Range{}).Where("run_id = ?", runID).Select("COALESCE(SUM(accepted), 0)").Scan(&accepted).Error
	return result{int(accepted), took}, err
}

func openBroadcastBench(ctx context.Context, cfg *config.Config, base string) (*app.App, error) {
	key, err := config.LoadKey(cfg)
	if err != nil {
		return nil, err
	}
	d := app.Deps{Config: cfg, Clock: clock.NewFrozen(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)), Zone: clock.Shanghai, Box: config.NewBox(key)}
	place := db.Config{Driver: cfg.Database.Driver, DSN: string(cfg.Database.DSN), MaxOpen: cfg.Database.MaxOpen}
	if place.Driver == db.SQLite {
		place = db.Config{Driver: db.SQLite, Path: cfg.DataDir + "/siyu.db"}
	}
	if d.DB, err = db.Open(ctx, place); err != nil {
		return nil, err
	}
	d.Accounts = []wechat.Account{{Name: "oa", Kind: model.KindOA, AppID: "wxbench", Secret: "bench", Token: "bench"}}
	d.WeChat, err = wechat.NewClient(wechat.Options{
		Accounts: d.Accounts, Hosts: map[string]string{"api.weixin.qq.com": base, "mp.weixin.qq.com": base}, Clock: d.Clock,
		Tokens: operator.NewTokens(d.DB, d.Box),
	})
	if err != nil {
		return nil, errors.Join(err, d.DB.Close())
	}
	a := app.New(d)
	if err := a.Prepare(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// benchAudience makes followers who wrote just now, so that a customer message to each is allowed.
func benchAudience(ctx context.Context, a *app.App, n int) (*roaring.Bitmap, error) {
	first, err := benchMembers(ctx, a, n)
	if err != nil {
		return nil, err
	}
	now := a.Clock.Now()
	for from := 0; from < n; from += 500 {
		ids := make([]model.Identity, min(500, n-from))
		open := make([]model.Allowance, len(ids))
		for i := range ids {
			id := first + int64(from+i)
			ids[i] = model.Identity{
				ID: id, MemberID: id, Account: "oa", OpenID: fmt.Sprintf("obench%010d", id), Kind: model.KindOA,
				Subscribed: true, SubscribedAt: &now, StateAt: &now, CreatedAt: now,
			}
			open[i] = model.Allowance{IdentityID: id, Kind: reach.ByMessage, Remaining: 5, ExpiresAt: now.Add(48 * time.Hour)}
		}
		err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return errors.Join(tx.Create(&ids).Error, tx.Create(&open).Error)
		})
		if err != nil {
			return nil, err
		}
	}
	members := roaring.New()
	members.AddRange(uint64(first), uint64(first)+uint64(n)) //nolint:gosec // ids are positive
	return members, nil
}
