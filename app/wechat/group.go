package wechat

import (
	"encoding/json"
	"time"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Group is the chat from which a mini-program was opened, as wx.getGroupEnterInfo proves it.
type Group struct {
	OpenGID string    // of the group, for this mini-program
	At      time.Time // when WeChat said so
}

// maxOpenGID is the longest opengid that rows hold.
const maxOpenGID = 64

// DecryptGroup opens the encryptedData of wx.getGroupEnterInfo. Its refusals are those of DecryptData.
func DecryptGroup(appid, sessionKey, encryptedData, iv string) (Group, error) {
	plain, err := DecryptData(appid, sessionKey, encryptedData, iv)
	if err != nil {
		return Group{}, err
	}
	var in struct {
		OpenGID   string `json:"opengid"` // wx.getShareInfo writes openGId: names are read in any case
		Watermark struct {
			Timestamp int64 `json:"timestamp"`
		} `json:"watermark"`
	}
	if json.Unmarshal(plain, &in) != nil || in.OpenGID == "" || len(in.OpenGID) > maxOpenGID {
		return Group{}, errs.Field("encrypted_data", "wechat.data_invalid")
	}
	return Group{in.OpenGID, time.Unix(in.Watermark.Timestamp, 0).UTC()}, nil
}
