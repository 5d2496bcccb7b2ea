package sandbox

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// again opens a second sandbox on the directory of the first, which is left as a kill would leave it: flushed, but not closed.
func (w *world) again(dir string) *world {
	w.t.Helper()
	require.NoError(w.t, w.s.store.flush())
	w.s.cancel()
	w.s.done.Wait()
	return newWorld(w.t, Options{Dir: dir, Start: start.Add(99 * time.Hour)})
}

func TestStore(t *testing.T) {
	t.Parallel()
	t.Run("EverythingThatMattersSurvivesAKill", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWorld(t, Options{Dir: dir})
		_, err := w.s.Bulk(1000, "bulk", "oa")
		require.NoError(t, err)
		p := w.s.NewPerson("小红", "union-x")
		w.control(200, "/users/"+p.ID+"/scan", map[string]any{"scene": "poster"})
		w.control(200, "/users/"+p.ID+"/accept", map[string]any{"template": "TPL_ACTIVITY", "times": 2})
		w.control(200, "/users/"+p.ID+"/phone", map[string]any{"number": "13700000000"})
		w.control(200, "/users/"+p.ID+"/text", map[string]any{"content": "hi"})
		require.Zero(t, w.custom(p))
		tag := w.call("oa", "/cgi-bin/tags/create", map[string]any{"tag": map[string]any{"name": "t"}})["tag"].(map[string]any)["id"]
		require.Zero(t, errcode(w.call("oa", "/cgi-bin/tags/members/batchtagging", map[string]any{"openid_list": []string{p.OpenIDs["oa"]}, "tagid": tag})))
		require.Zero(t, errcode(w.massTo([]string{p.OpenIDs["oa"], w.s.accounts[0].openid(1)}, "job")))
		w.advance(time.Hour)
		before, _ := w.s.Person(p.ID)
		inbox, err := w.s.Inbox(p.ID)
		require.NoError(t, err)
		require.Len(t, inbox, 2)

		v := w.again(dir)
		for i, a := range w.s.Accounts() {
			a.CallbackURL = v.account(a.Name).CallbackURL
			require.Equal(t, a, v.s.Accounts()[i])
		}
		require.Equal(t, start.Add(time.Hour), v.s.Clock().Now(), "its own clock, not the option")
		require.True(t, v.s.Clock().Frozen())
		after, ok := v.s.Person(p.ID)
		require.True(t, ok)
		require.Equal(t, before, after)
		again, err := v.s.Inbox(p.ID)
		require.NoError(t, err)
		require.Equal(t, inbox, again)
		require.Equal(t, 1001, v.s.accounts[0].followers)
		require.Equal(t, 1, v.s.accounts[0].tagCount[100])
		require.Zero(t, v.custom(p), "the allowance of the text is open")
		require.Equal(t, 45065, errcode(v.massTo([]string{p.OpenIDs["oa"], v.s.accounts[0].openid(1)}, "job")))
		require.EqualValues(t, 1, v.s.who(1001).relation(v.s.accounts[0]).inMonth(monthOf(start)))
	})
	t.Run("ATornLastLineIsDropped", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWorld(t, Options{Dir: dir})
		p := w.fan("a")
		require.Zero(t, w.custom(p))
		require.Zero(t, w.custom(p))
		require.NoError(t, w.s.Close())
		for _, name := range []string{journalFile, receiptFile} {
			path := filepath.Join(dir, name)
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, raw[:len(raw)-3], 0o600))
		}
		v := newWorld(t, Options{Dir: dir})
		require.Len(t, v.s.Receipts(0, 10), 1)
		require.Zero(t, v.custom(p))
		require.NoError(t, v.s.Close())
		require.Len(t, newWorld(t, Options{Dir: dir}).s.Receipts(0, 10), 2)
	})
	t.Run("DamageInTheMiddleIsAnError", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWorld(t, Options{Dir: dir})
		w.fan("a")
		require.NoError(t, w.s.Close())
		path := filepath.Join(dir, journalFile)
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		raw[3] = 0xff
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		_, err = Open(Options{Dir: dir})
		require.ErrorContains(t, err, "damaged at byte 0")
	})
	t.Run("AResultThatWasNotToldIsToldAfterTheStart", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWorld(t, Options{Dir: dir, ResultDelay: time.Minute})
		_, err := w.s.Bulk(2, "p", "oa")
		require.NoError(t, err)
		require.Zero(t, errcode(w.massTo([]string{w.s.accounts[0].openid(1), w.s.accounts[0].openid(2)}, "a")))
		v := w.again(dir)
		v.advance(time.Minute)
		require.Equal(t, "MASSSENDJOBFINISH", v.open(v.siyu.got()[0])["Event"])
		require.Len(t, v.s.Receipts(0, 10), 2)
	})
	t.Run("ALongJournalIsWrittenAnew", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWorld(t, Options{Dir: dir})
		p := w.fan("a")
		first, err := w.s.FollowersBefore("oa", 100, "poster")
		require.NoError(t, err)
		gone := strconv.FormatInt(first+7, 10)
		_, err = w.s.unfollow(t.Context(), gone, "oa")
		require.NoError(t, err)
		crowd := w.s.userView(w.s.accounts[0], first+99)
		for range 11_000 {
			require.NoError(t, w.s.block(p.ID, "oa", false, false))
		}
		require.NoError(t, w.s.Close())
		before, err := os.Stat(filepath.Join(dir, journalFile))
		require.NoError(t, err)
		v := newWorld(t, Options{Dir: dir})
		after, err := os.Stat(filepath.Join(dir, journalFile))
		require.NoError(t, err)
		require.Less(t, after.Size(), before.Size()/100)
		require.Zero(t, v.custom(p))
		require.Equal(t, w.account("oa").Secret, v.account("oa").Secret)
		require.Equal(t, crowd, v.s.userView(v.s.accounts[0], first+99))
		require.Equal(t, 100, v.s.accounts[0].followers)
		left, ok := v.s.Person(gone)
		require.True(t, ok)
		require.Equal(t, []any{"老粉8", []string{}}, []any{left.Name, left.Following})
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	newFault := func(t *testing.T, f map[string]any) (*world, Person) {
		w := newWorld(t, Options{})
		p := w.fan("a")
		w.token("oa")
		f["path"] = "/cgi-bin/message/custom/send"
		w.control(201, "/faults", f)
		return w, p
	}
	raw := func(w *world, p Person) (*http.Response, error) {
		return http.Post(w.api.URL+"/cgi-bin/message/custom/send?access_token="+w.token("oa"), "application/json",
			reader(`{"touser":"`+p.OpenIDs["oa"]+`","msgtype":"text","text":{"content":"x"}}`))
	}
	t.Run("TimeoutAfterDoesTheWork", func(t *testing.T) {
		t.Parallel()
		w, p := newFault(t, map[string]any{"kind": "timeout_after", "ms": 1})
		_, err := raw(w, p)
		require.Error(t, err)
		require.Len(t, w.s.Receipts(0, 10), 1)
		require.Zero(t, w.custom(p), "once only")
	})
	t.Run("ResetDoesNothing", func(t *testing.T) {
		t.Parallel()
		w, p := newFault(t, map[string]any{"kind": "reset", "times": 1})
		_, err := raw(w, p)
		require.Error(t, err)
		require.Empty(t, w.s.Receipts(0, 10))
	})
	t.Run("HTTP500DoesNothing", func(t *testing.T) {
		t.Parallel()
		w, p := newFault(t, map[string]any{"kind": "http_500", "status": 502})
		res, err := raw(w, p)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 502, res.StatusCode)
		require.Empty(t, w.s.Receipts(0, 10))
	})
	t.Run("ErrcodeAsOftenAsAsked", func(t *testing.T) {
		t.Parallel()
		w, p := newFault(t, map[string]any{"kind": "errcode", "errcode": -1, "times": 2, "skip": 1})
		require.Zero(t, w.custom(p))
		require.Equal(t, -1, w.custom(p))
		require.Equal(t, -1, w.custom(p))
		require.Zero(t, w.custom(p))
	})
	t.Run("RevokedTokenMidFlight", func(t *testing.T) { // 19
		t.Parallel()
		w, p := newFault(t, map[string]any{"kind": "revoke_token"})
		require.Equal(t, 40001, w.custom(p))
		require.Equal(t, 40001, w.custom(p))
		w.toks = map[string]string{}
		require.Zero(t, w.custom(p))
	})
	t.Run("TruncatedIsHalfAnAnswer", func(t *testing.T) {
		t.Parallel()
		w, p := newFault(t, map[string]any{"kind": "truncated"})
		res, err := raw(w, p)
		require.NoError(t, err)
		require.EqualValues(t, len(jsonOK)/2, res.ContentLength)
		require.NoError(t, res.Body.Close())
	})
	t.Run("UnknownKindsAndFieldsAreRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		w.control(400, "/faults", map[string]any{"path": "/x", "kind": "fire"})
		w.control(400, "/faults", map[string]any{"path": "/x", "kind": "reset", "tims": 1})
		w.control(404, "/users/7/text", map[string]any{"content": "x"})
		w.control(404, "/users/7/fly", map[string]any{})
	})
}
