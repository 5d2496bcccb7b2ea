package radar

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// Kinds of tokens. Each is its kind and its ids, signed: nobody makes one up, and none serves as another.
const (
	sentToken    = 's' // link, run, member: what a message carries; it needs no row until it is opened
	shareToken   = 'f' // share: what was forwarded
	viewToken    = 'v' // view: whoever holds it goes on with that opening
	visitorToken = 'u' // visitor: kept by a browser
)

const macSize = 12

func (s *Service) token(kind byte, ids ...int64) string {
	b := []byte{kind}
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id)) //nolint:gosec // ids are positive
	}
	return base64.RawURLEncoding.EncodeToString(append(b, s.mac(b)...))
}

func (s *Service) mac(b []byte) []byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write(b)
	return h.Sum(nil)[:macSize]
}

var strict = base64.RawURLEncoding.Strict()

// open reads a token of one of the kinds; ids is nil for anything else.
func (s *Service) open(token string, kinds ...byte) (kind byte, ids []int64) {
	if len(token) > 100 {
		return 0, nil
	}
	raw, err := strict.DecodeString(token)
	if err != nil || len(raw) <= macSize {
		return 0, nil
	}
	b, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	if !hmac.Equal(mac, s.mac(b)) || !slices.Contains(kinds, b[0]) {
		return 0, nil
	}
	for rest := b[1:]; len(rest) > 0; {
		id, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, nil
		}
		ids, rest = append(ids, int64(id)), rest[n:] //nolint:gosec // we wrote it
	}
	return b[0], ids
}

// id is what a token of the kind names; 0 if it is none.
func (s *Service) id(token string, kind byte) int64 {
	if _, ids := s.open(token, kind); len(ids) == 1 {
		return ids[0]
	}
	return 0
}
