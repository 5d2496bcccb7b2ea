package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	p := w.s.NewPerson("a", "")
	at := "/users/" + p.ID + "/group"
	require.Equal(t, "CONFLICT", w.control(409, at, map[string]any{})["error"].(map[string]any)["code"], "without a login there is no key")
	a := w.account("mp")
	code := w.control(200, "/users/"+p.ID+"/login", map[string]any{})["code"].(string)
	session := w.fetch("/sns/jscode2session?" + url.Values{"appid": {a.AppID}, "secret": {a.Secret}, "js_code": {code}, "grant_type": {"authorization_code"}}.Encode())
	open := func(body map[string]any) (out struct {
		OpenGID   string `json:"opengid"`
		Watermark struct {
			AppID     string
			Timestamp int64
		}
	},
	) {
		sealed := w.control(200, at, body)
		require.Len(t, sealed, 2)
		key, err1 := base64.StdEncoding.DecodeString(session["session_key"].(string))
		iv, err2 := base64.StdEncoding.DecodeString(sealed["iv"].(string))
		data, err3 := base64.StdEncoding.DecodeString(sealed["encrypted_data"].(string))
		require.NoError(t, err1)
		require.NoError(t, err2)
		require.NoError(t, err3)
		block, err := aes.NewCipher(key)
		require.NoError(t, err)
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
		require.NoError(t, json.Unmarshal(data[:len(data)-int(data[len(data)-1])], &out))
		return out
	}
	first := open(map[string]any{"group": "妆一"})
	require.Equal(t, a.AppID, first.Watermark.AppID)
	require.Equal(t, start.Unix(), first.Watermark.Timestamp)
	require.Equal(t, first.OpenGID, open(map[string]any{"group": "妆一"}).OpenGID)
	require.NotEqual(t, first.OpenGID, open(map[string]any{"group": "妆二"}).OpenGID)
	require.Len(t, open(map[string]any{}).OpenGID, 28)
}
