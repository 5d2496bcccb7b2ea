package condition

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/model"
)

func TestMemo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	reads := map[string]int{}
	m := &memo[string]{seen: map[string]string{}, read: func(raw json.RawMessage) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		reads[string(raw)]++
		if string(raw) == "bad" {
			return "", errors.New("bad")
		}
		return "read " + string(raw), nil
	}}
	for range 2 {
		v, err := m.of(json.RawMessage("a"))
		require.NoError(t, err)
		require.Equal(t, "read a", v)
		_, err = m.of(json.RawMessage("bad"))
		require.Error(t, err)
	}
	require.Equal(t, map[string]int{"a": 1, "bad": 2}, reads, "what cannot be read is no answer to keep")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range maxMemo {
				raw := fmt.Sprint(i + g*maxMemo/2)
				if v, err := m.of(json.RawMessage(raw)); err != nil || v != "read "+raw {
					t.Errorf("%s is %q, %v", raw, v, err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, len(m.seen), maxMemo)
}

func TestTheDataOfASubjectIsReadOnce(t *testing.T) {
	t.Parallel()
	s := &Subject{Event: &model.Event{Data: model.JSON(`{"n":5}`)}}
	require.Equal(t, map[string]any{"n": json.Number("5")}, s.Data())
	s.Event.Data = nil
	require.Equal(t, map[string]any{"n": json.Number("5")}, s.Data())
	require.Empty(t, (&Subject{Event: &model.Event{Data: model.JSON(`[1]`)}}).Data())
}
