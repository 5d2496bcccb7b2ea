package console_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as RFC 6238 has it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
)

// authenticator is what a phone shows for a key, so many steps from now.
func authenticator(t *testing.T, secret string, steps int64) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	require.NoError(t, err)
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(clock.Real().Unix()/30+steps)))
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// An operator turns the second step on with his phone, signs in with it, and an owner helps him when the phone is lost.
func TestTwoStep(t *testing.T) {
	t.Parallel()
	w, boss := signedIn(t)
	made := boss.post("/console/operators", "login", "xiaomei", "role", "support")
	first := secretOnce.FindStringSubmatch(made.body)[1]
	const password = "correct horse battery"
	hers := newBrowser(t, w)
	hers.done("/console/login", "login", "xiaomei", "password", first)
	hers.done("/console/password", "old", first, "password", password)
	require.Contains(t, hers.page("/console/password"), `href="/console/totp"`)

	page := hers.page("/console/totp")
	require.Contains(t, page, `src="data:image/png;base64,`)
	secret := secretOnce.FindStringSubmatch(page)[1]
	sealed := regexp.MustCompile(`name="sealed" value="([^"]+)"`).FindStringSubmatch(page)[1]
	again := hers.refused("/console/totp", "sealed", sealed, "code", "000000x", "password", password)
	require.Equal(t, secret, secretOnce.FindStringSubmatch(again)[1], "the key that was scanned stays")
	require.NotContains(t, again, password)
	on := hers.post("/console/totp", "sealed", sealed, "code", authenticator(t, secret, 0), "password", password)
	require.Equal(t, http.StatusOK, on.StatusCode, on.body)
	codes := secretOnce.FindAllStringSubmatch(on.body, -1)
	require.Len(t, codes, 8)
	page = hers.page("/console/totp")
	require.Contains(t, page, "还剩 8 个恢复码")
	require.NotContains(t, page, codes[0][1])
	require.NotContains(t, page, secret)

	phone := newBrowser(t, w)
	asked := phone.post("/console/login", "login", "xiaomei", "password", password, "next", "/console/members")
	require.Equal(t, http.StatusOK, asked.StatusCode)
	require.Empty(t, asked.Cookies())
	require.NotContains(t, asked.body, `name="password"`)
	ticket := regexp.MustCompile(`name="ticket" value="([^"]+)"`).FindStringSubmatch(asked.body)[1]
	body := phone.refused("/console/login", "ticket", ticket, "login", "xiaomei", "code", "000000x", "next", "/console/members")
	require.Contains(t, body, `name="ticket"`)
	require.Contains(t, body, "验证码不正确")
	require.Equal(t, "/console/members", phone.done("/console/login", "ticket", ticket, "login", "xiaomei", "code", authenticator(t, secret, 1), "next", "/console/members"))
	phone.page("/console/members")
	require.NotContains(t, newBrowser(t, w).refused("/console/login", "ticket", "forged", "code", codes[0][1]), `name="ticket"`, "he begins anew")

	require.Contains(t, boss.page("/console/operators"), `action="/console/operators/2/totp"`)
	require.Equal(t, http.StatusForbidden, phone.post("/console/operators/2/totp").StatusCode)
	boss.done("/console/operators/2/totp")
	require.Equal(t, http.StatusSeeOther, phone.get("/console/members").StatusCode, "she is signed out")
	phone.done("/console/login", "login", "xiaomei", "password", password)
	require.Len(t, lines(w, "operator.two_step_on"), 1)
	require.Len(t, lines(w, "operator.reset_two_step"), 1)
}
