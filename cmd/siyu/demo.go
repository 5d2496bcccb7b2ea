package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// day is one demo: people, what they did, and what came of it.
type day struct {
	s      *phone.Server
	admin  string // token
	out    io.Writer
	n      int
	start  time.Time // 09:00 of the day
	people []*customer

	follows, members, checkins, answers, points, refused atomic.Int64
}

type customer struct {
	*phone.Person
	name   string
	draw   int // 0…99, the same at every run: decides what he does
	member string
}

// demo drives a running siyu through one day of a brand: only WeChat pushes and the public APIs.
func demo(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("siyu demo", flag.ContinueOnError)
	fs.SetOutput(out)
	url := fs.String("url", "http://127.0.0.1:8080", "where siyu serves")
	n := fs.Int("people", 100, "how many people")
	data := fs.String("data", "data", "data directory of that siyu: its admin.token is read")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *n < 1 || *n > 100_000 {
		return errors.New("demo: --people must be between 1 and 100000")
	}
	token, err := os.ReadFile(filepath.Join(*data, "admin.token"))
	if err != nil {
		return fmt.Errorf("demo: start siyu first (go run ./cmd/siyu serve), or name its directory with --data: %w", err)
	}
	d := &day{s: phone.New(strings.TrimRight(*url, "/")), admin: strings.TrimSpace(string(token)), out: out, n: *n}
	now, err := d.s.Clock(ctx, nil)
	if err != nil {
		return fmt.Errorf("demo: no sandbox at %s: %w", *url, err)
	}
	d.start = clock.Shanghai.At(clock.Shanghai.DayOf(now).Add(1), 9, 0)
	return d.run(ctx)
}

func (d *day) run(ctx context.Context) error {
	steps := []struct {
		at   time.Duration // after 09:00
		what string
		do   func(context.Context) error
	}{
		{0, "people scan posters, read articles and follow", d.follow},
		{time.Hour, "most open the mini-program and register", d.register},
		{2 * time.Hour, "members check in: in the mini-program, by the menu, by text", d.checkIn},
		{3 * time.Hour, "members answer the quiz, in both places", d.quiz},
		{4 * time.Hour, "people chat; some unsubscribe, some want no marketing", d.chat},
		{11 * time.Hour, "a broadcast to whoever likes strawberries", d.broadcast},
	}
	var sent broadcastResult
	for _, s := range steps {
		at := d.start.Add(s.at)
		if _, err := d.s.Clock(ctx, map[string]any{"now": at}); err != nil {
			return err
		}
		fmt.Fprintf(d.out, "%s  %s\n", clock.Shanghai.In(at).Format("01-02 15:04"), s.what)
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	sent, err := d.result(ctx)
	if err != nil {
		return err
	}
	if _, err := d.s.Clock(ctx, map[string]any{"tick": true}); err != nil {
		return err
	}
	return d.table(ctx, sent)
}

// each does something for every customer, a few at once, with progress.
func (d *day) each(ctx context.Context, do func(context.Context, *customer) error) error {
	var wg sync.WaitGroup
	var next, done atomic.Int64
	errs := make(chan error, 8)
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(d.people) {
					return
				}
				if err := do(ctx, d.people[i]); err != nil {
					errs <- fmt.Errorf("demo: %s: %w", d.people[i].name, err)
					return
				}
				if n := done.Add(1); n%25 == 0 || int(n) == len(d.people) {
					fmt.Fprintf(d.out, "             %d of %d\n", n, len(d.people))
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, ctx.Err())
}

func (d *day) follow(ctx context.Context) error {
	names := []string{"小雨", "阿杰", "芊芊", "大力", "思远", "可可", "子涵", "梦琪"}
	random := rand.New(rand.NewPCG(2026, 11)) //nolint:gosec // the same people at every run
	for i := range d.n {
		name := fmt.Sprintf("%s%d", names[i%len(names)], i+1)
		p, err := d.s.Person(ctx, name, "")
		if err != nil {
			return err
		}
		d.people = append(d.people, &customer{Person: p, name: name, draw: random.IntN(100)})
	}
	return d.each(ctx, func(ctx context.Context, c *customer) error {
		in := map[string]any{}
		switch {
		case c.draw < 50:
			in["scene"] = "poster"
		case c.draw < 75:
			in["scene"] = "tweet"
		case c.draw < 85:
			in["scene"] = "old"
		}
		_, err := c.Act(ctx, "follow", in)
		d.follows.Add(1)
		return err
	})
}

func (d *day) register(ctx context.Context) error {
	return d.each(ctx, func(ctx context.Context, c *customer) error {
		if c.draw%10 >= 8 {
			return nil
		}
		if _, err := c.Login(ctx); err != nil {
			return err
		}
		var r struct {
			Member struct{ ID string }
		}
		if err := c.API(ctx, "POST", "/register", map[string]any{"nickname": c.name}, &r); err != nil {
			return err
		}
		c.member = r.Member.ID
		d.members.Add(1)
		if c.draw%3 == 0 {
			_, err := c.Act(ctx, "accept", map[string]any{"account": "mp", "template": "TPL_ACTIVITY", "times": 1})
			return err
		}
		return nil
	})
}

func (d *day) checkIn(ctx context.Context) error {
	return d.each(ctx, func(ctx context.Context, c *customer) error {
		if c.member == "" && c.draw%2 == 0 {
			return nil
		}
		var err error
		switch c.draw % 3 {
		case 0:
			if c.member == "" {
				return nil
			}
			if err = c.API(ctx, "POST", "/checkins", nil, nil); err == nil {
				d.checkins.Add(1)
			}
			return err
		case 1:
			_, err = c.Act(ctx, "click", map[string]any{"key": "CHECKIN"})
		default:
			_, err = c.Act(ctx, "text", map[string]any{"content": "签到"})
		}
		if c.member == "" {
			d.refused.Add(1) // a kind invitation to register
			return err
		}
		d.checkins.Add(1)
		return err
	})
}

func (d *day) quiz(ctx context.Context) error {
	var open struct{ Items []struct{ ID string } }
	if i := slices.IndexFunc(d.people, func(c *customer) bool { return c.member != "" }); i >= 0 {
		if err := d.people[i].API(ctx, "GET", "/quizzes", nil, &open); err != nil {
			return err
		}
	}
	if len(open.Items) == 0 {
		fmt.Fprintln(d.out, "             no quiz is open")
		return nil
	}
	return d.each(ctx, func(ctx context.Context, c *customer) error {
		if c.member == "" || c.draw%4 == 3 {
			return nil
		}
		answer := "A"
		if c.draw%5 == 0 {
			answer = "B"
		}
		d.answers.Add(1)
		if c.draw%2 == 0 {
			return c.API(ctx, "POST", "/quizzes/"+open.Items[0].ID+"/answers", map[string]any{"answer": answer}, nil)
		}
		_, err := c.Act(ctx, "text", map[string]any{"content": answer})
		return err
	})
}

func (d *day) chat(ctx context.Context) error {
	said := []string{"我是敏感肌能用吗", "有草莓味吗", "我不是敏感肌", "发货了吗", "草莓味的好吃"}
	return d.each(ctx, func(ctx context.Context, c *customer) error {
		if c.draw%3 == 0 {
			if _, err := c.Act(ctx, "text", map[string]any{"content": said[c.draw%len(said)]}); err != nil {
				return err
			}
		}
		var err error
		switch {
		case c.draw >= 95:
			_, err = c.Act(ctx, "unfollow", nil)
		case c.draw >= 90:
			_, err = c.Act(ctx, "text", map[string]any{"content": "退订"})
		}
		return err
	})
}

type broadcastResult struct {
	Counts  map[string]int64 // by state
	Reasons []struct {
		Reason string
		Detail string
		Count  int64
	}
}

func (d *day) broadcast(ctx context.Context) error {
	var tags struct {
		Items []struct{ ID, Name string }
	}
	if err := d.s.Call(ctx, "GET", "/admin/v1/tags", d.admin, nil, &tags); err != nil {
		return err
	}
	i := slices.IndexFunc(tags.Items, func(t struct{ ID, Name string }) bool { return t.Name == "喜欢草莓味" })
	if i < 0 {
		return errors.New("demo: the demo brand's tag is gone: start siyu on an empty --data directory")
	}
	at := d.start.Add(11*time.Hour + time.Minute)
	in := map[string]any{
		"name": "草莓味新品 " + clock.Shanghai.In(at).Format("01-02 15:04"), "class": "marketing", "at": clock.Shanghai.In(at),
		"condition": map[string]any{"leaf": "tag", "tag_id": tags.Items[i].ID},
		"message": map[string]any{
			"text": "草莓味新品今晚上架,会员专享价。", "channels": []string{"customer", "subscribe", "mass"},
			"subscribe": map[string]any{"template_id": "TPL_ACTIVITY", "page": "pages/index/index", "data": map[string]string{
				"thing1": "草莓味新品", "thing2": "今晚上架,会员专享价", "time3": clock.Shanghai.In(at).Format("2006年1月2日 15:04"),
			}},
		},
	}
	if err := d.s.Call(ctx, "POST", "/admin/v1/broadcasts", d.admin, in, nil); err != nil {
		return err
	}
	_, err := d.s.Clock(ctx, map[string]any{"now": at}) // runs what falls due
	return err
}

// result reads the newest run of the newest broadcast.
func (d *day) result(ctx context.Context) (r broadcastResult, err error) {
	var list struct{ Items []struct{ ID string } }
	if err := d.s.Call(ctx, "GET", "/admin/v1/broadcasts?limit=1", d.admin, nil, &list); err != nil || len(list.Items) == 0 {
		return r, err
	}
	var runs struct{ Items []struct{ ID string } }
	if err := d.s.Call(ctx, "GET", "/admin/v1/broadcasts/"+list.Items[0].ID+"/runs", d.admin, nil, &runs); err != nil || len(runs.Items) == 0 {
		return r, errors.Join(err, errors.New("demo: the broadcast did not run"))
	}
	return r, d.s.Call(ctx, "GET", "/admin/v1/runs/"+runs.Items[0].ID, d.admin, nil, &r)
}

// table counts what the people have now, and prints it.
func (d *day) table(ctx context.Context, sent broadcastResult) error {
	var tags, delivered atomic.Int64
	err := d.each(ctx, func(ctx context.Context, c *customer) error {
		messages, err := c.Inbox(ctx)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Channel != "reply" && m.Channel != "system" {
				delivered.Add(1)
			}
		}
		if c.member == "" {
			return nil
		}
		var earned struct {
			Items []struct {
				Kind  string
				Delta int64
			}
		}
		if err := c.API(ctx, "GET", "/points/entries?account=points", nil, &earned); err != nil {
			return err
		}
		for _, e := range earned.Items {
			if e.Kind == "earn" {
				d.points.Add(e.Delta)
			}
		}
		var m struct{ Tags []struct{ ID string } }
		err = d.s.Call(ctx, "GET", "/admin/v1/members/"+c.member, d.admin, nil, &m)
		tags.Add(int64(len(m.Tags)))
		return err
	})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	row := func(name string, n any) { fmt.Fprintf(w, "%s\t%v\n", name, n) }
	fmt.Fprintln(w)
	row("follows", d.follows.Load())
	row("members", d.members.Load())
	row("check-ins", d.checkins.Load())
	row("invited to register instead", d.refused.Load())
	row("quiz answers", d.answers.Load())
	row("points issued", d.points.Load())
	row("tags on members", tags.Load())
	row("messages delivered (with welcome cards)", delivered.Load())
	for _, state := range slices.Sorted(maps.Keys(sent.Counts)) {
		if n := sent.Counts[state]; n > 0 {
			row("broadcast "+state, n)
		}
	}
	for _, r := range sent.Reasons {
		row("  skipped "+strings.TrimSpace(r.Reason+" "+r.Detail), r.Count)
	}
	fmt.Fprintf(w, "\nlook at it: %s/console\n", d.s.URL)
	return w.Flush()
}
