package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// How many of each kind the page of a member shows; ledger lines have a next page.
const (
	factEvents   = 30
	factMessages = 30
	factChanges  = 20
	factCoupons  = 50
)

type memberView struct {
	Frame
	Member     *model.Member
	Phone      string
	First      string // channel of the first touch
	Last       string
	Identities []model.Identity
	Balances   []balance
	Tags       []heldTag
	Changes    []tagChange
	Entries    []entryLine
	Events     []eventLine
	Messages   []message
	SOPs       []sop.Way
	Bought     []order.OnPlatform
	Tier       *tier.View // nil: the programme has none
	TierLabel  string     // of the account that it counts
	Percent    int64      // of the way from his tier to the next
	Stretches  []tier.Stretch
	TierHolds  []tierHold
	TierForm   *Form
	Settable   []choice // tiers
	Coupons    []heldLine
	Givable    []choice // coupons that can be given
	CouponForm *Form
	Quota      reach.Quota
	Consents   []model.Consent // newest first
	NextLines  string          // address of the next page of ledger lines
	AllTags    []tagGroup
	Points     *Form // of the adjustment
	Tag        *Form
	Reveal     *Form
	Unmerge    *Form
	Erase      *Form
	Revealed   bool // Phone is not masked
	Merges     []member.Merged
	Risks      []model.Risk
	Past       []model.Customer
}

// tierHold is what an operator set, with his name.
type tierHold struct {
	tier.Held
	By string
}

type balance struct {
	ledger.View
	Label string
}

type heldTag struct {
	tag.Held
	By  string // the name of what stands behind the cause
	Saw string // what the rule saw
}

// sawOf says evidence in short: "did 15, orders 2".
func sawOf(evidence model.JSON) string {
	var list []struct {
		Leaf string
		Saw  any
	}
	_ = evidence.Into(&list) // was written by app/tag
	words := make([]string, 0, len(list))
	for _, e := range list {
		if e.Saw == nil {
			words = append(words, e.Leaf)
		} else {
			words = append(words, fmt.Sprint(e.Leaf, " ", e.Saw))
		}
	}
	return strings.Join(words, ", ")
}

type tagChange struct {
	model.TagChange
	Tag string
	By  string
}

type entryLine struct {
	model.Entry
	Account string
	Rule    string // its name
	Says    string // the version of the rule that granted it, as a sentence
	Event   string // what the member did
	By      string // the operator
}

type eventLine struct {
	model.Event
	Name string
}

type message struct {
	reach.Sent
	Name string // of the broadcast
	Why  string // he got nothing, or gets it later
}

func (con *Console) member(c *gin.Context) error {
	return con.showMember(c, http.StatusOK, forms{})
}

// forms are those of the page that come back with what was typed, by name.
type forms map[string]*Form

func (f forms) get(name string) *Form {
	if f[name] != nil {
		return f[name]
	}
	return newForm(nil)
}

func (con *Console) showMember(c *gin.Context, status int, f forms) error {
	return con.pageOf(c, status, f, "")
}

// pageOf is the page of a member; phone is his number if it was just revealed.
func (con *Console) pageOf(c *gin.Context, status int, f forms, phone string) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	m, err := con.app.Members.Get(ctx, id)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("%s/members/%d", root, m.ID)
	if m.ID != id { // merged: the survivor's page
		c.Redirect(http.StatusSeeOther, path)
		return nil
	}
	v := &memberView{
		Frame: con.frame(c, "member"), Member: m, Phone: con.app.Members.Phone(m), Points: f.get("points"), Tag: f.get("tag"),
		Reveal: f.get("reveal"), Unmerge: f.get("unmerge"), Erase: f.get("erase"), CouponForm: f.get("coupon"), TierForm: f.get("tier"),
	}
	if phone != "" {
		v.Phone, v.Revealed = phone, true
	}
	if c.Request.Method == http.MethodPost {
		v.Here = path
	}
	why, err := con.report.Causes(ctx)
	if err != nil {
		return err
	}
	v.First, v.Last = why.Name(model.CauseChannel, m.FirstChannel), why.Name(model.CauseChannel, m.LastChannel)
	for _, fill := range []func(*gin.Context, *memberView, report.Why) error{
		con.fillIdentities, con.fillTags, con.fillLedger, con.fillEvents, con.fillMessages, con.fillSOPs, con.fillMerges, con.fillTier, con.fillPast,
	} {
		if err := fill(c, v, why); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/member", v)
	return nil
}

func (con *Console) fillIdentities(c *gin.Context, v *memberView, _ report.Why) (err error) {
	if v.Identities, err = con.app.Members.Identities(c.Request.Context(), v.Member.ID); err != nil {
		return err
	}
	views, err := con.app.Book.Balances(c.Request.Context(), v.Member.ID)
	for _, b := range views {
		v.Balances = append(v.Balances, balance{b, ledger.NameOf(web.Lang(c.Request.Context()), b.Account, b.Name)})
	}
	return err
}

func (con *Console) fillTags(c *gin.Context, v *memberView, why report.Why) error {
	ctx := c.Request.Context()
	held, err := con.app.Tags.Of(ctx, v.Member.ID)
	if err != nil {
		return err
	}
	for _, h := range held {
		v.Tags = append(v.Tags, heldTag{h, why.Name(h.Cause, h.CauseID), sawOf(h.Evidence)})
	}
	if v.AllTags, err = con.tagGroups(c); err != nil {
		return err
	}
	names := map[int64]string{}
	for _, g := range v.AllTags {
		for _, t := range g.Tags {
			names[t.ID] = g.Name + ":" + t.Name
		}
	}
	changes, err := con.app.Tags.History(ctx, v.Member.ID, factChanges)
	for _, ch := range changes {
		v.Changes = append(v.Changes, tagChange{ch, names[ch.TagID], why.Name(ch.Cause, ch.CauseID)})
	}
	return err
}

func (con *Console) fillLedger(c *gin.Context, v *memberView, _ report.Why) error {
	ctx := c.Request.Context()
	rows, next, err := con.app.Book.Entries(ctx, v.Member.ID, "", c.Query("lines"), perPage)
	if err != nil {
		return err
	}
	if next != "" {
		v.NextLines = fmt.Sprintf("%s/members/%d?lines=%s#ledger", root, v.Member.ID, next)
	}
	var events []int64
	for _, e := range rows {
		events = append(events, e.EventID)
	}
	kinds, err := con.report.EventKinds(ctx, events)
	if err != nil {
		return err
	}
	actors, err := con.report.Actors(ctx)
	if err != nil {
		return err
	}
	accounts := map[string]string{}
	for _, b := range v.Balances {
		accounts[b.Account] = b.Label
	}
	rules := rulesOf{con: con, c: c, known: map[[2]int64]ruleName{}}
	for _, e := range rows {
		line := entryLine{Entry: e, Account: accounts[e.Account], By: actors[e.Actor]}
		if line.By == "" {
			line.By = e.Actor
		}
		if kind := kinds[e.EventID]; kind != "" {
			line.Event = event.KindName(web.Lang(ctx), kind)
		}
		rule, err := rules.get(e.RuleID, e.RuleVersion)
		if err != nil {
			return err
		}
		line.Rule, line.Says = rule.name, rule.says
		v.Entries = append(v.Entries, line)
	}
	return nil
}

// rulesOf reads each version of a rule once.
type rulesOf struct {
	con   *Console
	c     *gin.Context
	known map[[2]int64]ruleName
}

type ruleName struct{ name, says string }

func (r rulesOf) get(id int64, version int) (ruleName, error) {
	k := [2]int64{id, int64(version)}
	if n, ok := r.known[k]; ok || id == 0 {
		return n, nil
	}
	ctx := r.c.Request.Context()
	rule, err := r.con.app.Rewards.Version(ctx, id, version, web.Lang(ctx))
	if err != nil {
		return ruleName{}, err
	}
	r.known[k] = ruleName{rule.Name, rule.Sentence}
	return r.known[k], nil
}

func (con *Console) fillEvents(c *gin.Context, v *memberView, _ report.Why) error {
	rows, err := con.report.Events(c.Request.Context(), v.Member.ID, factEvents)
	for _, ev := range rows {
		v.Events = append(v.Events, eventLine{ev, event.KindName(web.Lang(c.Request.Context()), ev.Kind)})
	}
	return err
}

func (con *Console) fillMessages(c *gin.Context, v *memberView, _ report.Why) (err error) {
	ctx := c.Request.Context()
	if v.Bought, err = con.app.Orders.ByPlatform(ctx, v.Member.ID); err != nil {
		return err
	}
	if v.Quota, err = con.app.Reach.Quota(ctx, v.Member.ID); err != nil {
		return err
	}
	if v.Consents, _, err = con.app.Consents.Of(ctx, v.Member.ID); err != nil {
		return err
	}
	sent, err := con.app.Reach.OfMember(ctx, v.Member.ID, 0, factMessages)
	if err != nil {
		return err
	}
	ids := make([]int64, len(sent))
	for i, s := range sent {
		ids[i] = s.Run.SourceID
	}
	names, err := con.report.BroadcastNames(ctx, ids)
	for _, s := range sent {
		v.Messages = append(v.Messages, message{s, con.runName(c, &s.Run, names), con.reasonName(c, s.Reason, s.Detail)})
	}
	return err
}

// fillPast fills what was known of him before, and what somebody should look at.
func (con *Console) fillPast(c *gin.Context, v *memberView, _ report.Why) (err error) {
	ctx := c.Request.Context()
	if v.Past, err = con.app.Customers.List(ctx, customer.Query{MemberID: v.Member.ID, Limit: factChanges}); err != nil {
		return err
	}
	v.Risks, err = con.app.Risks.List(ctx, risk.Query{MemberID: v.Member.ID, Limit: factChanges})
	return err
}

// fillTier fills where the member stands, and the coupons that he has or had.
func (con *Console) fillTier(c *gin.Context, v *memberView, _ report.Why) (err error) {
	ctx := c.Request.Context()
	if v.Tier, err = con.app.Tiers.Of(ctx, v.Member.ID); err != nil {
		return err
	}
	if t := v.Tier; t != nil {
		for _, b := range v.Balances {
			if b.Account == t.Account {
				v.TierLabel = b.Label
			}
		}
		var from int64
		if t.Tier != nil {
			from = t.Tier.Threshold
		}
		if t.Next != nil && t.Next.Threshold > from {
			v.Percent = max(0, min(100, 100*(t.Value-from)/(t.Next.Threshold-from)))
		}
	}
	if v.Stretches, err = con.app.Tiers.History(ctx, v.Member.ID); err != nil {
		return err
	}
	if err := con.fillTierHolds(c, v); err != nil {
		return err
	}
	held, err := con.app.Coupons.Of(ctx, v.Member.ID, 0, factCoupons)
	if err != nil {
		return err
	}
	if v.Coupons, err = con.heldLines(c, held); err != nil {
		return err
	}
	all, err := con.app.Coupons.List(ctx)
	for _, d := range all {
		if d.Enabled {
			v.Givable = append(v.Givable, choice{fmt.Sprint(d.ID), d.Name})
		}
	}
	return err
}

func (con *Console) fillTierHolds(c *gin.Context, v *memberView) error {
	ctx := c.Request.Context()
	l, err := con.app.Tiers.Ladder(ctx)
	if err != nil {
		return err
	}
	for _, t := range l.Tiers {
		v.Settable = append(v.Settable, choice{fmt.Sprint(t.ID), t.Name})
	}
	rows, err := con.app.Tiers.Holds(ctx, v.Member.ID)
	if err != nil || len(rows) == 0 {
		return err
	}
	actors, err := con.report.Actors(ctx)
	for _, h := range rows {
		line := tierHold{h, actors[h.Actor]}
		if line.By == "" {
			line.By = h.Actor
		}
		v.TierHolds = append(v.TierHolds, line)
	}
	return err
}

// setTier sets a member's tier by hand, or ends that.
func (con *Console) setTier(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	m, err := con.app.Members.Get(ctx, id)
	if err != nil {
		return err
	}
	var before any
	if v, err := con.app.Tiers.Of(ctx, m.ID); err != nil {
		return err
	} else if v != nil && v.Held != nil {
		before = v.Held
	}
	action := map[bool]string{true: "tier.end", false: "tier.set"}[f.Get("do") == "end"]
	return con.write(c, f, change{
		action: action,
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("member:%d", m.ID), Before: before, After: answer}
		},
		do: func() (string, error) {
			ctx, page := c.Request.Context(), done(fmt.Sprintf("%s/members/%d", root, m.ID), "saved")
			if action == "tier.end" {
				_, err := con.app.Tiers.End(ctx, m.ID, web.Actor(ctx))
				return page, err
			}
			r := &reader{f: f, zone: con.app.Zone}
			in := tier.Hold{TierID: r.number("tier_id"), Until: r.time("until"), Reason: f.Get("reason"), Actor: web.Actor(ctx)}
			if r.err != nil {
				return "", r.err
			}
			_, err := con.app.Tiers.Set(ctx, m.ID, in)
			return page, errs.AtField(err, "tier_id")
		},
		again: func(status int, f *Form) error { return con.showMember(c, status, forms{"tier": f}) },
	})
}

// adjust gives or takes by hand.
func (con *Console) adjust(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	f.Name = "points"
	return con.write(c, f, change{
		action: "points.adjust",
		of: func(answer any) operator.Change {
			g := answer.(*ledger.Granted)
			if g.Request != nil {
				return operator.Change{Object: fmt.Sprintf("member:%d", id), After: g.Request}
			}
			e := g.Entry
			return operator.Change{
				Object: fmt.Sprintf("member:%d", id), Before: map[string]any{"account": e.Account, "balance": e.Balance - e.Delta},
				After: map[string]any{"account": e.Account, "balance": e.Balance, "amount": e.Delta, "memo": e.Memo, "entry_id": fmt.Sprint(e.ID)},
			}
		},
		do: func() (string, error) {
			amount, err := f.Number("amount")
			if err != nil {
				return "", err
			}
			g, err := con.app.Book.Grant(c.Request.Context(), ledger.Manual{
				MemberID: id, Account: f.Get("account"), Amount: amount, Memo: f.Get("memo"), Actor: web.Actor(c.Request.Context()), AllowDebt: f.On("debt"),
			})
			if err == nil && g.Request != nil {
				return done(root+"/grants", "requested"), nil
			}
			return done(fmt.Sprintf("%s/members/%d", root, id), "adjusted"), err
		},
		again: func(status int, f *Form) error { return con.showMember(c, status, forms{"points": f}) },
	})
}

// setTag gives or takes a tag by hand.
func (con *Console) setTag(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	set := f.Get("do") != "remove"
	return con.write(c, f, change{
		action: map[bool]string{true: "tag.set", false: "tag.remove"}[set],
		of: func(any) operator.Change {
			word := map[string]any{"tag_id": f.Get("tag"), "reason": f.Get("reason")}
			if set {
				return operator.Change{Object: fmt.Sprintf("member:%d", id), After: word}
			}
			return operator.Change{Object: fmt.Sprintf("member:%d", id), Before: word}
		},
		do: func() (string, error) {
			tagID, err := f.Number("tag")
			if err != nil {
				return "", err
			}
			err = con.app.Tags.SetManual(c.Request.Context(), id, tagID, operatorOf(c).ID, set, f.Get("reason"))
			return done(fmt.Sprintf("%s/members/%d", root, id), "saved"), err
		},
		again: func(status int, f *Form) error { return con.showMember(c, status, forms{"tag": f}) },
	})
}

// fillSOPs are his ways through SOPs.
func (con *Console) fillSOPs(c *gin.Context, v *memberView, _ report.Why) (err error) {
	v.SOPs, err = con.app.SOPs.Of(c.Request.Context(), v.Member.ID)
	return err
}
