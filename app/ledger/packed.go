package ledger

import (
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// packed is a row that the database gives as one value: its numbers and times, then the length of each text, a bar after each, then the
// texts. Verify reads tables as a whole; SQLite's driver takes locks, boxes and guesses formats for every column, which was most of the time.
type packed struct {
	rest []byte
	size []int // of the texts still to come
	err  error
}

// pack is the column that makes a packed row of a query. Times that may be missing come as "-".
func pack(tx *gorm.DB, numbers, texts string) string {
	list := strings.Fields(numbers)
	for i, c := range list {
		if name, ok := strings.CutSuffix(c, "?"); ok {
			list[i] = "COALESCE(" + name + ", '-')"
		}
	}
	for _, c := range strings.Fields(texts) {
		list = append(list, "OCTET_LENGTH("+c+")")
	}
	blob := "BINARY"
	if tx.Name() == db.SQLite {
		blob = "BLOB"
	}
	return "CAST(CONCAT_WS('|', " + strings.Join(list, ", ") + ", CONCAT(" + strings.Join(strings.Fields(texts), ", ") + ")) AS " + blob + ")"
}

// eachPacked runs do on each row of the query, which selects one pack of the table; do leaves a row alone that is not ok: it is reported.
func (v *verifier) eachPacked(table string, q *gorm.DB, do func(*packed)) error {
	rows, err := q.Rows()
	if err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var p packed
	for rows.Next() {
		var whole sql.RawBytes
		if err := rows.Scan(&whole); err != nil {
			return fmt.Errorf("ledger: verify: %w", err)
		}
		p.rest, p.err = whole, nil
		if do(&p); !p.ok() {
			v.differ(Mismatch{Table: table, Column: "*"}, "a row that can be read", fmt.Sprintf("%q: %v", whole, p.err))
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ledger: verify: %w", err)
	}
	return nil
}

func (p *packed) ok() bool { return p.err == nil }

func (p *packed) field() []byte {
	f, rest, ok := bytes.Cut(p.rest, []byte("|"))
	if !ok && p.err == nil {
		p.err = fmt.Errorf("a row ends at %q", p.rest)
	}
	p.rest = rest
	return f
}

func (p *packed) int() int64 {
	f := p.field()
	n, err := strconv.ParseInt(string(f), 10, 64)
	p.err = cmp.Or(p.err, err)
	return n
}

// time reads a time as the databases write it, in UTC: zero for none.
func (p *packed) time() (t time.Time) {
	f := p.field()
	if string(f) == "-" {
		return t
	}
	var buf [40]byte
	b := append(buf[:0], f...)
	if len(b) > 10 {
		b[10] = 'T'
	}
	if !bytes.HasSuffix(b, []byte(":00")) || !bytes.Contains(b, []byte("+")) { // MySQL names no zone
		b = append(b, 'Z')
	}
	p.err = cmp.Or(p.err, t.UnmarshalText(b))
	return t.UTC()
}

func (p *packed) at() *time.Time {
	if t := p.time(); !t.IsZero() {
		return &t
	}
	return nil
}

// texts reads the texts, which are the last of a row.
func (p *packed) texts(into ...*string) {
	p.size = p.size[:0]
	for range into {
		p.size = append(p.size, int(p.int()))
	}
	for i, n := range p.size {
		if !p.ok() || n < 0 || n > len(p.rest) {
			p.err = errors.Join(p.err, fmt.Errorf("a row ends at %q", p.rest))
			return
		}
		*into[i], p.rest = string(p.rest[:n]), p.rest[n:]
	}
}

// eachLot runs do on the lots of the members.
func (v *verifier) eachLot(tx *gorm.DB, from, to int64, do func(*model.Lot)) error {
	return v.eachPacked("lots", tx.Raw("SELECT "+pack(tx, "id member_id open entry_id origin_id amount remaining active slide_days slide_months activates_at? expires_at?"+
		" born_until? earned_at", "account")+" FROM lots WHERE member_id >= ? AND member_id < ?", from, to), func(p *packed) {
		l := model.Lot{
			ID: p.int(), MemberID: p.int(), Open: p.int() != 0, EntryID: p.int(), OriginID: p.int(), Amount: p.int(), Remaining: p.int(), Active: p.int() != 0,
			SlideDays: int(p.int()), SlideMonths: int(p.int()), ActivatesAt: p.at(), ExpiresAt: p.at(), BornUntil: p.at(), EarnedAt: p.time(),
		}
		p.texts(&l.Account)
		if p.ok() {
			do(&l)
		}
	})
}

// eachEntry runs do on the entries of the members, as each account got them.
func (v *verifier) eachEntry(tx *gorm.DB, from, to int64, do func(*model.Entry)) error {
	return v.eachPacked("entries", tx.Raw("SELECT "+pack(tx, "id member_id seq delta balance lifetime rule_id rule_version bonus event_id origin_id reverses_id shortfall occurred_at"+
		" recorded_at", "account bucket kind reason note memo actor `key` hash seal")+
		" FROM entries WHERE member_id >= ? AND member_id < ? ORDER BY member_id, account, seq", from, to), func(p *packed) {
		e := model.Entry{
			ID: p.int(), MemberID: p.int(), Seq: p.int(), Delta: p.int(), Balance: p.int(), Lifetime: p.int(), RuleID: p.int(), RuleVersion: int(p.int()),
			Bonus: p.int() != 0, EventID: p.int(), OriginID: p.int(), ReversesID: p.int(), Shortfall: p.int(), OccurredAt: p.time(), RecordedAt: p.time(),
		}
		p.texts(&e.Account, &e.Bucket, &e.Kind, &e.Reason, &e.Note, &e.Memo, &e.Actor, &e.Key, &e.Hash, &e.Seal)
		if p.ok() {
			do(&e)
		}
	})
}

// eachBalance runs do on the balances of the members.
func (v *verifier) eachBalance(tx *gorm.DB, from, to int64, do func(*model.Balance)) error {
	return v.eachPacked("balances", tx.Raw("SELECT "+pack(tx, "member_id seq available pending held lifetime next_due_at?", "account")+
		" FROM balances WHERE member_id >= ? AND member_id < ?", from, to), func(p *packed) {
		b := model.Balance{MemberID: p.int(), Seq: p.int(), Available: p.int(), Pending: p.int(), Held: p.int(), Lifetime: p.int(), NextDueAt: p.at()}
		p.texts(&b.Account)
		if p.ok() {
			do(&b)
		}
	})
}
