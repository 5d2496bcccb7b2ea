// Package outward calls addresses that people chose: never into the network that siyu runs in (SSRF), and signed by the conventions of
// Standard Webhooks.
package outward

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Guard says where calls may lead beside public addresses. The decision falls where a connection is made, on the address that the name has
// turned out to have; what a name had when it was saved only serves to refuse early.
type Guard struct {
	AllowPrivate bool           // to addresses that are not public
	Allow        []netip.Prefix // to these of them
	AllowHTTP    bool           // without TLS
}

// ErrPrivate means that a name leads to an address that is not public.
var ErrPrivate = errors.New("outward: the address is not public: see webhook.allow_private and webhook.allow")

// private are the addresses below the public ones of IPv4, and of 2000::/3, the public ones of IPv6, those that lead elsewhere: tunnels that carry
// an IPv4 address, and documentation. Cloud metadata is among them.
var private = func() (list []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}()

var publicV6 = netip.MustParsePrefix("2000::/3")

// May reports whether siyu may call the address.
func (g Guard) May(ip netip.Addr) bool {
	if !ip.IsValid() {
		return false
	}
	ip = ip.WithZone("").Unmap()
	holds := func(p netip.Prefix) bool { return p.Contains(ip) }
	if g.AllowPrivate || slices.ContainsFunc(g.Allow, holds) {
		return true
	}
	return (ip.Is4() || publicV6.Contains(ip)) && !slices.ContainsFunc(private, holds)
}

// Of one call.
const (
	dialTime  = 5 * time.Second
	callTime  = 15 * time.Second
	findTime  = 3 * time.Second
	urlLength = 500
)

// Client calls by no proxy, follows no redirect, and reaches only addresses that the guard lets through. idle connections are kept per host.
func (g Guard) Client(idle int) *http.Client {
	dialer := &net.Dialer{Timeout: dialTime, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !g.May(at.Addr()) {
			return ErrPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout:       callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTime, MaxIdleConnsPerHost: idle, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
	}
}

// Check refuses a URL that is none, and one whose name leads to a private address now.
func (g Guard) Check(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > urlLength || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		return errs.Field("url", "webhook.url", "limit", urlLength)
	case u.Scheme == "http" && !g.AllowHTTP:
		return errs.Field("url", "webhook.https")
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil // a name may come to be later: each call looks again
	}
	for _, ip := range ips {
		if !g.May(ip) {
			return errs.Field("url", "webhook.private", "host", u.Hostname())
		}
	}
	return nil
}

// Sign sets the headers of Standard Webhooks. The time is real: receivers hold it against their own clock.
func Sign(h http.Header, id string, at time.Time, body []byte, keys ...[]byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}

// Prefix is how a written key begins.
const Prefix = "whsec_"

// Key reads a key as it is written: whsec_ and base64.
func Key(written string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(written, Prefix))
	if err != nil || len(key) < 16 {
		return nil, errors.New("expected whsec_ and at least 16 bytes in base64")
	}
	return key, nil
}
