package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/outward"
)

// check completes what depends on other settings and refuses what cannot work.
func (c *Config) check() error {
	if c.Database.Driver == "sqlite" && c.Database.DSN == "" {
		c.Database.DSN = Secret(filepath.Join(c.DataDir, "siyu.db"))
	}
	if c.Sandbox.Enabled == nil {
		on := len(c.WeChat.Accounts) == 0 && !c.Prod()
		c.Sandbox.Enabled = &on
	}
	for _, check := range []func() error{c.checkBasics, c.checkDatabase, c.checkWeChat, c.checkSandbox, c.checkServer, c.checkReach, c.checkCarriers} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func oneOf(key, got string, allowed ...string) error {
	if slices.Contains(allowed, got) {
		return nil
	}
	last := len(allowed) - 1
	return fmt.Errorf("%s is %q: expected %s or %s", key, got, strings.Join(allowed[:last], ", "), allowed[last])
}

func between(key string, got, low, high int64) error {
	if got < low || got > high {
		return fmt.Errorf("%s is %d: expected %d to %d", key, got, low, high)
	}
	return nil
}

func (c *Config) checkBasics() error {
	if c.Env != "" && c.Env != "prod" {
		return fmt.Errorf("env is %q: expected prod or nothing", c.Env)
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err == nil && host != "" && strings.ContainsAny(host, " /") {
		err = errors.New("not a host")
	}
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("addr is %q: expected host:port such as 127.0.0.1:8080", c.Addr)
	}
	if c.DataDir == "" {
		return errors.New("data_dir is empty: expected a folder")
	}
	if _, err := clock.LoadZone(c.Timezone); err != nil {
		return fmt.Errorf("timezone is %q: expected an IANA name such as Asia/Shanghai", c.Timezone)
	}
	if c.PrivacyVersion == "" || len(c.PrivacyVersion) > 16 {
		return fmt.Errorf("privacy_version is %q: expected 1 to 16 characters", c.PrivacyVersion)
	}
	if c.SecretKey != "" {
		if _, err := parseKey(string(c.SecretKey)); err != nil {
			return fmt.Errorf("SIYU_SECRET_KEY %w", err)
		}
	}
	return cmp.Or(oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error"), oneOf("log.format", c.Log.Format, "text", "json"))
}

func (c *Config) checkDatabase() error {
	if err := oneOf("database.driver", c.Database.Driver, "sqlite", "mysql"); err != nil {
		return err
	}
	if c.Database.Driver == "mysql" && c.Database.DSN == "" {
		return errors.New("database.dsn is empty: mysql expects user:password@tcp(host:port)/name")
	}
	return between("database.max_open", int64(c.Database.MaxOpen), 2, 1000)
}

func (c *Config) checkWeChat() error {
	names := map[string]bool{}
	for i, a := range c.WeChat.Accounts {
		key := func(field string) string { return fmt.Sprintf("wechat.accounts[%d].%s", i, field) }
		switch {
		case a.Name == "":
			return fmt.Errorf("%s is empty", key("name"))
		case names[a.Name]:
			return fmt.Errorf("%s is %q, which another account has", key("name"), a.Name)
		case a.AppID == "":
			return fmt.Errorf("%s is empty", key("appid"))
		case a.Secret == "":
			return fmt.Errorf("%s is empty: set it or SIYU_WECHAT_%s_SECRET", key("secret"), strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_")))
		case a.Token == "":
			return fmt.Errorf("%s is empty, so that every push would be refused: set the token of WeChat's message push, or SIYU_WECHAT_%s_TOKEN",
				key("token"), strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_")))
		case a.Mode != "plain" && a.EncodingAESKey == "" && a.Mode != "":
			return fmt.Errorf("%s is empty, which mode %s needs", key("encoding_aes_key"), a.Mode)
		}
		names[a.Name] = true
		if err := oneOf(key("kind"), a.Kind, "oa", "mp"); err != nil {
			return err
		}
		if a.WebLogin && (a.Kind != "oa" || c.Server.PublicURL == "") {
			return fmt.Errorf("%s is true: expected kind oa, and server.public_url under the account's page-authorization domain", key("web_login"))
		}
		if a.Mode == "" {
			continue
		}
		if err := oneOf(key("mode"), a.Mode, "plain", "compat", "safe"); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkSandbox() error {
	switch on := c.SandboxOn(); {
	case on && c.Prod():
		return errors.New("sandbox.enabled is true: expected false with env prod")
	case on && len(c.WeChat.Accounts) > 0:
		return errors.New("sandbox.enabled is true: expected false with wechat.accounts, so that no test reaches real people")
	case !on && len(c.WeChat.Accounts) == 0:
		return errors.New("wechat.accounts is empty: expected an account, because the sandbox is off")
	case !on && c.Sandbox.URL != "":
		return errors.New("sandbox.url is set: expected nothing, because the sandbox is off")
	}
	if c.Sandbox.URL == "" {
		return nil
	}
	return httpOrigin("sandbox.url", c.Sandbox.URL)
}

func httpOrigin(key, s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("%s is not an address such as https://example.com", key)
	}
	return nil
}

func (c *Config) checkServer() error {
	for i, o := range c.API.AllowedOrigins {
		if err := httpOrigin(fmt.Sprintf("api.allowed_origins[%d]", i), o); err != nil {
			return err
		}
		c.API.AllowedOrigins[i] = strings.TrimSuffix(o, "/")
	}
	if u := c.Server.PublicURL; u != "" {
		if err := httpOrigin("server.public_url", u); err != nil {
			return err
		}
	}
	for i, p := range c.Server.Proxies {
		_, errCIDR := netip.ParsePrefix(p)
		_, errIP := netip.ParseAddr(p)
		if errCIDR != nil && errIP != nil {
			return fmt.Errorf("server.proxies[%d] is %q: expected an address or a CIDR such as 10.0.0.0/8", i, p)
		}
	}
	for i, p := range c.Webhook.Allow {
		if _, err := prefix(p); err != nil {
			return fmt.Errorf("webhook.allow[%d] is %q: expected an address or a CIDR such as 10.0.0.0/8", i, p)
		}
	}
	return between("api.body_limit", c.API.BodyLimit, 1<<10, 64<<20)
}

func (c *Config) checkReach() error {
	for channel, n := range c.Reach.Rates {
		if err := between("reach.rates."+channel, int64(n), 0, 100_000); err != nil {
			return err
		}
	}
	for key, all := range map[string]map[string]int64{"reach.day_calls.": c.Reach.DayCalls, "reach.prices.": c.Reach.Prices} {
		for channel, n := range all {
			if err := between(key+channel, n, 0, 1_000_000_000); err != nil {
				return err
			}
		}
	}
	return cmp.Or(
		between("reach.daily_cap", int64(c.Reach.DailyCap), 0, 100),
		between("reach.in_flight", int64(c.Reach.InFlight), 1, 10_000),
		between("reach.workers", int64(c.Reach.Workers), 1, 256),
		between("retention.raw_days", int64(c.Retention.RawDays), 1, 3650),
		between("retention.left_hours", int64(c.Retention.LeftHours), 0, 24*365),
	)
}

// checkCarriers completes who reaches phone numbers. With the sandbox on nobody real is reached.
func (c *Config) checkCarriers() error {
	for name, one := range map[string]*Carrier{"sms": &c.SMS, "call": &c.Call} {
		if one.Provider == "" && c.SandboxOn() {
			one.Provider = BySandbox
		}
		if err := one.check(name, c.SandboxOn()); err != nil {
			return err
		}
	}
	if c.SMS.Brand == "" && c.SMS.Provider == BySandbox {
		c.SMS.Brand = "siyu"
	}
	if c.SMS.Provider == "" {
		return nil
	}
	if n := len([]rune(c.SMS.Brand)); n < 1 || n > 20 || strings.ContainsAny(c.SMS.Brand, "【】") {
		return fmt.Errorf("sms.brand is %q: expected the brand's name, 1 to 20 characters, without brackets", c.SMS.Brand)
	}
	if n := len([]rune(c.SMS.OptOut)); n < 2 || n > 20 {
		return fmt.Errorf("sms.opt_out is %q: expected a line such as 拒收请回复T", c.SMS.OptOut)
	}
	return nil
}

func (c *Carrier) check(name string, sandbox bool) error {
	switch c.Provider {
	case "":
		return nil
	case BySandbox:
		if !sandbox {
			return fmt.Errorf("%s.provider is sandbox: expected another, because the sandbox is off", name)
		}
		return nil
	case ByWebhook:
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%s.url is not an address such as https://example.com/sms", name)
		}
		if _, err := outward.Key(string(c.Secret)); err != nil {
			return fmt.Errorf("%s.secret: %w", name, err)
		}
		return nil
	case ByTencent:
		switch {
		case name != "sms":
			return fmt.Errorf("%s.provider is tencent, which sends SMS alone", name)
		case c.SecretID == "" || c.SecretKey == "" || c.AppID == "":
			return errors.New("sms.provider is tencent: expected sms.secret_id, sms.secret_key and sms.app_id")
		case sandbox && c.BaseURL == "":
			return errors.New("sms.provider is tencent: expected nothing, because the sandbox is on, so that no test reaches real people")
		case c.BaseURL != "":
			return httpOrigin("sms.base_url", c.BaseURL)
		}
		return nil
	}
	return oneOf(name+".provider", c.Provider, ByWebhook, ByTencent)
}
