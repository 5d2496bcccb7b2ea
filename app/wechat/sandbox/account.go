package sandbox

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
)

// The kinds of accounts.
const (
	KindService      = "service"      // 服务号
	KindSubscription = "subscription" // 公众号 (formerly 订阅号)
	KindMiniProgram  = "mp"           // 小程序
)

// Account is one account of the simulated WeChat, with everything a server needs to speak for it.
type Account struct {
	Name           string `json:"name"`
	Kind           string `json:"kind"`
	AppID          string `json:"appid"`
	Secret         string `json:"secret"`
	Token          string `json:"token"`
	EncodingAESKey string `json:"encoding_aes_key"`
	OriginalID     string `json:"original_id"` // gh_…, the ToUserName of pushes
	CallbackURL    string `json:"callback_url"`
	Mode           string `json:"mode"`   // plain, compat or safe
	Format         string `json:"format"` // xml or json
	Bound          bool   `json:"bound"`  // to the Open Platform account: only then are unionids told

	// How pushes misbehave, as real ones do (FACTS §2.5, §6.3).
	Duplicates    int      `json:"duplicates"`      // each push is delivered so many times more
	BOM           bool     `json:"bom"`             // a byte order mark before the body
	StringNumbers bool     `json:"string_numbers"`  // JSON numbers as strings
	JSONAsTextXML bool     `json:"json_as_textxml"` // JSON with Content-Type text/xml
	NoResults     bool     `json:"no_results"`      // no push about each template or subscribe message, for big tests
	MassVerdict   string   `json:"mass_verdict"`    // the Status of mass jobs instead of "send success", such as err(20001)
	IPWhitelist   []string `json:"ip_whitelist,omitempty"`
}

// account is an Account and what WeChat holds about it.
type account struct {
	Account
	index     uint8
	saved     accountState
	openids   cipher.Block // person → openid, both ways
	prefix    string       // of its openids
	followers int
	tokens    map[string]*token
	plain     *token
	stable    *token
	forced    forcedRefreshes
	quota     map[string]*usage
	clears    monthCount
	toAllDay  dayCount
	toAll     monthCount
	massDay   dayCount
	tagCount  map[int32]int
	sent      map[string]int64 // client_msg_id of template messages → msgid
}

// accountState is what is kept of an account beside its settings.
type accountState struct {
	Tags        []tag            `json:"tags,omitempty"`
	NextTag     int32            `json:"next_tag,omitempty"`
	Menu        string           `json:"menu,omitempty"`
	Personal    []personalMenu   `json:"personal,omitempty"` // in the order in which they were made
	NextMenu    int64            `json:"next_menu,omitempty"`
	ConsoleMenu string           `json:"console_menu,omitempty"` // what WeChat's own console had
	AutoReply   string           `json:"autoreply,omitempty"`
	Templates   []Template       `json:"templates,omitempty"`
	Media       map[string]int64 `json:"media,omitempty"` // media id → unix second at which it dies; 0 = permanent
	Limits      map[string]limit `json:"limits,omitempty"`
	Speed       int              `json:"speed,omitempty"`
}

func newAccountSettings(name, kind string) Account {
	a := Account{
		Name: name, Kind: kind, AppID: "wx" + randomText(16, hexes), Secret: randomText(32, hexes), Token: randomText(24, alnum),
		EncodingAESKey: randomText(43, alnum), OriginalID: "gh_" + randomText(12, hexes), Mode: "safe", Format: "xml", Bound: true,
	}
	if kind == KindMiniProgram {
		a.Format = "json"
	}
	return a
}

func (s *Sandbox) addAccount(settings Account, state accountState) *account {
	sum := sha256.Sum256([]byte(s.seed + settings.AppID))
	block, err := aes.NewCipher(sum[:16])
	if err != nil {
		panic(err) // the key has 16 bytes
	}
	if state.NextTag == 0 {
		state.NextTag = 100
	}
	if state.Media == nil {
		state.Media = map[string]int64{}
	}
	a := &account{
		Account: settings, saved: state, index: uint8(len(s.accounts)), openids: block, //nolint:gosec // a handful of accounts.
		prefix: "o" + base64.RawURLEncoding.EncodeToString(sum[16:20])[:5],
		tokens: map[string]*token{}, quota: map[string]*usage{}, tagCount: map[int32]int{}, sent: map[string]int64{},
	}
	s.accounts = append(s.accounts, a)
	return a
}

// openid is a person's name at this account: computed, not stored, so that a million people stay small.
func (a *account) openid(person int64) string {
	var block [16]byte
	binary.BigEndian.PutUint64(block[8:], uint64(person)) //nolint:gosec // ids are positive.
	a.openids.Encrypt(block[:], block[:])
	return a.prefix + base64.RawURLEncoding.EncodeToString(block[:])
}

var strict64 = base64.RawURLEncoding.Strict()

// personOf is the person behind an openid of this account, or nil.
func (s *Sandbox) personOf(a *account, openid string) (int64, *person) {
	id := s.idOf(a, openid)
	if id == 0 {
		return 0, nil
	}
	return id, s.who(id)
}

// idOf is the id of personOf, or 0.
func (s *Sandbox) idOf(a *account, openid string) int64 {
	if len(openid) != 28 || openid[:6] != a.prefix {
		return 0
	}
	var block [16]byte
	if n, err := strict64.Decode(block[:], []byte(openid[6:])); err != nil || n != 16 {
		return 0
	}
	a.openids.Decrypt(block[:], block[:])
	if binary.BigEndian.Uint64(block[:8]) != 0 {
		return 0
	}
	id := binary.BigEndian.Uint64(block[8:])
	if id == 0 || id > uint64(len(s.people)) {
		return 0
	}
	return int64(id) //nolint:gosec // bounded by len(people).
}

func (s *Sandbox) account(name string) *account {
	i := slices.IndexFunc(s.accounts, func(a *account) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return s.accounts[i]
}

func (s *Sandbox) accountByAppID(appid string) *account {
	i := slices.IndexFunc(s.accounts, func(a *account) bool { return a.AppID == appid })
	if i < 0 {
		return nil
	}
	return s.accounts[i]
}

func (s *Sandbox) callbackURL(a *account) string {
	if a.CallbackURL != "" {
		return a.CallbackURL
	}
	if s.base == "" {
		return ""
	}
	return s.base + "/wechat/" + a.Name
}

// settings is the account as it is told to others.
func (s *Sandbox) settings(a *account) Account {
	out := a.Account
	out.CallbackURL = s.callbackURL(a)
	return out
}

// Accounts lists the accounts, with their secrets: they are worth nothing outside.
func (s *Sandbox) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Account, 0, len(s.accounts))
	for _, a := range s.accounts {
		out = append(out, s.settings(a))
	}
	return out
}

// AccountChange changes settings of an account. A nil field is left as it is.
type AccountChange struct {
	Account       string    `json:"account"`
	Name          string    `json:"name"` // the same, as the list of accounts says it
	Kind          *string   `json:"kind"`
	Token         *string   `json:"token"`
	AESKey        *string   `json:"encoding_aes_key"`
	CallbackURL   *string   `json:"callback_url"`
	Mode          *string   `json:"mode"`
	Format        *string   `json:"format"`
	Bound         *bool     `json:"bound"`
	Duplicates    *int      `json:"duplicates"`
	BOM           *bool     `json:"bom"`
	StringNumbers *bool     `json:"string_numbers"`
	JSONAsTextXML *bool     `json:"json_as_textxml"`
	NoResults     *bool     `json:"no_results"`
	MassVerdict   *string   `json:"mass_verdict"`
	IPWhitelist   *[]string `json:"ip_whitelist"`
	CallbackBase  *string   `json:"callback_base"` // of all accounts
}

var accountName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// ChangeAccount applies c. A name that does not exist, given with a kind, makes a new account.
func (s *Sandbox) ChangeAccount(c AccountChange) (Account, error) {
	if c.CallbackBase != nil {
		s.SetCallbackBase(*c.CallbackBase)
		if c.Account == "" {
			return Account{}, nil
		}
	}
	c.Account = cmp.Or(c.Account, c.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(c.Account)
	var next Account
	switch {
	case a != nil:
		next = a.Account
	case c.Kind == nil:
		return Account{}, refuse(404, "NOT_FOUND", "there is no account %q: give a kind (service, subscription, mp) to make it", c.Account)
	case !accountName.MatchString(c.Account):
		return Account{}, refuse(400, "INVALID", "account: a name is lower-case letters, digits, - and _")
	case len(s.accounts) >= 200:
		return Account{}, refuse(409, "CONFLICT", "a sandbox holds at most 200 accounts")
	default:
		next = newAccountSettings(c.Account, *c.Kind)
	}
	c.apply(&next)
	if err := checkAccount(next); err != nil {
		return Account{}, err
	}
	if a == nil {
		a = s.addAccount(next, accountState{})
	}
	a.Account = next
	s.saveAccount(a)
	s.wakePump()
	return s.settings(a), nil
}

func (c AccountChange) apply(a *Account) {
	set(&a.Kind, c.Kind)
	set(&a.Token, c.Token)
	set(&a.EncodingAESKey, c.AESKey)
	set(&a.CallbackURL, c.CallbackURL)
	set(&a.Mode, c.Mode)
	set(&a.Format, c.Format)
	set(&a.Bound, c.Bound)
	set(&a.Duplicates, c.Duplicates)
	set(&a.BOM, c.BOM)
	set(&a.StringNumbers, c.StringNumbers)
	set(&a.JSONAsTextXML, c.JSONAsTextXML)
	set(&a.NoResults, c.NoResults)
	set(&a.MassVerdict, c.MassVerdict)
	set(&a.IPWhitelist, c.IPWhitelist)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func checkAccount(a Account) error {
	one := func(field, value string, allowed ...string) error {
		if !slices.Contains(allowed, value) {
			return refuse(400, "INVALID", "%s: %q is none of %v", field, value, allowed)
		}
		return nil
	}
	if err := one("kind", a.Kind, KindService, KindSubscription, KindMiniProgram); err != nil {
		return err
	}
	if err := one("mode", a.Mode, "plain", "compat", "safe"); err != nil {
		return err
	}
	if err := one("format", a.Format, "xml", "json"); err != nil {
		return err
	}
	if a.Duplicates < 0 || a.Duplicates > 20 {
		return refuse(400, "INVALID", "duplicates: 0 to 20")
	}
	if _, err := newBox(a.Token, a.EncodingAESKey, a.AppID); err != nil {
		return refuse(400, "INVALID", "%s", err)
	}
	return nil
}

// refusal is an error of the control API.
type refusal struct {
	status  int
	code    string
	message string
}

// Error is the sentence.
func (e *refusal) Error() string { return e.message }

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}
