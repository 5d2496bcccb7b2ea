package web

import (
	"net/http"

	"github.com/siyu-scrm/siyu/app/errs"
)

// internal is the code of what is our own fault; its details stay in the log.
const internal errs.Code = "INTERNAL"

// statuses is the one table from codes to HTTP.
var statuses = map[errs.Code]int{
	errs.Invalid:          http.StatusBadRequest,
	errs.Malformed:        http.StatusBadRequest,
	errs.Unauthorized:     http.StatusUnauthorized,
	errs.TokenExpired:     http.StatusUnauthorized,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotMember:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.Conflict:         http.StatusConflict,
	errs.AlreadyCheckedIn: http.StatusConflict,
	errs.MakeupLimit:      http.StatusConflict,
	errs.AlreadyAnswered:  http.StatusConflict,
	errs.QuizClosed:       http.StatusConflict,
	errs.WrongWord:        http.StatusConflict,
	errs.LimitReached:     http.StatusConflict,
	errs.ThresholdNotMet:  http.StatusConflict,
	errs.WindowClosed:     http.StatusConflict,
	errs.OutOfStock:       http.StatusConflict,
	errs.TierTooLow:       http.StatusConflict,
	errs.CouponUsed:       http.StatusConflict,
	errs.CouponExpired:    http.StatusConflict,
	errs.NotStackable:     http.StatusConflict,
	errs.AlreadyClaimed:   http.StatusConflict,
	errs.Mismatch:         http.StatusConflict,
	errs.Duplicate:        http.StatusConflict,
	errs.Insufficient:     http.StatusConflict,
	errs.PointsDebt:       http.StatusConflict,
	errs.DeductionLimit:   http.StatusConflict,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.WeChatRefused:    http.StatusUnprocessableEntity, // of what the caller gave: a used code, a dead openid
	errs.RateLimited:      http.StatusTooManyRequests,
	internal:              http.StatusInternalServerError,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.OutcomeUnknown:   http.StatusServiceUnavailable,
}

// Status is the HTTP status of an error: 500 for what has no code.
func Status(err error) int {
	if s, ok := statuses[errs.CodeOf(err)]; ok {
		return s
	}
	return http.StatusInternalServerError
}
