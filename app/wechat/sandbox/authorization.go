package sandbox

import "context"

// takeBack takes back a permission of the mini-program (info is RevokeInfo, FACTS 2.6).
func (s *Sandbox) takeBack(ctx context.Context, id, name, info string) (Seen, error) {
	return s.authorization(ctx, id, name, "user_authorization_revoke", info)
}

// closeAccount ends the person's WeChat account, as the mini-program hears of it.
func (s *Sandbox) closeAccount(ctx context.Context, id, name string) (Seen, error) {
	return s.authorization(ctx, id, name, "user_authorization_cancellation", "")
}

// authorization pushes an event that the platform sends, not the person: he stands in OpenID.
func (s *Sandbox) authorization(ctx context.Context, id, name, event, info string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, _ *person, a *account) (*pushEvent, error) {
		fields := []field{{"OpenID", a.openid(n)}, {"AppID", a.AppID}}
		if info != "" {
			fields = append(fields, field{"RevokeInfo", info})
		}
		ev := s.event(a, n, event, info, fields...)
		ev.fields[1] = field{"FromUserName", a.prefix + "PlatPlatPlatPlatPlatP"}
		return ev, nil
	})
}
