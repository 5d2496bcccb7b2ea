package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// The directory holds two append-only files of JSON lines: the journal of states (newest line of a thing wins), and the receipts.
// A torn last line, of a kill, is dropped. Lines are buffered for a moment: a kill of siyu loses nothing, a kill of the sandbox that moment.
const (
	journalFile = "journal.jsonl"
	receiptFile = "receipts.jsonl"
)

// record is one line of the journal.
type record struct {
	Kind    string         `json:"k"`
	Seed    string         `json:"seed,omitempty"`
	Account *Account       `json:"account,omitempty"`
	State   *accountState  `json:"state,omitempty"`
	ID      int64          `json:"id,omitempty"`
	Name    string         `json:"name,omitempty"`
	Union   string         `json:"union,omitempty"`
	Phone   string         `json:"phone,omitempty"`
	Rel     *relationState `json:"rel,omitempty"`
	Bulk    *bulk          `json:"bulk,omitempty"`
	Clock   *clockState    `json:"clock,omitempty"`
	Ticket  *ticket        `json:"ticket,omitempty"`
	Mass    *massJob       `json:"mass,omitempty"`
	Task    *task          `json:"task,omitempty"`

	PhoneMessage *PhoneMessage `json:"pm,omitempty"`
}

type relationState struct {
	Account    string `json:"a"`
	Subscribed bool   `json:"s,omitempty"`
	Blocked    bool   `json:"b,omitempty"`
	Rejecting  bool   `json:"r,omitempty"`
	Since      int64  `json:"t,omitempty"`
	More       *more  `json:"m,omitempty"`
}

type clockState struct {
	Now    time.Time `json:"now"`
	Real   time.Time `json:"real"`
	Frozen bool      `json:"frozen"`
}

// store writes lines. A nil *store keeps nothing.
type store struct {
	mu       sync.Mutex
	files    [2]*os.File
	journal  *bufio.Writer
	receipts *bufio.Writer
	enc      *json.Encoder
	recEnc   *json.Encoder
	err      error // the first failure; told by close
}

func openStore(dir string) (*store, error) {
	st := &store{}
	for i, name := range []string{journalFile, receiptFile} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sandbox: %w", err), st.close())
		}
		st.files[i] = f
	}
	st.journal, st.receipts = bufio.NewWriterSize(st.files[0], 1<<16), bufio.NewWriterSize(st.files[1], 1<<16)
	st.enc, st.recEnc = json.NewEncoder(st.journal), json.NewEncoder(st.receipts)
	return st, nil
}

func (st *store) write(enc func() *json.Encoder, v any) {
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := enc().Encode(v); err != nil && st.err == nil {
		st.err = err
	}
}

func (st *store) append(r *record) { st.write(func() *json.Encoder { return st.enc }, r) }

func (st *store) receipt(r *receiptLine) { st.write(func() *json.Encoder { return st.recEnc }, r) }

// flush hands the buffers to the operating system.
func (st *store) flush() error {
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return errors.Join(st.err, st.receipts.Flush(), st.journal.Flush())
}

func (st *store) close() error {
	if st == nil {
		return nil
	}
	var err error
	if st.journal != nil {
		err = st.flush()
	}
	for _, f := range st.files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

func (s *Sandbox) flushLoop() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-clock.After(20 * time.Millisecond):
			if err := s.store.flush(); err != nil {
				s.log.Error("sandbox: keep state", "error", err)
				return
			}
		}
	}
}

// readLines calls fn for each whole line and returns the size of what was read; a torn or broken last line is left out.
func readLines(path string, fn func(line []byte) error) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read.
	r := bufio.NewReaderSize(f, 1<<20)
	var size int64
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return size, nil // what has no line end is torn
		} else if err != nil {
			return size, fmt.Errorf("sandbox: read %s: %w", path, err)
		}
		if err := fn(line); err != nil {
			if _, more := r.Peek(1); more == io.EOF {
				return size, nil
			}
			return size, fmt.Errorf("sandbox: %s is damaged at byte %d: %w", path, size, err)
		}
		size += int64(len(line))
	}
}
