package wechat_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
)

type vector struct {
	Name, Kind, Token, Timestamp, Nonce, Signature, Plaintext, Encrypt string

	Key       string `json:"encoding_aes_key"`
	ReceiveID string `json:"receive_id"`
	Expected  string `json:"expected_receive_id"`
	MsgSign   string `json:"msg_signature"`
	Random    string `json:"random_latin1"`
	Because   string `json:"must_fail_because"`
	Valid     bool
}

func vectors[T any](t testing.TB, file string) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors/" + file)
	require.NoError(t, err)
	var list []T
	require.NoError(t, json.Unmarshal(raw, &list))
	require.NotEmpty(t, list)
	return list
}

func (v vector) account() wechat.Account {
	return wechat.Account{
		Name: "oa", Kind: wechat.KindOA, AppID: v.ReceiveID, Token: v.Token, EncodingAESKey: v.Key, Mode: wechat.ModeSafe,
	}
}

func (v vector) query() url.Values {
	return url.Values{"timestamp": {v.Timestamp}, "nonce": {v.Nonce}, "encrypt_type": {"aes"}, "msg_signature": {v.MsgSign}}
}

func (v vector) body() []byte {
	body, _ := json.Marshal(map[string]string{"ToUserName": "gh", "Encrypt": v.Encrypt})
	return body
}

func at(timestamp string) time.Time {
	sec, _ := strconv.ParseInt(timestamp, 10, 64)
	return time.Unix(sec, 0)
}

func TestVectors(t *testing.T) {
	t.Parallel()
	t.Run("SignaturesAgree", func(t *testing.T) {
		t.Parallel()
		for _, v := range vectors[vector](t, "signatures.json") {
			parts := []string{v.Token, v.Timestamp, v.Nonce}
			if v.Encrypt != "" {
				parts = append(parts, v.Encrypt)
			}
			require.Equal(t, v.Valid, wechat.Signature(parts...) == v.Signature, v.Name)
		}
	})
	t.Run("EveryMessageDecryptsAndEncryptsToTheSameBytes", func(t *testing.T) {
		t.Parallel()
		for _, v := range vectors[vector](t, "msg_crypto.json") {
			c, err := wechat.NewCrypt(v.Token, v.Key, v.ReceiveID)
			require.NoError(t, err, v.Name)
			plain, err := c.Decrypt(v.Encrypt)
			require.NoError(t, err, v.Name)
			require.Equal(t, v.Plaintext, string(plain), v.Name)
			again, err := c.Encrypt(latin1(v.Random), plain)
			require.NoError(t, err, v.Name)
			require.Equal(t, v.Encrypt, again, v.Name)
			if v.MsgSign != "" {
				require.Equal(t, v.MsgSign, c.Signature(v.Timestamp, v.Nonce, v.Encrypt), v.Name)
			}
		}
	})
	t.Run("EveryPushOpens", func(t *testing.T) {
		t.Parallel()
		for _, v := range vectors[vector](t, "msg_crypto.json") {
			if v.Kind != "push" || v.MsgSign == "" {
				continue
			}
			p, err := wechat.Open(v.account(), v.query(), v.body(), at(v.Timestamp))
			if v.Plaintext[0] != '<' && v.Plaintext[0] != '{' || !json.Valid([]byte(v.Plaintext)) && v.Plaintext[0] == '{' {
				require.Equal(t, errs.Malformed, errs.CodeOf(err), v.Name) // authentic, but not a push
				continue
			}
			require.NoError(t, err, v.Name)
			require.Equal(t, v.Plaintext, string(p.Raw), v.Name)
			require.True(t, p.Safe, v.Name)
		}
	})
	t.Run("EveryForgedCiphertextIsRefused", func(t *testing.T) {
		t.Parallel()
		for _, v := range vectors[vector](t, "msg_crypto_negative.json") {
			c, err := wechat.NewCrypt("token", v.Key, v.Expected)
			require.NoError(t, err, v.Name)
			plain, err := c.Decrypt(v.Encrypt)
			if v.Name != "flipped-first-block" {
				require.Error(t, err, v.Name)
				continue
			}
			require.NotEmpty(t, plain) // decryption accepts it: only the msg_signature of the true text can refuse it
			v.ReceiveID, v.Token, v.Timestamp, v.MsgSign = v.Expected, "token", "1714112445", c.Signature("1714112445", "", v.Encrypt[1:])
			_, err = wechat.Open(v.account(), v.query(), v.body(), at(v.Timestamp))
			require.Equal(t, "callback.signature", wechat.Reason(err))
		}
	})
	t.Run("MiniProgramDataOpensForItsOwnAppOnly", func(t *testing.T) {
		t.Parallel()
		type data struct{ Name, AppID, SessionKey, IV, EncryptedData, Plaintext string }
		for _, v := range vectors[data](t, "mp_data_decrypt.json") {
			plain, err := wechat.DecryptData(v.AppID, v.SessionKey, v.EncryptedData, v.IV)
			require.NoError(t, err, v.Name)
			require.Equal(t, v.Plaintext, string(plain), v.Name)
			for _, bad := range []data{
				{AppID: "wx0000000000000000", SessionKey: v.SessionKey, EncryptedData: v.EncryptedData, IV: v.IV},
				{AppID: "", SessionKey: v.SessionKey, EncryptedData: v.EncryptedData, IV: v.IV},
				{AppID: v.AppID, SessionKey: v.SessionKey, EncryptedData: "AAAA", IV: v.IV}, // not whole blocks: the library panics
				{AppID: v.AppID, SessionKey: v.SessionKey, EncryptedData: "", IV: v.IV},
				{AppID: v.AppID, SessionKey: v.SessionKey, EncryptedData: v.EncryptedData, IV: "AAAA"},
				{AppID: v.AppID, SessionKey: "AAAA", EncryptedData: v.EncryptedData, IV: v.IV},
				{AppID: v.AppID, SessionKey: v.IV, EncryptedData: v.EncryptedData, IV: v.IV},
				{AppID: v.AppID, SessionKey: "*", EncryptedData: v.EncryptedData, IV: v.IV},
			} {
				_, err := wechat.DecryptData(bad.AppID, bad.SessionKey, bad.EncryptedData, bad.IV)
				require.Equal(t, errs.Invalid, errs.CodeOf(err), v.Name)
			}
		}
	})
	t.Run("TheOfficialReplyComesOutToTheByte", func(t *testing.T) {
		t.Parallel()
		for _, v := range vectors[vector](t, "msg_crypto.json") {
			if v.Name != "mp-doc-safe-reply-json" {
				continue
			}
			c, err := wechat.NewCrypt(v.Token, v.Key, v.ReceiveID)
			require.NoError(t, err)
			require.JSONEq(t, `{"Encrypt":"ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",`+
				`"MsgSignature":"1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1","TimeStamp":1713424427,"Nonce":"415670741"}`,
				string(wechat.Envelope(c, wechat.FormatJSON, v.Encrypt, v.Timestamp, v.Nonce)))
		}
	})
	t.Run("PaddingOfOneToThirtyTwoBytesComesBack", func(t *testing.T) {
		t.Parallel()
		c, err := wechat.NewCrypt("token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxb11529c136998cb6")
		require.NoError(t, err)
		for n := range 65 {
			msg := make([]byte, n)
			text, err := c.Encrypt([]byte("0123456789abcdef"), msg)
			require.NoError(t, err)
			back, err := c.Decrypt(text)
			require.NoError(t, err)
			require.Equal(t, msg, append([]byte{}, back...))
		}
	})
}

func latin1(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}
