// Package config reads the settings: defaults, then config.yaml, then SIYU_* of the environment, then flags.
// What it returns is complete and valid; a wrong setting is an error of one sentence that names the key.
package config

import (
	"net/netip"
)

// Config is every setting. config.yaml in the repository explains each key.
type Config struct {
	Env            string    `yaml:"env" env:"ENV"`           // "" or prod
	Addr           string    `yaml:"addr" env:"ADDR"`         // host:port
	DataDir        string    `yaml:"data_dir" env:"DATA_DIR"` // the database of SQLite, secret.key, admin.token
	Timezone       string    `yaml:"timezone" env:"TIMEZONE"` // of the programme; IANA name
	PrivacyVersion string    `yaml:"privacy_version" env:"PRIVACY_VERSION"`
	SecretKey      Secret    `yaml:"-" env:"SECRET_KEY"` // see LoadKey
	Database       Database  `yaml:"database" envPrefix:"DATABASE_"`
	Log            Log       `yaml:"log" envPrefix:"LOG_"`
	Sandbox        Sandbox   `yaml:"sandbox" envPrefix:"SANDBOX_"`
	WeChat         WeChat    `yaml:"wechat"`
	API            API       `yaml:"api" envPrefix:"API_"`
	Server         Server    `yaml:"server" envPrefix:"SERVER_"`
	Reach          Reach     `yaml:"reach" envPrefix:"REACH_"`
	SMS            Carrier   `yaml:"sms" envPrefix:"SMS_"`
	Call           Carrier   `yaml:"call" envPrefix:"CALL_"`
	Webhook        Webhook   `yaml:"webhook" envPrefix:"WEBHOOK_"`
	Retention      Retention `yaml:"retention" envPrefix:"RETENTION_"`
}

// Database is where the rows are.
type Database struct {
	Driver  string `yaml:"driver" env:"DRIVER"`     // sqlite or mysql
	DSN     Secret `yaml:"dsn" env:"DSN"`           // mysql: user:password@tcp(host:port)/name; sqlite: a file, empty means data_dir/siyu.db
	MaxOpen int    `yaml:"max_open" env:"MAX_OPEN"` // connections of mysql
}

// Log is what the log shows.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL"`   // debug, info, warn or error
	Format string `yaml:"format" env:"FORMAT"` // text or json
}

// Sandbox is the WeChat that runs here. Load leaves Enabled set.
type Sandbox struct {
	Enabled *bool  `yaml:"enabled" env:"ENABLED"` // default: true without accounts
	URL     string `yaml:"url" env:"URL"`         // of a sandbox of its own process; empty means embedded
	Demo    bool   `yaml:"demo" env:"DEMO"`       // the first start makes a demo brand: rules, tags, a quiz, a broadcast
}

// WeChat is the brand's accounts.
type WeChat struct {
	Accounts []Account `yaml:"accounts"`
}

// Account is one WeChat account. Its secrets may come from the environment: SIYU_WECHAT_<NAME>_SECRET, _TOKEN, _ENCODING_AES_KEY.
type Account struct {
	Name           string `yaml:"name"` // ours, in the callback URL: /wechat/{name}
	Kind           string `yaml:"kind"` // oa or mp
	AppID          string `yaml:"appid"`
	Secret         Secret `yaml:"secret"`
	Token          Secret `yaml:"token"`
	EncodingAESKey Secret `yaml:"encoding_aes_key"`
	OriginalID     string `yaml:"original_id"` // gh_…
	Mode           string `yaml:"mode"`        // plain, compat or safe; empty means safe with an encoding_aes_key
	WebLogin       bool   `yaml:"web_login"`   // a verified service account, whose page-authorization domain is that of server.public_url
}

// API bounds what callers may do.
type API struct {
	AllowedOrigins []string `yaml:"allowed_origins" env:"ALLOWED_ORIGINS"` // of browsers on other hosts that may call /api/v1
	BodyLimit      int64    `yaml:"body_limit" env:"BODY_LIMIT"`           // bytes
}

// Server is how siyu listens.
type Server struct {
	PublicURL string   `yaml:"public_url" env:"PUBLIC_URL"` // under which WeChat and the people in it reach it; for siyu doctor and radar links
	Proxies   []string `yaml:"proxies" env:"PROXIES"`       // addresses or CIDRs whose X-Forwarded-For is believed
}

// Reach bounds what is sent to people (PLAYBOOKS H16).
type Reach struct {
	DailyCap int              `yaml:"daily_cap" env:"DAILY_CAP"` // marketing messages per member and day
	InFlight int              `yaml:"in_flight" env:"IN_FLIGHT"` // calls to WeChat at once, of one process
	Workers  int              `yaml:"workers" env:"WORKERS"`     // ranges of recipients at once, of one process
	Rates    map[string]int   `yaml:"rates" env:"RATES"`         // calls a second of a channel, for each account, of one process
	DayCalls map[string]int64 `yaml:"day_calls" env:"DAY_CALLS"` // WeChat's quota of calls a day of a channel, for each account
	Prices   map[string]int64 `yaml:"prices" env:"PRICES"`       // fen per message of a channel
}

// Carrier is who sends SMS, or makes calls. Load leaves Provider sandbox where the sandbox is on and nothing else is set.
type Carrier struct {
	Provider string `yaml:"provider" env:"PROVIDER"` // webhook, tencent (SMS alone) or nothing
	Brand    string `yaml:"brand" env:"BRAND"`       // of SMS: stands before each as 【…】; with tencent the approved signature
	OptOut   string `yaml:"opt_out" env:"OPT_OUT"`   // of SMS: ends each that is marketing

	URL    string `yaml:"url" env:"URL"`       // of webhook
	Secret Secret `yaml:"secret" env:"SECRET"` // of webhook: whsec_…, which signs

	SecretID  string `yaml:"secret_id" env:"SECRET_ID"` // of tencent, as are the following
	SecretKey Secret `yaml:"secret_key" env:"SECRET_KEY"`
	AppID     string `yaml:"app_id" env:"APP_ID"` // SmsSdkAppId
	Region    string `yaml:"region" env:"REGION"`
	BaseURL   string `yaml:"base_url" env:"BASE_URL"` // where tests lead it
}

// Providers of carriers.
const (
	ByWebhook = "webhook"
	ByTencent = "tencent"
	BySandbox = "sandbox"
)

// Webhook is where webhooks may lead beside public addresses.
type Webhook struct {
	AllowPrivate bool     `yaml:"allow_private" env:"ALLOW_PRIVATE"` // to every address, and without TLS
	Allow        []string `yaml:"allow" env:"ALLOW"`                 // to these addresses or CIDRs
}

// Prefixes are the addresses that are allowed. Load has checked them.
func (w Webhook) Prefixes() (list []netip.Prefix) {
	for _, s := range w.Allow {
		if p, err := prefix(s); err == nil {
			list = append(list, p)
		}
	}
	return list
}

func prefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// Retention is how long raw data stays.
type Retention struct {
	RawDays   int `yaml:"raw_days" env:"RAW_DAYS"`     // raw callbacks (PLAYBOOKS H21)
	LeftHours int `yaml:"left_hours" env:"LEFT_HOURS"` // people who follow no more and never registered; 0: erased at once
}

// Prod reports whether real people are served: no sandbox, no movable clock.
func (c *Config) Prod() bool { return c.Env == "prod" }

// SandboxOn reports whether WeChat is the sandbox.
func (c *Config) SandboxOn() bool { return c.Sandbox.Enabled != nil && *c.Sandbox.Enabled }

func defaults() *Config {
	return &Config{
		Addr: "127.0.0.1:8080", DataDir: "data", Timezone: "Asia/Shanghai", PrivacyVersion: "1",
		Database:  Database{Driver: "sqlite", MaxOpen: 32},
		Sandbox:   Sandbox{Demo: true},
		Log:       Log{Level: "info", Format: "text"},
		API:       API{BodyLimit: 1 << 20},
		Reach:     Reach{DailyCap: 1, InFlight: 128, Workers: 2, Rates: map[string]int{}, Prices: map[string]int64{}, DayCalls: map[string]int64{"customer": 500_000, "mass": 100, "subscribe": 10_000_000}},
		SMS:       Carrier{OptOut: "拒收请回复T"},
		Retention: Retention{RawDays: 30, LeftHours: 24},
	}
}
