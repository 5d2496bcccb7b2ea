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

// KeyAuth lets the holder of an API key with the scope in.
func KeyAuth(ops *operator.Service, scope string) Auth {
	return Auth{
		Scheme: scope,
		About:  "An API key with the scope " + scope + ". The first start writes an admin key into data/admin.token.",
		Check: func(ctx context.Context, token string) error {
			key, err := ops.Key(ctx, token, scope)
			if err != nil {
				return err
			}
			SetActor(ctx, fmt.Sprintf("key:%d", key.ID))
			return nil
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
			r.member, r.actor = id, fmt.Sprintf("member:%d", id)
			return nil
		},
	}
}
