package member

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Grant is something that an act earned.
type Grant struct {
	Account string `json:"account" example:"points" doc:"Empty for coupons"`
	Coupon  string `json:"coupon,omitempty" example:"满148减20" doc:"Name of a coupon; amount says how many"`
	Amount  int64  `json:"amount" example:"5"`
	Balance int64  `json:"balance,omitempty" doc:"Of the account afterwards; absent in forecasts and where nothing was left to give."`
	Bonus   bool   `json:"bonus" doc:"true: beside the base, as for a streak"`
	Rule    *Rule  `json:"rule"`
	Note    string `json:"note,omitempty" example:"DAILY_CAP" doc:"What cut the amount"`
	Text    string `json:"text" example:"+5 积分" doc:"Ready to show"`
}

// Rule is the rule behind a grant or a line.
type Rule struct {
	ID   web.ID `json:"id"`
	Name string `json:"name" example:"每日签到"`
}

// grants shows what members may see: tags are the operator's own business.
func grants(ctx context.Context, all []event.Grant) []Grant {
	shown := make([]Grant, 0, len(all))
	for _, g := range all {
		if g.Account == "" && g.Coupon == "" {
			continue
		}
		v := Grant{Account: g.Account, Coupon: g.Coupon, Amount: g.Amount, Balance: g.Balance, Bonus: g.Bonus, Note: g.Note}
		v.Text = grantText(g.Coupon, g.Amount, ledger.NameOf(web.Lang(ctx), g.Account, ""))
		if g.RuleID != 0 {
			v.Rule = &Rule{ID: web.IDOf(g.RuleID), Name: g.Rule}
		}
		shown = append(shown, v)
	}
	return shown
}

// grantText is so many of a coupon, or so much of an account.
func grantText(coupon string, n int64, account string) string {
	if coupon != "" {
		return fmt.Sprintf("%s ×%d", coupon, n)
	}
	return fmt.Sprintf("%+d %s", n, account)
}
