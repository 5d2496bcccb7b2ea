// Package job is the schedule as one table: name, when, method. No logic.
package job

import (
	"context"
	"time"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/app/report"
)

// Schedule lists everything that siyu does without a request.
func Schedule(a *app.App) []automation.Job {
	inHand := func(run func(context.Context, time.Time) (int, error)) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			n, err := run(ctx, a.Clock.Now())
			return n > 0, err
		}
	}
	owned := func(work func(context.Context, string) (bool, error)) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) { return work(ctx, a.Owner) }
	}
	return []automation.Job{
		{Name: "inbox", Work: owned(a.Inbox.Work)},
		{Name: "outbox", Work: owned(a.Events.Work), Due: a.Events.Due, Workers: 2, Wake: a.Events.Woken()},
		{Name: "replies", Work: a.Replies.Work, Due: a.Replies.Due, Workers: 2},
		{Name: "media", Work: a.Media.Work, Due: a.Media.Due},
		{Name: "menu-tags", Work: a.Menus.Work, Due: a.Menus.Due},
		{Name: "broadcast", Work: inHand(a.Broadcasts.RunDue), Due: a.Broadcasts.Due},
		{Name: "recalls", Work: inHand(a.Recalls.RunDue), Due: a.Recalls.Due},
		{Name: "reminders", Work: inHand(a.Reminders.RunDue), Due: a.Reminders.Due},
		{Name: "gifts", Work: inHand(a.Gifts.RunDue), Due: a.Gifts.Due},
		{Name: "sops", Work: a.SOPs.Work, Due: a.SOPs.Due},
		{Name: "reach", Work: a.Reach.Work, Due: a.Reach.Due, Workers: a.Config.Reach.Workers},
		{Name: "works", Work: a.Works.Work, Due: a.Works.Due, Workers: 2},
		{Name: "followers", Work: owned(a.Followers.Work), Due: a.Followers.Due},
		{Name: "tag-review", Work: inHand(a.Tags.Review), Due: a.Tags.ReviewDue},
		{Name: "tag-flips", Work: inHand(a.Tags.RunDue), Due: a.Tags.Due},
		{Name: "tier-review", Work: inHand(a.Tiers.RunDue), Due: a.Tiers.Due},
		{Name: "radar-low", Work: inHand(a.Radar.RunDue), Due: a.Radar.Due},
		{Name: "points-due", Work: inHand(a.RunPointsDue), Due: a.Book.Due},
		{Name: "points-days", Work: a.Book.SumUp},
		{Name: "holds-due", Work: inHand(a.ReleaseHoldsDue), Due: a.Book.HoldsDue},
		{Name: "erase-left", Work: inHand(a.EraseLeft), Due: a.LeftDue},
		{Name: "webhook", Work: a.Webhooks.Work, Due: a.Webhooks.Due, Workers: 8},
		{Name: "verify", Cron: "30 3 * * *", Run: a.VerifyNightly},
		{Name: "order-claims", Cron: "20 0 * * *", Run: a.LapseClaims},
		{Name: "customers", Cron: "40 0 * * *", Run: a.Customers.Match},
		{Name: "board", Cron: "25 0 * * *", Run: report.New(a.DB, a.Clock, a.Zone).KeepDays},
		{Name: "retention", Cron: "10 4 * * *", Run: a.Forget},
	}
}
