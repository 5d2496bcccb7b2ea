package broadcast

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Trial holds people back, to see what the messages bring, and tries several contents. Who is in which group follows from his number and
// the salt alone: the same at every firing.
type Trial struct {
	Holdout  int       `json:"holdout,omitempty" minimum:"0" maximum:"50" doc:"Percent of those who meet the condition to whom nothing is sent."`
	Salt     string    `json:"salt,omitempty" maxLength:"64" doc:"Broadcasts with one salt hold the same people back; by default each has its own."`
	Variants []Variant `json:"variants,omitempty" maxItems:"2" doc:"B and C. The broadcast's own message is A and goes to the rest."`
}

// Variant is another content.
type Variant struct {
	Share   int           `json:"share" minimum:"1" maximum:"99" doc:"Percent of those who are sent to."`
	Message reach.Message `json:"message"`
}

// variantNames are those of the own message and of the variants.
var variantNames = []string{"A", "B", "C"}

const (
	maxHoldout = 50
	buckets    = 10_000
)

// bucket is where a member falls: evenly over [0, buckets), and independent for each salt.
func bucket(memberID int64, salt string) int {
	sum := sha256.Sum256(strconv.AppendInt([]byte(salt+"\x00"), memberID, 10))
	return int(binary.BigEndian.Uint64(sum[:8]) % buckets) //nolint:gosec // below buckets
}

// Group says what a trial does with a member: held back, or which variant he gets, 0 being the broadcast's own message.
func (t *Trial) Group(memberID int64) (held bool, variant int) {
	if t.Holdout > 0 && bucket(memberID, "holdout\x00"+t.Salt) < t.Holdout*buckets/100 {
		return true, 0
	}
	if len(t.Variants) == 0 {
		return false, 0
	}
	at, from := bucket(memberID, "variant\x00"+t.Salt), 0
	for i, v := range t.Variants {
		if from += v.Share * buckets / 100; at < from {
			return false, i + 1
		}
	}
	return false, 0
}

// split divides members into the held back and those of each variant.
func (t *Trial) split(members *roaring.Bitmap) (held *roaring.Bitmap, groups []*roaring.Bitmap) {
	held, groups = roaring.New(), make([]*roaring.Bitmap, 1+len(t.Variants))
	for i := range groups {
		groups[i] = roaring.New()
	}
	if t.Holdout == 0 && len(t.Variants) == 0 {
		groups[0] = members
		return held, groups
	}
	for it := members.Iterator(); it.HasNext(); {
		id := it.Next()
		if back, n := t.Group(int64(id)); back {
			held.Add(id)
		} else {
			groups[n].Add(id)
		}
	}
	return held, groups
}

// validate refuses what cannot be tried; check looks at one message.
func (t *Trial) validate(check func(reach.Message) error) error {
	shares := 0
	for i, v := range t.Variants {
		if shares += v.Share; v.Share < 1 || shares > 99 {
			return errs.Field(fmt.Sprintf("trial.variants[%d].share", i), "broadcast.share")
		}
		if err := check(v.Message); err != nil {
			return errs.Under(err, fmt.Sprintf("trial.variants[%d]", i))
		}
	}
	switch {
	case t.Holdout < 0 || t.Holdout > maxHoldout:
		return errs.Field("trial.holdout", "broadcast.holdout", "limit", maxHoldout)
	case len(t.Variants) >= len(variantNames):
		return errs.Field("trial.variants", "broadcast.variants", "limit", len(variantNames)-1)
	case len(t.Salt) > 64:
		return errs.Field("trial.salt", "broadcast.salt")
	}
	return nil
}

// trialOf reads the trial of a broadcast. Its own salt is its number.
func trialOf(b *model.Broadcast) (t Trial, err error) {
	if err := b.Trial.Into(&t); err != nil {
		return t, fmt.Errorf("trial of %d: %w", b.ID, err)
	}
	if t.Salt == "" {
		t.Salt = "broadcast:" + strconv.FormatInt(b.ID, 10)
	}
	return t, nil
}
