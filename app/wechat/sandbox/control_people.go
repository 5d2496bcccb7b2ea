package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// strictJSON refuses unknown fields and anything after the value.
func strictJSON(raw []byte, out any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}

// Action is the body of every deed of a person; each reads its own fields.
type Action struct {
	Account     string  `json:"account"`
	Scene       string  `json:"scene"`
	Ticket      string  `json:"ticket"`
	Content     string  `json:"content"`
	MenuID      string  `json:"menu_id"` // of a tapped msgmenu item
	Key         string  `json:"key"`
	Lat         float64 `json:"lat"`
	Lng         float64 `json:"lng"`
	Number      string  `json:"number"`
	Group       string  `json:"group"` // name of a group chat
	Template    string  `json:"template"`
	Times       int     `json:"times"`
	Settings    bool    `json:"settings"` // of reject: switched off in the settings, not in the question
	From        string  `json:"from"`
	Blacklisted bool    `json:"blacklisted"`
	Rejecting   bool    `json:"rejecting"`
	Info        string  `json:"info"` // of revoke: RevokeInfo
}

func (s *Sandbox) routePeople(mux *http.ServeMux) {
	mux.Handle("POST /sandbox/api/users", serve(201, func(_ context.Context, _ *http.Request, in struct {
		Name    string `json:"name"`
		UnionID string `json:"unionid"`
	},
	) (any, error) {
		if len(in.Name) > 100 || len(in.UnionID) > 64 {
			return nil, refuse(400, "INVALID", "name, unionid: at most 100 and 64 bytes")
		}
		return s.NewPerson(in.Name, in.UnionID), nil
	}))
	mux.Handle("POST /sandbox/api/users/bulk", serve(201, func(_ context.Context, _ *http.Request, in struct {
		Count  int    `json:"count"`
		Prefix string `json:"prefix"`
		Follow string `json:"follow"`
	},
	) (any, error) {
		first, err := s.Bulk(in.Count, in.Prefix, in.Follow)
		return map[string]any{"first_id": strconv.FormatInt(first, 10), "count": in.Count}, err
	}))
	mux.Handle("GET /sandbox/api/users", serve(200, s.listPeople))
	mux.Handle("GET /sandbox/api/users/{id}", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		p, ok := s.Person(r.PathValue("id"))
		if !ok {
			return nil, refuse(404, "NOT_FOUND", "there is no person %q", r.PathValue("id"))
		}
		return p, nil
	}))
	mux.Handle("GET /sandbox/api/users/{id}/inbox", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		list, err := s.Inbox(r.PathValue("id"))
		return items[Message]{list}, err
	}))
	mux.Handle("POST /sandbox/api/users/{id}/{deed}", serve(200, func(ctx context.Context, r *http.Request, in Action) (any, error) {
		return s.Do(ctx, r.PathValue("id"), r.PathValue("deed"), in)
	}))
}

// Do is one deed of the person: follow, unfollow, scan, text, click, location, login, phone, group, accept, reject, enter,
// revoke, cancel, pay or block. It answers a Seen, for login {"code"}, for phone a Phone, for group a Group. The account is oa, or mp where only a mini-program makes sense, unless in names one.
func (s *Sandbox) Do(ctx context.Context, id, deed string, in Action) (any, error) {
	oa, mp := orElse(in.Account, "oa"), orElse(in.Account, "mp")
	switch deed {
	case "follow":
		return s.followAccount(ctx, id, oa, in.Scene)
	case "unfollow":
		return s.unfollow(ctx, id, oa)
	case "scan":
		return s.scan(ctx, id, oa, in.Scene, in.Ticket)
	case "text":
		return s.text(ctx, id, oa, in.Content, in.MenuID)
	case "click":
		return s.click(ctx, id, oa, in.Key)
	case "location":
		return s.location(ctx, id, oa, in.Lat, in.Lng)
	case "login":
		code, err := s.login(id, mp)
		return map[string]string{"code": code}, err
	case "phone":
		return s.phoneButton(id, mp, in.Number)
	case "group":
		return s.group(id, mp, orElse(in.Group, "群聊"))
	case "accept":
		return s.popup(ctx, id, mp, in.Template, true, in.Times, false)
	case "reject":
		return s.popup(ctx, id, mp, in.Template, false, 1, in.Settings)
	case "enter":
		return s.enter(ctx, id, mp, in.From)
	case "revoke":
		return s.takeBack(ctx, id, mp, in.Info)
	case "cancel":
		return s.closeAccount(ctx, id, mp)
	case "pay":
		return none{}, s.pay(id, oa)
	case "block":
		return none{}, s.block(id, oa, in.Blacklisted, in.Rejecting)
	}
	return nil, refuse(404, "NOT_FOUND", "a person cannot %q", deed)
}

// listPeople pages through people by id: after, limit; q is a part of the name.
func (s *Sandbox) listPeople(_ context.Context, r *http.Request, _ none) (any, error) {
	after, err1 := queryInt(r, "after", 0, 1<<40)
	limit, err2 := queryInt(r, "limit", 100, 10_000)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	q := r.URL.Query().Get("q")
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Person{}
	for id := after + 1; id <= len(s.people) && len(list) < limit; id++ {
		if strings.Contains(s.look(int64(id)).name, q) {
			list = append(list, s.personView(int64(id)))
		}
	}
	return map[string]any{"items": list, "total": len(s.people)}, nil
}
