package carrier

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/outward"
)

// Tencent is Tencent Cloud SMS: SendSms of 2021-01-11, signed with TC3-HMAC-SHA256. The text that a person gets is the approved template's,
// with the signature 【SignName】 before it.
type Tencent struct {
	SecretID, SecretKey string
	AppID               string // SmsSdkAppId
	SignName            string // the brand, as approved
	Region              string // ap-guangzhou
	Base                string // https://sms.tencentcloudapi.com, or where tests lead it

	client *http.Client
}

const (
	tencentHost    = "sms.tencentcloudapi.com"
	tencentVersion = "2021-01-11"
)

// NewTencent returns the provider. Empty fields of t take Tencent's own address and its first region.
func NewTencent(t Tencent, g outward.Guard) *Tencent {
	if t.Base == "" {
		t.Base = "https://" + tencentHost
	}
	if t.Region == "" {
		t.Region = "ap-guangzhou"
	}
	t.client = g.Client(idleConns)
	return &t
}

type tencentStatus struct {
	SerialNo, Code, Message string
}

type tencentAnswer struct {
	Response struct {
		SendStatusSet []tencentStatus
		Error         *struct{ Code, Message string }
	}
}

// NeedsTemplate says that a message without one is refused.
func (t *Tencent) NeedsTemplate() bool { return true }

// Send implements Provider.
func (t *Tencent) Send(ctx context.Context, m Message) (string, error) {
	if m.Kind != SMS || m.Template == "" {
		return "", &Error{Refused, "no_template", "Tencent Cloud sends SMS of approved templates"}
	}
	to := m.To
	if !strings.HasPrefix(to, "+") {
		to = "+86" + to
	}
	body, err := json.Marshal(map[string]any{
		"PhoneNumberSet": []string{to}, "SmsSdkAppId": t.AppID, "SignName": t.SignName, "TemplateId": m.Template,
		"TemplateParamSet": append([]string{}, m.Params...), "SessionContext": m.Key,
	})
	if err != nil {
		return "", err
	}
	base, err := url.Parse(t.Base)
	if err != nil {
		return "", &Error{Broken, "bad_url", ""}
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Base+"/", bytes.NewReader(body))
	if err != nil {
		return "", &Error{Broken, "bad_url", ""}
	}
	now := clock.Real()
	const contentType = "application/json; charset=utf-8"
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-TC-Action", "SendSms")
	req.Header.Set("X-TC-Version", tencentVersion)
	req.Header.Set("X-TC-Region", t.Region)
	req.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Authorization", tc3(t.SecretID, t.SecretKey, "sms", base.Host, contentType, body, now))
	res, err := t.client.Do(req)
	if err != nil {
		return "", unsent(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return "", refusal(res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return "", unsent(err)
	}
	return readTencent(raw)
}

func readTencent(raw []byte) (string, error) {
	var a tencentAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return "", &Error{Unknown, "bad_answer", ""}
	}
	if e := a.Response.Error; e != nil {
		return "", tencentError(e.Code, e.Message)
	}
	if len(a.Response.SendStatusSet) != 1 {
		return "", &Error{Unknown, "bad_answer", ""}
	}
	if s := a.Response.SendStatusSet[0]; s.Code != "Ok" {
		return "", tencentError(s.Code, s.Message)
	}
	return a.Response.SendStatusSet[0].SerialNo, nil
}

// tencentError reads a code of the documented lists (API 3.0, error codes of SMS). What is not named concerns this number or this text.
func tencentError(code, text string) *Error {
	e := &Error{Refused, code, text}
	is := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(code, p) {
				return true
			}
		}
		return false
	}
	switch {
	case is("RequestLimitExceeded"):
		e.Outcome = MinuteLimit
	case is("LimitExceeded.AppMainlandChinaDailyLimit", "LimitExceeded.AppGlobalDailyLimit", "LimitExceeded.AppCountryOrRegionDailyLimit", "LimitExceeded.DailyLimit"):
		e.Outcome = DayLimit
	case is("AuthFailure", "UnauthorizedOperation", "InvalidAction", "NoSuch", "IpInBlacklist", "IpNotInWhitelist", "FailedOperation.InsufficientBalanceInSmsPackage",
		"FailedOperation.SignatureIncorrectOrUnapproved", "InvalidParameterValue.SdkAppIdNotExist", "InternalError.SigVerificationFail", "InternalError.SigFieldMissing"):
		e.Outcome = Broken
	case is("InternalError"):
		e.Outcome = Unknown
	}
	return e
}

// tc3 is the Authorization of a POST to / by Tencent Cloud's signature v3: content-type and host are signed.
func tc3(id, key, service, host, contentType string, body []byte, at time.Time) string {
	const algorithm, signed = "TC3-HMAC-SHA256", "content-type;host"
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + host + "\n\n" + signed + "\n" + sum(body)
	date := at.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	toSign := algorithm + "\n" + strconv.FormatInt(at.Unix(), 10) + "\n" + scope + "\n" + sum([]byte(canonical))
	k := mac(mac(mac([]byte("TC3"+key), date), service), "tc3_request")
	return algorithm + " Credential=" + id + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(mac(k, toSign))
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
