package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// When a broadcast is sent, in its form.
const (
	whenHand = "hand"
	whenOnce = "once"
	whenCron = "cron"
)

// channelNames are the channels that can be chosen.
var channelNames = []string{reach.Customer, reach.Mass, reach.Subscribe, reach.SMS, reach.Call, reach.InApp, reach.Event}

// fallbackNames are the variables of a text.
var fallbackNames = []string{"nickname", "points", "no"}

// writeBroadcast fills the controls of a broadcast.
func (con *Console) writeBroadcast(b *model.Broadcast) (url.Values, error) {
	in, err := inputOf(b)
	if err != nil {
		return nil, err
	}
	v := url.Values{
		"name": {b.Name}, "class": {b.Class}, "when": {whenHand}, "cron": {b.Cron}, "at": {written(b.At, con.app.Zone)},
	}
	switch {
	case b.Cron != "":
		v.Set("when", whenCron)
	case b.At != nil:
		v.Set("when", whenOnce)
	}
	writeRules(v, in)
	writeMessage(v, in.Message)
	writeCrowd(v, b.Condition)
	return v, nil
}

// writeMessage fills the controls of a message.
func writeMessage(v url.Values, m reach.Message) {
	v.Set("text", m.Text)
	v.Set("account", m.Account)
	v["channel"] = m.Channels
	for name, word := range m.Fallbacks {
		v.Set("fallback."+name, word)
	}
	if s := m.Subscribe; s != nil {
		v.Set("template", s.TemplateID)
		v.Set("page", s.Page)
		v.Set("sub_account", s.Account)
		var rows []string
		for _, k := range slices.Sorted(maps.Keys(s.Data)) {
			rows = append(rows, k+"="+s.Data[k])
		}
		v.Set("data", strings.Join(rows, "\n"))
	}
}

// readBroadcast makes a broadcast from its controls.
func (con *Console) readBroadcast(f *Form) (in *broadcast.Input, err error) {
	in = &broadcast.Input{Name: f.Get("name"), Class: f.Get("class")}
	raw, err := readCrowd(f)
	if err != nil {
		return nil, err
	}
	if in.Condition, err = con.app.Conditions.Parse(raw); err != nil {
		return nil, err
	}
	if in.Message, err = readMessage(f); err != nil {
		return nil, err
	}
	if err := readRules(f, in); err != nil {
		return nil, err
	}
	switch f.Get("when") {
	case whenOnce:
		if in.At, err = f.Time("at", con.app.Zone); err == nil && in.At == nil {
			err = errs.Field("at", "console.required")
		}
	case whenCron:
		if in.Cron = f.Get("cron"); in.Cron == "" {
			err = errs.Field("cron", "console.required")
		}
	}
	return in, err
}

// writeRules fills the controls of what the broadcast obeys and tries.
func writeRules(v url.Values, in *broadcast.Input) {
	v.Set("quiet", in.Rules.Quiet)
	v.Set("once_key", in.Rules.OnceKey)
	v.Set("salt", in.Trial.Salt)
	for name, n := range map[string]int{"hold_minutes": in.Rules.HoldMinutes, "priority": in.Rules.Priority, "holdout": in.Trial.Holdout} {
		if n != 0 {
			v.Set(name, strconv.Itoa(n))
		}
	}
	for i, t := range in.Trial.Variants {
		v.Set(fmt.Sprintf("share.%d", i), strconv.Itoa(t.Share))
		v.Set(fmt.Sprintf("variant.%d", i), t.Message.Text)
	}
}

// maxVariants is how many texts can be tried beside the broadcast's own.
const maxVariants = 2

// readRules reads them back. Another content has another text; all else is as of the broadcast.
func readRules(f *Form, in *broadcast.Input) error {
	in.Rules.Quiet, in.Rules.OnceKey, in.Trial.Salt = f.Get("quiet"), f.Get("once_key"), f.Get("salt")
	number := func(name string, into *int) error {
		if f.Get(name) == "" {
			return nil
		}
		n, err := f.Number(name)
		*into = int(n)
		return err
	}
	if err := errors.Join(number("hold_minutes", &in.Rules.HoldMinutes), number("priority", &in.Rules.Priority), number("holdout", &in.Trial.Holdout)); err != nil {
		return err
	}
	for i := range maxVariants {
		v := broadcast.Variant{Message: in.Message}
		v.Message.Text = strings.TrimSpace(strings.ReplaceAll(f.Get(fmt.Sprintf("variant.%d", i)), "\r\n", "\n"))
		if v.Message.Text == "" {
			continue
		}
		if err := number(fmt.Sprintf("share.%d", i), &v.Share); err != nil {
			return err
		}
		in.Trial.Variants = append(in.Trial.Variants, v)
	}
	return nil
}

func readMessage(f *Form) (m reach.Message, err error) {
	m = reach.Message{Text: strings.TrimSpace(strings.ReplaceAll(f.Get("text"), "\r\n", "\n")), Account: f.Get("account")}
	for _, ch := range f.Values["channel"] {
		if ch != "" {
			m.Channels = append(m.Channels, ch)
		}
	}
	for _, name := range fallbackNames {
		if word := f.Get("fallback." + name); word != "" {
			if m.Fallbacks == nil {
				m.Fallbacks = map[string]string{}
			}
			m.Fallbacks[name] = word
		}
	}
	if !slices.Contains(m.Channels, reach.Subscribe) {
		return m, nil
	}
	m.Subscribe = &reach.SubscribeContent{Account: f.Get("sub_account"), TemplateID: f.Get("template"), Page: f.Get("page"), Data: map[string]string{}}
	for _, line := range lines(f.Get("data")) {
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if _, twice := m.Subscribe.Data[name]; !ok || twice {
			return m, errs.Field("data", "console.pairs", "line", line)
		}
		m.Subscribe.Data[name] = strings.TrimSpace(value)
	}
	return m, nil
}

// messageOf reads the message that a run was frozen with.
func messageOf(run *model.Run) (m reach.Message, err error) {
	if err := json.Unmarshal(run.Message, &m); err != nil {
		return m, fmt.Errorf("console: message of run %d: %w", run.ID, err)
	}
	return m, nil
}
