package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/model"
)

// A SOP from its template to a member's page, by forms alone.
func TestSOPs(t *testing.T) {
	t.Parallel()
	w, s := signedIn(t)
	send := func(path string, form url.Values) string {
		var pairs []string
		for name, list := range form {
			pairs = append(pairs, name, list[0])
		}
		return s.post(path, pairs...).body
	}
	require.Contains(t, s.page("/console/sops"), "template=new")
	require.Contains(t, s.page("/console/sops/new?template=new"), "day7")
	form := url.Values{
		"name": {"新人"}, "steps": {"2"}, "entry.event": {model.EventRegistered}, "reentry": {"never"}, "exit": {`[{"event":"order.paid"}]`},
		"s0.key": {"hello"}, "s0.kind": {"send"}, "s0.class": {"service"}, "s0.text": {"你好"}, "s0.message": {`{"channels":["customer"]}`}, "s0.grants": {`{"amount":5}`},
		"s1.key": {"week"}, "s1.kind": {"send"}, "s1.when": {"day"}, "s1.value": {"7 10:00"}, "s1.text": {"一周"}, "s1.message": {`{"channels":["customer"]}`},
	}
	form.Set("do", "up:1")
	moved := send("/console/sops/new/shift", form)
	require.Less(t, strings.Index(moved, `value="week"`), strings.Index(moved, `value="hello"`))
	require.Zero(t, w.Count(&model.SOP{}), "moving a step saves nothing")
	form.Del("do")
	send("/console/sops/new", form)
	var row model.SOP
	require.NoError(t, w.DB.Reader(t.Context()).Take(&row).Error)
	path := fmt.Sprint("/console/sops/", row.ID)
	send(path+"/turn", url.Values{"do": {"enable"}})
	_, id := w.Member("alice")
	w.Settle()
	require.EqualValues(t, 5, w.Points(id))
	require.Contains(t, s.page(path), "UNSUBSCRIBED 1")
	require.Contains(t, s.page(fmt.Sprint("/console/members/", id)), path)
	form.Set("s1.value", "x 10:00")
	require.Contains(t, send(path, form), `aria-invalid="true"`)
}
