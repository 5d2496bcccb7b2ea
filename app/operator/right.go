package operator

import (
	"slices"
	"strings"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Right is what a route asks of its caller. Each route of the admin and the open API and each page of the console names exactly one.
type Right string

// The rights. Those of the open API are for API keys only.
const (
	Self           Right = "self"            // being signed in: his own password
	ProgrammeRead  Right = "programme.read"  // tags, rules, quizzes, forms, channels, broadcasts as they are set up, and figures
	ProgrammeWrite Right = "programme.write" // change them, but for broadcasts
	BroadcastsSend Right = "broadcasts.send" // write, schedule, send, pause and cancel broadcasts
	MembersRead    Right = "members.read"    // people, what they hold and did and got; phone numbers masked
	MembersWrite   Right = "members.write"   // tags by hand, merge, erase
	MembersExport  Right = "members.export"  // take lists of people out; phone numbers masked
	PointsGrant    Right = "points.grant"    // give or take by hand
	PhoneReveal    Right = "phone.reveal"    // what is masked: the phone number, the export of a person
	AuditRead      Right = "audit.read"      // who changed what
	Settings       Right = "settings"        // accounts, pushes and their replay, webhooks, the proof of the ledger
	Operators      Right = "operators"       // console users, roles, API keys

	OpenBehaviors Right = "open.behaviors.write" // push what members did elsewhere
	OpenMembers   Right = "open.members.read"    // find a person and his balances
	OpenHolds     Right = "open.holds.write"     // hold a member's points for an order
	OpenOrders    Right = "open.orders.write"    // push orders and refunds
	OpenSMS       Right = "open.sms.reports"     // push what providers of SMS and calls report
	OpenCoupons   Right = "open.coupons.write"   // look at coupons, use them at the till and return them
)

// Role is what an operator is to the programme.
type Role string

// The roles.
const (
	RoleOwner    Role = "owner"    // holds every right
	RoleManager  Role = "manager"  // runs the programme and its settings, but not who else may
	RoleOperator Role = "operator" // sets campaigns up and sends them
	RoleAnalyst  Role = "analyst"  // reads
	RoleSupport  Role = "support"  // helps single members
)

// Roles are all roles, the mightiest first.
var Roles = []Role{RoleOwner, RoleManager, RoleOperator, RoleAnalyst, RoleSupport}

// table says which roles hold a right; an owner holds all of them.
var table = []struct {
	right Right
	roles []Role
}{
	{Self, []Role{RoleManager, RoleOperator, RoleAnalyst, RoleSupport}},
	{ProgrammeRead, []Role{RoleManager, RoleOperator, RoleAnalyst, RoleSupport}},
	{ProgrammeWrite, []Role{RoleManager, RoleOperator}},
	{BroadcastsSend, []Role{RoleManager, RoleOperator}},
	{MembersRead, []Role{RoleManager, RoleOperator, RoleAnalyst, RoleSupport}},
	{MembersWrite, []Role{RoleManager, RoleOperator, RoleSupport}},
	{MembersExport, []Role{RoleManager, RoleOperator}},
	{PointsGrant, []Role{RoleManager, RoleSupport}},
	{PhoneReveal, []Role{RoleManager, RoleSupport}},
	{AuditRead, []Role{RoleManager, RoleOperator}},
	{Settings, []Role{RoleManager}},
	{Operators, nil},
	{OpenBehaviors, nil},
	{OpenMembers, nil},
	{OpenOrders, nil},
	{OpenCoupons, nil},
	{OpenHolds, nil},
	{OpenSMS, nil},
}

// AllRights are the rights in the order of the table.
func AllRights() Rights {
	all := make(Rights, len(table))
	for i, line := range table {
		all[i] = line.right
	}
	return all
}

// Rights is a set of rights.
type Rights []Right

// Has reports whether the right is among them.
func (r Rights) Has(right Right) bool { return slices.Contains(r, right) }

// Rights of the role; none for what is no role.
func (r Role) Rights() (rights Rights) {
	for _, line := range table {
		if r == RoleOwner || slices.Contains(line.roles, r) {
			rights = append(rights, line.right)
		}
	}
	return rights
}

// Known reports whether r is a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Caller is who asks: an operator in the console, or the holder of an API key.
type Caller struct {
	Name   string // in the audit log: "operator:2", "key:5"
	Rights Rights
}

// May reports whether the caller holds the right.
func (c Caller) May(r Right) bool { return c.Rights.Has(r) }

// covers refuses with errs.Forbidden where rights holds one that the caller does not: nobody gives, or takes from others, what is above him.
func (c Caller) covers(rights Rights) error {
	for _, r := range rights {
		if !c.May(r) {
			return errs.New(errs.Forbidden, "operator.more_than_own", "right", string(r))
		}
	}
	return nil
}

// Scopes of API keys that stand for several rights. Every right but Self is a scope too.
const (
	ScopeAdmin = "admin" // every right
	ScopeOpen  = "open"  // every right of the open API
)

// Scopes are what an API key can be given.
func Scopes() []string {
	list := []string{ScopeAdmin, ScopeOpen}
	for _, r := range AllRights() {
		if r != Self {
			list = append(list, string(r))
		}
	}
	return list
}

// scopeRights are the rights that scopes give.
func scopeRights(scopes []string) (rights Rights) {
	for _, r := range AllRights() {
		open := strings.HasPrefix(string(r), ScopeOpen+".")
		if slices.Contains(scopes, ScopeAdmin) || open && slices.Contains(scopes, ScopeOpen) || slices.Contains(scopes, string(r)) {
			rights = append(rights, r)
		}
	}
	return rights
}
