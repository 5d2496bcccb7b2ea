package condition

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/templates"
)

type randomArgs struct {
	Percent *float64 `json:"percent"`
	Salt    string   `json:"salt"`
}

// random holds for percent of the members, the same ones each time: those whose hash with the salt is small enough. With one
// salt, a larger percent contains a smaller one; another salt draws anew. Percent goes to two decimals.
func random() Leaf {
	args := Remember(decodeRandom)
	return Leaf{
		Name: "random",
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			_, err := decodeRandom(raw)
			return err
		},
		Eval: func(_ context.Context, _ *gorm.DB, s *Subject, raw json.RawMessage) (Verdict, error) {
			a, err := args(raw)
			if err != nil {
				return Verdict{}, err
			}
			b := bucket(uint32(s.MemberID), a.Salt) // ids fit 32 bits
			return Verdict{Holds: b < a.limit(), Saw: float64(b) / 100}, nil
		},
		Members: func(_ context.Context, _ *gorm.DB, _ time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := decodeRandom(raw)
			if err != nil {
				return nil, err
			}
			found := roaring.New()
			for it := universe.Iterator(); it.HasNext(); {
				if id := it.Next(); bucket(id, a.Salt) < a.limit() {
					found.Add(id)
				}
			}
			return found, nil
		},
		Moves: Still,
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := decodeRandom(raw)
			if err != nil {
				return "", err
			}
			percent := strconv.FormatFloat(*a.Percent, 'f', -1, 64)
			return templates.T(lang, "condition.random", map[string]any{"percent": percent, "salt": a.Salt}), nil
		},
	}
}

func decodeRandom(raw json.RawMessage) (a randomArgs, err error) {
	if err := DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	switch {
	case a.Percent == nil:
		return a, errs.Field("percent", "condition.arg_required")
	case *a.Percent < 0 || *a.Percent > 100 || math.Abs(*a.Percent*100-math.Round(*a.Percent*100)) > 1e-6:
		return a, errs.Field("percent", "condition.arg_percent")
	case a.Salt == "":
		return a, errs.Field("salt", "condition.arg_required")
	case len(a.Salt) > maxWordLen:
		return a, errs.Field("salt", "condition.arg_word", "limit", maxWordLen)
	}
	return a, nil
}

// limit is the first bucket outside.
func (a randomArgs) limit() uint64 { return uint64(math.Round(*a.Percent * 100)) }

// bucket is 0…9999, even over the members. It must never change: experiments that run depend on it.
func bucket(id uint32, salt string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(salt))
	_, _ = h.Write(binary.BigEndian.AppendUint32(nil, id))
	x := h.Sum64()
	// FNV alone leaves neighbouring ids in neighbouring buckets: mix (MurmurHash3's finaliser).
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x % 10000
}
