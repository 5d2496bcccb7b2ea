package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// seal covers all that an entry is and did, but for its own id: every column, the lots that it made, by id, and its moves, by lot.
func seal(e *model.Entry, lots []*model.Lot, moves []model.LotMove) string {
	b := fmt.Appendf(make([]byte, 0, 512), "%d\x00%q\x00%d\x00%s\x00%d\x00%d\x00%d\x00%s\x00%q\x00%q\x00%q\x00%q\x00%d\x00%d\x00%t\x00%d\x00%d\x00%d\x00%d\x00%d\x00%d\x00%q\x00%s",
		e.MemberID, e.Account, e.Seq, e.Bucket, e.Delta, e.Balance, e.Lifetime, e.Kind, e.Reason, e.Note, e.Memo, e.Actor, e.RuleID,
		e.RuleVersion, e.Bonus, e.EventID, e.OriginID, e.ReversesID, e.Shortfall, e.OccurredAt.UnixMicro(), e.RecordedAt.UnixMicro(), e.Key, e.Hash)
	for _, l := range lots {
		b = fmt.Appendf(b, "\x00lot %d %q %d %d %d %d %d %d %d", l.MemberID, l.Account, l.OriginID, l.Amount,
			instant(l.ActivatesAt), instant(born(l)), l.SlideDays, l.SlideMonths, l.EarnedAt.UnixMicro())
	}
	for _, m := range moves {
		b = fmt.Appendf(b, "\x00move %d %d", m.LotID, m.Delta)
	}
	return digest(b)
}
