package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Class groups failures by what to do about them (FACTS 3.6).
type Class string

// The classes.
const (
	ClassNone        Class = ""             // no error
	ClassTokenDead   Class = "token_dead"   // refreshed and replayed already: look at who else refreshes tokens
	ClassTransient   Class = "transient"    // repeat after a back-off
	ClassMinuteLimit Class = "minute_limit" // wait for the next minute
	ClassDayQuota    Class = "day_quota"    // stop this path until midnight
	ClassConfig      Class = "config"       // stop the channel and tell the operator
	ClassRecipient   Class = "recipient"    // this person cannot be reached so; do not repeat
	ClassWindow      Class = "window"       // the customer-message window is closed or used up
	ClassContent     Class = "content"      // the message itself is refused
	ClassRefused     Class = "refused"      // any other refusal
	ClassAmbiguous   Class = "ambiguous"    // WeChat may have done it: do not repeat without an id that it dedupes
	ClassNotSent     Class = "not_sent"     // WeChat was not reached: may be repeated
)

// Outcome is what became of a call, by its error.
type Outcome string

// The outcomes.
const (
	Sent     Outcome = "sent"     // WeChat accepted it
	Rejected Outcome = "rejected" // WeChat refused it, or it was refused here before the call
	NotSent  Outcome = "not_sent" // nothing left this process that could have been carried out
	Unknown  Outcome = "unknown"
)

// APIError is WeChat's own refusal: an errcode.
type APIError struct {
	Path string
	Code int
	Msg  string // WeChat's words, without the rid
	RID  string // names the call towards WeChat's support and openapi/rid/get

	body []byte // 45065 carries a msg_id
}

func (e *APIError) Error() string {
	s := fmt.Sprintf("wechat: %s: errcode %d: %s", e.Path, e.Code, e.Msg)
	if e.RID != "" {
		s += " (rid " + e.RID + ")"
	}
	return s
}

// As lets an APIError reach a caller as errs.WeChatRefused, and a used or expired code as errs.Invalid.
func (e *APIError) As(target any) bool {
	t, ok := target.(**errs.Error)
	if !ok {
		return false
	}
	switch *t = errs.New(errs.WeChatRefused, "wechat.refused", "errcode", e.Code); {
	case e.Code == 40029 || e.Code == 40163:
		*t = errs.Field("code", "wechat.code_invalid")
	case e.Class() == ClassTransient || e.Class() == ClassMinuteLimit:
		*t = errs.New(errs.Unavailable, "wechat.unavailable")
	}
	return true
}

// Class is the class of the errcode.
func (e *APIError) Class() Class {
	switch e.Code {
	case 40001, 40014, 42001:
		return ClassTokenDead
	case -1, 45066:
		return ClassTransient
	case 45011, 45033:
		return ClassMinuteLimit
	case 45009, 45028:
		return ClassDayQuota
	case 40002, 40013, 40125, 40164, 40243, 41001, 41002, 41004, 43002, 48001, 48004, 48008, 50002, 50004, 50007, 61004, 89503, 89506, 89507:
		return ClassConfig
	case 40003, 43004, 43019, 43101, 43107, 46004, 48002, 49003, 50005:
		return ClassRecipient
	case 45015, 45047:
		return ClassWindow
	case 40007, 40033, 40037, 41030, 44004, 45002, 45008, 45067, 47001, 47003, 87014:
		return ClassContent
	}
	return ClassRefused
}

// TransportError is a call without a usable answer. It names no URL and no secret.
type TransportError struct {
	Path    string
	Status  int    // the HTTP status, if there was one that is not 200
	Detail  string // one phrase
	Reached bool   // bytes may have left this process
	cause   error  // only context.Canceled and DeadlineExceeded are shown to errors.Is
	config  bool   // refused by our host map
}

func (e *TransportError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("wechat: %s: HTTP %d %s", e.Path, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("wechat: %s: %s", e.Path, e.Detail)
}

// Unwrap shows why a context ended, nothing else: network errors print addresses and URLs.
func (e *TransportError) Unwrap() error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(e.cause, ended) {
			return ended
		}
	}
	return nil
}

// As lets a TransportError reach a caller as errs.Unavailable.
func (e *TransportError) As(target any) bool {
	t, ok := target.(**errs.Error)
	if ok {
		*t = errs.New(errs.Unavailable, "wechat.unavailable")
	}
	return ok
}

// Class is ambiguous once the request may have left.
func (e *TransportError) Class() Class {
	switch {
	case e.config:
		return ClassConfig
	case e.Status == http.StatusTooManyRequests:
		return ClassTransient
	case e.Status >= 300 && e.Status < 500:
		return ClassRefused
	case e.Reached:
		return ClassAmbiguous
	}
	return ClassNotSent
}

// TokenError is a call that was not made, because no access token was to be had.
type TokenError struct{ cause error }

func (e *TokenError) Error() string {
	return "wechat: no access token: " + strings.TrimPrefix(e.cause.Error(), "wechat: ")
}

// Unwrap is why.
func (e *TokenError) Unwrap() error { return e.cause }

func (e *TokenError) class() Class {
	var api *APIError
	var transport *TransportError
	switch {
	case errors.As(e.cause, &api) && api.Class() == ClassTokenDead: // 40001 from the token call itself is a wrong secret
		return ClassConfig
	case errors.As(e.cause, &api):
		return api.Class()
	case errors.As(e.cause, &transport) && transport.config:
		return ClassConfig
	}
	return ClassNotSent
}

// ClassOf says what to do about an error of a Client's method.
func ClassOf(err error) Class {
	var token *TokenError
	var api *APIError
	var transport *TransportError
	var refusal *errs.Error
	switch {
	case err == nil:
		return ClassNone
	case errors.As(err, &token):
		return token.class()
	case errors.As(err, &api):
		return api.Class()
	case errors.As(err, &transport):
		return transport.Class()
	case errors.As(err, &refusal):
		return localClass(refusal)
	}
	return ClassAmbiguous
}

// localClass is the class of what was refused here, before any call.
func localClass(e *errs.Error) Class {
	switch e.Key {
	case "wechat.openid_invalid":
		return ClassRecipient
	case "wechat.account_unknown", "wechat.kind_wrong":
		return ClassConfig
	}
	return ClassContent
}

// OutcomeOf says what became of a call: for a send, whether the person may have received it.
func OutcomeOf(err error) Outcome {
	var token *TokenError
	if errors.As(err, &token) {
		return NotSent
	}
	switch ClassOf(err) {
	case ClassNone:
		return Sent
	case ClassAmbiguous:
		return Unknown
	case ClassNotSent:
		return NotSent
	}
	return Rejected
}

// CodeOf is WeChat's errcode in err's chain; 0 without one.
func CodeOf(err error) int {
	var api *APIError
	if errors.As(err, &api) {
		return api.Code
	}
	return 0
}
