package member

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/model"
)

// SessionKeys are the session keys of the member's last logins at a mini-program, the newest identity first: what its front end
// encrypted can be opened with one of them. They are secrets.
func (s *Service) SessionKeys(ctx context.Context, id int64, account string) ([]string, error) {
	var sealed []string
	err := s.db.Reader(ctx).Model(&model.Identity{}).Where("member_id = ? AND account = ? AND session_sealed <> ''", id, account).
		Order("id DESC").Limit(4).Pluck("session_sealed", &sealed).Error
	if err != nil {
		return nil, fmt.Errorf("member: session keys: %w", err)
	}
	keys := make([]string, 0, len(sealed))
	for _, v := range sealed {
		if k, err := s.box.Open("session_key", v); err == nil { // of another secret key: he logs in again
			keys = append(keys, string(k))
		}
	}
	return keys, nil
}
