package reach

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// brand stands before every SMS.
func (s *Service) brand() string { return "【" + s.o.Brand + "】" }

// framed is an SMS with the brand's name before it and, for marketing, the line on how to opt out behind it. What is too long loses its end, not
// these.
func (s *Service) framed(text string, marketing bool) string {
	head, tail := s.brand(), ""
	text = strings.TrimPrefix(strings.TrimSpace(text), head)
	if marketing {
		tail = " " + s.o.OptOut
		text = strings.TrimRight(strings.TrimSuffix(text, s.o.OptOut), " ")
	}
	room := smsChars - utf8.RuneCountInString(head+tail)
	if r := []rune(text); len(r) > room {
		text = string(r[:room])
	}
	return head + text + tail
}

// checkPhone refuses SMS and calls that the settings have no provider for, and an SMS in another brand's name or too long with what is added.
func (s *Service) checkPhone(class string, m *Message) error {
	for _, channel := range []string{SMS, Call} {
		if slices.Contains(m.Channels, channel) && s.o.Carriers[channel] == nil {
			return errs.Field("message.channels", "reach.no_provider", "channel", channel)
		}
	}
	if !slices.Contains(m.Channels, SMS) {
		return nil
	}
	field, text := "message.text", strings.TrimSpace(m.body(SMS))
	if m.SMS != nil && m.SMS.Text != "" {
		field = "message.sms.text"
	}
	if strings.HasPrefix(text, "【") && !strings.HasPrefix(text, s.brand()) {
		return errs.Field(field, "reach.sms_brand", "brand", s.brand())
	}
	if t, ok := s.o.Carriers[SMS].(interface{ NeedsTemplate() bool }); ok && t.NeedsTemplate() && m.phone(SMS).Template == "" {
		return errs.Field("message.sms.template", "reach.sms_template")
	}
	written := variable.ReplaceAllString(strings.TrimPrefix(text, s.brand()), "")
	added := utf8.RuneCountInString(s.brand())
	if class == model.ClassMarketing && !strings.HasSuffix(written, s.o.OptOut) {
		added += utf8.RuneCountInString(s.o.OptOut) + 1
	}
	if utf8.RuneCountInString(written)+added > smsChars {
		return errs.Field(field, "reach.long_phone", "limit", smsChars-added)
	}
	return nil
}

// Reports of a provider.
const (
	ReportDelivered = "delivered"
	ReportFailed    = "failed"
	ReportReply     = "reply"
)

// Report is what a provider says of a message after it took it, or what somebody answered.
type Report struct {
	Channel string // SMS or Call
	Kind    string
	MsgID   string // of a delivery
	Detail  string // of a failure
	Phone   string // of a reply
	Text    string // of a reply
	At      time.Time
}

// refusals are the replies that opt out, as carriers and providers know them.
var refusals = []string{"T", "TD", "R", "N", "退订", "拒收"}

// optsOut reports whether a reply says nothing but that no more is wanted.
func optsOut(text string) bool {
	folded := strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // full width
			return r - '！' + '!'
		}
		return r
	}, text)
	return slices.Contains(refusals, strings.ToUpper(strings.Trim(folded, " \t\r\n.。,，!！")))
}

// maxAhead is how far a report's time may lie ahead of ours.
const maxAhead = 5 * time.Minute

// check refuses what is no report.
func (r *Report) check(field string, now time.Time) error {
	switch {
	case r.Channel != SMS && r.Channel != Call:
		return errs.Field(field+".channel", "reach.report_channel")
	case r.At.IsZero() || r.At.After(now.Add(maxAhead)):
		return errs.Field(field+".at", "reach.report_at")
	case r.Kind != ReportReply && r.MsgID == "":
		return errs.Field(field+".msg_id", "reach.report_id")
	case r.Kind == ReportReply && r.Phone == "":
		return errs.Field(field+".phone", "customer.phone")
	}
	return nil
}

// Reported takes reports of a provider, all or none. They may come twice, late and in any order. A reply that opts out is the person's own word:
// nobody but he takes it back.
func (s *Service) Reported(ctx context.Context, members *member.Service, consents *consent.Service, list []Report) (optedOut int, err error) {
	for n := range list {
		if err := list[n].check(fmt.Sprintf("reports[%d]", n), s.clock.Now()); err != nil {
			return 0, err
		}
	}
	return db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (optedOut int, err error) {
		for n, r := range list {
			switch {
			case r.Kind == ReportFailed:
				err = s.FailedTx(ctx, tx, r.Channel, r.MsgID, r.Detail, r.At)
			case r.Kind == ReportReply && optsOut(r.Text):
				optedOut++
				err = optOut(tx, members, consents, &r, fmt.Sprintf("reports[%d].phone", n))
			}
			if err != nil {
				return 0, err
			}
		}
		return optedOut, nil
	})
}

// optOut notes the reply with everybody who has the number; who is not known yet is made known by it, so that no later file reaches him.
func optOut(tx *gorm.DB, members *member.Service, consents *consent.Service, r *Report, field string) error {
	index, sealed, _, ok := members.SealPhone(r.Phone)
	if !ok {
		return errs.Field(field, "customer.phone")
	}
	ids, err := members.EverybodyWith(tx, r.Phone)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		m, err := members.PersonTx(tx, index, sealed)
		if err != nil {
			return err
		}
		ids = append(ids, m.ID)
	}
	for _, id := range ids {
		m, err := member.SurvivorTx(tx, id)
		if err != nil {
			return err
		}
		c := model.Consent{MemberID: m.ID, Kind: r.Channel, Source: consent.Reply, Evidence: strings.TrimSpace(r.Text), At: r.At}
		if err := consents.PutTx(tx, c); err != nil {
			return err
		}
	}
	return nil
}
