package condition

import (
	"encoding/json"
	"sync"
)

// maxMemo bounds a memo: more than there are leaves of one name in the trees of a programme.
const maxMemo = 4096

// memo keeps what args were read as: the same few trees are asked about at every event. What it gives is shared, so nobody changes it.
type memo[T any] struct {
	read func(json.RawMessage) (T, error)
	mu   sync.RWMutex
	seen map[string]T
}

// Remember is read, but args that were read before are not read again. What it gives is shared: nobody changes it.
func Remember[T any](read func(json.RawMessage) (T, error)) func(json.RawMessage) (T, error) {
	return (&memo[T]{read: read, seen: map[string]T{}}).of
}

func (m *memo[T]) of(raw json.RawMessage) (T, error) {
	m.mu.RLock()
	v, known := m.seen[string(raw)]
	m.mu.RUnlock()
	if known {
		return v, nil
	}
	v, err := m.read(raw)
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) >= maxMemo {
		clear(m.seen)
	}
	m.seen[string(raw)] = v
	return v, nil
}
