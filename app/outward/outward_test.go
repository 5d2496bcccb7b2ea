package outward

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The vector of the reference libraries of Standard Webhooks.
func TestSignature(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	h := http.Header{}
	Sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), key)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", h.Get("webhook-signature"))
	require.Equal(t, "1614265330", h.Get("webhook-timestamp"))
	require.Equal(t, "msg_p5jXN8AQM9LWM0D4loKWxJek", h.Get("webhook-id"))
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1",
		"ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1",
	} {
		addr := netip.MustParseAddr(ip)
		require.False(t, Guard{}.May(addr), ip)
		require.True(t, Guard{AllowPrivate: true}.May(addr), ip)
	}
	for _, ip := range []string{"93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "2606:4700::1111", "2400:3200::1"} {
		require.True(t, Guard{}.May(netip.MustParseAddr(ip)), ip)
	}
	require.False(t, Guard{}.May(netip.Addr{}))
	listed := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	require.True(t, listed.May(netip.MustParseAddr("10.1.2.3")))
	require.True(t, listed.May(netip.MustParseAddr("::ffff:10.1.2.3")))
	require.False(t, listed.May(netip.MustParseAddr("10.2.0.1")))
}
