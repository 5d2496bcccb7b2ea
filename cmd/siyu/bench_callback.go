package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// benchCallback: text messages of followers who wrote before, in safe mode. The floor verifies, decrypts and parses with the same codec
// and inserts one inbox row; siyu also finds the person, opens his allowance, logs the event and looks for tags,
// a check-in and a quiz answer in the text.
func benchCallback(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	cfg.Sandbox.Demo = true
	a, err := openBench(ctx, cfg, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	n := o.requests / rounds * rounds
	acc, ok := a.Account("oa")
	if !ok {
		return errors.New("bench: the sandbox has no account oa")
	}
	ours, floor, stop, err := serveBoth(a, func(f *floor) http.Handler { return f.callbackServer(acc) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	crypt, err := wechat.NewCrypt(acc.Token, acc.EncodingAESKey, acc.AppID)
	if err != nil {
		return err
	}
	people := max(n/5, 1) // each writes five times
	client := benchClient(o.workers)
	call := func(base string, side, i int) error {
		query, body, err := textPush(crypt, acc, a.Clock.Now().Unix(), fmt.Sprintf("obench%09d", i%people), int64(side*10_000_000_000+i+1), i)
		if err != nil {
			return err
		}
		return post(client, base+"/wechat/oa?"+query.Encode(), "", "text/xml", body, http.StatusOK)
	}
	if _, err := load(0, people, o.workers, func(i int) error { return call(ours, 3, i) }); err != nil { // they are followers, not strangers
		return err
	}
	return compare(out, "callback", a.DB.Dialect(), n, o.workers,
		func(i int) error { return call(ours, 1, i) }, func(i int) error { return call(floor, 2, i) })
}

// textPush is a text message as WeChat sends it in safe mode.
func textPush(c *wechat.Crypt, acc wechat.Account, at int64, openID string, msgID int64, i int) (url.Values, []byte, error) {
	plain := fmt.Sprintf("<xml><ToUserName><![CDATA[gh_bench]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好,请问有货吗 %d]]></Content><MsgId>%d</MsgId></xml>", openID, at, i, msgID)
	sealed, err := c.Encrypt([]byte(fmt.Sprintf("%016d", msgID)), []byte(plain))
	if err != nil {
		return nil, nil, err
	}
	ts, nonce := strconv.FormatInt(at, 10), strconv.Itoa(i)
	q := url.Values{
		"signature": {wechat.Signature(acc.Token, ts, nonce)}, "timestamp": {ts}, "nonce": {nonce}, "openid": {openID},
		"encrypt_type": {"aes"}, "msg_signature": {wechat.Signature(acc.Token, ts, nonce, sealed)},
	}
	return q, []byte("<xml><ToUserName><![CDATA[gh_bench]]></ToUserName><Encrypt><![CDATA[" + sealed + "]]></Encrypt></xml>"), nil
}

func (f *floor) callbackServer(acc wechat.Account) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/wechat/oa", func(c *gin.Context) {
		body, err := io.ReadAll(io.LimitReader(c.Request.Body, 1<<18))
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		p, err := wechat.Open(acc, c.Request.URL.Query(), body, f.now)
		if err != nil {
			c.Status(http.StatusUnauthorized)
			return
		}
		now := f.now
		tx, err := f.db.BeginTx(c.Request.Context(), nil)
		if err != nil {
			c.Status(http.StatusServiceUnavailable)
			return
		}
		defer func() { _ = tx.Rollback() }() // after Commit it does nothing
		_, err = tx.Exec("INSERT INTO inboxes (account, `key`, kind, open_id, state, raw, reply, lease_till, occurred_at, received_at) VALUES (?, ?, ?, ?, ?, ?, '{}', ?, ?, ?)",
			acc.Name, p.Key(), p.MsgType, p.FromUserName, model.InboxDone, p.Raw, now, p.CreateTime.UTC(), now)
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			c.Status(http.StatusServiceUnavailable)
			return
		}
		c.String(http.StatusOK, "success")
	})
	return e
}
