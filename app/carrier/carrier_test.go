package carrier

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/outward"
)

// The example of Tencent Cloud's documentation of signature v3 (DescribeInstances of CVM).
func TestTC3(t *testing.T) {
	t.Parallel()
	body := []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`)
	require.Equal(t, "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064", sum(body))
	got := tc3("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "cvm", "cvm.tencentcloudapi.com",
		"application/json; charset=utf-8", body, time.Unix(1551113065, 0))
	require.Equal(t, "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "+
		"Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168", got)
}

// answering serves one answer and keeps the request.
func answering(t *testing.T, status int, answer string) (base string, got func() (http.Header, map[string]any)) {
	t.Helper()
	var head http.Header
	var body map[string]any
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(raw, &body)
		}
		if err != nil {
			t.Errorf("read: %v", err)
		}
		head = r.Header
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() (http.Header, map[string]any) { return head, body }
}

var local = outward.Guard{AllowPrivate: true, AllowHTTP: true}

func outcome(t *testing.T, err error) Outcome {
	t.Helper()
	var e *Error
	if err == nil {
		return ""
	}
	require.ErrorAs(t, err, &e)
	return e.Outcome
}

func TestTencent(t *testing.T) {
	t.Parallel()
	m := Message{Kind: SMS, To: "13800000001", Text: "【某品牌】你好", Template: "1110", Params: []string{"某人"}, Key: "r1-7"}
	send := func(status int, answer string) (string, http.Header, map[string]any, error) {
		base, got := answering(t, status, answer)
		p := NewTencent(Tencent{SecretID: "AKID", SecretKey: "key", AppID: "1400006666", SignName: "某品牌", Base: base}, local)
		id, err := p.Send(t.Context(), m)
		head, body := got()
		return id, head, body, err
	}
	id, head, body, err := send(200, `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8613800000001","Fee":1,"Code":"Ok","Message":"send success"}],"RequestId":"x"}}`)
	require.NoError(t, err)
	require.Equal(t, "5000:1045710669157053657849499619", id)
	require.Equal(t, map[string]any{
		"PhoneNumberSet": []any{"+8613800000001"}, "SmsSdkAppId": "1400006666", "SignName": "某品牌", "TemplateId": "1110", "TemplateParamSet": []any{"某人"}, "SessionContext": "r1-7",
	}, body)
	require.Equal(t, []string{"SendSms", "2021-01-11", "ap-guangzhou"}, []string{head.Get("X-TC-Action"), head.Get("X-TC-Version"), head.Get("X-TC-Region")})
	require.Regexp(t, `^TC3-HMAC-SHA256 Credential=AKID/\d{4}-\d\d-\d\d/sms/tc3_request, SignedHeaders=content-type;host, Signature=[0-9a-f]{64}$`, head.Get("Authorization"))

	for answer, want := range map[string]Outcome{
		`{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"m"}}}`:                              Broken,
		`{"Response":{"Error":{"Code":"RequestLimitExceeded","Message":"m"}}}`:                                      MinuteLimit,
		`{"Response":{"Error":{"Code":"InternalError","Message":"m"}}}`:                                             Unknown,
		`{"Response":{"SendStatusSet":[{"Code":"LimitExceeded.AppMainlandChinaDailyLimit","Message":"m"}]}}`:        DayLimit,
		`{"Response":{"SendStatusSet":[{"Code":"LimitExceeded.PhoneNumberDailyLimit","Message":"m"}]}}`:             Refused,
		`{"Response":{"SendStatusSet":[{"Code":"FailedOperation.PhoneNumberInBlacklist","Message":"m"}]}}`:          Refused,
		`{"Response":{"SendStatusSet":[{"Code":"FailedOperation.InsufficientBalanceInSmsPackage","Message":"m"}]}}`: Broken,
		`{"Response":{}}`: Unknown,
		`<html>`:          Unknown,
	} {
		_, _, _, err := send(200, answer)
		require.Equal(t, want, outcome(t, err), answer)
		require.NotContains(t, err.Error(), "13800000001")
	}
	_, _, _, err = send(503, "")
	require.Equal(t, NotSent, outcome(t, err))
	_, err = NewTencent(Tencent{}, local).Send(t.Context(), Message{Kind: Call, To: "13800000001", Template: "1"})
	require.Equal(t, Refused, outcome(t, err))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	m := Message{Kind: SMS, To: "13800000001", Text: "hello", Key: "r1-7"}
	base, got := answering(t, 202, `{"id":"m-1"}`)
	key := []byte("0123456789abcdef")
	id, err := NewWebhook(base, key, local).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "m-1", id)
	head, body := got()
	require.Equal(t, "sms.send", body["type"])
	require.Equal(t, map[string]any{"kind": "sms", "to": "13800000001", "text": "hello", "key": "r1-7"}, body["data"])
	require.Equal(t, "r1-7", head.Get("webhook-id"))
	require.NotEmpty(t, head.Get("webhook-signature"))

	for status, want := range map[int]Outcome{400: Refused, 401: Broken, 302: Broken, 429: MinuteLimit, 500: Unknown, 503: NotSent} {
		base, _ := answering(t, status, "")
		_, err := NewWebhook(base, key, local).Send(t.Context(), m)
		require.Equal(t, want, outcome(t, err), status)
	}
	_, err = NewWebhook(base, key, outward.Guard{AllowHTTP: true}).Send(t.Context(), m)
	require.Equal(t, Broken, outcome(t, err), "an address that is not public")
	_, err = NewWebhook("http://127.0.0.1:1/", key, local).Send(t.Context(), m)
	require.Equal(t, NotSent, outcome(t, err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = NewWebhook(base, key, local).Send(ctx, m)
	require.Equal(t, Unknown, outcome(t, err))
	require.NotErrorIs(t, err, context.Canceled, "the address stays out of it")
}
