//go:build browser

package playbook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest/browser"
)

// console is the console of an empty programme before somebody who has read what the first start printed.
func (s *siyu) console() *browser.Tab {
	s.t.Helper()
	_, password, ok := strings.Cut(s.sign, "password ")
	require.True(s.t, ok, s.sign)
	return browser.Console(s.t, s.url, password)
}

func makeGroup(b *browser.Tab, name string) {
	b.Menu("标签")
	b.In("新建标签组").Write("标签组名称", name)
	b.In("新建标签组").Press("新建")
}

func makeTag(b *browser.Tab, group, name string) {
	b.Menu("标签")
	b.In("新建标签").Choose("标签组", group)
	b.In("新建标签").Write("标签名称", name)
	b.In("新建标签").Press("新建")
}

func makeWordRule(b *browser.Tab, tag string, words, exclude []string) {
	b.Menu("自动标签")
	b.Press("新建规则")
	b.Write("规则名称", "聊天提到"+tag)
	b.Choose("打上标签", tag)
	b.Tick("聊天里提到")
	b.Write("提到其中任意一个词", strings.Join(words, "\n"))
	b.Write("但不含这些说法", strings.Join(exclude, "\n"))
	b.Picture("p01b-autotag")
	b.Press("保存")
}

// TestBrowserP01BChatTag is P01-B by an operator who clicks and types.
func TestBrowserP01BChatTag(t *testing.T) {
	t.Parallel()
	for name, p := range chatTags {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t, func(s *siyu) chatTagHand { return &chatTagClicks{Tab: s.console(), t: t} })
		})
	}
}

// chatTagClicks is the operator at the console.
type chatTagClicks struct {
	*browser.Tab
	t     testing.TB
	other *browser.Tab
}

func (o *chatTagClicks) tag(p chatTag) {
	makeGroup(o.Tab, p.group)
	makeTag(o.Tab, p.group, p.tag)
	makeWordRule(o.Tab, p.tag, p.words, p.exclude)
}

func (o *chatTagClicks) write(p chatTag) (audience, reachable int) {
	o.Menu("群发")
	o.Press("新建群发")
	o.Write("名称", p.tag+"新品")
	o.In("发给谁").Tick(p.tag)
	o.Choose("第 1 选", "客服消息")
	o.Choose("第 2 选", "—")
	o.Write("文字", "{{nickname}},"+p.tag+"可用的新品到了")
	o.Unfold("没有值时的替代文字")
	o.In("没有值时的替代文字").Write("昵称", p.fallback)
	o.Picture("p01b-broadcast")
	o.Press("保存并预览")
	o.Picture("p01b-preview")
	return o.In("现在发送会怎样").Figure("人群"), o.In("现在发送会怎样").Figure("可触达")
}

func (o *chatTagClicks) send(string) {
	o.other = o.Beside()
	o.Press("立即发送")
}

// again is the button in another tab, which was open before.
func (o *chatTagClicks) again(string) {
	require.Contains(o.t, o.other.Refused("立即发送"), "已经发送")
	o.other.Picture("p01b-again")
}

// TestBrowserP03 is P03 by an operator who writes the week's quizzes in one sheet.
func TestBrowserP03(t *testing.T) {
	t.Parallel()
	liveShops["JiaoGePengYou"].play(t, func(s *siyu) liveShopHand { return &liveShopClicks{s.console()} })
}

// liveShopClicks is the operator at the console.
type liveShopClicks struct{ *browser.Tab }

func (o *liveShopClicks) tag(group, name string) { makeTag(o.Tab, group, name) }

func (o *liveShopClicks) chatTag(p liveShop) {
	makeGroup(o.Tab, "肤质")
	makeTag(o.Tab, "肤质", p.word)
	makeWordRule(o.Tab, p.word, []string{p.word}, nil)
}

// rule begins a point rule and leaves it to more to write what is special.
func (o *liveShopClicks) rule(code, trigger string, points int64, more func()) {
	o.Menu("积分规则")
	o.Press("新建规则")
	o.Write("规则名称", code)
	o.Write("代码", code)
	o.Choose("触发行为", trigger)
	o.In("奖励 1").Choose("奖励", "固定数额")
	o.In("奖励 1").Choose("账户", "积分")
	o.In("奖励 1").Write("数额", fmt.Sprint(points))
	more()
	o.Picture("p03-rule-" + code)
	o.Press("保存")
}

func (o *liveShopClicks) rules(p liveShop) {
	once := func(period string) func() {
		return func() {
			o.In("每人上限", "上限 1").Choose("周期", period)
			o.In("每人上限", "上限 1").Write("上限", "1")
		}
	}
	o.rule("register", "注册会员", p.welcome, once("终身"))
	o.rule("checkin", "签到", p.checkin, func() {
		o.In("奖励 2").Choose("奖励", "连续天数表")
		o.In("奖励 2").Choose("账户", "积分")
		o.In("奖励 2", "档位 1").Write("天", fmt.Sprint(p.days))
		o.In("奖励 2", "档位 1").Write("变动", fmt.Sprint(p.streak))
		once("每天")()
	})
	o.rule("quiz", "回答问答", p.quiz, func() { o.In("条件 1").Choose("条件", "答对了(问答)") })
	o.rule("article", "读完文章", p.article, func() { o.In("条件 1").Choose("条件", "第一次打开(文章、雷达)") })
	o.rule("live", "看完直播", p.live, func() {})
	o.rule("group", "社群互动", p.group, once("每天"))
}

func (o *liveShopClicks) quizzes(p liveShop, days []int, tag string) {
	o.Menu("问答")
	o.Press("一周问答")
	o.Write("从哪天起", p.monday)
	o.Press("显示")
	o.Write("每天几点开始", p.opens[:5])
	o.Write("每天几点结束", p.closes[:5])
	o.Write("链接(商品、直播)", "https://example.com/live")
	for _, n := range days {
		day := o.In([]string{"周一", "周二", "周三", "周四", "周五", "周六", "周日"}[n] + " " + p.day(n, "00:00:00")[:10])
		day.Write("题目", "猜猜它的主要有效成分是?")
		for i, text := range p.options {
			option := day.In("选项 " + string(rune('A'+i)))
			option.Write("选项", text)
			option.Choose("打上标签", tag)
		}
		day.In("选项 A").Tick("正确选项")
		day.Write("解析", "它在成分表的第一位。")
	}
	o.Picture("p03-week")
	o.Press("保存")
	o.Picture("p03-quizzes")
}

// TestBrowserP27Layers is P27 by an operator who writes the SOPs of the four layers step by step.
func TestBrowserP27Layers(t *testing.T) {
	t.Parallel()
	playP27(t, func(s *siyu) layersHand { return &layersClicks{s.console()} })
}

// layersClicks is the operator at the console.
type layersClicks struct{ *browser.Tab }

func (o *layersClicks) perks() {
	for _, c := range []struct{ name, code, from, off, days, most string }{
		{"首购优惠", "first", "50", "10", "30", "1"}, {"专属折扣券", "own", "50", "20", "30", "12"}, {"满300减100", "back", "300", "100", "3", "1"},
	} {
		o.Menu("优惠券")
		o.Press("新建优惠券")
		for label, text := range map[string]string{
			"名称": c.name, "代码": c.code, "使用门槛(元)": c.from, "减免金额(元)": c.off, "领到后有效天数": c.days, "每人最多": c.most,
		} {
			o.Write(label, text)
		}
		o.Picture("p27-coupon")
		o.Press("保存")
	}
	o.Menu("积分商城")
	o.Press("新建礼品")
	o.Write("名称", "礼品")
	o.Write("代码", "gift")
	o.Write("价格", "1200")
	o.Picture("p27-item")
	o.Press("保存")
}

// step is a step of a SOP.
func (o *layersClicks) step(n int) *browser.Tab { return o.In(fmt.Sprint("步骤 ", n)) }

// another adds a step that sends at ten on a day.
func (o *layersClicks) another(n, day int) {
	o.Press("+ 发送")
	o.step(n).Choose("时间", "第几天几点")
	o.step(n).Write("进入后第几天", fmt.Sprint(day))
	o.step(n).Write("几点", "10:00")
}

// says writes the message of a step: by the first channel, else by the second.
func (o *layersClicks) says(n int, key, text string, channels ...string) {
	step := o.step(n)
	step.Write("代号", key)
	for i, channel := range append(channels, "—") {
		step.Choose(fmt.Sprintf("第 %d 选", i+1), channel)
	}
	if channels[0] == "群发" {
		step.Write("文字", text)
	}
	letter := step.In("小程序订阅消息")
	letter.Write("模板编号", "TPL_ACTIVITY")
	letter.Write("打开的小程序页面", "pages/index/index")
	for i, field := range [][2]string{{"thing1", text}, {"thing2", "会员专享"}, {"time3", "2026-12-01 10:00"}} {
		row := letter.In(fmt.Sprint("模板字段 ", i+1))
		row.Write("字段名", field[0])
		row.Write("内容", field[1])
	}
}

func (o *layersClicks) gives(n, points int, coupon string) {
	step := o.step(n)
	step.Unfold("同时送出")
	if points > 0 {
		step.Write("数量", fmt.Sprint(points))
		step.Choose("账户", "积分")
	}
	if coupon != "" {
		step.Choose("券", coupon)
	}
}

// rich is the condition of a step: at least a hundred points.
func (o *layersClicks) rich(n int) {
	const only = "条件:不成立就跳过这一步"
	o.step(n).Unfold(only)
	row := o.step(n).In(only, "条件 1")
	row.Choose("条件", "账户余额")
	row.Choose("账户", "积分")
	row.Choose("比较", "不少于")
	row.Write("值", "100")
}

// compare writes a row of a condition: what, at least or at most, so much.
func compare(row *browser.Tab, what, op, label, value string) {
	row.Choose("条件", what)
	row.Choose("比较", op)
	row.Write(label, value)
}

func spent(row *browser.Tab) {
	compare(row, "消费金额(扣除退款)", "不少于", "元", "1000")
	row.Write("最近(如 30d,空为一直)", "365d")
}

// sop begins a SOP that starts by the clock, unless there is no line for it.
func (o *layersClicks) sop(name, cron string) (entry *browser.Tab) {
	o.Menu("SOP")
	o.Press("新建 SOP")
	o.Write("名称", name)
	entry = o.In("谁进入")
	if cron != "" {
		entry.Tick("按周期")
		entry.Write("分 时 日 月 周", cron)
	}
	return entry
}

func (o *layersClicks) enable(name string) {
	o.Picture("p27-" + name)
	o.Press("保存")
	o.Picture("p27-saved-" + name)
	o.Press("启用")
}

func (o *layersClicks) sops() {
	const day1 = "0 10 1 * *"
	entry := o.sop("新会员", "")
	entry.Choose("事件", "注册会员")
	o.Unfold("离开与目标")
	o.In("什么让他离开").Choose("事件", "订单付款")
	o.In("目标").Choose("事件", "订单付款")
	o.In("目标").Write("几天内达成算这一步的功劳", "7")
	o.step(1).Choose("消息类别", "服务")
	o.says(1, "d0", "首购优惠"+serviceMark, "小程序订阅消息")
	o.gives(1, 50, "首购优惠")
	o.another(2, 3)
	o.says(2, "d3", "首购优惠还在等您", "小程序订阅消息")
	o.step(2).Unfold("条件:不成立就跳过这一步")
	compare(o.step(2).In("条件:不成立就跳过这一步", "条件 1"), "订单数", "等于", "值", "0")
	o.another(3, 7)
	o.says(3, "d7", "首购优惠最后提醒", "小程序订阅消息")
	o.enable("新会员")

	entry = o.sop("重要", day1)
	spent(entry.In("条件 1"))
	entry.Choose("再次进入", "结束后即可")
	o.says(1, "m", "专属折扣券已到账", "群发", "小程序订阅消息")
	o.gives(1, 100, "专属折扣券")
	o.enable("重要")

	entry = o.sop("沉默", day1)
	entry.In("条件 1").Choose("条件", "已注册会员")
	entry.In("条件 1").Choose("值", "是")
	o.Press("更多条件行")
	compare(entry.In("条件 2"), "多少天没有任何互动", "不少于", "天数", "31")
	o.Press("更多条件行")
	compare(entry.In("条件 3"), "多少天没有任何互动", "不多于", "天数", "90")
	o.Unfold("离开与目标")
	compare(o.In("什么让他离开", "条件 1"), "多少天没有任何互动", "不多于", "天数", "30")
	compare(o.In("目标", "条件 1"), "多少天没有任何互动", "不多于", "天数", "30")
	o.In("目标").Write("几天内达成算这一步的功劳", "7")
	o.says(1, "s1", "您的积分可以抵现", "群发", "小程序订阅消息")
	o.rich(1)
	o.another(2, 3)
	o.says(2, "s2", "积分别浪费", "群发", "小程序订阅消息")
	o.rich(2)
	o.enable("沉默")

	entry = o.sop("流失", day1)
	compare(entry.In("条件 1"), "距上次下单天数", "不少于", "值", "181")
	o.Unfold("离开与目标")
	o.In("目标").Choose("事件", "订单付款")
	o.In("目标").Write("几天内达成算这一步的功劳", "3")
	o.step(1).Write("代号", "sms")
	o.step(1).Choose("第 1 选", "短信")
	o.step(1).Choose("第 2 选", "—")
	o.step(1).Write("文字", "满300减100,12月3日24点前有效")
	o.gives(1, 0, "满300减100")
	o.enable("流失")

	entry = o.sop("生日礼", "0 10 * * *")
	spent(entry.In("条件 1"))
	o.Press("更多条件行")
	entry.In("条件 2").Choose("条件", "生日")
	entry.In("条件 2").Choose("范围", "当天")
	entry.Choose("再次进入", "满若干天后")
	entry.Write("天数", "300")
	o.says(1, "gift", "生日快乐", "小程序订阅消息")
	o.gives(1, 200, "")
	o.enable("生日礼")
}

func (o *layersClicks) push() {
	o.Menu("人群")
	o.Press("新建人群")
	o.Write("人群名称", "重要")
	spent(o.In("条件 1"))
	o.Picture("p27-audience")
	o.Press("保存")
	o.Menu("群发")
	o.Press("新建群发")
	o.Write("名称", "再来")
	o.In("发给谁").Tick("选已有人群")
	o.In("发给谁").Choose("人群", "重要")
	o.Choose("第 1 选", "群发")
	o.Choose("第 2 选", "—")
	o.Write("文字", "再看看")
	o.Press("保存并预览")
	o.Picture("p27-broadcast")
}
