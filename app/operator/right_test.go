package operator_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/operator"
)

// The table of CONTRIBUTING is what the code says.
func TestRolesHoldTheirRights(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../CONTRIBUTING.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(doc), "| right |")
	require.True(t, ok)
	described := operator.Rights{}
	for line := range strings.SplitSeq(rest, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < len(operator.Roles)+3 || !strings.Contains(cells[1], "`") {
			continue
		}
		right := operator.Right(strings.Trim(cells[1], " `"))
		described = append(described, right)
		for i, role := range operator.Roles {
			require.Equal(t, strings.TrimSpace(cells[2+i]) == "✓", role.Rights().Has(right), "%s %s", role, right)
		}
	}
	for _, r := range operator.AllRights() {
		require.True(t, described.Has(r) || strings.HasPrefix(string(r), "open."), "%s is not described", r)
	}
	require.Equal(t, operator.AllRights(), operator.RoleOwner.Rights())
	require.True(t, operator.RoleSupport.Known())
	require.False(t, operator.Role("root").Known())
	require.Empty(t, operator.Role("root").Rights())
}
