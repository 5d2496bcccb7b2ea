package app

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/inbox"
	"github.com/siyu-scrm/siyu/app/menu"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// DemoTemplate is the subscribe template of the sandbox's mini-program that the demo broadcast uses.
const DemoTemplate = "TPL_ACTIVITY"

// ensureSandbox makes what a first start in the sandbox has: three channel codes, and unless the settings say
// otherwise a demo brand. What an operator changed or took away since does not come back.
func (a *App) ensureSandbox(ctx context.Context) error {
	steps := []struct {
		name string
		on   bool
		make func(context.Context) error
	}{
		{"sandbox-channels", true, a.makeChannels},
		{"demo-rules", a.Config.Sandbox.Demo, a.makeRules},
		{"demo-auto-tags", a.Config.Sandbox.Demo, a.makeAutoTags},
		{"demo-quiz", a.Config.Sandbox.Demo, a.makeQuiz},
		{"demo-community", a.Config.Sandbox.Demo, a.makeCommunity},
		{"demo-broadcast", a.Config.Sandbox.Demo, a.makeBroadcast},
		{"demo-menu", a.Config.Sandbox.Demo, a.makeMenu},
	}
	for _, s := range steps {
		if !s.on {
			continue
		}
		done, err := db.Revision(a.DB.Reader(ctx), s.name)
		if err != nil {
			return fmt.Errorf("app: %s: %w", s.name, err)
		}
		if done > 0 {
			continue
		}
		if err := s.make(ctx); err != nil && errs.CodeOf(err) != errs.Conflict { // a conflict: another process is making it
			return fmt.Errorf("app: %s: %w", s.name, err)
		}
		if err := a.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return db.Bump(tx, s.name) }); err != nil {
			return fmt.Errorf("app: %s: %w", s.name, err)
		}
	}
	return nil
}

// once lets the write of a first start happen once, though several processes start at the same moment or one dies between two steps.
func once(ctx context.Context, what string) context.Context {
	return db.WithKey(ctx, db.Key{Principal: "siyu", Route: "first start", Key: what})
}

func (a *App) makeChannels(ctx context.Context) error {
	for _, c := range []struct{ code, name, welcome string }{
		{"poster", "门店海报", "欢迎从门店来!打开小程序注册,新会员立得积分;回复「签到」每天领积分。"},
		{"tweet", "公众号推文", "欢迎!推文里的好物都在小程序,注册会员即可积分。"},
		{"old", "老客", "欢迎老朋友回来!您的积分和权益都在小程序里。"},
	} {
		t, err := a.Tags.Ensure(ctx, tag.Channel, c.name)
		if err != nil {
			return err
		}
		_, err = a.Channels.Save(ctx, model.ChannelCode{
			Code: c.code, Name: c.name, Welcome: c.welcome, CardTitle: "打开小程序,注册领积分", CardPath: "pages/index/index", TagID: t.ID,
		})
		if err != nil && errs.CodeOf(err) != errs.Conflict {
			return err
		}
	}
	return nil
}

func (a *App) makeRules(ctx context.Context) error {
	fixed := func(points, growth, experience int64) []reward.Spec {
		specs := []reward.Spec{{Kind: reward.Fixed, Account: model.AccountPoints, Amount: points}}
		if growth > 0 {
			specs = append(specs, reward.Spec{Kind: reward.Fixed, Account: model.AccountGrowth, Amount: growth})
		}
		if experience > 0 {
			specs = append(specs, reward.Spec{Kind: reward.Fixed, Account: model.AccountExperience, Amount: experience})
		}
		return specs
	}
	once := []reward.Cap{{Period: reward.Lifetime, Times: 1}}
	daily := []reward.Cap{{Period: reward.Day, Times: 1}}
	streak := reward.Spec{Kind: reward.Streak, Account: model.AccountPoints, Table: []reward.Step{{Days: 7, Amount: 20}}}
	for _, r := range []reward.Input{
		{Code: "register", Name: "注册会员", Trigger: model.EventRegistered, Definition: reward.Definition{Grants: fixed(50, 0, 0), Caps: once}},
		{Code: "checkin", Name: "每日签到", Trigger: model.EventCheckin, Definition: reward.Definition{Grants: append(fixed(5, 1, 2), streak), Caps: daily}},
		{Code: "quiz", Name: "答题答对", Trigger: model.EventQuiz, Definition: reward.Definition{
			Condition: condition.Is("event.field", map[string]any{"field": "correct", "op": "eq", "value": true}), Grants: fixed(10, 2, 5),
		}},
		{Code: "group", Name: "社群互动", Trigger: model.EventGroup, Definition: reward.Definition{Grants: fixed(3, 0, 0), Caps: daily}},
		{Code: "article", Name: "首次读文章", Trigger: model.EventArticle, Definition: reward.Definition{
			Condition: condition.Is("event.field", map[string]any{"field": "first", "op": "eq", "value": true}), Grants: fixed(2, 0, 0),
		}},
		{Code: "live", Name: "看满直播", Trigger: model.EventLive, Definition: reward.Definition{Grants: fixed(10, 0, 0)}},
	} {
		r.Enabled = true
		if _, err := a.Rewards.Save(ctx, r, templates.Chinese); err != nil && errs.CodeOf(err) != errs.Conflict {
			return err
		}
	}
	return nil
}

func (a *App) makeAutoTags(ctx context.Context) error {
	age := func(op condition.Op, years int) condition.Tree {
		return condition.Is("member", map[string]any{"field": "age", "op": op, "value": years})
	}
	orders := func(op condition.Op, n int) condition.Tree {
		return condition.Is("orders", map[string]any{"measure": "count", "op": op, "value": n})
	}
	for _, r := range []struct {
		group, tag, name string
		tree             condition.Tree
	}{ // PLAYBOOKS P01-F
		{tag.Value, "常签到用户", "30 天内签到至少 15 次", condition.Is("did", map[string]any{"event": model.EventCheckin, "op": "gte", "count": 15, "window": "30d"})},
		{tag.Attribute, "敏感肌", "聊天提到敏感肌", condition.Is("event.text", map[string]any{"contains_any": []string{"敏感肌"}, "excludes": []string{"不是敏感肌", "非敏感肌"}})},
		{tag.Preference, "喜欢草莓味", "聊天提到草莓", condition.Is("event.text", map[string]any{"contains_any": []string{"草莓"}})},
		{tag.Preference, "关注新品", "30 天内打开新品雷达链接至少 2 次", condition.Is("did", map[string]any{
			"event": model.EventRadarViewed, "field": "kind", "value": "new-product", "op": "gte", "count": 2, "window": "30d",
		})},
		{tag.Attribute, "年龄:<20", "20 岁以下", age(condition.Lte, 19)},
		{tag.Attribute, "年龄:20-39", "20 到 39 岁", condition.And(age(condition.Gte, 20), age(condition.Lte, 39))},
		{tag.Attribute, "年龄:40+", "40 岁以上", age(condition.Gte, 40)},
		{tag.ProductLifecycle, "初次用户", "买过一次", orders(condition.Eq, 1)},
		{tag.ProductLifecycle, "复购用户", "买过至少两次", orders(condition.Gte, 2)},
		{tag.ProductLifecycle, "产品快耗尽用户", "精华快用完", condition.Is("running_low", map[string]any{"product": "精华", "cycle_days": 60, "ahead_days": 10})},
		{tag.UserLifecycle, "沉睡用户", "60 天没有任何活动", condition.Is("inactive", map[string]any{"op": "gte", "days": 60})},
		{tag.Value, "付费用户", "有过订单", orders(condition.Gte, 1)},
	} {
		t, err := a.Tags.Ensure(ctx, r.group, r.tag)
		if err != nil {
			return err
		}
		in := tag.Rule{TagID: t.ID, Name: r.name, Enabled: true, Condition: model.ToJSON(r.tree)}
		if _, err := a.Tags.SaveRule(once(ctx, "auto-tag:"+r.tag), in, templates.Chinese); err != nil {
			return err
		}
	}
	if _, err := a.Tags.SaveRFM(once(ctx, "rfm"), tag.DefaultRFM()); err != nil {
		return err
	}
	_, err := a.Tags.SavePyramid(once(ctx, "pyramid"), tag.DefaultPyramid(), templates.Chinese)
	return err
}

func (a *App) makeQuiz(ctx context.Context) error {
	t, err := a.Tags.Ensure(ctx, tag.Preference, "喜欢草莓味")
	if err != nil {
		return err
	}
	opens := a.Zone.Start(a.Zone.DayOf(a.Clock.Now()))
	_, err = a.Quizzes.Save(once(ctx, "quiz"), quiz.View{
		Quiz: model.Quiz{
			Question: "今天上架一款草莓味的润唇膜,猜猜它的主要有效成分是?", OpensAt: opens, ClosesAt: opens.AddDate(0, 0, 30), Attempts: 1,
			Explanation: "莓果复合物帮助双唇锁水。", Enabled: true,
		},
		Options: []model.QuizOption{{Text: "莓果复合物", Correct: true, TagID: t.ID}, {Text: "天然果油", TagID: t.ID}},
	})
	return err
}

func (a *App) makeCommunity(ctx context.Context) error {
	g, err := a.Groups.Save(ctx, community.Input{Name: "宠粉一群", Enabled: true})
	if err != nil {
		return err
	}
	today := a.Zone.DayOf(a.Clock.Now())
	if _, err := a.Groups.SetPlans(ctx, g.ID, []community.Plan{{Day: today, Topic: "换季护肤,你用哪一步?"}}); err != nil {
		return err
	}
	if _, err := a.Content.SaveArticle(ctx, model.Article{Title: "换季护肤三步", URL: "pages/article/index?id=1", MinSeconds: 15, Enabled: true}); err != nil {
		return err
	}
	_, err = a.Radar.Save(ctx, model.RadarLink{
		Name: "新品蛋糕", Kind: "new-product", Target: model.RadarArticle, URL: "https://mp.weixin.qq.com/s/cake",
		HighSeconds: 180, HighForwards: 2, MediumSeconds: 10, LowHours: 48,
	})
	if err != nil {
		return err
	}
	_, err = a.Content.SaveLive(ctx, model.LiveSession{
		Title: "草莓专场直播", OpensAt: a.Zone.At(today.Add(1), 20, 0), ClosesAt: a.Zone.At(today.Add(1), 22, 0), MinSeconds: 600, Enabled: true,
	})
	return err
}

func (a *App) makeBroadcast(ctx context.Context) error {
	var holders []condition.Tree
	for _, t := range []struct{ group, name string }{{tag.Preference, "喜欢草莓味"}, {tag.Channel, "门店海报"}} {
		row, err := a.Tags.Ensure(ctx, t.group, t.name)
		if err != nil {
			return err
		}
		holders = append(holders, condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(row.ID)}))
	}
	const wednesday = "0 10 * * 3"
	line, err := clock.ParseCron(wednesday, a.Zone)
	if err != nil {
		return err
	}
	first := line.Next(a.Clock.Now())
	_, err = a.Broadcasts.Save(once(ctx, "broadcast"), broadcast.Input{
		Name: "每周三会员日", Class: model.ClassMarketing, Cron: wednesday,
		Condition: condition.Tree{Any: holders},
		Message: reach.Message{
			Text:     "周三会员日:草莓味新品已上架,会员专享价等您来。",
			Channels: []string{reach.Customer, reach.Subscribe, reach.Mass},
			Subscribe: &reach.SubscribeContent{TemplateID: DemoTemplate, Page: "pages/index/index", Data: map[string]string{
				"thing1": "周三会员日", "thing2": "草莓味新品,会员专享价", "time3": a.Zone.In(first).Format("2006年1月2日 15:04"),
			}},
		},
	})
	return err
}

func (a *App) makeMenu(ctx context.Context) error {
	account := firstOf(a.Accounts, model.KindOA).Name
	centre := func(name string) menu.Button {
		return menu.Button{Name: name, Type: menu.TypeMiniProgram, PagePath: "pages/index/index", URL: "https://example.com/member"}
	}
	_, err := a.Menus.Save(ctx, account, menu.Menu{Buttons: []menu.Button{
		{Name: "签到", Type: menu.TypeClick, Key: inbox.MenuCheckin},
		{Name: "会员", Sub: []menu.Button{centre("会员中心"), centre("我的积分")}},
	}})
	if err == nil {
		_, err = a.Menus.Publish(ctx, account)
	}
	return err
}
