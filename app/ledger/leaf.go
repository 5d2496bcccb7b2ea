package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Bases of the leaf "account".
const (
	BasisAvailable = "available" // what is usable at the instant; below zero: debt
	BasisLifetime  = "lifetime"  // ever earned and not taken back
)

// leafArgs is {"account":"growth","basis":"lifetime","op":"gte","value":1000}.
type leafArgs struct {
	Account string       `json:"account"`
	Basis   string       `json:"basis"` // "" = available
	Op      condition.Op `json:"op"`
	Value   int64        `json:"value"`
}

func readLeaf(raw json.RawMessage) (a leafArgs, err error) {
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	if a.Basis == "" {
		a.Basis = BasisAvailable
	}
	switch {
	case a.Account == "":
		return a, errs.Field("account", "condition.arg_required")
	case a.Basis != BasisAvailable && a.Basis != BasisLifetime:
		return a, errs.Field("basis", "condition.account.basis")
	case beyond(a.Value):
		return a, errs.Field("value", "ledger.amount", "limit", int64(maxValue))
	}
	if !slices.Contains([]condition.Op{condition.Gte, condition.Lte, condition.Eq, condition.Ne}, a.Op) {
		return a, errs.Field("op", "condition.arg_op", "want", "gte, lte, eq, ne")
	}
	return a, nil
}

func (a leafArgs) compare(n int64) bool {
	switch a.Op {
	case condition.Gte:
		return n >= a.Value
	case condition.Lte:
		return n <= a.Value
	case condition.Ne:
		return n != a.Value
	}
	return n == a.Value
}

// of is what the leaf compares.
func (a leafArgs) of(s *sheet) int64 {
	if a.Basis == BasisLifetime {
		return s.Lifetime
	}
	return s.Available
}

// Leaf is the leaf "account": what a member holds, or ever earned, in an account. Who never had anything there has 0.
func Leaf() condition.Leaf {
	return condition.Leaf{
		Name: "account",
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			a, err := readLeaf(raw)
			if err != nil {
				return err
			}
			_, err = Account(tx, a.Account)
			return errs.AtField(err, "account")
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, err := readLeaf(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			p, err := newPage(tx, s.At, []int64{s.MemberID}, a.Account)
			if err == nil {
				err = p.settle()
			}
			if err != nil {
				return condition.Verdict{}, err
			}
			sheet := p.sheet(s.MemberID, a.Account)
			n := a.of(sheet)
			if s.Ahead != nil {
				n += s.Ahead.Earned[a.Account]
			}
			v := condition.Verdict{Holds: a.compare(n), Saw: n}
			if sheet.NextDueAt != nil {
				v.FlipsAt = *sheet.NextDueAt
			}
			return v, nil
		},
		Members: leafMembers,
		Moves: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := readLeaf(raw)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(tx.Model(&model.Balance{}).Select("member_id").Where("account = ? AND next_due_at IS NOT NULL", a.Account))
		},
		Sentence: func(_ context.Context, tx *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := readLeaf(raw)
			if err != nil {
				return "", err
			}
			row, err := Account(tx, a.Account)
			if err != nil {
				return "", err
			}
			return templates.T(lang, "condition.account."+a.Basis, map[string]any{
				"account": NameOf(lang, row.Code, row.Name), "op": templates.T(lang, "condition.op."+string(a.Op), nil), "value": a.Value,
			}), nil
		},
		Triggers: func(json.RawMessage) []string { return []string{condition.AnyEvent} },
	}
}

// NameOf is what an account is called: by its own name, where the operator gave one, else by the locale.
func NameOf(lang, code, own string) string {
	switch key := "account." + code; {
	case own != "":
		return own
	case templates.Has(key):
		return templates.T(lang, key, nil)
	}
	return code
}

// leafMembers reads the balances as they stand; only those on which something fell due and is not written yet are settled, in memory.
func leafMembers(_ context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
	a, err := readLeaf(raw)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Raw("SELECT member_id, "+a.Basis+", CASE WHEN next_due_at <= ? THEN 1 ELSE 0 END FROM balances WHERE account = ?", micro(at), a.Account).Rows()
	if err != nil {
		return nil, fmt.Errorf("ledger: leaf: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := roaring.New()
	if a.compare(0) { // who has no row has nothing
		out.Or(universe)
	}
	put := func(id, n int64) {
		if a.compare(n) {
			out.Add(uint32(id))
		} else {
			out.Remove(uint32(id))
		}
	}
	var due []int64
	for rows.Next() {
		var id, n int64
		var late bool
		if err := rows.Scan(&id, &n, &late); err != nil {
			return nil, fmt.Errorf("ledger: leaf: %w", err)
		}
		if late && universe.Contains(uint32(id)) {
			due = append(due, id)
		} else {
			put(id, n)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ledger: leaf: %w", err)
	}
	for ids := range slices.Chunk(due, batch) {
		p, err := newPage(tx, at, ids, a.Account)
		if err == nil {
			err = p.settle()
		}
		if err != nil {
			return nil, err
		}
		for k, s := range p.sheets {
			put(k.member, a.of(s))
		}
	}
	return out, nil
}
