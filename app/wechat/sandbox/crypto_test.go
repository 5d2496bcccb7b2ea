package sandbox

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func vectors(t *testing.T, name string, out any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, out))
}

type messageVector struct {
	Name         string `json:"name"`
	Token        string `json:"token"`
	Key          string `json:"encoding_aes_key"`
	ReceiveID    string `json:"receive_id"`
	Expected     string `json:"expected_receive_id"`
	Timestamp    string `json:"timestamp"`
	Nonce        string `json:"nonce"`
	MsgSignature string `json:"msg_signature"`
	Signature    string `json:"signature"`
	Random       string `json:"random_latin1"`
	Plaintext    string `json:"plaintext"`
	Encrypt      string `json:"encrypt"`
	Valid        bool   `json:"valid"`
}

func TestCrypto(t *testing.T) {
	t.Parallel()
	t.Run("EverySignatureVectorHolds", func(t *testing.T) {
		t.Parallel()
		var list []messageVector
		vectors(t, "signatures.json", &list)
		require.NotEmpty(t, list)
		for _, v := range list {
			parts := []string{v.Token, v.Timestamp, v.Nonce}
			if v.Encrypt != "" {
				parts = append(parts, v.Encrypt)
			}
			require.Equal(t, v.Valid, sameText(sign(parts...), v.Signature), v.Name)
		}
	})
	t.Run("EveryMessageOpensAndIsSealedAgainByteForByte", func(t *testing.T) {
		t.Parallel()
		var list []messageVector
		vectors(t, "msg_crypto.json", &list)
		require.NotEmpty(t, list)
		for _, v := range list {
			b, err := newBox(v.Token, v.Key, v.ReceiveID)
			require.NoError(t, err, v.Name)
			plain, err := b.decrypt(v.Encrypt)
			require.NoError(t, err, v.Name)
			require.Equal(t, v.Plaintext, string(plain), v.Name)
			require.Equal(t, v.Encrypt, b.seal(plain, latin1(v.Random)), v.Name)
			if v.MsgSignature != "" {
				_, err = b.open(v.MsgSignature, v.Timestamp, v.Nonce, v.Encrypt)
				require.NoError(t, err, v.Name)
				_, err = b.open(v.MsgSignature, v.Timestamp, v.Nonce+"0", v.Encrypt)
				require.Error(t, err, v.Name)
			}
		}
	})
	t.Run("EveryBrokenMessageIsRefused", func(t *testing.T) {
		t.Parallel()
		var list []messageVector
		vectors(t, "msg_crypto_negative.json", &list)
		require.NotEmpty(t, list)
		for _, v := range list {
			b, err := newBox("token", v.Key, v.Expected)
			require.NoError(t, err, v.Name)
			_, err = b.decrypt(v.Encrypt)
			if v.Name == "flipped-first-block" { // only the signature can tell
				require.NoError(t, err)
				_, err = b.open(sign("token", "1", "2", "the original"), "1", "2", v.Encrypt)
			}
			require.Error(t, err, v.Name)
		}
	})
	t.Run("DataOfAMiniProgramIsSealedByteForByte", func(t *testing.T) {
		t.Parallel()
		var list []struct{ Name, SessionKey, IV, EncryptedData, Plaintext string }
		vectors(t, "mp_data_decrypt.json", &list)
		require.NotEmpty(t, list)
		for _, v := range list {
			got, err := sealData(v.SessionKey, v.IV, []byte(v.Plaintext))
			require.NoError(t, err, v.Name)
			require.Equal(t, v.EncryptedData, got, v.Name)
		}
	})
	t.Run("HashesHold", func(t *testing.T) {
		t.Parallel()
		var list []struct{ Name, Input, Key, Output string }
		vectors(t, "hashes.json", &list)
		require.NotEmpty(t, list)
		for _, v := range list {
			require.Equal(t, v.Output, sha1Hex(v.Input+v.Key), v.Name)
		}
	})
}

// latin1 is each character as one byte.
func latin1(s string) []byte {
	var out []byte
	for _, r := range s {
		out = append(out, byte(r))
	}
	return out
}
