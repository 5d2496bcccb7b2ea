package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/siyu-scrm/siyu/model"
)

// digest is half a SHA-256 in hex: it fits Hash and Seal.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func instant(t *time.Time) int64 {
	if t == nil {
		return -1 << 62
	}
	return t.UnixMicro()
}

// inputHash tells a repeat of a posting from another posting under its key. It holds what the caller gave, not what came of it.
func inputHash(p Posting) string {
	occurred := int64(0) // not given: now
	if !p.OccurredAt.IsZero() {
		occurred = p.OccurredAt.UnixMicro()
	}
	return digest(fmt.Appendf(nil, "post\x00%d\x00%q\x00%d\x00%s\x00%q\x00%q\x00%q\x00%q\x00%d\x00%d\x00%t\x00%d\x00%d\x00%d\x00%d\x00%t",
		p.MemberID, p.Account, p.Amount, p.Kind, p.Reason, p.Note, p.Memo, p.Actor, p.RuleID, p.RuleVersion, p.Bonus, p.EventID,
		occurred, instant(p.ActivatesAt), instant(p.ExpiresAt), p.AllowDebt))
}

// text is what a digest is made of: values with a zero byte between them.
type text []byte

func (t *text) ints(ns ...int64) {
	for _, n := range ns {
		*t = append(strconv.AppendInt(*t, n, 10), 0)
	}
}

func (t *text) quoted(ss ...string) {
	for _, s := range ss {
		*t = append(strconv.AppendQuote(*t, s), 0)
	}
}

// seal covers all that an entry is and did, but for its own id: every column, the lots that it made, by id, and its moves, by lot.
func seal(e *model.Entry, lots []*model.Lot, moves []model.LotMove) string {
	t := make(text, 0, 512)
	t.ints(e.MemberID, e.Seq, e.Delta, e.Balance, e.Lifetime, e.RuleID, int64(e.RuleVersion), e.EventID, e.OriginID, e.ReversesID, e.Shortfall,
		e.OccurredAt.UnixMicro(), e.RecordedAt.UnixMicro())
	t.quoted(e.Account, e.Bucket, e.Kind, e.Reason, e.Note, e.Memo, e.Actor, e.Key, e.Hash, strconv.FormatBool(e.Bonus))
	for _, l := range lots {
		t.quoted("lot", l.Account)
		t.ints(l.MemberID, l.OriginID, l.Amount, instant(l.ActivatesAt), instant(born(l)), int64(l.SlideDays), int64(l.SlideMonths), l.EarnedAt.UnixMicro())
	}
	for _, m := range moves {
		t.quoted("move")
		t.ints(m.LotID, m.Delta)
	}
	return digest(t)
}
