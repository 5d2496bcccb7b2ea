package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"

	"github.com/siyu-scrm/siyu/app/errs"
)

// DecryptData opens the encryptedData of a mini-program's front end with the session key of the member's login, and checks that its
// watermark names appid. Whatever cannot be opened is errs.Invalid ("wechat.data_invalid").
func DecryptData(appid, sessionKey, encryptedData, iv string) ([]byte, error) {
	refused := errs.Field("encrypted_data", "wechat.data_invalid")
	key, err1 := base64.StdEncoding.DecodeString(sessionKey)
	data, err2 := base64.StdEncoding.DecodeString(encryptedData)
	vector, err3 := base64.StdEncoding.DecodeString(iv)
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, refused
	}
	if len(key) != 16 || len(vector) != aes.BlockSize || len(data) == 0 || len(data)%aes.BlockSize != 0 || len(data) > maxBody {
		return nil, refused
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, refused
	}
	cipher.NewCBCDecrypter(block, vector).CryptBlocks(data, data)
	plain, ok := unpad(data, aes.BlockSize)
	if !ok {
		return nil, refused
	}
	var mark struct {
		Watermark struct {
			AppID string `json:"appid"`
		} `json:"watermark"`
	}
	if json.Unmarshal(plain, &mark) != nil || appid == "" || mark.Watermark.AppID != appid {
		return nil, refused
	}
	return plain, nil
}
