package open

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Report is what a provider says of an SMS or a call after it took it, or what somebody answered.
type Report struct {
	Channel string   `json:"channel,omitempty" enum:"sms,call" default:"sms"`
	Kind    string   `json:"kind" enum:"delivered,failed,reply" example:"reply"`
	MsgID   string   `json:"msg_id,omitempty" maxLength:"64" example:"5000:1045710669157053657849499619" doc:"The provider's own, of a delivery"`
	Detail  string   `json:"detail,omitempty" maxLength:"200" doc:"Why a delivery failed"`
	Phone   string   `json:"phone,omitempty" maxLength:"32" example:"13800000001" doc:"Of a reply"`
	Text    string   `json:"text,omitempty" maxLength:"500" example:"T" doc:"Of a reply"`
	At      web.Time `json:"at" doc:"When it happened: a repeat of the report carries the same"`
}

type reportsIn struct {
	Body struct {
		Reports []Report `json:"reports" minItems:"1" maxItems:"500"`
	}
}

// Reported is what the reports came to.
type Reported struct {
	Reports  int `json:"reports" example:"1"`
	OptedOut int `json:"opted_out" example:"1" doc:"Replies that want no more"`
}

func (h *handler) reports(api *web.API) {
	o := op(operator.OpenSMS, http.MethodPost, "/sms/reports", "Say what became of SMS and calls, and what was replied", http.StatusConflict)
	o.Description = "failed turns the delivery into a rejected one. A reply of T, TD, R, N, 退订 or 拒收 alone opts its number out of the channel for good: only the member himself consents again, " +
		"in the mini-program. Reports may come twice, late and in any order; one of a message that siyu does not know waits for it."
	o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: map[string]any{
		"reports": []map[string]any{{"kind": "reply", "phone": "13800000001", "text": "T", "at": "2026-11-23T09:00:00+08:00"}},
	}}}}
	web.Write(api, o, h.postReports)
}

func (h *handler) postReports(ctx context.Context, in *reportsIn) (*web.Out[Reported], error) {
	list := make([]reach.Report, len(in.Body.Reports))
	for i, r := range in.Body.Reports {
		list[i] = reach.Report{Channel: r.Channel, Kind: r.Kind, MsgID: r.MsgID, Detail: r.Detail, Phone: r.Phone, Text: r.Text, At: r.At.Time}
	}
	n, err := h.Reach.Reported(ctx, h.Members, h.Consents, list)
	return &web.Out[Reported]{Body: Reported{len(list), n}}, err
}
