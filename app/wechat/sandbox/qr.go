package sandbox

import (
	"bytes"
	"image/jpeg"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rsc.io/qr"
)

const (
	qrMost    = 30 * 24 * time.Hour
	qrDefault = 60 * time.Second
)

// ticket is one QR code with a scene.
type ticket struct {
	Ticket  string `json:"ticket"`
	URL     string `json:"url"`
	Account string `json:"account"`
	Scene   string `json:"scene"`
	Until   int64  `json:"until,omitempty"` // unix seconds; 0 is for ever
}

func sceneNumber(scene string) (int64, bool) {
	n, err := strconv.ParseInt(scene, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == scene && n > 0
}

func qrCreate(c *call) answer {
	var in struct {
		Expire int64  `json:"expire_seconds"`
		Action string `json:"action_name"`
		Info   struct {
			Scene struct {
				ID  int64  `json:"scene_id"`
				Str string `json:"scene_str"`
			} `json:"scene"`
		} `json:"action_info"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if c.acct.Kind != KindService {
		return c.fail(48001)
	}
	t := &ticket{Account: c.acct.Name}
	id, str := in.Info.Scene.ID, in.Info.Scene.Str
	switch in.Action {
	case "QR_SCENE", "QR_LIMIT_SCENE":
		if id < 1 || id > 1<<32-1 || (in.Action == "QR_LIMIT_SCENE" && id > 100_000) {
			return c.fail(40053)
		}
		t.Scene = strconv.FormatInt(id, 10)
	case "QR_STR_SCENE", "QR_LIMIT_STR_SCENE":
		if n := utf8.RuneCountInString(str); n < 1 || n > 64 {
			return c.fail(40053)
		}
		t.Scene = str
	default:
		return c.fail(40053)
	}
	temporary := !strings.Contains(in.Action, "LIMIT")
	if temporary {
		if in.Expire <= 0 {
			in.Expire = int64(qrDefault.Seconds())
		}
		in.Expire = min(in.Expire, int64(qrMost.Seconds()))
		t.Until = c.now.Unix() + in.Expire
	}
	c.s.addTicket(t)
	out := map[string]any{"ticket": t.Ticket, "url": t.URL}
	if temporary {
		out["expire_seconds"] = in.Expire
	}
	return c.give(out)
}

func (s *Sandbox) addTicket(t *ticket) {
	t.Ticket, t.URL = "gQ"+randomText(92, alnum)+"==", "http://weixin.qq.com/q/"+randomText(22, alnum)
	s.tickets[t.Ticket] = t
	s.store.append(&record{Kind: "ticket", Ticket: t})
}

func qrShow(c *call) answer {
	t := c.s.tickets[c.query.Get("ticket")]
	if t == nil {
		return answer{status: http.StatusNotFound, typ: "text/html", body: []byte("<html><body>404</body></html>")}
	}
	code, err := qr.Encode(t.URL, qr.M)
	if err != nil {
		return c.fail(-1)
	}
	return answer{status: 200, typ: "image/png", body: code.PNG()}
}

var sceneForm = regexp.MustCompile("^[0-9a-zA-Z!#$&'()*+,/:;=?@._~-]+$")

func wxacode(c *call) answer {
	var in struct {
		Scene     string `json:"scene"`
		Page      string `json:"page"`
		CheckPath *bool  `json:"check_path"`
		Width     int    `json:"width"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	switch {
	case in.Scene == "" || len(in.Scene) > 32:
		return c.fail(40169)
	case !sceneForm.MatchString(in.Scene):
		return c.fail(40129)
	case strings.HasPrefix(in.Page, "/"):
		return c.fail(41030)
	}
	target := "https://mp.weixin.qq.com/a/" + c.acct.AppID + "?" + url.Values{"scene": {in.Scene}, "page": {in.Page}}.Encode()
	code, err := qr.Encode(target, qr.M)
	if err != nil {
		return c.fail(-1)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, code.Image(), nil); err != nil {
		return c.fail(-1)
	}
	return answer{status: 200, typ: "image/jpeg", body: b.Bytes()}
}
