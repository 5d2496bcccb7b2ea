package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/siyu-scrm/siyu/app/errs"
)

// guard keeps webhooks from leading into the network that siyu runs in (SSRF). The decision falls where a connection is made, on the
// address that the name has turned out to have; what a name had when it was saved only serves to refuse early.
type guard struct{ Options }

// errPrivate means that an endpoint's name leads to an address that is not public.
var errPrivate = errors.New("webhook: the address is not public: see webhook.allow_private and webhook.allow")

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

// may reports whether siyu may call the address.
func (g guard) may(ip netip.Addr) bool {
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

// client calls endpoints: by no proxy, following no redirect, and only to addresses that the guard lets through.
func (g guard) client() *http.Client {
	dialer := &net.Dialer{Timeout: dialTime, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !g.may(at.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout:       callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTime, MaxIdleConnsPerHost: perEndpoint, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
	}
}

// check refuses a URL that is none, and one whose name leads to a private address now.
func (g guard) check(ctx context.Context, address string) error {
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
		if !g.may(ip) {
			return errs.Field("url", "webhook.private", "host", u.Hostname())
		}
	}
	return nil
}
