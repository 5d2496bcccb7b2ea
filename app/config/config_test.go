package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("TheFileOfTheRepositoryIsTheDefaults", func(t *testing.T) {
		t.Parallel()
		fromFile, err := Load("../../config.yaml", nil)
		require.NoError(t, err)
		bare, err := Load(file(t, ""), nil)
		require.NoError(t, err)
		bare.WeChat.Accounts, bare.API.AllowedOrigins, bare.Server.Proxies, bare.Webhook.Allow = []Account{}, []string{}, []string{}, []string{}
		require.Equal(t, bare, fromFile)
		require.True(t, fromFile.SandboxOn())
	})
	t.Run("TheEnvironmentWinsOverTheFileAndFlagsOverBoth", func(t *testing.T) {
		t.Parallel()
		path := file(t, "addr: 1.1.1.1:1\ntimezone: Asia/Tokyo\ndata_dir: there\n")
		c, err := Load(path, []string{
			"SIYU_ADDR=2.2.2.2:2", "SIYU_DATA_DIR=env", "SIYU_SANDBOX_ENABLED=true", "SIYU_API_ALLOWED_ORIGINS=https://a.cn/,https://b.cn", "PATH=/bin",
			"SIYU_TEST_MYSQL_DSN=x", "SIYU_CRASH_AT=y", "SIYU_DATABASE_MAX_OPEN=7", "SIYU_SECRET_KEY=" + strings.Repeat("ab", 32),
		}, func(c *Config) { c.Addr = "3.3.3.3:3" })
		require.NoError(t, err)
		require.Equal(t, "3.3.3.3:3", c.Addr)
		require.Equal(t, "Asia/Tokyo", c.Timezone)
		require.EqualValues(t, filepath.Join("env", "siyu.db"), c.Database.DSN)
		require.Equal(t, []string{"https://a.cn", "https://b.cn"}, c.API.AllowedOrigins)
		require.Equal(t, 7, c.Database.MaxOpen)
	})
	t.Run("SecretsOfAccountsMayComeFromTheEnvironment", func(t *testing.T) {
		t.Parallel()
		c, err := Load(file(t, accounts), []string{"SIYU_WECHAT_MY_OA_SECRET=s3cret", "SIYU_WECHAT_MY_OA_TOKEN=tok"})
		require.NoError(t, err)
		require.EqualValues(t, "s3cret", c.WeChat.Accounts[0].Secret)
		require.EqualValues(t, "tok", c.WeChat.Accounts[0].Token)
		require.False(t, c.SandboxOn())
	})
	t.Run("AMissingFileIsRefusedOnlyIfNamed", func(t *testing.T) {
		t.Parallel()
		_, err := Load("nosuch.yaml", nil)
		require.ErrorContains(t, err, "nosuch.yaml")
		_, err = Load("", nil)
		require.NoError(t, err)
	})
}

const accounts = "wechat:\n  accounts:\n  - {name: my-oa, kind: oa, appid: wx1, token: tok}\n"

func TestAWrongSettingNamesItsKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, env, want string }{
		{"database: {driver: oracle}", "", `config: database.driver is "oracle": expected sqlite or mysql`},
		{"database:\n  drivr: mysql", "", `line 2: the key "drivr" is unknown`},
		{"addr: a\naddr: b", "", `the key "addr" stands there twice`},
		{"retention:\n  raw_days: many", "", `line 2: "raw_days" must be of type int`},
		{"a: [", "", "cannot be read as YAML"},
		{"database: {driver: mysql}", "", "database.dsn is empty"},
		{"database: {max_open: 1}", "", "database.max_open is 1"},
		{"addr: nowhere", "", "addr is"},
		{"addr: 1.1.1.1:99999", "", "addr is"},
		{"timezone: Mars", "", "timezone is"},
		{"env: dev", "", "env is"},
		{"log: {level: loud}", "", "log.level is"},
		{"reach: {daily_cap: 101}", "", "reach.daily_cap is"},
		{"api: {allowed_origins: ['*']}", "", "api.allowed_origins[0]"},
		{"server: {proxies: [all]}", "", "server.proxies[0]"},
		{"webhook: {allow: [shop.example.com]}", "", "webhook.allow[0]"},
		{"sandbox: {url: 'ftp://x'}", "", "sandbox.url"},
		{"sandbox: {enabled: true}\nenv: prod", "", "sandbox.enabled"},
		{"env: prod", "", "wechat.accounts is empty"},
		{accounts, "", "wechat.accounts[0].secret is empty: set it or SIYU_WECHAT_MY_OA_SECRET"},
		{"wechat:\n  accounts:\n  - {name: my-oa, kind: oa, appid: wx1}\n", "SIYU_WECHAT_MY_OA_SECRET=s", "wechat.accounts[0].token is empty"},
		{"wechat:\n  accounts:\n  - {name: oa, kind: oa, appid: wx1, secret: s, token: t, mode: safe}\n", "", "wechat.accounts[0].encoding_aes_key is empty"},
		{"wechat:\n  accounts:\n  - {name: oa, kind: oa, appid: wx1, secret: s, token: t, web_login: true}\n", "", "wechat.accounts[0].web_login is true"},
		{accounts + "sandbox: {enabled: true}", "SIYU_WECHAT_MY_OA_SECRET=s", "sandbox.enabled"},
		{"", "SIYU_DATABASE_DRIVR=mysql", "SIYU_DATABASE_DRIVR is unknown"},
		{"", "SIYU_DATABASE_MAX_OPEN=x", "SIYU_DATABASE_MAX_OPEN has a value of the wrong type"},
		{"", "SIYU_SECRET_KEY=short", "SIYU_SECRET_KEY does not hold a key"},
	} {
		_, err := Load(file(t, c.file), []string{c.env})
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	c := defaults()
	c.SecretKey, c.Database.DSN = "hush", "root:hush@x"
	c.WeChat.Accounts = []Account{{Name: "oa", Secret: "hush", Token: "hush", EncodingAESKey: "hush"}}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "key", c.SecretKey)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "key", c.SecretKey)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	for _, shown := range []string{log.String(), string(b), fmt.Sprintf("%v %+v %#v %s %q", *c, c, *c, c.SecretKey, c.Database.DSN)} {
		require.NotContains(t, shown, "hush")
	}
	_, err = Load(file(t, "wechat:\n  accounts:\n  - secret: [hush]"), nil)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush")
}

func TestLoadKey(t *testing.T) {
	t.Parallel()
	t.Run("IsMadeOnceAndKept", func(t *testing.T) {
		t.Parallel()
		c := &Config{DataDir: filepath.Join(t.TempDir(), "d")}
		first, err := LoadKey(c)
		require.NoError(t, err)
		require.NotZero(t, first)
		info, err := os.Stat(filepath.Join(c.DataDir, "secret.key"))
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
		again, err := LoadKey(c)
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
	t.Run("OthersMayNotReadIt", func(t *testing.T) {
		t.Parallel()
		c := &Config{DataDir: t.TempDir()}
		_, err := LoadKey(c)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(filepath.Join(c.DataDir, "secret.key"), 0o644))
		_, err = LoadKey(c)
		require.ErrorContains(t, err, "chmod 600")
	})
	t.Run("TheEnvironmentWins", func(t *testing.T) {
		t.Parallel()
		c := &Config{DataDir: t.TempDir(), SecretKey: Secret(strings.Repeat("01", 32))}
		key, err := LoadKey(c)
		require.NoError(t, err)
		require.EqualValues(t, 1, key[31])
		require.NoFileExists(t, filepath.Join(c.DataDir, "secret.key"))
	})
	t.Run("ADamagedFileIsRefused", func(t *testing.T) {
		t.Parallel()
		c := &Config{DataDir: t.TempDir()}
		require.NoError(t, os.WriteFile(filepath.Join(c.DataDir, "secret.key"), []byte("x"), 0o600))
		_, err := LoadKey(c)
		require.ErrorContains(t, err, "does not hold a key")
	})
}

func TestBox(t *testing.T) {
	t.Parallel()
	b, other := NewBox([32]byte{1}), NewBox([32]byte{2})
	sealed := b.Seal("phone:1", []byte("13800000000"))
	plain, err := b.Open("phone:1", sealed)
	require.NoError(t, err)
	require.Equal(t, "13800000000", string(plain))
	require.NotEqual(t, sealed, b.Seal("phone:1", []byte("13800000000")))
	for _, open := range []func() ([]byte, error){
		func() ([]byte, error) { return b.Open("phone:2", sealed) },
		func() ([]byte, error) { return other.Open("phone:1", sealed) },
		func() ([]byte, error) { return b.Open("phone:1", sealed[:8]) },
		func() ([]byte, error) { return b.Open("phone:1", "") },
		func() ([]byte, error) { return b.Open("phone:1", "?") },
	} {
		_, err := open()
		require.ErrorIs(t, err, ErrSealed)
	}
	require.Equal(t, b.BlindIndex("phone", "1"), NewBox([32]byte{1}).BlindIndex("phone", "1"))
	require.NotEqual(t, b.BlindIndex("phone", "1"), b.BlindIndex("name", "1"))
	require.NotEqual(t, b.BlindIndex("phone", "1"), other.BlindIndex("phone", "1"))
}
