// Package wechat speaks to WeChat and understands what WeChat pushes. It is the only importer of silenceper/wechat,
// and none of that library's types leave it.
//
// Incoming: Verify answers the URL check, Open turns a push into a Push or refuses it, Seal writes the passive reply. They are our
// own code, because the library's server accepts downgraded and forged pushes (FACTS 1.7, 1.8).
//
// Outgoing: Client holds the accounts, their tokens and a transport that fails closed on unknown hosts.
package wechat

import (
	"crypto/subtle"
	"fmt"
	"regexp"
)

// Kinds of account.
const (
	KindOA = "oa" // a service or subscription account
	KindMP = "mp" // a mini-program
)

// Modes of the message push, as chosen in WeChat's console (FACTS 2.2).
const (
	ModePlain  = "plain"  // readable bodies, protected by nothing but the URL's signature
	ModeCompat = "compat" // readable fields beside the encrypted ones; only the encrypted ones are used
	ModeSafe   = "safe"   // encrypted only
)

// Account is one WeChat account of the brand, as configured.
type Account struct {
	Name           string // ours, in the callback URL: /wechat/{Name}
	Kind           string // KindOA or KindMP
	AppID          string
	Secret         string
	Token          string // of the message push; without it every push is refused
	EncodingAESKey string // 43 characters; required by compat and safe
	OriginalID     string // gh_…; when set, a push to another one is refused
	Mode           string // empty means safe with an EncodingAESKey and plain without
	WebLogin       bool   // pages inside WeChat may ask who reads them: see AuthorizeURL
}

var (
	nameRule  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	appIDRule = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	codeRule  = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)
)

func (a Account) mode() string {
	if a.Mode != "" {
		return a.Mode
	}
	if a.EncodingAESKey != "" {
		return ModeSafe
	}
	return ModePlain
}

// Check reports what is wrong with the account's configuration.
func (a Account) Check() error {
	switch {
	case !nameRule.MatchString(a.Name):
		return fmt.Errorf("wechat: account name %q: use 1 to 32 of a-z, 0-9, _ and -", a.Name)
	case a.Kind != KindOA && a.Kind != KindMP:
		return fmt.Errorf("wechat: account %s: kind %q: must be %s or %s", a.Name, a.Kind, KindOA, KindMP)
	case !appIDRule.MatchString(a.AppID):
		return fmt.Errorf("wechat: account %s: appid is missing or malformed", a.Name)
	}
	switch a.mode() {
	case ModePlain:
		if a.EncodingAESKey == "" {
			return nil
		}
	case ModeCompat, ModeSafe:
	default:
		return fmt.Errorf("wechat: account %s: mode %q: must be plain, compat or safe", a.Name, a.Mode)
	}
	if _, err := NewCrypt(a.Token, a.EncodingAESKey, a.AppID); err != nil {
		return fmt.Errorf("wechat: account %s: %w", a.Name, err)
	}
	return nil
}

// isOpenID is ^[0-9A-Za-z_-]{6,64}$, without the price of a regular expression for 10,000 of them.
func isOpenID(s string) bool {
	if len(s) < 6 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
