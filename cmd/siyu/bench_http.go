package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/handler"
)

// listen serves h on a free local port.
func listen(h http.Handler) (base string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return "http://" + l.Addr().String(), func() error {
		err := s.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// serveBoth serves siyu and a floor side by side.
func serveBoth(a *app.App, server func(*floor) http.Handler) (ours, bare string, stop func() error, err error) {
	f, err := newFloor(a)
	if err != nil {
		return "", "", nil, err
	}
	stop = f.db.Close
	undo := func(more func() error) {
		before := stop
		stop = func() error { return errors.Join(more(), before()) }
	}
	h, err := handler.New(a, handler.Options{Version: version})
	if err != nil {
		return "", "", nil, errors.Join(err, stop())
	}
	for _, side := range []struct {
		h    http.Handler
		base *string
	}{{h, &ours}, {server(f), &bare}} {
		base, end, err := listen(side.h)
		if err != nil {
			return "", "", nil, errors.Join(err, stop())
		}
		*side.base = base
		undo(end)
	}
	return ours, bare, stop, nil
}

// benchClient is the client of both sides.
func benchClient(workers int) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxIdleConns: workers}}
}

// post sends one request and wants one status.
func post(c *http.Client, url, token, contentType string, body []byte, want int) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("POST %s: %d %s", url, res.StatusCode, answer)
	}
	return nil
}
