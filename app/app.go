// Package app builds every capability in dependency order; each line uses only the lines above it.
package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/content"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/deduction"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/follower"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/gift"
	"github.com/siyu-scrm/siyu/app/inbox"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/link"
	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/menu"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/task"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/app/webhook"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

// Deps are what an app stands on.
type Deps struct {
	Config   *config.Config
	DB       *db.DB
	Clock    clock.Clock
	Zone     clock.Zone
	Box      *config.Box
	WeChat   *wechat.Client
	Accounts []wechat.Account
	// Account finds an account by name; nil looks in Accounts. The sandbox's accounts can change while siyu runs.
	Account    func(name string) (wechat.Account, bool)
	Simulation *Simulation // nil in production
}

// App is siyu without its doors.
type App struct {
	Deps
	Owner      string // this process, in claims
	Operators  *operator.Service
	Conditions *condition.Registry
	Events     *event.Log
	Members    *member.Service
	Works      *work.Service
	Sheets     *sheet.Service
	Consents   *consent.Service
	Customers  *customer.Service
	Book       *ledger.Book
	Deduction  *deduction.Service
	Tags       *tag.Service
	Coupons    *coupon.Service
	Risks      *risk.Service
	Tiers      *tier.Service
	Mall       *mall.Service
	Media      *media.Service
	Rewards    *reward.Service
	Channels   *channel.Service
	Followers  *follower.Service
	Links      *link.Service
	Checkins   *checkin.Service
	Quizzes    *quiz.Service
	Forms      *form.Service
	Groups     *community.Service
	Content    *content.Service
	Radar      *radar.Service
	Orders     *order.Service
	Tasks      *task.Service
	Audience   *audience.Service
	Reach      *reach.Service
	Replies    *reply.Service
	Menus      *menu.Service
	Broadcasts *broadcast.Service
	Recalls    *recall.Service
	Reminders  *reminder.Service
	Gifts      *gift.Service
	SOPs       *sop.Service
	Inbox      *inbox.Service
	Webhooks   *webhook.Service
}

// New builds the app. It changes nothing in the database: see Prepare.
func New(d Deps) *App {
	if d.Account == nil {
		d.Account = func(name string) (wechat.Account, bool) {
			for _, a := range d.Accounts {
				if a.Name == name {
					return a, true
				}
			}
			return wechat.Account{}, false
		}
	}
	a := &App{Deps: d, Owner: strings.ToLower(rand.Text())[:16]}
	a.Operators = operator.New(d.DB, d.Box, d.Clock)
	a.Conditions = condition.New()
	a.Events = event.New(d.DB, d.Clock)
	a.Works = work.New(d.DB, d.Clock)
	a.Sheets = sheet.New(d.DB, d.Clock, d.Zone, a.Works)
	a.Members = member.New(d.DB, d.Clock, d.Zone, a.Events, d.WeChat, d.Box)
	a.Consents = consent.New(d.DB, d.Clock, a.Members)
	a.Followers = follower.New(d.DB, d.Clock, a.Members, d.WeChat)
	a.Links = link.New(d.DB, d.Clock, a.Members, d.Box)
	a.Book = ledger.New(d.DB, d.Clock, d.Zone)
	a.Deduction = deduction.New(d.DB, d.Clock, a.Book)
	a.Tags = tag.New(d.DB, d.Clock, a.Events, a.Conditions, a.Works)
	a.Coupons = coupon.New(d.DB, d.Clock, d.Zone, a.Conditions, a.Events, a.Members, a.Book)
	a.Risks = risk.New(d.DB, d.Clock)
	a.Rewards = reward.New(d.DB, d.Clock, d.Zone, a.Works, a.Conditions, a.Book, a.Tags, a.Coupons)
	a.Tiers = tier.New(tier.Deps{
		DB: d.DB, Clock: d.Clock, Zone: d.Zone, Events: a.Events, Book: a.Book, Coupons: a.Coupons, Rewards: a.Rewards, Works: a.Works,
	})
	a.Coupons.TierReached = a.Tiers.Reached
	a.Media = media.New(d.DB, d.Clock, d.WeChat, namesOf(d.Accounts, model.KindOA))
	a.Channels = channel.New(d.DB, d.Clock, a.Tags, a.Media)
	a.Checkins = checkin.New(d.DB, d.Clock, d.Zone, a.Events, a.Members, a.Rewards, a.Book)
	a.Quizzes = quiz.New(d.DB, d.Clock, a.Events, a.Members, a.Tags, a.Rewards)
	a.Forms = form.New(form.Deps{
		DB: d.DB, Clock: d.Clock, Zone: d.Zone, Conditions: a.Conditions, Events: a.Events, Members: a.Members, Tags: a.Tags, Book: a.Book, Coupons: a.Coupons,
		Rewards: a.Rewards, Tiers: a.Tiers,
	})
	a.Groups = community.New(d.DB, d.Clock, d.Zone, d.Box, a.Events, a.Members, a.Rewards)
	a.Content = content.New(d.DB, d.Clock, d.Zone, a.Events, a.Members, a.Rewards)
	a.Radar = radar.New(radar.Deps{
		DB: d.DB, Clock: d.Clock, Events: a.Events, Members: a.Members, Tags: a.Tags, Box: d.Box,
		Base: publicURL(d.Config), MPAppID: firstOf(d.Accounts, model.KindMP).AppID, WeChat: d.WeChat, OA: webLogin(d.Accounts),
	})
	a.Channels.Links = a.Radar
	a.Orders = order.New(d.DB, d.Clock, d.Zone, a.Events, a.Members, a.Rewards)
	a.Coupons.Paid, a.Orders.Lost = a.Orders.Paid, a.Coupons.RecheckTx
	a.Mall = mall.New(d.DB, d.Clock, d.Zone, a.Events, a.Members, a.Book, a.Coupons)
	a.Tasks = task.New(d.DB, d.Clock, d.Zone, a.Events, a.Members, a.Rewards, a.Checkins, a.Quizzes, a.Forms)
	a.Reach = reach.New(d.DB, d.Clock, d.Zone, d.WeChat, reach.Options{
		OA: firstOf(d.Accounts, model.KindOA).Name, MP: firstOf(d.Accounts, model.KindMP).Name, KindOf: d.kindOf,
		DailyCap: d.Config.Reach.DailyCap,
		InFlight: d.Config.Reach.InFlight, Workers: d.Config.Reach.Workers,
		Rates: d.Config.Reach.Rates, DayCalls: d.Config.Reach.DayCalls, Prices: d.Config.Reach.Prices,
		Carriers: d.carriers(), Number: a.Members.Number, Brand: d.Config.SMS.Brand, OptOut: d.Config.SMS.OptOut, MPAppID: firstOf(d.Accounts, model.KindMP).AppID,
		Events: a.Events, Media: a.Media, Alert: func(ctx context.Context, tx *gorm.DB, r *model.Risk) error { return a.Webhooks.AlertTx(ctx, tx, r) },
		Points: a.Book.PointsOf, Radar: a.Radar, Crash: reach.CrashAt(d.Config.SandboxOn()),
	})
	a.Replies = reply.New(reply.Deps{
		DB: d.DB, Clock: d.Clock, Media: a.Media, WeChat: d.WeChat, Allowances: a.Reach, MPAppID: firstOf(d.Accounts, model.KindMP).AppID, Links: a.Radar,
	})
	a.Menus = menu.New(menu.Deps{
		DB: d.DB, Clock: d.Clock, WeChat: d.WeChat, Replies: a.Replies, Accounts: namesOf(d.Accounts, model.KindOA),
		MPAppID: firstOf(d.Accounts, model.KindMP).AppID,
	})
	a.Customers = customer.New(d.DB, d.Clock, a.Members, a.Tags, a.Tiers, a.Sheets, a.Consents)
	a.Audience = audience.New(d.DB, d.Clock, d.Zone, a.Conditions, a.Members, a.Sheets)
	a.Tags.Holders = func(ctx context.Context) (map[int64]int64, error) { return a.Audience.Sizes(ctx, tag.Leaf().Name) }
	a.Tags.Crowded = func(ctx context.Context, above int) (map[int64]int64, error) {
		return a.Audience.Crowded(ctx, tag.Leaf().Name, above)
	}
	a.Reminders = reminder.New(reminder.Deps{
		DB: d.DB, Clock: d.Clock, Zone: d.Zone, Conditions: a.Conditions, Book: a.Book, Coupons: a.Coupons, Audience: a.Audience, Reach: a.Reach,
		Deduct: a.Deduction.Worth, Gifts: a.Mall.Affordable,
	})
	a.Gifts = gift.New(gift.Deps{
		DB: d.DB, Clock: d.Clock, Zone: d.Zone, Conditions: a.Conditions, Audience: a.Audience, Book: a.Book, Works: a.Works,
	})
	a.Broadcasts = broadcast.New(d.DB, d.Clock, d.Zone, a.Conditions, a.Audience, a.Reach)
	a.Recalls = recall.New(recall.Deps{DB: d.DB, Clock: d.Clock, Customers: a.Customers, Tags: a.Tags, Reach: a.Reach, Works: a.Works})
	a.SOPs = sop.New(sop.Deps{
		DB: d.DB, Clock: d.Clock, Zone: d.Zone, Conditions: a.Conditions, Audience: a.Audience, Book: a.Book, Coupons: a.Coupons, Reach: a.Reach,
		Broadcasts: a.Broadcasts, Tags: a.Tags, Crash: reach.CrashAt(d.Config.SandboxOn()),
	})
	a.Inbox = inbox.New(inbox.Deps{
		DB: d.DB, Clock: d.Clock, Account: d.Account, Events: a.Events, Members: a.Members, Channels: a.Channels,
		Checkins: a.Checkins, Quizzes: a.Quizzes, Groups: a.Groups, Reach: a.Reach, Replies: a.Replies, Box: d.Box,
		Links: a.Links,
	})
	a.Webhooks = webhook.New(d.DB, d.Clock, d.Zone, d.Box, a.Operators, d.guard())
	a.register()
	return a
}

// register fills the three registries: what follows an event in its transaction, the leaves of conditions, and
// what a merge does with the rows of each capability.
func (a *App) register() {
	a.Events.Follow(a.Channels.Follow)
	a.Events.Follow(a.Groups.Follow)
	a.Events.Follow(a.Content.Follow)
	a.Events.Follow(a.Coupons.Follow)
	a.Events.Follow(a.Tiers.Follow)     // before the rewards: who registers is in his first tier
	a.Events.Follow(a.Customers.Follow) // before the rewards too: who brings a level is in his tier
	a.Events.Follow(a.Recalls.Follow)
	a.Events.Follow(a.Rewards.Follow)
	a.Events.Follow(a.Tags.Follow)
	a.Events.Follow(a.Webhooks.Follow)
	a.Events.Follow(a.Menus.Follow)
	a.Events.Follow(a.Reminders.Follow) // at last: its conditions see what the others did
	a.Events.Follow(a.SOPs.Follow)      // likewise
	followers := automation.Followers{Members: a.Members}
	followers.Register(a.Events)

	for _, leaf := range []condition.Leaf{
		event.Did(), member.Leaf(a.Zone), member.Birthday(a.Zone), member.Inactive(a.Zone), member.ActiveDays(a.Zone), condition.Calendar(a.Zone), tag.Leaf(),
		a.Tiers.Leaf(), ledger.Leaf(), order.Orders(a.Zone), order.RunningLow(a.Zone), form.Leaf(), community.Leaf(), a.Audience.Leaf(),
	} {
		a.Conditions.Register(leaf)
	}
	a.Conditions.Seal()
	const rules = "(SELECT r.id, r.name, v.definition FROM point_rules r JOIN point_rule_versions v ON v.rule_id = r.id AND v.version = r.version) rules"
	const sops = "(SELECT s.id, s.name, v.definition FROM sops s JOIN sop_versions v ON v.sop_id = s.id AND (v.version = s.version OR " +
		"EXISTS (SELECT 1 FROM sop_enrolments e WHERE e.sop_id = s.id AND e.version = v.version AND e.running = 1)) WHERE s.state <> 'ended') sops"
	for _, h := range []audience.Holder{
		{Kind: "sop", Table: sops, Column: "definition"},
		{Kind: "broadcast", Table: "broadcasts", Column: "condition"},
		{Kind: "reminder", Table: "reminders", Column: "condition"},
		{Kind: "gift", Table: "gifts", Column: "condition"},
		{Kind: "rule", Table: rules, Column: "definition"},
		{Kind: "auto_tag", Table: "auto_tags", Column: "condition"},
		{Kind: "coupon", Table: "coupons", Column: "terms"},
		{Kind: "form", Table: "(SELECT id, title AS name, `condition` FROM forms) forms", Column: "condition"},
	} {
		a.Audience.HeldBy(h)
	}
	a.Sheets.Register(a.Orders.Sheet())
	a.Works.Register(tag.MergeWork, a.Tags.MergeSlice)
	a.Sheets.Register(a.Customers.Sheet())
	a.Sheets.Register(a.Audience.Sheet())

	// sop and reward before ledger: they take back duplicates while the loser still has his own lots.
	for _, p := range []member.Part{
		a.Checkins.Part(), a.Quizzes.Part(), a.Forms.Part(), a.Tasks.Part(), a.Groups.Part(), a.Content.Part(), a.Radar.Part(), a.Channels.Part(), a.Mall.Part(), a.Coupons.Part(), a.Customers.Part(), a.Consents.Part(), a.Recalls.Part(), a.Tiers.Part(), a.SOPs.Part(), a.Rewards.Part(), a.Book.Part(), a.Reach.Part(),
		a.Replies.Part(), a.Menus.Part(), a.Inbox.Part(), a.Links.Part(), a.Orders.Part(), a.Risks.Part(), a.Webhooks.Part(),
		a.Tags.Part(), // at last: its rules look at what the others moved
	} {
		a.Members.AddPart(p)
	}
}

// Seal closes the registries, before the app serves: a later entry is a mistake of the code, and panics.
func (a *App) Seal() {
	a.Events.Seal()
	a.Members.Seal()
}

// Prepare brings the database up to date: schema, the check of the key, and what every first start makes.
func (a *App) Prepare(ctx context.Context) error {
	if err := a.DB.Migrate(ctx); err != nil {
		return err
	}
	if err := operator.CheckKey(ctx, a.DB, a.Box); err != nil {
		return err
	}
	if err := a.Book.EnsureAccounts(ctx); err != nil {
		return err
	}
	if err := a.Channels.EnsureSearch(ctx); err != nil {
		return fmt.Errorf("app: channels: %w", err)
	}
	if err := a.Tags.EnsureGroups(ctx); err != nil {
		return fmt.Errorf("app: tag groups: %w", err)
	}
	return nil
}

// publicURL is where people reach siyu. The sandbox's people reach it where it listens.
func publicURL(c *config.Config) string {
	if c.Server.PublicURL == "" && c.SandboxOn() {
		return "http://" + c.Addr
	}
	return c.Server.PublicURL
}

// kindOf is the kind of an account; "" for one that is not there.
func (d *Deps) kindOf(name string) string {
	a, _ := d.Account(name)
	return a.Kind
}

// webLogin is the account by which pages inside WeChat ask who reads them: the first, as messages come from it; "" for none.
func webLogin(accounts []wechat.Account) string {
	if oa := firstOf(accounts, model.KindOA); oa.WebLogin {
		return oa.Name
	}
	return ""
}

func firstOf(accounts []wechat.Account, kind string) wechat.Account {
	for _, a := range accounts {
		if a.Kind == kind {
			return a
		}
	}
	return wechat.Account{}
}

func namesOf(accounts []wechat.Account, kind string) (names []string) {
	for _, a := range accounts {
		if a.Kind == kind {
			names = append(names, a.Name)
		}
	}
	return names
}
