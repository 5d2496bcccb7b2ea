// Package link joins the accounts of one person where WeChat gives no unionid: the mini-program shows a one-time code, and who types it in
// the official account is he.
package link

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of link codes.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	members *member.Service
	box     *config.Box
}

// New returns the service.
func New(d *db.DB, c clock.Clock, m *member.Service, box *config.Box) *Service {
	return &Service{db: d, clock: c, members: m, box: box}
}

// Part says what becomes of codes: one that the loser of a merge asked for still leads to the survivor.
func (s *Service) Part() member.Part {
	return member.Part{Name: "link", Tables: []member.Table{{
		Row: &model.LinkCode{}, Undo: member.Own, Hidden: "a code that is over within minutes", Erase: member.Delete,
	}}}
}

const (
	life      = 10 * time.Minute
	window    = 10 * time.Minute // in which so many codes may be asked for, and so many wrong ones typed
	maxIssued = 5
	maxWrong  = 5

	prefix   = "BD"                            // 绑定: no other text begins so by chance and ends like a code
	alphabet = "23456789BCDFGHJKLMNPQRSTVWXYZ" // nothing that looks like another, and no words
	random   = 6                               // characters: 600 million codes
)

// Issued is a code as it is stored with the answer of a request: sealed.
type Issued struct {
	Sealed    string    `json:"sealed"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Issue makes a code for a person; an earlier one of his ends.
func (s *Service) Issue(ctx context.Context, memberID int64) (*Issued, error) {
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (Issued, error) {
		now := s.clock.Now()
		id, err := s.members.ActTx(tx, memberID, now, false)
		if err != nil {
			return Issued{}, err
		}
		row, err := s.row(tx, id, now)
		if err != nil {
			return Issued{}, err
		}
		if row.Issued >= maxIssued {
			return Issued{}, tooMany("link.asked_often", row, now)
		}
		row.Issued++
		row.ExpiresAt = now.Add(life)
		code, err := s.save(tx, row)
		return Issued{Sealed: s.box.Seal("link", []byte(code)), ExpiresAt: row.ExpiresAt}, err
	})
	return &out, err
}

// Code is the code that was issued.
func (s *Service) Code(i *Issued) (string, error) {
	code, err := s.box.Open("link", i.Sealed)
	return string(code), err
}

// save gives the row a code that nobody else has.
func (s *Service) save(tx *gorm.DB, row *model.LinkCode) (code string, err error) {
	for range 5 {
		code = newCode()
		hash := s.box.BlindIndex("link", code)
		row.Hash = &hash
		err = tx.Transaction(func(tx *gorm.DB) error {
			return tx.Model(row).Select("hash", "expires_at", "window_at", "issued", "wrong").Updates(row).Error
		})
		if !errors.Is(err, gorm.ErrDuplicatedKey) {
			return code, err
		}
	}
	return "", fmt.Errorf("link: no free code: %w", err)
}

func newCode() string {
	b := []byte(prefix)
	for range random {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			panic(err) // crypto/rand does not fail
		}
		b = append(b, alphabet[n.Int64()])
	}
	return string(b)
}

// row is the row of a member, whose lock the caller holds; its counts are those of the window.
func (s *Service) row(tx *gorm.DB, memberID int64, at time.Time) (*model.LinkCode, error) {
	row := model.LinkCode{MemberID: memberID, ExpiresAt: at, WindowAt: at}
	dup, err := db.Insert(tx, &row)
	if err == nil && dup {
		err = tx.Take(&row, "member_id = ?", memberID).Error
	}
	if err != nil {
		return nil, fmt.Errorf("link: row: %w", err)
	}
	if !at.Before(row.WindowAt.Add(window)) {
		row.WindowAt, row.Issued, row.Wrong = at, 0, 0
	}
	return &row, nil
}

func tooMany(key string, row *model.LinkCode, at time.Time) *errs.Error {
	left := row.WindowAt.Add(window).Sub(at)
	return errs.New(errs.RateLimited, key, "retry_after", ceil(left, time.Second), "minutes", ceil(left, time.Minute))
}

func ceil(d, unit time.Duration) int { return int((d + unit - 1) / unit) }

var codeRule = regexp.MustCompile(`^` + prefix + `[` + alphabet + `]{` + fmt.Sprint(random) + `}$`)

// Typed finds the code that a text is: written small, full-width, with spaces or dashes, or after 绑定.
func Typed(text string) (code string, ok bool) {
	if len(text) > 100 {
		return "", false
	}
	text = strings.TrimPrefix(strings.TrimSpace(text), "绑定")
	code = strings.ToUpper(strings.Map(func(r rune) rune {
		switch {
		case r >= '!'+0xfee0 && r <= '~'+0xfee0:
			r -= 0xfee0
		case r == '\u3000' || r == ':':
			return -1
		}
		if r == ' ' || r == '-' || r == ':' {
			return -1
		}
		return r
	}, text))
	return code, codeRule.MatchString(code)
}
