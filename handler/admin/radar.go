package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// RadarBody is a tracked link as an operator writes it.
type RadarBody struct {
	Name          string     `json:"name" minLength:"1" maxLength:"64" example:"新品蛋糕"`
	Kind          string     `json:"kind,omitempty" maxLength:"32" example:"new-product" doc:"A word of yours that conditions can ask for"`
	Target        string     `json:"target,omitempty" enum:"article,page" default:"article" example:"article"`
	URL           string     `json:"url" minLength:"1" maxLength:"512" example:"https://mp.weixin.qq.com/s/abc" doc:"The article's address, or the path of a page of the mini-program"`
	HighSeconds   int64      `json:"high_seconds,omitempty" minimum:"1" maximum:"86400" default:"180" doc:"high: looked at for so long in all, or"`
	HighForwards  int64      `json:"high_forwards,omitempty" minimum:"1" maximum:"100" default:"2" doc:"forwarded so often"`
	MediumSeconds int64      `json:"medium_seconds,omitempty" minimum:"1" maximum:"86399" default:"10" doc:"medium: looked at for so long, below high_seconds"`
	LowHours      int        `json:"low_hours,omitempty" minimum:"1" maximum:"720" default:"48" doc:"low: delivered and not opened for so many hours"`
	HighTagID     OptionalID `json:"high_tag_id,omitempty" doc:"Tags of the grades, three of one exclusive group; absent: those of 意向"`
	MediumTagID   OptionalID `json:"medium_tag_id,omitempty"`
	LowTagID      OptionalID `json:"low_tag_id,omitempty"`
}

// RadarLink is a tracked link with its figures. A text that says {{radar:<id>}} carries it, for each member his own.
type RadarLink struct {
	ID web.ID `json:"id"`
	RadarBody
	Delivered int64    `json:"delivered" doc:"Members to whom a message with it was delivered"`
	Opened    int64    `json:"opened" doc:"Members who opened it"`
	Opens     int64    `json:"opens" doc:"Of everybody, visitors too"`
	Seconds   int64    `json:"seconds" doc:"Likewise"`
	Forwards  int64    `json:"forwards" doc:"Likewise"`
	Visitors  int64    `json:"visitors" doc:"People who came by what another held"`
	Known     int64    `json:"known" doc:"Of the visitors, those who are known by now"`
	High      int64    `json:"high" doc:"Members by grade"`
	Medium    int64    `json:"medium"`
	Low       int64    `json:"low"`
	None      int64    `json:"none" doc:"Members who opened it and showed too little interest for any grade"`
	CreatedAt web.Time `json:"created_at"`
}

// RadarSend is one send of a link.
type RadarSend struct {
	RunID     web.ID   `json:"run_id"`
	At        web.Time `json:"at" doc:"Of the first delivery"`
	Delivered int64    `json:"delivered"`
	Opened    int64    `json:"opened" doc:"Of them, who opened it from this send"`
}

// RadarPerson is a member or a visitor with what he did with a link.
type RadarPerson struct {
	MemberID    OptionalID `json:"member_id" doc:"Empty: a visitor who is not known"`
	VisitorID   OptionalID `json:"visitor_id,omitempty"`
	Name        string     `json:"name"`
	FromMember  OptionalID `json:"from_member_id,omitempty" doc:"Of a visitor: through whom he came first"`
	FromVisitor OptionalID `json:"from_visitor_id,omitempty"`
	FromName    string     `json:"from_name,omitempty"`
	SentAt      *web.Time  `json:"sent_at"`
	LastAt      *web.Time  `json:"last_at"`
	Opens       int64      `json:"opens"`
	Seconds     int64      `json:"seconds"`
	Forwards    int64      `json:"forwards"`
	Grade       string     `json:"grade" doc:"high, medium, low or empty"`
}

// RadarNode is a share of the tree of forwards.
type RadarNode struct {
	ID        web.ID     `json:"id"`
	ParentID  OptionalID `json:"parent_id" doc:"The share by which he who forwarded it had come; empty: it was sent"`
	Depth     int        `json:"depth"`
	MemberID  OptionalID `json:"member_id" doc:"Whose it is; empty: a visitor's"`
	VisitorID OptionalID `json:"visitor_id,omitempty"`
	Name      string     `json:"name"`
	At        web.Time   `json:"at"`
	Visitors  int64      `json:"visitors" doc:"Who came by it"`
	Opens     int64      `json:"opens" doc:"Theirs"`
	Seconds   int64      `json:"seconds"`
}

type radarIn struct{ Body RadarBody }

type radarPut struct {
	ID   web.ID `path:"id"`
	Body RadarBody
}

type radarPeopleIn struct {
	ID web.ID `path:"id"`
	Of string `query:"of" enum:"delivered,unopened,opened,forwarders,visitors,high,medium,low" default:"opened" doc:"Behind which number they stand; unopened: delivered and never opened"`
	web.Paging
}

func (h *handler) radar(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/radar-links", "The last hundred radar links, newest first"), h.getRadars)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/radar-links/{id}", "One radar link with its figures", http.StatusNotFound), h.getRadar)
	o := post(operator.ProgrammeWrite, "/radar-links", "Make a radar link")
	o.Description = "Write {{radar:<id>}} into the text of a broadcast: each member gets an address of his own, each time. Opening, looking and forwarding are events (radar.viewed, radar.forwarded, radar.graded) that tag rules can count."
	web.Write(api, o, h.postRadar)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodPut, "/radar-links/{id}", "Change a radar link; grades that were given stay", http.StatusNotFound), h.putRadar)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/radar-links/{id}/sends", "Its last hundred sends, newest first", http.StatusNotFound), h.getRadarSends)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/radar-links/{id}/people", "Who stands behind a number", http.StatusNotFound), h.getRadarPeople)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/radar-links/{id}/tree", "Who forwarded it to whom, each share below the one it came from", http.StatusNotFound), h.getRadarTree)
}

func radarView(v radar.View) RadarLink {
	return RadarLink{
		ID: web.IDOf(v.ID), RadarBody: RadarBody{
			Name: v.Name, Kind: v.Kind, Target: v.Target, URL: v.URL, HighSeconds: v.HighSeconds, HighForwards: v.HighForwards, MediumSeconds: v.MediumSeconds,
			LowHours: v.LowHours, HighTagID: optionalID(v.HighTag), MediumTagID: optionalID(v.MediumTag), LowTagID: optionalID(v.LowTag),
		},
		Delivered: v.Delivered, Opened: v.Opened, Opens: v.Opens, Seconds: v.Seconds, Forwards: v.Forwards, Visitors: v.Visitors, Known: v.Known,
		High: v.High, Medium: v.Medium, Low: v.Low, None: v.None, CreatedAt: web.At(v.CreatedAt),
	}
}

func (h *handler) getRadars(ctx context.Context, _ *web.None) (*web.Out[web.List[RadarLink]], error) {
	rows, err := h.Radar.List(ctx, 100)
	return listed(rows, radarView), err
}

func (h *handler) getRadar(ctx context.Context, in *byID) (*web.Out[RadarLink], error) {
	v, err := h.Radar.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[RadarLink]{Body: radarView(*v)}, nil
}

func (h *handler) postRadar(ctx context.Context, in *radarIn) (*web.Out[RadarLink], error) {
	return h.saveRadar(ctx, "radar.create", 0, nil, in.Body)
}

func (h *handler) putRadar(ctx context.Context, in *radarPut) (*web.Out[RadarLink], error) {
	old, err := h.Radar.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveRadar(ctx, "radar.update", in.ID.Int(), radarView(radar.View{RadarLink: old.RadarLink}), in.Body)
}

func (h *handler) saveRadar(ctx context.Context, action string, id int64, before any, b RadarBody) (*web.Out[RadarLink], error) {
	row := model.RadarLink{
		ID: id, Name: b.Name, Kind: b.Kind, Target: b.Target, URL: b.URL, HighSeconds: b.HighSeconds, HighForwards: b.HighForwards, MediumSeconds: b.MediumSeconds,
		LowHours: b.LowHours,
	}
	var err error
	for _, t := range []struct {
		field string
		id    OptionalID
		into  *int64
	}{{"high_tag_id", b.HighTagID, &row.HighTag}, {"medium_tag_id", b.MediumTagID, &row.MediumTag}, {"low_tag_id", b.LowTagID, &row.LowTag}} {
		if *t.into, err = ref(t.field, t.id); err != nil {
			return nil, err
		}
	}
	ctx = audited(ctx, h, action, before, func(l model.RadarLink) (string, any) {
		return object("radar", l.ID), radarView(radar.View{RadarLink: l})
	})
	l, err := h.Radar.Save(ctx, row)
	if err != nil {
		return nil, err
	}
	return h.getRadar(ctx, &byID{ID: web.IDOf(l.ID)})
}

func (h *handler) getRadarSends(ctx context.Context, in *byID) (*web.Out[web.List[RadarSend]], error) {
	rows, err := h.Radar.Sends(ctx, in.ID.Int(), 100)
	if err != nil {
		return nil, err
	}
	return listed(rows, func(r radar.SendFigures) RadarSend {
		return RadarSend{web.IDOf(r.RunID), web.At(r.At), r.Delivered, r.Opened}
	}), nil
}

func (h *handler) getRadarPeople(ctx context.Context, in *radarPeopleIn) (*web.Out[web.List[RadarPerson]], error) {
	key, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Radar.People(ctx, in.ID.Int(), in.Of, key, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[RadarPerson]]{Body: web.ListOf(rows, in.Limit, func(p radar.Person) RadarPerson {
		return RadarPerson{
			MemberID: optionalID(p.MemberID), VisitorID: optionalID(p.VisitorID), Name: p.Name, FromMember: optionalID(p.FromMember), FromVisitor: optionalID(p.FromVisitor),
			FromName: p.FromName, SentAt: web.AtPtr(p.SentAt), LastAt: web.AtPtr(p.LastAt), Opens: p.Opens, Seconds: p.Seconds, Forwards: p.Forwards, Grade: p.Grade,
		}
	}, func(p radar.Person) []any { return []any{p.Key} })}, nil
}

func (h *handler) getRadarTree(ctx context.Context, in *byID) (*web.Out[web.List[RadarNode]], error) {
	rows, err := h.Radar.Tree(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return listed(rows, func(n radar.Node) RadarNode {
		return RadarNode{
			ID: web.IDOf(n.ID), ParentID: optionalID(n.ParentID), Depth: n.Depth, MemberID: optionalID(n.MemberID), VisitorID: optionalID(n.VisitorID), Name: n.Name,
			At: web.At(n.At), Visitors: n.Visitors, Opens: n.Opens, Seconds: n.Seconds,
		}
	}), nil
}
