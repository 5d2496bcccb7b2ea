package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/handler"
	"github.com/siyu-scrm/siyu/model"
)

const (
	audienceTags  = 50
	audiencePiece = 50_000 // members whose rows are made in one transaction
	audienceSQL   = 40     // questions in SQL
	audienceLate  = 20     // changes whose delay is measured
)

// share is how many of a thousand members hold the nth tag: from 1 to 400, about five tags for each member in all.
func share(n int) int { return 1 + 399*n*n*n/((audienceTags-1)*(audienceTags-1)*(audienceTags-1)) }

// crowd is what the questions are about.
type crowd struct {
	tags, tiers []int64
	holdings    int64
}

// benchCounts asks for the size of audiences through the admin API, beside the same questions in SQL on the same database. Each is a tree
// of four leaves: one tag, and another or women, from the second tier upwards.
func benchCounts(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	began := clock.Real()
	c, err := benchCrowd(ctx, a, o.members)
	if err != nil {
		return fmt.Errorf("bench audience: %w", err)
	}
	fmt.Fprintf(out, "members  %d with %d holdings of %d tags, made in %.0fs\n", o.members, c.holdings, audienceTags, clock.Real().Sub(began).Seconds())

	before := heapMiB()
	began = clock.Real()
	if _, err := a.Audience.Count(ctx, condition.Tree{}); err != nil {
		return err
	}
	load := clock.Real().Sub(began)
	index := max(0, heapMiB()-before)

	key, err := a.Operators.CreateKey(ctx, operator.Caller{Name: "bench", Rights: operator.AllRights()}, "bench", []string{operator.ScopeAdmin})
	if err != nil {
		return err
	}
	a.Seal()
	h, err := handler.New(a, handler.Options{Version: version})
	if err != nil {
		return err
	}
	base, stop, err := listen(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ask := asker{client: benchClient(homeWorkers), url: base + "/admin/v1/audience/count", token: key.Token}

	ours := make([]time.Duration, o.requests)
	for i := range ours {
		tree, _, _ := c.question(i)
		if _, ours[i], err = ask.count(tree); err != nil {
			return err
		}
	}
	theirs := make([]time.Duration, audienceSQL)
	for i := range theirs {
		tree, query, args := c.question(i * 7)
		var want int64
		began := clock.Real()
		if err := a.DB.Reader(ctx).Raw(query, args...).Scan(&want).Error; err != nil {
			return err
		}
		theirs[i] = clock.Real().Sub(began)
		if got, _, err := ask.count(tree); err != nil || got != want {
			return errors.Join(err, fmt.Errorf("bench audience: counted %d, by SQL %d", got, want))
		}
	}
	window := condition.Is("did", map[string]any{"event": model.EventCheckin, "op": condition.Gte, "count": 2, "window": "30d"})
	_, first, err := ask.count(window)
	if err != nil {
		return err
	}
	_, again, err := ask.count(window)
	if err != nil {
		return err
	}
	late, err := c.late(ctx, a, ask)
	if err != nil {
		return err
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	p50, p99, sql50, sql99 := at(ours, 0.5), at(ours, 0.99), at(theirs, 0.5), at(theirs, 0.99)
	fmt.Fprintf(out, "in SQL   p50=%.1fms p99=%.1fms\nwindow   first=%.0fms again=%.1fms\n", sql50, sql99, millis(first), millis(again))
	fmt.Fprintf(out, "bench audience db=%s members=%d holdings=%d requests=%d p50=%.2fms p99=%.2fms ratio=%.4f load=%.2fs index=%dMiB stale=%.1fms rss=%dMiB\n",
		a.DB.Dialect(), o.members, c.holdings, o.requests, p50, p99, p50/sql50, load.Seconds(), index, millis(late), peakMiB())
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// at is the time below which a share of the sorted ones lies, in milliseconds.
func at(took []time.Duration, share float64) float64 {
	if len(took) == 0 {
		return 0
	}
	return millis(took[int(share*float64(len(took)-1))])
}

// heapMiB is what is in use after a collection.
func heapMiB() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 20) //nolint:gosec // far below
}

// benchCrowd makes the members with what the questions are about.
func benchCrowd(ctx context.Context, a *app.App, n int) (c crowd, err error) {
	ladder, err := a.Tiers.Save(ctx, tier.Input{
		Settings: model.TierSettings{Account: "growth", Basis: "lifetime", Downgrade: model.TierImmediate, ReviewDays: 30, NoticeDays: 7},
		Tiers:    []tier.Tier{{Name: "V1"}, {Name: "V2", Threshold: 100}, {Name: "V3", Threshold: 500}},
	}, "bench")
	if err != nil {
		return c, err
	}
	for _, t := range ladder.Ladder.Tiers {
		c.tiers = append(c.tiers, t.ID)
	}
	for i := range audienceTags {
		t, err := a.Tags.Ensure(ctx, tag.Preference, fmt.Sprint("bench", i))
		if err != nil {
			return c, err
		}
		c.tags = append(c.tags, t.ID)
	}
	first, err := benchMembers(ctx, a, n)
	if err != nil {
		return c, err
	}
	now := a.Clock.Now()
	for from := first; from < first+int64(n); from += audiencePiece {
		to := min(from+audiencePiece, first+int64(n))
		within := []any{from, to}
		do := func(query string, args ...any) error {
			return a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Exec(query, append(args, within...)...).Error })
		}
		if err := do("UPDATE members SET gender = CASE WHEN id % 3 = 0 THEN 'male' ELSE 'female' END WHERE id >= ? AND id < ?"); err != nil {
			return c, err
		}
		for i, id := range c.tags { // who holds a tag is as good as drawn: a multiple of a prime, modulo another
			err := do("INSERT INTO tag_holds (tag_id, member_id, cause, cause_id, event_id, evidence_json, at) SELECT ?, id, 'manual', 1, 0, '{}', ? FROM members"+
				" WHERE (id * ? % 1000003) % 1000 < ? AND id >= ? AND id < ?", id, now, 7919+2*i*i, share(i))
			if err != nil {
				return c, err
			}
		}
		for i, id := range c.tiers {
			err := do("INSERT INTO member_tiers (member_id, open, tier_id, from_at, event_id, cause) SELECT id, ?, ?, ?, 0, 'joined' FROM members"+
				" WHERE (id * 31 % 1009) % 3 = ? AND id >= ? AND id < ?", true, id, now, i)
			if err != nil {
				return c, err
			}
		}
		for day := range 2 {
			err := do("INSERT INTO events (member_id, kind, source, `key`, hash, occurred_at, recorded_at, data) SELECT id, ?, 'bench', CONCAT(id, ?), '', ?, ?, '{}' FROM members"+
				" WHERE id % ? = 0 AND id >= ? AND id < ?", model.EventCheckin, fmt.Sprint(":", day), now.AddDate(0, 0, -20*day-1), now, 3+4*day)
			if err != nil {
				return c, err
			}
		}
	}
	if err := benchChanged(ctx, a, first, n); err != nil {
		return c, err
	}
	return c, a.DB.Reader(ctx).Model(&model.TagHold{}).Count(&c.holdings).Error
}

// benchChanged notes that rows of so many members were written behind siyu's back.
func benchChanged(ctx context.Context, a *app.App, first int64, n int) error {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = first + int64(i)
	}
	return a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error { return member.ChangedTx(tx, ids...) })
}

// question is the ith tree, and the fastest way to ask the same in SQL: from the holders of the first tag on.
func (c crowd) question(i int) (t condition.Tree, query string, args []any) {
	one, other := c.tags[i%audienceTags], c.tags[(i*3+17)%audienceTags]
	upwards := c.tiers[1:]
	holds := func(id int64) condition.Tree { return condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(id)}) }
	t = condition.And(holds(one),
		condition.Tree{Any: []condition.Tree{holds(other), condition.Is("member", map[string]any{"field": "gender", "value": "female"})}},
		condition.Is("tier", map[string]any{"at_least": fmt.Sprint(upwards[0])}))
	query = "SELECT COUNT(*) FROM tag_holds h JOIN members m ON m.id = h.member_id AND m.merged_into IS NULL AND m.erased_at IS NULL" +
		" JOIN member_tiers t ON t.member_id = h.member_id AND t.open = ? AND t.tier_id IN (?)" +
		" WHERE h.tag_id = ? AND (m.gender = 'female' OR EXISTS (SELECT 1 FROM tag_holds o WHERE o.tag_id = ? AND o.member_id = h.member_id))"
	return t, query, []any{true, upwards, one, other}
}

// late is the longest time from a change that was answered until the API and another process's sets show it.
func (c crowd) late(ctx context.Context, a *app.App, ask asker) (longest time.Duration, err error) {
	other := audience.New(a.DB, a.Clock, a.Zone, a.Conditions, a.Members, a.Sheets)
	tree := condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(c.tags[0])})
	if _, err := other.Count(ctx, tree); err != nil {
		return 0, err
	}
	was, _, err := ask.count(tree)
	if err != nil {
		return 0, err
	}
	var ids []int64
	err = a.DB.Reader(ctx).Model(&model.Member{}).Where("id NOT IN (SELECT member_id FROM tag_holds WHERE tag_id = ?)", c.tags[0]).
		Order("id").Limit(audienceLate).Pluck("id", &ids).Error
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := a.Tags.SetManual(ctx, id, c.tags[0], 1, true, "bench"); err != nil {
			return 0, err
		}
		was++
		for began := clock.Real(); ; {
			here, _, err := ask.count(tree)
			if err != nil {
				return 0, err
			}
			there, err := other.Count(ctx, tree)
			if err != nil {
				return 0, err
			}
			took := clock.Real().Sub(began)
			if longest = max(longest, took); here == was && there == was {
				break
			}
			if took > time.Minute {
				return 0, fmt.Errorf("bench audience: %d and %d are counted, %d hold the tag", here, there, was)
			}
		}
	}
	return longest, nil
}

// asker calls the admin API.
type asker struct {
	client     *http.Client
	url, token string
}

// count is the answer, and how long it took.
func (q asker) count(t condition.Tree) (n int64, took time.Duration, err error) {
	body, err := json.Marshal(map[string]any{"condition": t})
	if err != nil {
		return 0, 0, err
	}
	req, err := http.NewRequest(http.MethodPost, q.url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+q.token)
	req.Header.Set("Content-Type", "application/json")
	began := clock.Real()
	res, err := q.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	took = clock.Real().Sub(began)
	var out struct {
		Count int64 `json:"count"`
	}
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s: %d %s", q.url, res.StatusCode, answer)
	}
	if err == nil {
		err = json.Unmarshal(answer, &out)
	}
	return out.Count, took, err
}
