package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

type runView struct {
	Frame
	Run      *model.Run
	Name     string // of what it was sent for
	From     string // its page
	Message  reach.Message
	Counts   []count
	Audience int64
	Reasons  []reasonLine
	Batches  []reach.MassBatch
	Filter   reach.Filter
	Rows     []deliveryLine
	Next     string
	Over     bool // nothing changes any more
	Rejected int64
	States   []string
	Names    []string // of reasons
	Channels []string
	Form     *Form
}

// count is the people of a run in one state.
type count struct {
	State string
	N     int64
}

// reasonLine is a reason with its words.
type reasonLine struct {
	reach.Reason
	Label string
}

type deliveryLine struct {
	model.Delivery
	Who report.Person
	Why string
}

func countsOf(c reach.Counts) []count {
	return []count{
		{model.DeliveryAccepted, c.Accepted},
		{model.DeliveryPending, c.Pending},
		{model.DeliveryDeferred, c.Deferred},
		{model.DeliverySuppressed, c.Suppressed},
		{model.DeliveryRejected, c.Rejected},
		{model.DeliveryUnknown, c.Unknown},
		{model.DeliveryCancelled, c.Cancelled},
	}
}

func over(state string) bool {
	return state == model.RunDone || state == model.RunCancelled || state == model.RunMissed
}

// reasonName says why somebody got nothing; what has no words stands as it is, such as WeChat's own.
func (con *Console) reasonName(c *gin.Context, reason, detail string) string {
	words := reason
	if key := "console.reason." + reason; templates.Has(key) {
		words = con.t(c, key)
	}
	if detail == "" {
		return words
	}
	if key := "console.detail." + detail; templates.Has(key) {
		detail = con.t(c, key)
	}
	if words == "" {
		return detail
	}
	return words + " · " + detail
}

func (con *Console) reasons(c *gin.Context, runID int64) ([]reasonLine, error) {
	list, err := con.app.Reach.Reasons(c.Request.Context(), runID)
	if err != nil {
		return nil, err
	}
	return con.reasonLines(c, list), nil
}

func (con *Console) reasonLines(c *gin.Context, list []reach.Reason) []reasonLine {
	out := make([]reasonLine, len(list))
	for i, r := range list {
		out[i] = reasonLine{r, con.reasonName(c, r.Reason, r.Detail)}
	}
	return out
}

func (con *Console) run(c *gin.Context) error {
	return con.showRun(c, http.StatusOK, newForm(nil))
}

func (con *Console) showRun(c *gin.Context, status int, f *Form) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	run, err := con.app.Reach.Run(ctx, id)
	if err != nil {
		return err
	}
	v := &runView{
		Frame: con.frame(c, "run"), Run: run, Over: over(run.State), Audience: run.Audience, Form: f, Channels: reach.Channels,
		Filter: reach.Filter{State: c.Query("state"), Reason: c.Query("reason"), Detail: c.Query("detail"), Channel: c.Query("channel")},
		States: []string{model.DeliveryAccepted, model.DeliveryPending, model.DeliveryAttempting, model.DeliveryDeferred, model.DeliverySuppressed, model.DeliveryRejected, model.DeliveryUnknown, model.DeliveryCancelled},
		Names:  []string{reach.Unsubscribed, reach.OptedOut, reach.NoConsent, reach.FreqCap, reach.QuietHours, reach.NoQuota, reach.Duplicate, reach.InvalidTarget, reach.Condition},
	}
	if status != http.StatusOK {
		v.Here = fmt.Sprintf("%s/runs/%d", root, id)
	}
	names, err := con.report.BroadcastNames(ctx, []int64{run.SourceID})
	if err != nil {
		return err
	}
	v.Name = con.runName(c, run, names)
	if page, ok := sendingPages[strings.TrimSuffix(run.Source, reach.TestSuffix)]; ok && run.SourceID != 0 {
		v.From = root + page + fmt.Sprint(run.SourceID)
	}
	if v.Message, err = messageOf(run); err != nil {
		return err
	}
	counts, err := con.app.Reach.Counts(ctx, id)
	if err != nil {
		return err
	}
	v.Counts, v.Rejected = countsOf(counts), counts.Rejected
	if v.Reasons, err = con.reasons(c, id); err != nil {
		return err
	}
	if v.Batches, err = con.app.Reach.Batches(ctx, id); err != nil {
		return err
	}
	if err := con.fillDeliveries(c, v); err != nil {
		return err
	}
	web.Page(c, status, "console/run", v)
	return nil
}

func (con *Console) fillDeliveries(c *gin.Context, v *runView) error {
	ctx := c.Request.Context()
	list, err := con.app.Reach.Deliveries(ctx, v.Run.ID, v.Filter, after(c), perPage+1)
	if err != nil {
		return err
	}
	if len(list) > perPage {
		v.Next = nextPage(c, list[perPage].Seq)
		list = list[:perPage]
	}
	ids := make([]int64, len(list))
	for i, d := range list {
		ids[i] = d.MemberID
	}
	people, err := con.report.People(ctx, ids)
	for _, d := range list {
		v.Rows = append(v.Rows, deliveryLine{d, people[d.MemberID], con.reasonName(c, d.Reason, d.Detail)})
	}
	return err
}

// runLive is what the page of a run asks for every two seconds.
func (con *Console) runLive(c *gin.Context) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	run, err := con.app.Reach.Run(ctx, id)
	if err != nil {
		return err
	}
	counts, err := con.app.Reach.Counts(ctx, id)
	if err != nil {
		return err
	}
	reasons, err := con.reasons(c, id)
	if err != nil {
		return err
	}
	numbers := map[string]int64{"audience": counts.Audience}
	for _, n := range countsOf(counts) {
		numbers[n.State] = n.N
	}
	lines := make([]gin.H, len(reasons))
	for i, r := range reasons {
		lines[i] = gin.H{"label": r.Label, "count": r.Count}
	}
	c.JSON(http.StatusOK, gin.H{
		"state": run.State, "label": con.t(c, "console.run_state."+run.State), "over": over(run.State), "counts": numbers, "reasons": lines,
	})
	return nil
}

// pauseRun stops one run, or lets it go on.
func (con *Console) pauseRun(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	paused := f.Get("do") != "resume"
	return con.turnRun(c, map[bool]string{true: "paused", false: "resumed"}[paused], func(id int64) error {
		return con.app.Reach.Pause(c.Request.Context(), id, paused)
	})
}

// cancelRun ends a run: who was not sent to yet gets nothing.
func (con *Console) cancelRun(c *gin.Context) error {
	return con.turnRun(c, "cancelled", func(id int64) error { return con.app.Reach.Cancel(c.Request.Context(), id) })
}

// retryRun sends again to those whom WeChat rejected for what may have passed.
func (con *Console) retryRun(c *gin.Context) error {
	return con.turnRun(c, "retried", func(id int64) error { return con.app.Reach.Retry(c.Request.Context(), id) })
}

func (con *Console) turnRun(c *gin.Context, word string, turn func(id int64) error) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.Reach.Run(c.Request.Context(), id)
	if err != nil {
		return err
	}
	facts := func(r model.Run) map[string]any { return map[string]any{"state": r.State, "paused": r.Paused} }
	return con.write(c, f, change{
		action: "run." + word,
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("run:%d", id), Before: facts(*old), After: facts(answer.(model.Run))}
		},
		do:    func() (string, error) { return done(fmt.Sprintf("%s/runs/%d", root, id), word), turn(id) },
		again: func(status int, f *Form) error { return con.showRun(c, status, f) },
	})
}
