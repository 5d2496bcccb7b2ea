package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Group is what wx.getGroupEnterInfo gives the mini-program.
type Group struct {
	EncryptedData string `json:"encrypted_data"`
	IV            string `json:"iv"`
}

// group is the person opening the mini-program from a group chat; a chat is made by naming it. Without a login there is no key to seal with.
func (s *Sandbox) group(id, name, chat string) (Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, p, a, err := s.onMini(id, name)
	if err != nil {
		return Group{}, err
	}
	r, now := p.with(a), s.clk.Now()
	if r.more == nil || r.more.sessionKey == "" {
		return Group{}, refuse(409, "CONFLICT", "log in first: there is no session key")
	}
	r.more.UsedAt = now.Unix()
	s.saveRelation(n, r)
	plain, err := json.Marshal(map[string]any{
		"opengid": s.opengid(a, chat), "watermark": map[string]any{"timestamp": now.Unix(), "appid": a.AppID},
	})
	if err != nil {
		return Group{}, fmt.Errorf("sandbox: group: %w", err)
	}
	var vector [16]byte
	rand.Read(vector[:])
	out := Group{IV: base64.StdEncoding.EncodeToString(vector[:])}
	out.EncryptedData, err = sealData(r.more.sessionKey, out.IV, plain)
	return out, err
}

// opengid is a chat's id for one mini-program.
func (s *Sandbox) opengid(a *account, chat string) string {
	sum := sha256.Sum256([]byte(s.seed + "\n" + a.AppID + "\n" + chat))
	return "tG" + base64.RawURLEncoding.EncodeToString(sum[:])[:26]
}
