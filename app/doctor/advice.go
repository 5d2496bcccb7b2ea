package doctor

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/siyu-scrm/siyu/app/wechat"
)

var addressRule = regexp.MustCompile(`invalid ip ([0-9a-fA-F.:]+)`)

// advice is what to do about a failure of WeChat's API.
func (e *examination) advice(err error) string {
	if err == nil {
		return "WeChat told nothing"
	}
	variable := "SIYU_WECHAT_" + strings.ToUpper(strings.ReplaceAll(e.account.Name, "-", "_")) + "_SECRET"
	switch code := wechat.CodeOf(err); code {
	case 40164:
		var api *wechat.APIError
		ip := "the address of this server"
		if errors.As(err, &api) {
			if m := addressRule.FindStringSubmatch(api.Msg); m != nil {
				ip = m[1]
			}
		}
		return fmt.Sprintf("%s is not in the IP whitelist (40164): add it at mp.weixin.qq.com (设置与开发 → 开发接口管理 → IP白名单)", ip)
	case 40001, 40125:
		return fmt.Sprintf("the secret is wrong (%d): copy the AppSecret from mp.weixin.qq.com, or reset it there, and set it as %s", code, variable)
	case 40013, 41002:
		return fmt.Sprintf("WeChat does not know the appid %s (%d): compare it with mp.weixin.qq.com", e.account.AppID, code)
	case 40243:
		return "the secret is frozen (40243): unfreeze it at mp.weixin.qq.com"
	case 89503, 89506, 89507:
		return fmt.Sprintf("WeChat waits until an administrator allows this server's address (%d): he finds the question in his WeChat", code)
	case 48001:
		return "the account has no right to this (48001): it must be verified, and of the kind that the settings name"
	case 48004:
		return "WeChat has banned this call for the account (48004): see the notices at mp.weixin.qq.com"
	case 45009:
		return "the calls of today are used up (45009): it goes on after midnight in Beijing"
	case 45011:
		return "too many calls in this minute (45011): look again in a minute"
	}
	if class := wechat.ClassOf(err); class == wechat.ClassNotSent || class == wechat.ClassAmbiguous {
		return fmt.Sprintf("WeChat was not reached or did not answer: this server must be allowed to call api.weixin.qq.com by HTTPS (%v)", err)
	}
	return err.Error()
}
