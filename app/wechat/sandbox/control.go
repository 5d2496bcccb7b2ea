package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a broken connection is the only way to fail
}

func writeError(w http.ResponseWriter, err error) {
	var e errorBody
	status := 500
	e.Error.Code, e.Error.Message = "INTERNAL", err.Error()
	var r *refusal
	switch {
	case errors.As(err, &r):
		status, e.Error.Code = r.status, r.code
	case errors.Is(err, ErrBackwards):
		status, e.Error.Code = 409, "CLOCK_BACKWARDS"
	case errors.Is(err, ErrNotSettled):
		e.Error.Code = "NOT_SETTLED"
	}
	writeJSON(w, status, e)
}

// bind reads a JSON body strictly; an empty body is {}.
func bind(r *http.Request, out any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<20))
	if err != nil {
		return refuse(413, "TOO_LARGE", "the body is larger than 1 MiB")
	}
	if len(raw) == 0 {
		return nil
	}
	if err := strictJSON(raw, out); err != nil {
		return refuse(400, "MALFORMED", "%s", err)
	}
	return nil
}

// serve is a handler that answers JSON.
func serve[In any](status int, f func(ctx context.Context, r *http.Request, in In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := bind(r, &in); err != nil {
			writeError(w, err)
			return
		}
		out, err := f(r.Context(), r, in)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, status, out)
	}
}

type none struct{}

type items[T any] struct {
	Items []T `json:"items"`
}

// ControlHandler serves the control API under /sandbox/api and the page /sandbox.
func (s *Sandbox) ControlHandler() http.Handler {
	mux := http.NewServeMux()
	s.routeWorld(mux)
	s.routePeople(mux)
	s.routeLogs(mux)
	s.routePhones(mux)
	mux.Handle("/sandbox/wechat/", http.StripPrefix("/sandbox/wechat", s.APIHandler())) // for processes beside the one that embeds it
	mux.Handle("GET /sandbox", http.HandlerFunc(servePage))
	mux.Handle("GET /sandbox/{$}", http.RedirectHandler("/sandbox", http.StatusFound))
	mux.Handle("GET /sandbox/static/{file}", http.HandlerFunc(serveStatic))
	mux.Handle("GET /sandbox/media/{id}", http.HandlerFunc(s.servePicture))
	mux.HandleFunc("/sandbox/api/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, refuse(404, "NOT_FOUND", "there is no %s %s", r.Method, r.URL.Path))
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

type clockInput struct {
	Now     *time.Time `json:"now"`
	Advance *string    `json:"advance"`
	Tick    bool       `json:"tick"`
}

func (s *Sandbox) moveClock(ctx context.Context, in clockInput) error {
	switch {
	case in.Now != nil && in.Advance == nil && !in.Tick:
		return s.SetClock(ctx, *in.Now)
	case in.Advance != nil && in.Now == nil && !in.Tick:
		d, err := time.ParseDuration(*in.Advance)
		if err != nil {
			return refuse(400, "INVALID", "advance: write it as 24h or 90s")
		}
		return s.Advance(ctx, d)
	case in.Tick && in.Now == nil && in.Advance == nil:
		return s.Tick(ctx)
	}
	return refuse(400, "INVALID", `give one of {"now":"2026-11-23T09:00:00+08:00"}, {"advance":"24h"}, {"tick":true}`)
}

func (s *Sandbox) routeWorld(mux *http.ServeMux) {
	mux.Handle("GET /sandbox/api/accounts", serve(200, func(context.Context, *http.Request, none) (any, error) {
		return items[Account]{s.Accounts()}, nil
	}))
	mux.Handle("POST /sandbox/api/accounts", serve(200, func(_ context.Context, _ *http.Request, in AccountChange) (any, error) {
		a, err := s.ChangeAccount(in)
		if err == nil && a.Name == "" {
			return items[Account]{s.Accounts()}, nil
		}
		return a, err
	}))
	mux.Handle("GET /sandbox/api/clock", serve(200, func(context.Context, *http.Request, none) (any, error) {
		return viewClock(s.clk), nil
	}))
	mux.Handle("POST /sandbox/api/clock", serve(200, func(ctx context.Context, _ *http.Request, in clockInput) (any, error) {
		err := s.moveClock(ctx, in)
		return viewClock(s.clk), err
	}))
	mux.Handle("POST /sandbox/api/followers", serve(200, func(ctx context.Context, _ *http.Request, in struct {
		URL     string `json:"url"`     // of a process that follows the clock, or
		Account string `json:"account"` // an account that gets followers from before
		Count   int    `json:"count"`
		Scene   string `json:"scene"`
	},
	) (any, error) {
		if in.URL != "" {
			return s.followURL(ctx, in.URL)
		}
		first, err := s.FollowersBefore(in.Account, in.Count, in.Scene)
		return map[string]any{"first_id": strconv.FormatInt(first, 10), "count": in.Count}, err
	}))
	mux.Handle("POST /sandbox/api/quotas", serve(200, func(_ context.Context, _ *http.Request, in struct {
		Account string `json:"account"`
		Path    string `json:"path"`
		Day     int    `json:"day"`
		Minute  int    `json:"minute"`
	},
	) (any, error) {
		return in, s.SetLimit(in.Account, in.Path, in.Day, in.Minute)
	}))
	s.routeTemplates(mux)
	s.routeMenu(mux)
}

func (s *Sandbox) routeTemplates(mux *http.ServeMux) {
	type view struct {
		Account string `json:"account"`
		Template
	}
	mux.Handle("GET /sandbox/api/templates", serve(200, func(context.Context, *http.Request, none) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		out := items[view]{[]view{}}
		for _, a := range s.accounts {
			for _, t := range a.saved.Templates {
				out.Items = append(out.Items, view{a.Name, t})
			}
		}
		return out, nil
	}))
	mux.Handle("POST /sandbox/api/templates", serve(201, func(_ context.Context, _ *http.Request, in view) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		a := s.account(in.Account)
		if a == nil {
			return nil, refuse(404, "NOT_FOUND", "there is no account %q", in.Account)
		}
		if err := checkTemplate(in.Template); err != nil {
			return nil, err
		}
		s.putTemplate(a, in.Template)
		return in, nil
	}))
}

func orElse(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}

func queryInt(r *http.Request, name string, otherwise, most int) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, refuse(400, "INVALID", "%s: a number from 0", name)
	}
	return min(n, most), nil
}

func (s *Sandbox) routeLogs(mux *http.ServeMux) {
	mux.Handle("GET /sandbox/api/receipts", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		since, err1 := queryInt(r, "since", 0, 1<<40)
		limit, err2 := queryInt(r, "limit", 1000, 100_000)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		list := s.Receipts(since, limit)
		s.mu.Lock()
		defer s.mu.Unlock()
		return map[string]any{"items": list, "next": since + len(list), "total": len(s.receipts)}, nil
	}))
	mux.Handle("GET /sandbox/api/calls", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		since, err1 := queryInt(r, "since", 0, 1<<40)
		limit, err2 := queryInt(r, "limit", 0, 2*callLogSize)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		list, counts := s.Calls(CallFilter{since, r.URL.Query().Get("path"), limit})
		s.mu.Lock()
		defer s.mu.Unlock()
		return map[string]any{"items": list, "counts": counts, "total": s.calls.total, "unknown": s.calls.unknown}, nil
	}))
	mux.Handle("GET /sandbox/api/pushes", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		since, err := queryInt(r, "since", 0, 1<<40)
		if err != nil {
			return nil, err
		}
		return items[PushRecord]{s.Pushes(since)}, nil
	}))
	mux.Handle("POST /sandbox/api/pushes/{id}/replay", serve(200, func(ctx context.Context, r *http.Request, _ none) (any, error) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil {
			return nil, refuse(404, "NOT_FOUND", "there is no push %q in the log", r.PathValue("id"))
		}
		return s.Replay(ctx, id)
	}))
	mux.Handle("GET /sandbox/api/faults", serve(200, func(context.Context, *http.Request, none) (any, error) { return items[fault]{s.listFaults()}, nil }))
	mux.Handle("POST /sandbox/api/faults", serve(201, func(_ context.Context, _ *http.Request, in fault) (any, error) {
		return items[fault]{s.listFaults()}, s.addFault(in)
	}))
	mux.Handle("DELETE /sandbox/api/faults", serve(200, func(context.Context, *http.Request, none) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = nil
		return items[fault]{[]fault{}}, nil
	}))
}

// Pushes lists the log of pushes after the id since, oldest first.
func (s *Sandbox) Pushes(since int) []PushRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []PushRecord{}
	for _, r := range s.pushes.items {
		if r.ID > since {
			out = append(out, *r)
		}
	}
	return out
}

func (s *Sandbox) listFaults() []fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []fault{}
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}
