// Package carrier reaches phone numbers, by SMS and by calls, through the provider that the settings name.
package carrier

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app/outward"
)

// Kinds of what is sent.
const (
	SMS  = "sms"
	Call = "call"
)

// Message is what one number gets.
type Message struct {
	Kind     string   `json:"kind"`
	To       string   `json:"to"`   // 13800000000, or with its country code as +85290000000
	Text     string   `json:"text"` // as the person reads or hears it
	Template string   `json:"template,omitempty"`
	Params   []string `json:"params,omitempty"` // of the template, in its order
	Key      string   `json:"key"`              // the same for a repeat: a provider that knows it sends once
}

// Provider sends. id is its own, by which its reports name the message; "" if it gives none.
type Provider interface {
	Send(ctx context.Context, m Message) (id string, err error)
}

// Outcome is what an error of Send means.
type Outcome string

// Outcomes.
const (
	NotSent     Outcome = "not_sent"     // it never got there, or the provider is busy
	MinuteLimit Outcome = "minute_limit" // it takes no more for a moment
	DayLimit    Outcome = "day_limit"    // it takes no more today
	Refused     Outcome = "refused"      // not this number, or not this text
	Broken      Outcome = "broken"       // the settings: every call would fail
	Unknown     Outcome = "unknown"      // it may have been sent
)

// Error is a failed Send. It holds nothing secret.
type Error struct {
	Outcome    Outcome
	Code, Text string
}

func (e *Error) Error() string {
	if e.Text == "" {
		return "carrier: " + e.Code
	}
	return "carrier: " + e.Code + " " + e.Text
}

const (
	callTime    = 10 * time.Second
	answerLimit = 64 << 10
	idleConns   = 64
)

// unsent reads an error of the transport, which may hold the address: a connection that was never made sent nothing.
func unsent(err error) *Error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, outward.ErrPrivate):
		return &Error{Broken, "private_address", "the provider's address is not public: see webhook.allow"}
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial":
		return &Error{NotSent, "no_connection", ""}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Unknown, "no_answer", ""}
	}
	return &Error{Unknown, "interrupted", ""}
}

// refusal reads an HTTP status that is none of success.
func refusal(status int) *Error {
	e := &Error{Refused, http.StatusText(status), ""}
	switch {
	case status == http.StatusTooManyRequests:
		e.Outcome = MinuteLimit
	case status == http.StatusServiceUnavailable:
		e.Outcome = NotSent
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status/100 == 3:
		e.Outcome = Broken
	case status >= 500:
		e.Outcome = Unknown
	}
	return e
}
