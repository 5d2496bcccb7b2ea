package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// load reads the directory, or makes the first accounts, and opens the files for writing.
func (s *Sandbox) load() error {
	if s.opts.Dir != "" {
		if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		if err := s.replay(); err != nil {
			return err
		}
		st, err := openStore(s.opts.Dir)
		if err != nil {
			return err
		}
		s.store = st
	}
	if s.seed == "" {
		s.seed = randomText(32, hexes)
		s.store.append(&record{Kind: "seed", Seed: s.seed})
	}
	if s.clk == nil {
		start := s.opts.Start
		if start.IsZero() {
			start = clock.Real()
		}
		s.clk = clock.NewMovable(start)
		if s.opts.Frozen {
			s.clk = clock.NewFrozen(start)
		}
		s.saveClock()
	}
	if len(s.accounts) == 0 {
		s.saveAccount(s.addAccount(newAccountSettings("oa", KindService), accountState{Templates: firstTemplates("oa")}))
		s.saveAccount(s.addAccount(newAccountSettings("mp", KindMiniProgram), accountState{Templates: firstTemplates("mp")}))
	}
	if err := s.store.flush(); err != nil {
		return fmt.Errorf("sandbox: keep state: %w", err)
	}
	return nil
}

func (s *Sandbox) replay() error {
	journal, receipts := filepath.Join(s.opts.Dir, journalFile), filepath.Join(s.opts.Dir, receiptFile)
	live := map[int64]*task{}
	lines := 0
	size, err := readLines(journal, func(line []byte) error {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		lines++
		return s.apply(&r, live)
	})
	if err != nil {
		return err
	}
	if err := cut(journal, size); err != nil {
		return err
	}
	for _, t := range live {
		s.lastTask = max(s.lastTask, t.ID)
		s.tasks.push(t)
	}
	size, err = readLines(receipts, func(line []byte) error {
		var r receiptLine
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		a := s.account(r.Account)
		for _, id := range r.People {
			if a == nil || id < 1 || id > int64(len(s.people)) {
				return fmt.Errorf("a receipt of %s names the unknown person %d", r.Account, id)
			}
		}
		s.addReceipts(a, r.People, body{r.Channel, r.Type, r.Content, r.Data}, r.At)
		return nil
	})
	if err != nil {
		return err
	}
	if err := cut(receipts, size); err != nil {
		return err
	}
	s.countAll()
	if lines > 2*len(s.people)+10_000 {
		return s.compact(journal)
	}
	return nil
}

// cut drops a torn tail, so that the next line starts on its own.
func cut(path string, size int64) error {
	if err := os.Truncate(path, size); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

func (s *Sandbox) apply(r *record, live map[int64]*task) error {
	switch r.Kind {
	case "seed":
		s.seed = r.Seed
	case "account":
		if a := s.account(r.Account.Name); a != nil {
			a.Account, a.saved = *r.Account, *r.State
			if a.saved.Media == nil {
				a.saved.Media = map[string]int64{}
			}
		} else {
			s.addAccount(*r.Account, *r.State)
		}
	case "person":
		for int64(len(s.people)) < r.ID {
			s.people = append(s.people, &person{})
		}
		p := s.who(r.ID)
		p.name, p.union, p.phone = r.Name, r.Union, r.Phone
	case "rel":
		a := s.account(r.Rel.Account)
		if a == nil || r.ID < 1 || r.ID > int64(len(s.people)) {
			return fmt.Errorf("a relation of %s names the unknown person %d", r.Rel.Account, r.ID)
		}
		rel := s.who(r.ID).with(a)
		rel.subscribed, rel.blocked, rel.rejecting, rel.since, rel.more = r.Rel.Subscribed, r.Rel.Blocked, r.Rel.Rejecting, r.Rel.Since, r.Rel.More
	case "bulk":
		s.addBulk(*r.Bulk)
	case "clock":
		s.clk = r.Clock.open()
	case "ticket":
		s.tickets[r.Ticket.Ticket] = r.Ticket
	case "mass":
		s.mass[r.Mass.ID] = r.Mass
	case "phone":
		s.phones = append(s.phones, r.PhoneMessage)
	case "task":
		live[r.Task.ID] = r.Task
		s.lastTask = max(s.lastTask, r.Task.ID)
	case "done":
		delete(live, r.ID)
	default:
		return fmt.Errorf("a line of kind %q", r.Kind)
	}
	return nil
}

// open is the clock as it would stand now: a ticking one has ticked on.
func (c *clockState) open() *clock.Movable {
	if c.Frozen {
		return clock.NewFrozen(c.Now)
	}
	return clock.NewMovable(c.Now.Add(max(clock.Real().Sub(c.Real), 0)))
}

// countAll derives what is counted over all people.
func (s *Sandbox) countAll() {
	for _, a := range s.accounts {
		a.followers = 0
		clear(a.tagCount)
	}
	for i := range s.people {
		for _, r := range s.look(int64(i + 1)).rels {
			a := s.accounts[r.acct]
			if r.subscribed {
				a.followers++
			}
			if r.more != nil {
				for _, t := range r.more.Tags {
					a.tagCount[t]++
				}
			}
		}
	}
}

// compact writes the journal anew, with one line for each thing.
func (s *Sandbox) compact(path string) error {
	dir, err := os.MkdirTemp(s.opts.Dir, "compact")
	if err != nil {
		return fmt.Errorf("sandbox: compact: %w", err)
	}
	defer os.RemoveAll(dir)
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	s.store = st
	s.saveAll()
	s.store = nil
	if err := errors.Join(st.flush(), st.files[0].Sync(), st.close()); err != nil {
		return fmt.Errorf("sandbox: compact: %w", err)
	}
	if err := os.Rename(filepath.Join(dir, journalFile), path); err != nil {
		return fmt.Errorf("sandbox: compact: %w", err)
	}
	return nil
}

func (s *Sandbox) saveAll() {
	s.store.append(&record{Kind: "seed", Seed: s.seed})
	s.saveClock()
	for _, a := range s.accounts {
		s.saveAccount(a)
	}
	for i, p := range s.people {
		if b := s.crowdOf(int64(i + 1)); b != nil && b.first == int64(i+1) {
			s.store.append(&record{Kind: "bulk", Bulk: &b.bulk})
		}
		if p == nil {
			continue
		}
		s.savePerson(int64(i + 1))
		for _, r := range p.rels {
			s.saveRelation(int64(i+1), r)
		}
	}
	for _, t := range s.tickets {
		s.store.append(&record{Kind: "ticket", Ticket: t})
	}
	for _, m := range s.mass {
		s.store.append(&record{Kind: "mass", Mass: m})
	}
	for _, m := range s.phones {
		s.store.append(&record{Kind: "phone", PhoneMessage: m})
	}
	for _, t := range s.tasks {
		s.store.append(&record{Kind: "task", Task: t})
	}
}

func (s *Sandbox) savePerson(id int64) {
	p := s.who(id)
	s.store.append(&record{Kind: "person", ID: id, Name: p.name, Union: p.union, Phone: p.phone})
}

func (s *Sandbox) saveRelation(id int64, r *relation) {
	s.store.append(&record{Kind: "rel", ID: id, Rel: &relationState{
		s.accounts[r.acct].Name, r.subscribed, r.blocked, r.rejecting, r.since, r.more,
	}})
}

func (s *Sandbox) saveAccount(a *account) {
	s.store.append(&record{Kind: "account", Account: &a.Account, State: &a.saved})
}

func (s *Sandbox) saveClock() {
	s.store.append(&record{Kind: "clock", Clock: &clockState{Now: s.clk.Now(), Real: clock.Real().Truncate(time.Microsecond), Frozen: s.clk.Frozen()}})
}
