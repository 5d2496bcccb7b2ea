package member

import (
	"crypto/hmac"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/model"
)

// confirmFor is how long a member may take to confirm his erasure.
const confirmFor = 15 * time.Minute

// Confirmation is what a member sends back who was told what his erasure ends.
type Confirmation struct {
	Word      string
	ExpiresAt time.Time
}

// Confirmation makes one for the member; nothing is stored.
func (s *Service) Confirmation(m *model.Member) Confirmation {
	expires := s.clock.Now().Add(confirmFor).Truncate(time.Second)
	return Confirmation{Word: s.confirmation(m, expires.Unix()), ExpiresAt: expires}
}

// Confirmed reports whether word is a confirmation of this member that still holds.
func (s *Service) Confirmed(m *model.Member, word string) bool {
	head, _, _ := strings.Cut(word, "-")
	expires, err := strconv.ParseInt(head, 10, 64)
	return err == nil && hmac.Equal([]byte(word), []byte(s.confirmation(m, expires))) && s.clock.Now().Unix() < expires
}

func (s *Service) confirmation(m *model.Member, expires int64) string {
	return fmt.Sprintf("%d-%s", expires, s.box.BlindIndex("erase", fmt.Sprintf("%d\x00%d\x00%d", m.ID, m.TokenVersion, expires))[:32])
}
