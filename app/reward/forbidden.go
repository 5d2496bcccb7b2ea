package reward

import (
	"strings"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// forbidden are the words of a behaviour that WeChat punishes accounts for rewarding: sharing, and accepting messages.
var forbidden = map[string]string{
	"share": "sharing", "shared": "sharing", "sharing": "sharing", "forward": "sharing", "forwarded": "sharing", "repost": "sharing",
	"moments": "sharing", "fenxiang": "sharing", "zhuanfa": "sharing",
	"accept": "accepting", "accepted": "accepting", "acceptance": "accepting", "subscribe": "accepting", "subscribed": "accepting",
	"subscription": "accepting", "subscribemsg": "accepting", "subscribemessage": "accepting", "dingyue": "accepting",
}

// rewardless says why an event may not be rewarded; "" = it may. What other systems push is told by the words of its action.
func rewardless(kind string) string {
	if kind == model.EventRadarForwarded || kind == model.EventRadarGraded { // a grade may come of forwards
		return "sharing"
	}
	action, pushed := strings.CutPrefix(kind, model.EventBehavior+".")
	if !pushed {
		return ""
	}
	for _, word := range strings.FieldsFunc(action, func(r rune) bool { return r == '.' || r == '_' || r == '-' }) {
		if why := forbidden[word]; why != "" {
			return why
		}
	}
	return ""
}

// refuseForbidden refuses a rule that rewards sharing or the acceptance of messages, by its trigger or by its condition.
func refuseForbidden(trigger string, c condition.Tree) error {
	if why := rewardless(trigger); why != "" {
		return errs.Field("trigger", "reward.forbidden_"+why, "kind", trigger)
	}
	for _, raw := range c.ArgsOf("did") {
		var did struct {
			Event string `json:"event"`
		}
		if err := model.JSON(raw).Into(&did); err != nil {
			continue // the registry says what is wrong with it
		}
		if why := rewardless(did.Event); why != "" {
			return errs.Field("condition", "reward.forbidden_"+why, "kind", did.Event)
		}
	}
	return nil
}
