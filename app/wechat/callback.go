package wechat

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/siyu-scrm/siyu/app/errs"
)

// replayWindow is how far a signed timestamp may lie from app time.
const replayWindow = 10 * time.Minute

var echoRule = regexp.MustCompile(`^[0-9A-Za-z+/=_-]{1,256}$`)

// Verify answers WeChat's check of the callback URL: it returns the echostr that must be written back as it is.
// Refusals: errs.Unauthorized ("callback.account", "callback.signature"), errs.Malformed.
func Verify(acc Account, query url.Values) (string, error) {
	if err := checkURL(acc, query); err != nil {
		return "", err
	}
	echo := query.Get("echostr")
	if !echoRule.MatchString(echo) {
		return "", malformed("echostr")
	}
	return echo, nil
}

// Open verifies, decrypts and reads one push. now is app time.
//
// Refusals: errs.TooLarge; errs.Malformed; errs.Forbidden ("callback.replayed", "callback.wrong_account"); and errs.Unauthorized:
// "callback.account" (no token or key configured), "callback.signature", "callback.downgraded" (a readable push where the
// account demands encryption), "callback.encrypted" (an encrypted one to an account without a key), "callback.decrypt".
// A refused push must change nothing. Reason gives the words for the log.
func Open(acc Account, query url.Values, body []byte, now time.Time) (*Push, error) {
	if len(body) > maxBody {
		return nil, errs.New(errs.TooLarge, "callback.too_large", "limit", maxBody)
	}
	p := &Push{Account: acc.Name, Timestamp: query.Get("timestamp"), Nonce: query.Get("nonce")}
	var err error
	if p.Safe, err = encrypted(acc, query); err != nil {
		return nil, err
	}
	if p.Safe {
		p.Raw, err = decrypt(acc, query, body)
	} else {
		p.Raw, err = body, checkURL(acc, query)
	}
	if err != nil {
		return nil, err
	}
	if !fresh(p.Timestamp, now) {
		return nil, errs.New(errs.Forbidden, "callback.replayed")
	}
	root, format, err := parse(p.Raw)
	if err != nil {
		return nil, err
	}
	p.Format = format
	p.read(root)
	if acc.OriginalID != "" && p.ToUserName != acc.OriginalID {
		return nil, errs.New(errs.Forbidden, "callback.wrong_account")
	}
	return p, nil
}

// encrypted reports whether the push must be read as an encrypted one, and refuses what the account's mode does not allow.
func encrypted(acc Account, query url.Values) (bool, error) {
	claimed := query.Get("encrypt_type") == "aes" || query.Get("msg_signature") != ""
	switch acc.mode() {
	case ModeSafe, ModeCompat:
		if query.Get("encrypt_type") != "aes" || query.Get("msg_signature") == "" {
			return false, errs.New(errs.Unauthorized, "callback.downgraded")
		}
		return true, nil
	case ModePlain:
		if claimed && acc.EncodingAESKey == "" {
			return false, errs.New(errs.Unauthorized, "callback.encrypted")
		}
		return claimed, nil
	}
	return false, errs.New(errs.Unauthorized, "callback.account")
}

// checkURL checks the signature of the URL, which covers neither body nor path.
func checkURL(acc Account, query url.Values) error {
	if acc.Token == "" {
		return errs.New(errs.Unauthorized, "callback.account")
	}
	if !sameText(query.Get("signature"), Signature(acc.Token, query.Get("timestamp"), query.Get("nonce"))) {
		return errs.New(errs.Unauthorized, "callback.signature")
	}
	return nil
}

// decrypt takes only what the msg_signature covers: in compat mode the readable fields beside it are a stranger's word.
func decrypt(acc Account, query url.Values, body []byte) ([]byte, error) {
	crypt, err := NewCrypt(acc.Token, acc.EncodingAESKey, acc.AppID)
	if err != nil || acc.Token == "" || acc.AppID == "" {
		return nil, errs.New(errs.Unauthorized, "callback.account")
	}
	envelope, _, err := parse(body)
	if err != nil {
		return nil, err
	}
	secret := envelope.get("Encrypt")
	if !sameText(query.Get("msg_signature"), crypt.Signature(query.Get("timestamp"), query.Get("nonce"), secret)) {
		return nil, errs.New(errs.Unauthorized, "callback.signature")
	}
	plain, err := crypt.Decrypt(secret)
	if err != nil {
		return nil, errs.New(errs.Unauthorized, "callback.decrypt", "reason", err.Error())
	}
	return plain, nil
}

func fresh(timestamp string, now time.Time) bool {
	sec, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || sec < 0 || sec > 253402300799 {
		return false
	}
	return now.Sub(time.Unix(sec, 0)).Abs() <= replayWindow
}

// Reason is why a push was refused, in one phrase for the log: no content, no secret.
func Reason(err error) string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return "callback.failed"
	}
	if reason, ok := e.Args["reason"].(string); ok {
		return e.Key + ": " + reason
	}
	return e.Key
}
