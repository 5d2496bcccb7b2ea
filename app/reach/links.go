package reach

import (
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/model"
)

// links writes the radar links of a message for each person; the zero value is a message that has none.
type links struct {
	text, page *radar.Filler
	customer   *radar.Filler            // of the web page of an article, or the page of a card
	phone      map[string]*radar.Filler // of SMS and calls with a text of their own
}

// links reads the links that the message names.
func (s *Service) links(tx *gorm.DB, m *Message) (k links, err error) {
	if s.o.Radar == nil {
		return k, nil
	}
	if strings.Contains(m.Text, "{{") {
		if k.text, err = s.o.Radar.FillerTx(tx, "message.text", m.Text); err != nil {
			return k, err
		}
	}
	for _, channel := range []string{SMS, Call} {
		if body := m.body(channel); body != m.Text && strings.Contains(body, "{{") {
			filler, err := s.o.Radar.FillerTx(tx, "message."+channel+".text", body)
			if err != nil {
				return k, err
			}
			if k.phone == nil {
				k.phone = map[string]*radar.Filler{}
			}
			k.phone[channel] = filler
		}
	}
	if c := m.rich(); c != nil && strings.Contains(c.URL+c.Path, "{{") {
		if k.customer, err = s.o.Radar.FillerTx(tx, "message.customer", c.URL+" "+c.Path); err != nil {
			return k, err
		}
	}
	if m.Subscribe != nil && strings.Contains(m.Subscribe.Page, "{{") {
		k.page, err = s.o.Radar.FillerTx(tx, "message.subscribe.page", m.Subscribe.Page)
	}
	return k, err
}

// CheckTx is Validate, and refuses accounts that cannot send, radar links that are not there, and those with which a text grows too long: what
// every form of saving a message asks.
func (s *Service) CheckTx(tx *gorm.DB, class string, m Message, own ...string) error {
	if err := Validate(class, m, own...); err != nil {
		return err
	}
	if err := s.checkPhone(class, &m); err != nil {
		return err
	}
	if err := s.checkSenders(&m); err != nil {
		return err
	}
	if c := m.rich(); c != nil && c.Kind == reply.Card && s.o.MPAppID == "" {
		return errs.Field("message.customer.kind", "reach.no_mini_program")
	}
	k, err := s.links(tx, &m)
	if err == nil && len(k.text.Longest(m.Text)) > maxBytes {
		err = errs.Field("message.text", "reach.long_text", "limit", maxChars)
	}
	return err
}

// checkSenders refuses accounts that are not there, or of the other kind.
func (s *Service) checkSenders(m *Message) error {
	is := func(name, kind string) bool { return name == "" || s.o.KindOf == nil || s.o.KindOf(name) == kind }
	if !is(m.Account, model.KindOA) {
		return errs.Field("message.account", "wechat.account_unknown", "account", m.Account)
	}
	if m.Subscribe != nil && !is(m.Subscribe.Account, model.KindMP) {
		return errs.Field("message.subscribe.account", "wechat.account_unknown", "account", m.Subscribe.Account)
	}
	return nil
}

// delivered notes who got links with the calls that WeChat accepted.
func (s *Service) delivered(tx *gorm.DB, l *lease, f *flight) error {
	got := map[string][]int64{}
	for _, i := range f.items {
		if i.result.state == model.DeliveryAccepted {
			got[i.channel] = append(got[i.channel], i.who)
		}
	}
	for channel, who := range got {
		ids := radar.Named(l.msg.body(channel))
		switch c := l.msg.Customer; channel {
		case Customer:
			if c != nil {
				ids = radar.Named(c.URL + " " + c.Path)
			}
		case Subscribe:
			ids = radar.Named(l.msg.Subscribe.Page)
		case Template, Notice:
			ids = nil
		}
		if len(ids) == 0 || s.o.Radar == nil {
			continue
		}
		if err := s.o.Radar.DeliveredTx(tx, l.run.ID, ids, who, s.clock.Now()); err != nil {
			return err
		}
	}
	return nil
}

// undelivered takes back the links of a delivery that WeChat accepted and then failed.
func (s *Service) undelivered(tx *gorm.DB, runID, seq int64) error {
	if s.o.Radar == nil {
		return nil
	}
	var d model.Delivery
	if err := tx.Take(&d, "run_id = ? AND seq = ?", runID, seq).Error; err != nil {
		return err
	}
	m, err := member.Get(tx, d.MemberID)
	if err != nil {
		return err
	}
	return s.o.Radar.NotDeliveredTx(tx, runID, m.ID)
}
