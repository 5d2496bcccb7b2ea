// Package errs holds the one error type whose content a caller must know: a machine code, the key of a
// sentence in the locale files, and the facts that the sentence and the caller need next.
// It knows neither sentences nor HTTP: templates has the one, handler/web maps the other.
package errs

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Code is the stable machine code of a refusal, as it stands in the JSON of an answer.
type Code string

// The codes of siyu. PLAYBOOKS §1 fixes the names of the refusals; handler/web/status.go gives each its HTTP status.
const (
	Invalid          Code = "INVALID"         // a field is malformed or out of range; details hold field
	Malformed        Code = "MALFORMED"       // the body is not what the route reads at all
	Unauthorized     Code = "UNAUTHORIZED"    // no credential, or a wrong one
	TokenExpired     Code = "TOKEN_EXPIRED"   // the member must log in again
	Forbidden        Code = "FORBIDDEN"       // a valid credential without the right
	NotFound         Code = "NOT_FOUND"       // absent, or not the caller's
	Conflict         Code = "CONFLICT"        // same key with another input, or a state that excludes the change
	RateLimited      Code = "RATE_LIMITED"    // details hold retry_after
	TooLarge         Code = "TOO_LARGE"       // the body exceeds its bound
	Unavailable      Code = "UNAVAILABLE"     // not done; may be repeated
	OutcomeUnknown   Code = "OUTCOME_UNKNOWN" // COMMIT was sent and not answered: repeat with the same key
	WeChatRefused    Code = "WECHAT_REFUSED"  // WeChat answered an error; details hold errcode
	NotMember        Code = "NOT_MEMBER"
	AlreadyCheckedIn Code = "ALREADY_CHECKED_IN"
	MakeupLimit      Code = "MAKEUP_LIMIT"
	QuizClosed       Code = "QUIZ_CLOSED"
	AlreadyAnswered  Code = "ALREADY_ANSWERED"
	WrongWord        Code = "WRONG_WORD" // of a group's day; details hold left
	LimitReached     Code = "LIMIT_REACHED"
	ThresholdNotMet  Code = "THRESHOLD_NOT_MET"
	WindowClosed     Code = "WINDOW_CLOSED" // details hold opens_at where it opens again
	OutOfStock       Code = "OUT_OF_STOCK"
	TierTooLow       Code = "TIER_TOO_LOW" // details hold next_tier and short_by
	CouponUsed       Code = "COUPON_USED"
	CouponExpired    Code = "COUPON_EXPIRED"
	NotStackable     Code = "COUPON_NOT_STACKABLE" // the order has another; details hold which
	AlreadyClaimed   Code = "ORDER_ALREADY_CLAIMED"
	Mismatch         Code = "ORDER_MISMATCH"
	Duplicate        Code = "DUPLICATE"
	Insufficient     Code = "INSUFFICIENT_POINTS"
	PointsDebt       Code = "POINTS_DEBT"
	DeductionLimit   Code = "DEDUCTION_LIMIT" // of an order; details hold limit, in points
)

// Error is a refusal: what happened (Code), how to say it (Key in the locale files) and the facts (Args).
// Args are shown to the caller as details: no secrets, no internals.
type Error struct {
	Code Code
	Key  string
	Args map[string]any
}

// New makes an Error. args are pairs: a string key, then its value.
func New(code Code, key string, args ...any) *Error {
	e := &Error{Code: code, Key: key}
	if len(args) > 0 {
		e.Args = make(map[string]any, len(args)/2)
		for i := 0; i+1 < len(args); i += 2 {
			e.Args[fmt.Sprint(args[i])] = args[i+1]
		}
	}
	return e
}

// Field is New(Invalid, key, "field", field, args…): one field of the input is wrong.
func Field(field, key string, args ...any) *Error {
	return New(Invalid, key, append([]any{"field", field}, args...)...)
}

// AtField turns errs.NotFound of what a field names into a refusal of the field; every other error stays as it is.
func AtField(err error, field string) error {
	var e *Error
	if !errors.As(err, &e) || e.Code != NotFound {
		return err
	}
	args := maps.Clone(e.Args)
	if args == nil {
		args = map[string]any{}
	}
	args["field"] = field
	return &Error{Code: Invalid, Key: e.Key, Args: args}
}

// Under puts a place before the field of a refusal; every other error stays as it is.
func Under(err error, at string) error {
	var e *Error
	if !errors.As(err, &e) || e.Code != Invalid {
		return err
	}
	args := maps.Clone(e.Args)
	field, _ := args["field"].(string)
	args["field"] = at + "." + field
	return &Error{Code: e.Code, Key: e.Key, Args: args}
}

// Error is for logs: code, key and args, in no language.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code) + " " + e.Key)
	if len(e.Args) > 0 {
		fmt.Fprintf(&b, " %v", e.Args)
	}
	return b.String()
}

// CodeOf returns the code of the first Error in err's chain; "" for nil and for every other error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
