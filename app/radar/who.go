package radar

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
)

// Ask is where a link opened inside WeChat sends its reader first, to be known by his openid; "" where siyu cannot ask, or knows this
// visitor already. nonce is what his browser keeps meanwhile: nobody else can come back in his name.
func (s *Service) Ask(ctx context.Context, token, nonce, visitor string) (string, error) {
	if s.OA == "" || s.Base == "" {
		return "", nil
	}
	known, err := s.visitor(s.DB.Reader(ctx), visitor)
	if err != nil || known != nil && known.MemberID != 0 {
		return "", err
	}
	return s.WeChat.AuthorizeURL(s.OA, s.Base+Route+token, s.stateOf(token, nonce))
}

// Answered is who came back from there. A state that is not that of his browser, and a code that is not good, say nothing of him: he is a
// visitor, as if siyu had not asked.
func (s *Service) Answered(ctx context.Context, token, nonce, visitor, code, state string) Viewer {
	who := Viewer{Visitor: visitor}
	if s.OA == "" || nonce == "" || !hmac.Equal([]byte(state), []byte(s.stateOf(token, nonce))) {
		return who
	}
	reader, err := s.WeChat.ReaderOf(ctx, s.OA, code)
	if err != nil {
		slog.WarnContext(ctx, "radar: who reads is not known", "error", err)
		return who
	}
	refs := []member.Ref{{Account: s.OA, OpenID: reader.OpenID}}
	if reader.UnionID != "" {
		refs = append(refs, member.Ref{UnionID: reader.UnionID})
	}
	for _, ref := range refs {
		m, err := s.Members.Find(ctx, ref)
		if err == nil {
			who.MemberID = m.ID
			return who
		}
		if errs.CodeOf(err) != errs.NotFound {
			slog.ErrorContext(ctx, "radar: who reads", "error", err)
			return who
		}
	}
	who.Stranger = true
	return who
}

// stateOf binds the answer to the link and to the browser that was sent to ask. WeChat takes letters and digits.
func (s *Service) stateOf(token, nonce string) string {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte("web\x00" + nonce + "\x00" + token))
	return hex.EncodeToString(h.Sum(nil))[:40]
}
