package web

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/errs"
)

// TokenTTL is how long a member stays logged in, in business time.
const TokenTTL = 7 * 24 * time.Hour

// Tokens signs and reads the tokens of members.
type Tokens struct {
	key    []byte
	clock  clock.Clock
	parser *jwt.Parser
}

// NewTokens makes Tokens with a key derived from the secret key.
func NewTokens(box *config.Box, c clock.Clock) *Tokens {
	key := box.Derive("member-token")
	return &Tokens{key: key[:], clock: c, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithTimeFunc(c.Now), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
	)}
}

type claims struct {
	jwt.RegisteredClaims
	Version int `json:"ver"` // raised on the member to end all his tokens
}

// Issue signs a token for the member with his token version.
func (t *Tokens) Issue(memberID int64, version int) (token string, expiresAt time.Time, err error) {
	now := t.clock.Now()
	expiresAt = now.Add(TokenTTL).Truncate(time.Second)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Version: version, RegisteredClaims: jwt.RegisteredClaims{
		Subject: strconv.FormatInt(memberID, 10), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expiresAt),
	}}).SignedString(t.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("web: sign token: %w", err)
	}
	return token, expiresAt, nil
}

// Verify reads a token; errs.TokenExpired for one of ours that is too old, errs.Unauthorized for all else.
func (t *Tokens) Verify(token string) (memberID int64, version int, err error) {
	var c claims
	_, err = t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.key, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return 0, 0, errs.New(errs.TokenExpired, "web.token_expired")
	}
	if err == nil {
		memberID, err = strconv.ParseInt(c.Subject, 10, 64)
	}
	if err != nil {
		return 0, 0, errs.New(errs.Unauthorized, "web.unauthorized")
	}
	return memberID, c.Version, nil
}
