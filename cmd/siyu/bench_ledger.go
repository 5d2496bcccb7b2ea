package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// lotsEach is how many lots, each with an expiry of its own, a member of these benches holds.
const lotsEach = 10

// benchExpire: so many lots (recipients) fall due at once, of members with ten each, while others go on earning. There is no floor: what
// counts is how long it takes, and how long an earning waits meanwhile.
func benchExpire(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	members := max(1, o.recipients/lotsEach)
	first, err := benchLots(ctx, a, members, out)
	if err != nil {
		return err
	}
	others, err := benchMembers(ctx, a, 1000)
	if err != nil {
		return err
	}
	stop, earned := make(chan struct{}), make(chan []time.Duration, 1)
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		var took []time.Duration
		defer func() { earned <- took }()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			began := clock.Real()
			if failed = postOne(ctx, a, others+int64(i%1000), 1, fmt.Sprintf("bench:earn:%d", i)); failed != nil {
				return
			}
			took = append(took, clock.Real().Sub(began))
		}
	})
	began, settled := clock.Real(), 0
	for err == nil {
		n, e := a.Book.RunDue(ctx, a.Clock.Now().AddDate(0, 1, 0), 1000)
		settled, err = settled+n, e
		if n == 0 {
			break
		}
	}
	took := clock.Real().Sub(began)
	close(stop)
	wg.Wait()
	waits := <-earned
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("bench expire: %w", err)
	}
	slices.Sort(waits)
	at := func(share float64) float64 {
		return float64(waits[int(share*float64(len(waits)-1))].Microseconds()) / 1000
	}
	fmt.Fprintf(out, "bench expire db=%s lots=%d members=%d seconds=%.1f lots_per_second=%.0f earned=%d earn_p50=%.2fms earn_p99=%.2fms first=%d rss=%dMiB\n",
		a.DB.Dialect(), settled*lotsEach, settled, took.Seconds(), float64(settled*lotsEach)/took.Seconds(), len(waits), at(0.5), at(0.99), first, peakMiB())
	return nil
}

// benchPosting: an earning and a spending of members with 10,000 entries each, against those of members with ten (the floor).
func benchPosting(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	const many, few, fat = 10_000, 10, 8
	n := min(o.requests, 5000) / rounds * rounds
	first, err := benchMembers(ctx, a, fat+n)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "members  %d with %d entries, %d with %d\n", fat, many, n, few)
	var ps []ledger.Posting
	for i := range n + fat {
		entries := few
		if i < fat {
			entries = many
		}
		for k := range entries {
			until := a.Clock.Now().AddDate(1, 0, k%365)
			ps = append(ps, ledger.Posting{
				MemberID: first + int64(i), Account: model.AccountPoints, Amount: 10, Reason: "bench", ExpiresAt: &until, Key: fmt.Sprintf("bench:%d:%d", i, k),
			})
		}
	}
	for some := range slices.Chunk(ps, 400) {
		err := a.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			_, err := a.Book.PostAllTx(ctx, tx, some) // nobody else knows them: no locks
			return err
		})
		if err != nil {
			return err
		}
	}
	post := func(id int64, i int) error {
		for sign, amount := range []int64{1, -15} {
			if err := postOne(ctx, a, id, amount, fmt.Sprintf("bench:post:%d:%d:%d", id, i, sign)); err != nil {
				return err
			}
		}
		return nil
	}
	return compare(out, "posting", a.DB.Dialect(), n, o.workers,
		func(i int) error { return post(first+int64(i%fat), i) },
		func(i int) error { return post(first+int64(fat+i), i) })
}

func postOne(ctx context.Context, a *app.App, id, amount int64, key string) error {
	return a.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		_, err := a.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: model.AccountPoints, Amount: amount, Reason: "bench", Key: key})
		return err
	})
}

// benchVerify: siyu verify over so many entries (recipients) of members with ten each and a spending. There is no floor: what counts is
// the time and the memory.
func benchVerify(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if _, err := benchLots(ctx, a, max(1, o.recipients/(lotsEach+1)), out); err != nil {
		return err
	}
	debug.SetGCPercent(scanGC)
	before, began := peakMiB(), clock.Real()
	totals, err := a.Verify(ctx, func(m ledger.Mismatch) { fmt.Fprintln(out, m) })
	if err != nil {
		return fmt.Errorf("bench verify: %w", err)
	}
	took := clock.Real().Sub(began)
	fmt.Fprintf(out, "bench verify db=%s entries=%d members=%d mismatches=%d seconds=%.1f entries_per_second=%.0f rss_before=%dMiB rss=%dMiB\n",
		a.DB.Dialect(), totals.Entries, totals.Members, totals.Mismatches, took.Seconds(), float64(totals.Entries)/took.Seconds(), before, peakMiB())
	return nil
}

// benchLots makes members who each earned ten times, with as many expiries, and spent once, as the ledger itself writes it.
func benchLots(ctx context.Context, a *app.App, members int, out io.Writer) (first int64, err error) {
	fmt.Fprintf(out, "members  %d, each with %d lots and a spending\n", members, lotsEach)
	if first, err = benchMembers(ctx, a, members); err != nil {
		return 0, err
	}
	now := a.Clock.Now()
	const piece = 40
	for from := first; from < first+int64(members); from += piece {
		var ps []ledger.Posting
		for id := from; id < min(from+piece, first+int64(members)); id++ {
			for n := range lotsEach {
				until := now.Add(time.Duration(n+1) * time.Hour)
				ps = append(ps, ledger.Posting{
					MemberID: id, Account: model.AccountPoints, Amount: 10, Reason: "bench", RuleID: 1 << 40, RuleVersion: 1, ExpiresAt: &until,
					Key: fmt.Sprintf("bench:%d:%d", id, n),
				})
			}
		}
		for id := from; id < min(from+piece, first+int64(members)); id++ {
			ps = append(ps, ledger.Posting{MemberID: id, Account: model.AccountPoints, Amount: -5, Reason: "bench", Key: fmt.Sprintf("bench:%d:spend", id)})
		}
		err := a.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			_, err := a.Book.PostAllTx(ctx, tx, ps) // nobody else knows them: no locks
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return first, nil
}
