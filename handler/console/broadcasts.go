package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type broadcastsView struct {
	Frame
	Rows []broadcast.View
	Next string
}

func (con *Console) broadcasts(c *gin.Context) error {
	ctx := c.Request.Context()
	list, err := con.app.Broadcasts.List(ctx, after(c), perPage+1)
	if err != nil {
		return err
	}
	v := broadcastsView{Frame: con.frame(c, "broadcasts")}
	if len(list) > perPage {
		list = list[:perPage]
		v.Next = nextPage(c, list[perPage-1].ID)
	}
	for i := range list {
		b, err := con.app.Broadcasts.View(ctx, web.Lang(ctx), &list[i])
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, *b)
	}
	web.Page(c, http.StatusOK, "console/broadcasts", v)
	return nil
}

type broadcastView struct {
	Frame
	ID        int64
	Form      *Form
	Audiences []choice
	Tags      []tagGroup
	Leaves    []string
	Message   messageView
	Variants  []variantForm
}

// variantForm is another content that can be tried: how its controls begin, and its name.
type variantForm struct{ At, Name string }

// editBroadcast is the form of a broadcast, empty for a new one.
func (con *Console) editBroadcast(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"class": {model.ClassMarketing}, "when": {whenHand}, "channel": {"customer", "mass"}, "v0.channel": {"customer", "mass"}, "v1.channel": {"customer", "mass"}}
	if id != 0 {
		b, err := con.app.Broadcasts.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		if values, err = con.writeBroadcast(b); err != nil {
			return err
		}
	} else {
		writeCrowd(values, []byte("{}"))
	}
	return con.showBroadcastForm(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showBroadcastForm(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := broadcastView{Frame: con.frame(c, "broadcast"), ID: id, Form: f, Leaves: con.app.Conditions.Names()}
	for i := range maxVariants {
		v.Variants = append(v.Variants, variantForm{variantAt(i), string(rune('B' + i))})
	}
	if status != http.StatusOK {
		v.Here = root + "/broadcasts/new"
		if id != 0 {
			v.Here = fmt.Sprintf("%s/broadcasts/%d/edit", root, id)
		}
	}
	if v.Message, err = con.messageView(c, reach.Channels...); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Audiences, err = con.audienceChoices(c); err != nil {
		return err
	}
	web.Page(c, status, "console/broadcast_form", v)
	return nil
}

func (con *Console) saveBroadcast(c *gin.Context) error {
	return save(con, c, saving[model.Broadcast]{
		kind:  "broadcast",
		get:   func(id int64) (any, error) { return con.app.Broadcasts.Get(c.Request.Context(), id) },
		facts: func(b model.Broadcast) (int64, any) { return b.ID, b },
		do: func(f *Form, id int64) (string, error) {
			in, err := con.readBroadcast(f)
			if err != nil {
				return "", err
			}
			in.ID = id
			b, err := con.app.Broadcasts.Save(c.Request.Context(), *in)
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/broadcasts/%d", root, b.ID), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showBroadcastForm(c, status, id, f) },
	})
}

// previewView is a broadcast with what it would do now and what it did.
type previewView struct {
	Frame
	broadcast.View
	Text     string
	Channels []string
	Preview  *broadcast.Preview // nil: nothing more will be sent
	Skipped  []reasonLine       // of the preview
	Form     *Form
	Runs     []runLine
	Variants []string // names of the contents, where several are tried
}

func (con *Console) broadcast(c *gin.Context) error {
	return con.showBroadcast(c, http.StatusOK, newForm(nil))
}

func (con *Console) showBroadcast(c *gin.Context, status int, f *Form) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	b, err := con.app.Broadcasts.Get(ctx, id)
	if err != nil {
		return err
	}
	read, err := con.app.Broadcasts.View(ctx, web.Lang(ctx), b)
	if err != nil {
		return err
	}
	v := previewView{Frame: con.frame(c, "broadcast"), View: *read, Form: f}
	v.Title, v.Here = b.Name, fmt.Sprintf("%s/broadcasts/%d", root, id)
	in, err := inputOf(b)
	if err != nil {
		return err
	}
	v.Text, v.Channels = in.Message.Text, in.Message.Channels
	for i := range in.Trial.Variants {
		v.Variants = append(v.Variants, string(rune('B'+i)))
	}
	if b.State != model.BroadcastDone {
		in.Cron, in.At = "", nil // a time that is over is no reason not to count
		if v.Preview, err = con.app.Broadcasts.Preview(ctx, web.Lang(ctx), *in); err != nil {
			return err
		}
		v.Skipped = con.reasonLines(c, v.Preview.Skipped)
	}
	runs, err := con.app.Reach.Runs(ctx, broadcast.Source, id, 0, 20)
	if err != nil {
		return err
	}
	if v.Runs, err = con.runLines(c, runs); err != nil {
		return err
	}
	web.Page(c, status, "console/broadcast", v)
	return nil
}

// inputOf reads a broadcast back into what Save and Preview take.
func inputOf(b *model.Broadcast) (*broadcast.Input, error) {
	in := &broadcast.Input{ID: b.ID, Name: b.Name, Class: b.Class, Cron: b.Cron, At: b.At}
	if err := json.Unmarshal(b.Message, &in.Message); err != nil {
		return nil, fmt.Errorf("console: message of broadcast %d: %w", b.ID, err)
	}
	if err := errors.Join(b.Rules.Into(&in.Rules), b.Trial.Into(&in.Trial)); err != nil {
		return nil, fmt.Errorf("console: rules of broadcast %d: %w", b.ID, err)
	}
	if err := json.Unmarshal(b.Condition, &in.Condition); err != nil {
		return nil, fmt.Errorf("console: condition of broadcast %d: %w", b.ID, err)
	}
	return in, nil
}

// runBroadcast sends it now. Sending to everybody asks for their number first.
func (con *Console) runBroadcast(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	f.Name = "run"
	return con.write(c, f, change{
		action: "broadcast.run",
		of: func(answer any) operator.Change {
			r := answer.(model.Run)
			return operator.Change{Object: fmt.Sprintf("broadcast:%d", id), After: map[string]any{"run_id": fmt.Sprint(r.ID), "audience": r.Audience}}
		},
		do: func() (string, error) {
			var confirm *int64
			if f.Get("confirm") != "" {
				n, err := f.Number("confirm")
				if err != nil {
					return "", err
				}
				confirm = &n
			}
			run, err := con.app.Broadcasts.RunNow(c.Request.Context(), id, confirm)
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/runs/%d", root, run.ID), "started"), nil
		},
		again: func(status int, f *Form) error { return con.showBroadcast(c, status, f) },
	})
}

func (con *Console) testBroadcast(c *gin.Context) error {
	return con.testSend(c, "broadcast", "variant", con.app.Broadcasts.Test, func(status int, _ int64, f *Form) error { return con.showBroadcast(c, status, f) })
}

// pauseBroadcast stops a broadcast and its runs, or lets it go on.
func (con *Console) pauseBroadcast(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.Broadcasts.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	turn, word := con.app.Broadcasts.Pause, "paused"
	if f.Get("do") == "resume" {
		turn, word = con.app.Broadcasts.Resume, "resumed"
	}
	return con.write(c, f, change{
		action: "broadcast." + word,
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("broadcast:%d", id), Before: map[string]any{"state": old.State}, After: map[string]any{"state": answer.(model.Broadcast).State}}
		},
		do: func() (string, error) {
			_, err := turn(c.Request.Context(), id)
			return done(fmt.Sprintf("%s/broadcasts/%d", root, id), word), err
		},
		again: func(status int, f *Form) error { return con.showBroadcast(c, status, f) },
	})
}
