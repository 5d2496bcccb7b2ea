package console_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/model"
)

func TestMemberPrivacy(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	p, id := w.Member("阿青")
	_, other := w.Member("阿青的旧号")
	path := fmt.Sprintf("/console/members/%d", id)
	require.NotContains(t, b.page(path), `id="reveal"`, "there is nothing to unmask")
	var code struct{ Code string }
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": "13612345678"}, &code))
	require.NoError(t, p.API(t.Context(), "POST", "/phone", map[string]any{"code": code.Code}, nil))

	masked := b.page(path)
	require.Contains(t, masked, "136****5678")
	require.NotContains(t, masked, "13612345678")
	require.NotContains(t, b.page("/console/members"), "13612345678")
	require.NotContains(t, b.refused(path+"/phone", "reason", ""), "13612345678")
	shown := b.post(path+"/phone", "reason", "快递核对")
	require.Equal(t, http.StatusOK, shown.StatusCode)
	require.Contains(t, shown.body, "13612345678")
	require.NotContains(t, b.page(path), "13612345678", "only then")
	require.Contains(t, b.page("/console/audit"), "member.phone.reveal")

	_, err := w.Members.Merge(t.Context(), id, other, "同一人")
	require.NoError(t, err)
	require.Contains(t, b.page(path), "同一人")
	b.done(path+"/unmerge", "loser", fmt.Sprint(other))
	require.NotContains(t, b.page(path), "同一人")
	require.Equal(t, http.StatusNotFound, b.post(path+"/unmerge", "loser", fmt.Sprint(other)).StatusCode)

	require.Contains(t, b.refused(path+"/erase", "no", "1", "reason", "来信要求"), "会员号不符")
	m, err := w.Members.Get(t.Context(), id)
	require.NoError(t, err)
	b.done(path+"/erase", "no", m.No, "reason", "来信要求")
	require.NotContains(t, b.page("/console/members"), "href=\""+path+"\"")
	require.Contains(t, b.page(path), "已注销")
	require.EqualValues(t, 1, w.Count(&model.Audit{}, "action = ?", "member.erase"))
	w.Verified()
}
