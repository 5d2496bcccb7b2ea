package config

import "log/slog"

// Secret is text that no log, error or page shows. string(s) is the text.
type Secret string

const redacted = "[redacted]"

func (s Secret) show() string {
	if s == "" {
		return ""
	}
	return redacted
}

// String hides the text.
func (s Secret) String() string { return s.show() }

// GoString hides the text.
func (s Secret) GoString() string { return s.show() }

// LogValue hides the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.show()) }

// MarshalText hides the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.show()), nil }
