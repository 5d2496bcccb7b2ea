package admin

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFiringIsSaidInTheProgrammesZone(t *testing.T) {
	t.Parallel()
	require.Equal(t, "2026-12-02T10:00:00+08:00", slot("2026-12-02T02:00:00Z"))
	require.Equal(t, "once", slot("once"))
	require.Equal(t, "manual:2026-12-02T10:00", slot("manual:2026-12-02T10:00"))
}
