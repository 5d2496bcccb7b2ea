package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

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
	writeMessage(v, "", in.Message)
	writeCrowd(v, b.Condition)
	return v, nil
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
	if in.Message, err = con.readMessage(f, "", "message"); err != nil {
		return nil, err
	}
	if err := con.readRules(f, in); err != nil {
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
	for i := range maxVariants {
		m := reach.Message{Channels: in.Message.Channels}
		if i < len(in.Trial.Variants) {
			m = in.Trial.Variants[i].Message
			v.Set(variantAt(i)+"share", strconv.Itoa(in.Trial.Variants[i].Share))
		}
		writeMessage(v, variantAt(i), m)
	}
}

// maxVariants is how many contents can be tried beside the broadcast's own.
const maxVariants = 2

// variantAt is how the controls of another content begin.
func variantAt(i int) string { return fmt.Sprintf("v%d.", i) }

// readRules reads them back. Another content is there where it has a share.
func (con *Console) readRules(f *Form, in *broadcast.Input) error {
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
		at, path := variantAt(i), fmt.Sprintf("trial.variants[%d]", len(in.Trial.Variants))
		if f.Get(at+"share") == "" {
			continue
		}
		f.from(path+".share", at+"share")
		v := broadcast.Variant{}
		if err := number(at+"share", &v.Share); err != nil {
			return err
		}
		var err error
		if v.Message, err = con.readMessage(f, at, path+".message"); err != nil {
			return err
		}
		in.Trial.Variants = append(in.Trial.Variants, v)
	}
	for _, name := range []string{"quiet", "hold_minutes", "priority", "once_key"} {
		f.from("rules."+name, name)
	}
	f.from("trial.holdout", "holdout")
	f.from("trial.salt", "holdout")
	return nil
}

// messageOf reads the message that a run was frozen with.
func messageOf(run *model.Run) (m reach.Message, err error) {
	if err := json.Unmarshal(run.Message, &m); err != nil {
		return m, fmt.Errorf("console: message of run %d: %w", run.ID, err)
	}
	return m, nil
}
