package web

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/app/operator"
)

// Auth is a kind of credential: its name in the OpenAPI document, and the check that makes the caller known.
type Auth struct {
	Scheme string
	About  string
	Check  func(ctx context.Context, token string) error
}

// keyScheme is the name of API keys in the document.
const keyScheme = "key"

// Needs is the Security of an operation that asks for a right, in the OpenAPI document and of the caller.
func Needs(r operator.Right) []map[string][]string {
	return []map[string][]string{{keyScheme: {string(r)}}}
}

// KeyAuth lets the holders of API keys in. Each operation says with Needs which right it asks for.
func KeyAuth(ops *operator.Service) Auth {
	return Auth{
		Scheme: keyScheme,
		About:  "An API key. Each operation names the right that it asks for; a key's scopes are rights, admin (all) or open (those of the open API). The first start writes an admin key into data/admin.token.",
		Check: func(ctx context.Context, token string) error {
			caller, err := ops.Key(ctx, token)
			SetCaller(ctx, caller)
			return err
		},
	}
}

// MemberAuth lets the holder of a member token in. check holds the version against the member's own and returns who he is now:
// after a merge that is the survivor.
func MemberAuth(tokens *Tokens, check func(ctx context.Context, memberID int64, version int) (int64, error)) Auth {
	return Auth{
		Scheme: "member",
		About:  "The token that POST /api/v1/login answers. TOKEN_EXPIRED means: log in again.",
		Check: func(ctx context.Context, token string) error {
			id, version, err := tokens.Verify(token)
			if err != nil {
				return err
			}
			if id, err = check(ctx, id, version); err != nil {
				return err
			}
			r := requestOf(ctx)
			r.member, r.caller.Name = id, fmt.Sprintf("member:%d", id)
			return nil
		},
	}
}
