package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// Keys of the index of the leaf "member". Those who came by a channel first stand under its id, which is above zero.
const (
	// KeyEverybody holds who was neither merged into another nor erased: the others stand under no key.
	KeyEverybody = -iota
	keyJoined
	keyOptedOut
	keyFollower
	keyFemale
	keyMale
	keyNoGender

	keyNobody = math.MinInt64
)

var genders = map[string]int64{"female": keyFemale, "male": keyMale, "": keyNoGender}

// Sets are how the leaf "member" is answered from memory, and how everybody is known.
func Sets() *condition.Index {
	return &condition.Index{
		Rows: rows,
		Keys: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) ([]int64, bool, error) {
			a, _, _, err := readLeaf(raw, clock.Shanghai, time.Time{}) // of what is kept none depends on the day
			if err != nil {
				return nil, false, err
			}
			if a.timed() || a.Field == "last_channel" {
				return nil, false, condition.ErrNotIndexed
			}
			key := int64(keyNobody)
			switch a.Field {
			case "joined":
				key = keyJoined
			case "opted_out":
				key = keyOptedOut
			case "follower":
				key = keyFollower
			case "gender":
				if k, ok := genders[a.Value.(string)]; ok {
					key = k
				}
			case "channel":
				var c model.ChannelCode
				if err = tx.Select("id").Where("code = ?", a.Value).Take(&c).Error; errors.Is(err, gorm.ErrRecordNotFound) {
					err = nil
				} else {
					key = c.ID
				}
			}
			return []int64{key}, a.Value == false, err
		},
	}
}

func rows(ctx context.Context, tx *gorm.DB, ids []int64, put func(int64, uint32)) error {
	where, args := "", []any(nil)
	following := "SELECT " + condition.Pair("?", "member_id") + " FROM identities WHERE subscribed = ?"
	if ids != nil {
		in, list := condition.Placed(ids)
		where, args = " AND id IN "+in, list
		following += " AND member_id IN " + in
	}
	if err := condition.Pairs(ctx, tx, put, following, append([]any{keyFollower, true}, args...)...); err != nil {
		return fmt.Errorf("member: index: %w", err)
	}
	out, err := tx.Statement.ConnPool.QueryContext(ctx, "SELECT id, joined_at IS NOT NULL, opted_out_at IS NOT NULL, gender, first_channel FROM members"+
		" WHERE merged_into IS NULL AND erased_at IS NULL"+where, args...)
	if err != nil {
		return fmt.Errorf("member: index: %w", err)
	}
	defer func() { _ = out.Close() }()
	var id, channel int64
	var joined, optedOut bool
	var gender string
	for out.Next() {
		if err := out.Scan(&id, &joined, &optedOut, &gender, &channel); err != nil {
			return fmt.Errorf("member: index: %w", err)
		}
		m := uint32(id)
		put(KeyEverybody, m)
		if joined {
			put(keyJoined, m)
		}
		if optedOut {
			put(keyOptedOut, m)
		}
		if key, ok := genders[gender]; ok {
			put(key, m)
		}
		if channel > 0 {
			put(channel, m)
		}
	}
	return out.Err()
}
