// Package phone is a customer's hand: it speaks the sandbox's control API and siyu's own HTTP APIs, for demos,
// playbooks and tests. It knows only what /docs and DESIGN §7 say.
package phone

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Server is a running siyu with its sandbox.
type Server struct {
	URL     string // of siyu
	Sandbox string // of the sandbox; "" where siyu embeds it
	HTTP    *http.Client
}

// New speaks to the siyu at url.
func New(url string) *Server {
	return &Server{URL: url, HTTP: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Refusal is an answer that is not 2xx.
type Refusal struct {
	Status  int
	Code    string
	Message string
	Details map[string]any
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %s: %s %v", r.Status, r.Code, r.Message, r.Details)
}

// Call sends in as JSON (nil: no body) and reads the answer into out (nil: ignored). An answer that is not 2xx is a *Refusal.
func (s *Server) Call(ctx context.Context, method, path, token string, in, out any, headers ...string) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	base := s.URL
	if s.Sandbox != "" && len(path) > 8 && path[:8] == "/sandbox" {
		base = s.Sandbox
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		r := &Refusal{Status: res.StatusCode}
		var p struct {
			Error struct {
				Code, Message string
				Details       map[string]any
			}
		}
		if json.Unmarshal(b, &p) == nil {
			r.Code, r.Message, r.Details = p.Error.Code, p.Error.Message, p.Error.Details
		}
		if r.Message == "" {
			r.Message = string(b)
		}
		return r
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: %w: %s", method, path, err, b)
	}
	return nil
}

// Person is somebody with a phone.
type Person struct {
	s     *Server
	ID    string
	Token string // of the member API, after Login
}

// Person makes somebody new; an empty unionID is made up by the sandbox.
func (s *Server) Person(ctx context.Context, name, unionID string) (*Person, error) {
	in := map[string]string{"name": name}
	if unionID != "" {
		in["unionid"] = unionID
	}
	p := &Person{s: s}
	var out struct{ ID string }
	err := s.Call(ctx, "POST", "/sandbox/api/users", "", in, &out)
	p.ID = out.ID
	return p, err
}

// Known is a person whom the sandbox has already.
func (s *Server) Known(id string) *Person { return &Person{s: s, ID: id} }

// Message is something that reached a person.
type Message struct {
	Account string          `json:"account"`
	Channel string          `json:"channel"`
	Time    time.Time       `json:"time"`
	Type    string          `json:"type"`
	Content string          `json:"content"`
	Data    json.RawMessage `json:"data"`
}

// Seen is what an act brought: what the person saw in answer.
type Seen struct {
	Seen []Message `json:"seen"`
	Push struct {
		Status   string `json:"status"`
		Attempts []struct {
			Status int    `json:"status"`
			Error  string `json:"error"`
		} `json:"attempts"`
	} `json:"push"`
}

// Act does something at an account: follow, unfollow, scan, text, click, location, accept, reject.
func (p *Person) Act(ctx context.Context, what string, in map[string]any) (Seen, error) {
	var out Seen
	if in == nil {
		in = map[string]any{}
	}
	if in["account"] == nil {
		in["account"] = "oa"
	}
	return out, p.s.Call(ctx, "POST", "/sandbox/api/users/"+url.PathEscape(p.ID)+"/"+what, "", in, &out)
}

// Inbox is every message that the person received.
func (p *Person) Inbox(ctx context.Context) ([]Message, error) {
	var out struct{ Items []Message }
	return out.Items, p.s.Call(ctx, "GET", "/sandbox/api/users/"+url.PathEscape(p.ID)+"/inbox", "", nil, &out)
}

// Login opens the mini-program: afterwards API speaks for the person.
func (p *Person) Login(ctx context.Context) (member map[string]any, err error) {
	var code struct{ Code string }
	err = p.s.Call(ctx, "POST", "/sandbox/api/users/"+url.PathEscape(p.ID)+"/login", "", map[string]string{"account": "mp"}, &code)
	if err != nil {
		return nil, err
	}
	var out struct {
		Token  string
		Member map[string]any
	}
	if err := p.s.Call(ctx, "POST", "/api/v1/login", "", map[string]string{"account": "mp", "code": code.Code}, &out); err != nil {
		return nil, err
	}
	p.Token = out.Token
	return out.Member, nil
}

// API calls the member API as the person.
func (p *Person) API(ctx context.Context, method, path string, in, out any, headers ...string) error {
	return p.s.Call(ctx, method, "/api/v1"+path, p.Token, in, out, headers...)
}

// Clock moves the sandbox's clock: {"now": …}, {"advance": "24h"} or {"tick": true}; it returns the time that it says.
func (s *Server) Clock(ctx context.Context, in map[string]any) (time.Time, error) {
	var out struct{ Now time.Time }
	if in == nil {
		return out.Now, s.Call(ctx, "GET", "/sandbox/api/clock", "", nil, &out)
	}
	err := s.Call(ctx, "POST", "/sandbox/api/clock", "", in, &out)
	return out.Now, err
}
