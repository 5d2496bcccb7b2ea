package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Customer is somebody whom the brand knew before siyu.
type Customer struct {
	ID          web.ID    `json:"id"`
	Phone       string    `json:"phone" example:"138****0001"`
	Name        string    `json:"name"`
	Level       string    `json:"level" example:"天猫V3" doc:"Outside"`
	TierID      web.ID    `json:"tier_id" doc:"What the file's mapping makes of it; 0: none"`
	LastOrderAt *web.Time `json:"last_order_at" doc:"Elsewhere"`
	Consent     string    `json:"consent" enum:"yes,no," doc:"To marketing; empty: the file says nothing"`
	MemberID    web.ID    `json:"member_id" doc:"0: he has not appeared"`
	MatchedAt   *web.Time `json:"matched_at"`
	CreatedAt   web.Time  `json:"created_at"`
}

func (h *handler) customerView(c model.Customer) Customer {
	return Customer{
		ID: web.IDOf(c.ID), Phone: h.Customers.Phone(&c), Name: c.Name, Level: c.Level, TierID: web.IDOf(c.TierID), LastOrderAt: web.AtPtr(c.LastOrderAt),
		Consent: c.Consent, MemberID: web.IDOf(c.MemberID), MatchedAt: web.AtPtr(c.MatchedAt), CreatedAt: web.At(c.CreatedAt),
	}
}

type customerFileIn struct {
	Body struct {
		File
		Levels map[string]web.ID `json:"levels,omitempty" doc:"Which tier each outside level of the file is"`
	}
}

type customersIn struct {
	web.Paging
	Matched string `query:"matched" enum:"yes,no" doc:"Whether they are members by now"`
}

func (h *handler) customers(api *web.API) {
	o := post(operator.MembersWrite, "/customers/imports", "Import a file of past customers", http.StatusRequestEntityTooLarge)
	o.Description = "The first line names the columns: phone, name, level, last_order_at, tags (with ; between them), consent (yes, no); or their Chinese names. At most 1,000,000 lines. " +
		"A number that is none or stood before, a level without a tier and a tag that is none are reported, and the other lines land; the same file again changes nothing. " +
		"Once a member has the number, the tags and the tier are his, and who gave no consent gets no marketing."
	web.Write(api, example(o, exampleFile("old.csv", "phone,name,consent\n13800000001,张三,yes\n")), h.postCustomers)
	h.imports(api, "/customers", customer.Import)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/customers", "Past customers, newest first"), h.getCustomers)
	web.Write(api, op(operator.MembersWrite, http.MethodDelete, "/customers/{id}", "Forget a past customer", http.StatusNotFound), h.deleteCustomer)
}

func (h *handler) postCustomers(ctx context.Context, in *customerFileIn) (*web.Out[Import], error) {
	data, err := in.Body.bytes()
	if err != nil {
		return nil, err
	}
	o := customer.Options{Levels: map[string]int64{}}
	for level, id := range in.Body.Levels {
		o.Levels[level] = id.Int()
	}
	i, err := h.Customers.Import(h.importing(ctx, customer.Import), in.Body.Name, data, o, web.Actor(ctx))
	return h.imported(ctx, i, err)
}

func (h *handler) getCustomers(ctx context.Context, in *customersIn) (*web.Out[web.List[Customer]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	q := customer.Query{Before: before, Limit: in.Limit + 1}
	if in.Matched != "" {
		yes := in.Matched == "yes"
		q.Matched = &yes
	}
	rows, err := h.Customers.List(ctx, q)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Customer]]{Body: web.ListOf(rows, in.Limit, h.customerView, func(c model.Customer) []any { return []any{c.ID} })}, nil
}

func (h *handler) deleteCustomer(ctx context.Context, in *byID) (*web.None, error) {
	c, err := h.Customers.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "customer.forget", h.customerView(*c), func(struct{}) (string, any) { return object("customer", c.ID), nil })
	return nil, h.Customers.Forget(ctx, c.ID)
}
