package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/model"
)

// benchFollowers: the followers from before of one account, taken over by siyu; the floor does the same for another account with the bare
// HTTP client, as many calls in flight and hand-written SQL on the same tables, a transaction per hundred with the cursor in it. The
// sandbox is a process of its own.
func benchFollowers(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	base, stop, err := startBenchWeChat(ctx, benchSandbox)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	client := benchClient(floorInFlight)
	if err := post(client, base+"/sandbox/api/accounts", "", "application/json", []byte(`{"account":"floor","kind":"service"}`), http.StatusOK); err != nil {
		return err
	}
	for _, account := range []string{"oa", "floor"} {
		body := fmt.Appendf(nil, `{"account":%q,"count":%d,"scene":"poster"}`, account, o.recipients)
		if err := post(client, base+"/sandbox/api/followers", "", "application/json", body, http.StatusOK); err != nil {
			return err
		}
	}
	cfg.Sandbox.URL = base
	a, err := app.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	f, err := newFollowerFloor(ctx, a, base, client)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.db.Close()) }()
	fmt.Fprintf(out, "people   %d followers of each side; set up rss=%dMiB\n", o.recipients, peakMiB())
	return takeTurns(ctx, a, f, o, out)
}

// takeTurns lets both sides take over a page at a time, until ours is done or the time is up.
func takeTurns(ctx context.Context, a *app.App, f *followerFloor, o benchOptions, out io.Writer) error {
	if _, err := a.Followers.Start(ctx, "oa"); err != nil {
		return err
	}
	var ours, bare result
	for over := false; !over; {
		start := clock.Real()
		if _, err := a.Followers.Work(ctx, "bench"); err != nil {
			return err
		}
		ours.took += clock.Real().Sub(start)
		list, err := a.Followers.List(ctx, a.Accounts)
		if err != nil {
			return err
		}
		p := list[0]
		ours.done = int(p.Taken)
		over = p.State != model.SyncRunning || p.Status == "waiting" || o.seconds > 0 && ours.took > time.Duration(o.seconds)*time.Second
		if p.Problem != "" {
			return errors.New("bench followers: " + p.Error)
		}
		start = clock.Real()
		n, err := f.page(ctx)
		if err != nil {
			return fmt.Errorf("bench followers: floor: %w", err)
		}
		bare.done += n
		bare.took += clock.Real().Sub(start)
		if ours.done%100_000 == 0 {
			fmt.Fprintf(out, "so far   %8d  ours %.0f/s  floor %.0f/s\n", ours.done, ours.rate(), bare.rate())
		}
	}
	fmt.Fprintf(out, "ours     %d followers in %.1f s\n", ours.done, ours.took.Seconds())
	verdict(out, "followers", a.DB.Dialect(), ours.rate(), bare.rate())
	return nil
}

// floorInFlight is what siyu has in flight.
const floorInFlight = 8

// followerFloor is the hand-written side.
type followerFloor struct {
	*floor
	base, token, cursor string
	client              *http.Client
}

func newFollowerFloor(ctx context.Context, a *app.App, base string, client *http.Client) (*followerFloor, error) {
	r, err := sandbox.Connect(ctx, base)
	if err != nil {
		return nil, err
	}
	f := &followerFloor{base: base, client: client}
	for _, acc := range r.Accounts() {
		if acc.Name != "floor" {
			continue
		}
		body := fmt.Appendf(nil, `{"grant_type":"client_credential","appid":%q,"secret":%q}`, acc.AppID, acc.Secret)
		var token struct {
			Text string `json:"access_token"`
		}
		if err := f.ask("/cgi-bin/stable_token", body, &token); err != nil {
			return nil, err
		}
		f.token = token.Text
	}
	if f.floor, err = newFloor(a); err != nil {
		return nil, err
	}
	_, err = f.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS floor_cursor (id INTEGER PRIMARY KEY, next_openid VARCHAR(64), seen BIGINT)")
	if err == nil {
		_, err = f.db.ExecContext(ctx, "INSERT INTO floor_cursor VALUES (1, '', 0)")
	}
	return f, err
}

func (f *followerFloor) ask(path string, body []byte, out any) error {
	address := f.base + path
	if f.token != "" {
		address += "?access_token=" + f.token
	}
	var res *http.Response
	var err error
	if body == nil {
		res, err = f.client.Get(address + "&next_openid=" + f.cursor)
	} else {
		res, err = f.client.Post(address, "application/json", bytes.NewReader(body))
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(out)
}

type floorFollower struct {
	OpenID  string `json:"openid"`
	UnionID string `json:"unionid"`
	Since   int64  `json:"subscribe_time"`
	Scene   string `json:"qr_scene_str"`
}

// page takes over one page and returns how many they were.
func (f *followerFloor) page(ctx context.Context) (int, error) {
	var page struct {
		Data struct {
			OpenIDs []string `json:"openid"`
		} `json:"data"`
	}
	if err := f.ask("/cgi-bin/user/get", nil, &page); err != nil {
		return 0, err
	}
	all := page.Data.OpenIDs
	type answer struct {
		list []floorFollower
		err  error
	}
	queue := make(chan chan answer, floorInFlight-1)
	go func() {
		defer close(queue)
		for from := 0; from < len(all); from += wechat.UserBatch {
			part, one := all[from:min(from+wechat.UserBatch, len(all))], make(chan answer, 1)
			queue <- one
			go func() {
				var got struct {
					List []floorFollower `json:"user_info_list"`
				}
				err := f.ask("/cgi-bin/user/info/batchget", []byte(`{"user_list":[{"openid":"`+strings.Join(part, `"},{"openid":"`)+`"}]}`), &got)
				one <- answer{got.List, err}
			}()
		}
	}()
	for one := range queue {
		a := <-one
		if a.err == nil {
			a.err = f.keep(ctx, a.list)
		}
		if a.err != nil {
			return 0, a.err // what is still asked for is thrown away with the process
		}
	}
	if len(all) > 0 {
		f.cursor = all[len(all)-1]
	}
	return len(all), nil
}

// keep writes what siyu writes for strangers.
func (f *followerFloor) keep(ctx context.Context, list []floorFollower) error {
	if len(list) == 0 {
		return nil
	}
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, "UPDATE floor_cursor SET next_openid = ?, seen = seen + ? WHERE id = 1", list[len(list)-1].OpenID, len(list)); err != nil {
		return err
	}
	var id int64 // nobody else writes in its turn
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM members").Scan(&id); err != nil {
		return err
	}
	var members, identities, unions []any
	for _, p := range list {
		id++
		since := time.Unix(p.Since, 0).UTC()
		members = append(members, id, fmt.Sprint("F", id), f.now, since)
		identities = append(identities, id, p.OpenID, p.UnionID, since, since, p.Scene, f.now, f.now)
		unions = append(unions, p.UnionID, id)
	}
	for _, s := range []struct {
		insert, row string
		args        []any
	}{
		{"INSERT INTO members (id, no, created_at, active_at) VALUES ", "(?,?,?,?)", members},
		{"INSERT INTO identities (member_id, account, open_id, kind, union_id, subscribed, subscribed_at, state_at, subscribe_scene, asked_at, created_at) VALUES ", "(?,'floor',?,'oa',?,1,?,?,?,?,?)", identities},
		{"INSERT INTO unions (union_id, member_id) VALUES ", "(?,?)", unions},
	} {
		if _, err := tx.ExecContext(ctx, s.insert+s.row+strings.Repeat(","+s.row, len(list)-1), s.args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}
