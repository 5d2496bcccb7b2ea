package playbook_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat"
)

// account is what WeChat's console shows of an account.
type account struct {
	Name           string
	AppID          string
	Secret         string
	Token          string
	EncodingAESKey string `json:"encoding_aes_key"`
	OriginalID     string `json:"original_id"`
}

func (s *siyu) account(name string) account {
	s.t.Helper()
	var out struct{ Items []account }
	s.control("GET", "/accounts", nil, &out)
	for _, a := range out.Items {
		if a.Name == name {
			return a
		}
	}
	require.Fail(s.t, "there is no account", name)
	return account{}
}

// letter is a push as it travels: built by hand, so that a test can bend it.
type letter struct {
	account account
	query   url.Values
	body    string
}

// seal makes a push in safe mode of the plain body, signed at the instant.
func (s *siyu) seal(a account, plain string, when time.Time) *letter {
	s.t.Helper()
	c, err := wechat.NewCrypt(a.Token, a.EncodingAESKey, a.AppID)
	require.NoError(s.t, err)
	secret, err := c.Encrypt([]byte("0123456789abcdef"), []byte(plain))
	require.NoError(s.t, err)
	l := &letter{account: a, query: url.Values{"nonce": {"1514711492"}, "timestamp": {strconv.FormatInt(when.Unix(), 10)}}}
	l.enclose(secret, strings.HasPrefix(plain, "{"))
	return l
}

// enclose puts an encrypted body into its envelope and signs it.
func (l *letter) enclose(secret string, asJSON bool) {
	ts, nonce := l.query.Get("timestamp"), l.query.Get("nonce")
	l.query.Set("encrypt_type", "aes")
	l.query.Set("signature", wechat.Signature(l.account.Token, ts, nonce))
	l.query.Set("msg_signature", wechat.Signature(l.account.Token, ts, nonce, secret))
	l.body = "<xml><ToUserName><![CDATA[" + l.account.OriginalID + "]]></ToUserName><Encrypt><![CDATA[" + secret + "]]></Encrypt></xml>"
	if asJSON {
		l.body = fmt.Sprintf(`{"ToUserName":%q,"Encrypt":%q}`, l.account.OriginalID, secret)
	}
}

// post delivers a push and returns the status and the body of the answer.
func (s *siyu) post(l *letter) (int, string) {
	s.t.Helper()
	return status(s.t, "POST", s.URL+"/wechat/"+l.account.Name+"?"+l.query.Encode(), "text/xml", []byte(l.body))
}

// deliver delivers a genuine push with the plain body, now; it must be answered 200.
func (s *siyu) deliver(a account, plain string) string {
	s.t.Helper()
	code, answer := s.post(s.seal(a, plain, s.now()))
	require.Equal(s.t, 200, code, answer)
	return answer
}

// now is what the clock says.
func (s *siyu) now() time.Time {
	s.t.Helper()
	now, err := s.Clock(s.ctx(), nil)
	require.NoError(s.t, err)
	return now
}

// xml is a push from the person at the instant; fields are name, value, …: as they stand.
func (s *siyu) xml(a account, openid string, when time.Time, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>%d</CreateTime>", a.OriginalID, openid, when.Unix())
	for i := 0; i+1 < len(fields); i += 2 {
		fmt.Fprintf(&b, "<%s>%s</%s>", fields[i], fields[i+1], fields[i])
	}
	return b.String() + "</xml>"
}

// pushed is a push as the sandbox delivered it.
type pushed struct {
	ID       int
	Event    string
	OpenID   string
	User     string
	Status   string
	Body     string
	URL      string
	Wire     string
	Attempts []struct {
		Status int
		Reply  string
		Plain  string
		Error  string
	}
}

// pushes is the log of everything that WeChat pushed.
func (s *siyu) pushes() []pushed {
	s.t.Helper()
	var out struct{ Items []pushed }
	s.control("GET", "/pushes", nil, &out)
	return out.Items
}

// lastPush is the newest of an event.
func (s *siyu) lastPush(event string) pushed {
	s.t.Helper()
	all := s.pushes()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Event == event {
			return all[i]
		}
	}
	require.Fail(s.t, "nothing was pushed", event)
	return pushed{}
}

// replay has WeChat deliver a push again, byte for byte, and returns the status of the answer.
func (s *siyu) replay(id int) int {
	s.t.Helper()
	var out struct{ Status int }
	s.control("POST", fmt.Sprintf("/pushes/%d/replay", id), nil, &out)
	return out.Status
}

// openid is the person's name at an account.
func (s *siyu) openid(id, account string) string {
	s.t.Helper()
	var out struct{ OpenIDs map[string]string }
	s.control("GET", "/users/"+id, nil, &out)
	require.NotEmpty(s.t, out.OpenIDs[account])
	return out.OpenIDs[account]
}
