package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBenchAudience(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"bench", "audience", "--members", "3000", "--requests", "100"}, &out))
	require.Regexp(t, `(?m)^bench audience db=\S+ members=3000 holdings=1\d{4} requests=100 p50=\S+ p99=\S+ ratio=\S+ load=\S+ index=\d+MiB stale=\S+ rss=\d+MiB$`, out.String())
}
