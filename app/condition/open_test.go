package condition_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// What is not known of an act yet may turn out either way; what is known of it decides.
func TestOpen(t *testing.T) {
	t.Parallel()
	r := condition.New()
	r.Seal()
	const form = `{"leaf":"event.field","field":"form_id","op":"eq","value":"2"}`
	for _, c := range []struct {
		tree, data string
		want       bool
	}{
		{form, "", true},
		{form, `{}`, true},
		{form, `{"form_id":"2"}`, true},
		{form, `{"form_id":"1"}`, false},
		{`{"not":` + form + `}`, `{"form_id":"2"}`, false},
		{`{"not":` + form + `}`, `{"form_id":"1"}`, true},
		{`{"all":[` + form + `,{"leaf":"event.field","field":"score","op":"gte","value":1}]}`, `{"form_id":"2"}`, true},
		{`{"any":[` + form + `,{"leaf":"event.text","contains_any":["x"]}]}`, `{"form_id":"1"}`, true},
	} {
		tree, err := r.Parse([]byte(c.tree))
		require.NoError(t, err)
		s := &condition.Subject{MemberID: 1, At: time.Unix(0, 0)}
		if c.data != "" {
			s.Event = &model.Event{Kind: model.EventForm, Data: model.JSON(c.data)}
		}
		open, err := r.Open(t.Context(), nil, s, tree)
		require.NoError(t, err)
		require.Equal(t, c.want, open, "%s with %s", c.tree, c.data)
	}
}
