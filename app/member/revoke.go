package member

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
)

// HolderTx locks the person behind an openid and returns his id; errs.NotFound if there is none. It makes nobody.
func (s *Service) HolderTx(tx *gorm.DB, account, openID string, at time.Time) (int64, error) {
	row, err := s.take(tx, nil, account, openID)
	if err != nil {
		return 0, err
	}
	if row == nil || row.ID == 0 {
		return 0, errs.New(errs.NotFound, "member.not_found")
	}
	id, err := s.lockIdentity(tx, row, at)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, errs.New(errs.NotFound, "member.not_found")
	}
	if err != nil {
		return 0, err
	}
	return id.MemberID, nil
}

// revocable is what siyu keeps that came by a permission of WeChat (RevokeInfo, FACTS 2.6), as what to set on the member.
var revocable = map[string]map[string]any{
	"6": {"nickname": ""}, "19": {"nickname": ""}, "205": {"nickname": ""},
	"2": {"address_sealed": ""}, "201": {"address_sealed": ""},
	"8":  {"phone_sealed": "", "phone_index": ""},
	"13": {"location_ok": false}, "18": {"location_ok": false}, "206": {"location_ok": false},
}

// RevokeTx forgets what came by permissions that the person took back; of other permissions nothing is kept. The caller holds his lock.
func (s *Service) RevokeTx(tx *gorm.DB, id int64, info string) error {
	for _, what := range strings.FieldsFunc(info, func(r rune) bool { return r < '0' || r > '9' }) {
		set := revocable[what]
		if set == nil {
			continue
		}
		if err := change(tx, id, set); err != nil {
			return fmt.Errorf("member: revoke %s: %w", what, err)
		}
	}
	return nil
}
