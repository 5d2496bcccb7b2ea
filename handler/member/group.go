package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Group is a WeChat group of the brand that the member is in.
type Group struct {
	ID    web.ID   `json:"id"`
	Name  string   `json:"name" example:"美妆一群"`
	Topic string   `json:"topic" example:"今天聊聊换季护肤" doc:"Of today; empty if there is none"`
	Done  []string `json:"done" example:"[\"enter\",\"word\"]" doc:"What counted today: enter, word, push"`
}

type groupList struct {
	web.Stamped
	web.List[Group]
}

type enterIn struct {
	Body struct {
		Account       string `json:"account,omitempty" maxLength:"32" example:"mp" doc:"The mini-program; the first one if absent"`
		EncryptedData string `json:"encrypted_data" minLength:"1" maxLength:"65536" doc:"Of wx.getGroupEnterInfo, within ten minutes"`
		IV            string `json:"iv" minLength:"1" maxLength:"64"`
		Bind          string `json:"bind,omitempty" maxLength:"32" doc:"The bind code of the page's address, where a new group's card carries one"`
	}
}

type wordIn struct {
	Body struct {
		Word string `json:"word" minLength:"1" maxLength:"64" example:"草莓好吃" doc:"The group's word of today (群口令)"`
	}
}

type interacted struct {
	web.Stamped
	GroupID web.ID  `json:"group_id"`
	Group   string  `json:"group" example:"美妆一群"`
	New     bool    `json:"new" doc:"false: this was counted today already, nothing changed"`
	Grants  []Grant `json:"grants" doc:"What it earned"`
}

type rankingIn struct {
	ID     web.ID `path:"id"`
	Period string `query:"period" enum:"day,week" default:"day"`
	By     string `query:"by" enum:"interactions,points" default:"interactions"`
	web.Paging
}

// Rank is a line of a ranking.
type Rank struct {
	Place    int    `json:"place" example:"1" doc:"Of equals the one who got there first is before: no two share a place."`
	Nickname string `json:"nickname" example:"小雨" doc:"Empty: show the number"`
	No       string `json:"no" example:"****7890" doc:"The end of his member number"`
	Score    int64  `json:"score" example:"3"`
	Me       bool   `json:"me"`
}

type ranking struct {
	web.Stamped
	web.List[Rank]
	Me *Rank `json:"me" doc:"My own line, on whatever page; null: I have none yet"`
}

func (h *handler) groups(api *web.API) {
	web.Read(api, op(http.MethodGet, "/groups", "The brand's groups that I am in"), h.getGroups)
	o := op(http.MethodPost, "/groups/enter", "I opened the mini-program from a group", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "Send what wx.getGroupEnterInfo gave. It counts once per group and day; 404 for a group that the brand does not know."
	web.Write(api, o, h.enterGroup)
	o = op(http.MethodPost, "/groups/word", "I type the word of the day", http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests)
	o.Description = "It counts once per group and day. 409 WRONG_WORD for a wrong one, with left in details; 429 after five wrong ones in a day."
	web.Write(api, o, h.sayWord)
	web.Read(api, op(http.MethodGet, "/groups/{id}/ranking", "The ranking of a group that I am in", http.StatusNotFound), h.getRanking)
}

func (h *handler) getGroups(ctx context.Context, _ *web.None) (*web.Out[groupList], error) {
	mine, err := h.Groups.Mine(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	out := groupList{Stamped: web.Stamp(h.Clock), List: web.List[Group]{Items: make([]Group, len(mine))}}
	for i, g := range mine {
		out.Items[i] = Group{ID: web.IDOf(g.ID), Name: g.Name, Topic: g.Topic, Done: g.Done}
	}
	return &web.Out[groupList]{Body: out}, nil
}

func (h *handler) enterGroup(ctx context.Context, in *enterIn) (*web.Out[interacted], error) {
	name, err := h.mp(in.Body.Account)
	if err != nil {
		return nil, err
	}
	account, _ := h.Account(name) // mp knows it
	return h.interacted(ctx)(h.Groups.Enter(ctx, web.MemberID(ctx), account, community.Proof{EncryptedData: in.Body.EncryptedData, IV: in.Body.IV, Bind: in.Body.Bind}))
}

func (h *handler) sayWord(ctx context.Context, in *wordIn) (*web.Out[interacted], error) {
	return h.interacted(ctx)(h.Groups.Word(ctx, web.MemberID(ctx), in.Body.Word, h.Clock.Now()))
}

func (h *handler) interacted(ctx context.Context) func(*community.Interacted, error) (*web.Out[interacted], error) {
	return func(r *community.Interacted, err error) (*web.Out[interacted], error) {
		if err != nil {
			return nil, err
		}
		return &web.Out[interacted]{Body: interacted{
			Stamped: web.Stamp(h.Clock), GroupID: web.IDOf(r.GroupID), Group: r.Group, New: r.New, Grants: grants(ctx, r.Grants),
		}}, nil
	}
}

func (h *handler) getRanking(ctx context.Context, in *rankingIn) (*web.Out[ranking], error) {
	me := web.MemberID(ctx)
	if err := h.Groups.In(ctx, in.ID.Int(), me); err != nil {
		return nil, err
	}
	var day model.Day
	var shown community.Rank
	more, err := in.Position(&day, &shown.Score, &shown.Latest)
	if err != nil {
		return nil, err
	}
	if !more {
		day = h.Zone.DayOf(h.Clock.Now()) // later pages are of the same day
	}
	rows, err := h.Groups.Ranking(ctx, community.Question{GroupID: in.ID.Int(), Period: in.Period, By: in.By, Day: day})
	if err != nil {
		return nil, err
	}
	view := func(r community.Rank) Rank {
		return Rank{Place: r.Place, Nickname: r.Nickname, No: ending(r.No), Score: r.Score, Me: r.MemberID == me}
	}
	out := ranking{Stamped: web.Stamp(h.Clock)}
	for _, r := range rows {
		if r.MemberID == me {
			mine := view(r)
			out.Me = &mine
		}
	}
	if more {
		rows = community.Behind(rows, shown)
	}
	out.List = web.ListOf(rows, in.Limit, view, func(r community.Rank) []any { return []any{day, r.Score, r.Latest} })
	return &web.Out[ranking]{Body: out}, nil
}

// ending hides all but the end of a member number.
func ending(no string) string {
	return "****" + no[max(0, len(no)-4):]
}
