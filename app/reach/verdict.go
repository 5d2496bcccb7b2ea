package reach

import (
	"errors"
	"strconv"
	"strings"

	"github.com/siyu-scrm/siyu/app/carrier"
	"github.com/siyu-scrm/siyu/app/wechat"
)

// Read is the Verdict on an error of wechat.Client: the default of Options.Classify.
func Read(err error) Verdict {
	var c *carrier.Error
	if errors.As(err, &c) {
		v := Verdict{Outcome: Outcome(c.Outcome), Text: strings.TrimSpace(c.Code + " " + c.Text)}
		if v.Outcome == Refused {
			v.Text = refused + " " + v.Text
		}
		return v
	}
	v := Verdict{Outcome: Unknown, Code: wechat.CodeOf(err), Text: err.Error()}
	var api *wechat.APIError
	if errors.As(err, &api) {
		v.Text = api.Msg
	}
	switch wechat.ClassOf(err) {
	case wechat.ClassNotSent, wechat.ClassTransient, wechat.ClassTokenDead:
		v.Outcome = NotSent
	case wechat.ClassMinuteLimit:
		v.Outcome = MinuteLimit
	case wechat.ClassDayQuota:
		v.Outcome = DayLimit
	case wechat.ClassConfig:
		v.Outcome = Broken
	case wechat.ClassWindow:
		v.Outcome = Window
	case wechat.ClassRecipient, wechat.ClassContent, wechat.ClassRefused:
		v.Outcome = Refused
	}
	switch v.Code {
	case 43101:
		v.Outcome = Unaccepted
	case 45066:
		v.Outcome = TooSoon
	}
	return v
}

// refused is the first word on a row whose number or text a provider refused.
const refused = "refused"

// detail is what stands on a row: WeChat's code and words.
func (v Verdict) detail() string {
	s := v.Text
	if v.Code != 0 {
		s = strconv.Itoa(v.Code) + " " + s
	}
	return cut(s, 120)
}
