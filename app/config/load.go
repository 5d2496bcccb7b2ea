package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

const envPrefix = "SIYU_"

// DefaultPath is read when no path is given and the file is there.
const DefaultPath = "config.yaml"

// Load puts the settings together: defaults, the file, environ ("NAME=value" lines, as os.Environ), then the overrides of flags.
// An empty path means DefaultPath, which may be missing; another path must be readable.
func Load(path string, environ []string, overrides ...func(*Config)) (*Config, error) {
	c := defaults()
	if err := c.readFile(path); err != nil {
		return nil, err
	}
	if err := c.readEnv(environ); err != nil {
		return nil, err
	}
	for _, o := range overrides {
		o(c)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return c, nil
}

func (c *Config) readFile(path string) error {
	explicit := path != ""
	if !explicit {
		path = DefaultPath
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		return nil
	} else if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	err = yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(c)
	if errors.Is(err, io.EOF) { // nothing but comments: the decoder has emptied c
		*c = *defaults()
		return nil
	}
	if err == nil {
		return nil
	}
	return fileError(filepath.Base(path), b, err)
}

// fileError names the line and its key, without the excerpt of the library, which could show a secret.
func fileError(name string, text []byte, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("config: %s cannot be read as YAML", name)
	}
	line := at.GetToken().Position.Line
	key := ""
	if lines := strings.Split(string(text), "\n"); line >= 1 && line <= len(lines) {
		key, _, _ = strings.Cut(strings.TrimLeft(lines[line-1], " -"), ":")
	}
	var unknown *yaml.UnknownFieldError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("config: %s line %d: the key %q is unknown", name, line, key)
	case strings.HasPrefix(at.GetMessage(), "mapping key"):
		return fmt.Errorf("config: %s line %d: the key %q stands there twice", name, line, key)
	}
	var kind *yaml.TypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("config: %s line %d: %q must be of type %s", name, line, key, kind.DstType)
	}
	return fmt.Errorf("config: %s line %d, near %q: cannot be read as YAML", name, line, key)
}

// readEnv sets what SIYU_* names. SIYU_TEST_* and SIYU_CRASH_AT belong to tests; any other unknown name is refused.
func (c *Config) readEnv(environ []string) error {
	params, err := env.GetFieldParamsWithOptions(c, env.Options{Prefix: envPrefix, Environment: map[string]string{}})
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, "SIYU_TEST_") || name == "SIYU_CRASH_AT" {
			continue
		}
		known := slices.ContainsFunc(params, func(p env.FieldParams) bool { return p.Key == name })
		switch {
		case known:
			if err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: map[string]string{name: value}}); err != nil {
				return fmt.Errorf("config: %s has a value of the wrong type", name)
			}
		case !c.accountSecret(strings.TrimPrefix(name, envPrefix), Secret(value)):
			return fmt.Errorf("config: %s is unknown: remove it from the environment", name)
		}
	}
	return nil
}

// accountSecret sets WECHAT_<NAME>_SECRET and its like, for an account that the file names.
func (c *Config) accountSecret(name string, value Secret) bool {
	for i := range c.WeChat.Accounts {
		a := &c.WeChat.Accounts[i]
		prefix := "WECHAT_" + strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_"))
		switch name {
		case prefix + "_SECRET":
			a.Secret = value
		case prefix + "_TOKEN":
			a.Token = value
		case prefix + "_ENCODING_AES_KEY":
			a.EncodingAESKey = value
		default:
			continue
		}
		return true
	}
	return false
}
