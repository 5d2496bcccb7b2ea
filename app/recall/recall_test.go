package recall_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/model"
)

// world is a brand that recalls the numbers of a file.
type world struct {
	*apptest.World
	file *model.Import
}

// newWorld has a file of n numbers that consent, 13877770000 and up.
func newWorld(t *testing.T, n int) *world {
	t.Helper()
	w := &world{World: apptest.New(t)}
	w.Run()
	file := "phone,consent\n"
	for i := range n {
		file += number(i) + ",yes\n"
	}
	var err error
	w.file, err = w.Customers.Import(t.Context(), "old.csv", []byte(file), customer.Options{}, "test")
	require.NoError(t, err)
	w.Settle()
	return w
}

func number(i int) string { return fmt.Sprint(13877770000 + i) }

func (w *world) recall(in recall.Input) *model.Recall {
	w.T.Helper()
	in.Name, in.ImportID, in.SMS = "老客", w.file.ID, reach.PhoneContent{Text: "回来吧"}
	r, err := w.Recalls.Save(w.T.Context(), in)
	require.NoError(w.T, err)
	return r
}

func (w *world) start(r *model.Recall) {
	w.T.Helper()
	_, err := w.Recalls.Run(w.T.Context(), r.ID, "test")
	require.NoError(w.T, err)
	w.Settle()
}

// comes is somebody who registers and tells his number.
func (w *world) comes(i int) {
	w.T.Helper()
	p, _ := w.Member(fmt.Sprint("p", i))
	var code struct{ Code string }
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": number(i)}, &code))
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/phone", map[string]any{"code": code.Code}, nil))
	w.Settle()
}

func (w *world) figures(r *model.Recall) *recall.Figures {
	w.T.Helper()
	r, err := w.Recalls.Get(w.T.Context(), r.ID)
	require.NoError(w.T, err)
	f, err := w.Recalls.Figures(w.T.Context(), r)
	require.NoError(w.T, err)
	return f
}

// Whoever comes within the window counts for the recall, to the instant; after it he came by himself.
func TestTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	r := w.recall(recall.Input{Days: 2})
	w.comes(0) // before it began: he is a member, and not asked back
	start := w.Now()
	w.start(r)
	require.Zero(t, w.figures(r).Recalled)
	w.Advance(48*time.Hour - time.Second)
	w.comes(1)
	require.EqualValues(t, 1, w.figures(r).Recalled)
	w.Advance(time.Second)
	require.Equal(t, 48*time.Hour, w.Now().Sub(start))
	w.comes(2)
	require.EqualValues(t, 1, w.figures(r).Recalled, "the window is half-open")
	came, err := w.Recalls.Came(t.Context(), r.ID, 0, 10)
	require.NoError(t, err)
	require.Len(t, came, 1)
	require.Equal(t, recall.Registered, came[0].CameBy)
}

// Of many who press the button at once one starts it, and each number gets one SMS.
func TestItIsRunOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	r := w.recall(recall.Input{Days: 2})
	var ok, refused atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch _, err := w.Recalls.Run(t.Context(), r.ID, "test"); errs.CodeOf(err) {
			case "":
				ok.Add(1)
			case errs.Duplicate:
				refused.Add(1)
			default:
				t.Errorf("Run: %v", err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, ok.Load())
	require.EqualValues(t, 7, refused.Load())
	w.Settle()
	w.Settle()
	require.EqualValues(t, 5, w.Count(&model.Delivery{}))
	require.EqualValues(t, 5, w.Count(&model.Delivery{}, "state = ?", model.DeliveryAccepted))
}

// Who came back after the SMS is not called.
func TestNobodyWhoCameIsCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	r := w.recall(recall.Input{Days: 3, Call: &reach.PhoneContent{Text: "您好"}, CallAfter: 1})
	w.start(r)
	w.comes(0)
	w.Advance(25 * time.Hour)
	calls := w.Count(&model.Delivery{}, "channel = ? AND state = ?", reach.Call, model.DeliveryAccepted)
	require.EqualValues(t, 1, calls)
}
