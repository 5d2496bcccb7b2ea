package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBenchConsole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	for range 2 { // the second finds the programme of the first
		require.NoError(t, run(t.Context(), []string{"bench", "console", "--members", "300", "--data", dir}, &out))
		require.Regexp(t, `(?m)^bench console db=\S+ members=300 entries=3000 pages=[1-9]\d\d? opened=20 worst_p95=\S+ over_100ms=\d+ first_load=\d+\.\dKB after=\d+\.\dKB rss=\d+MiB$`, out.String())
	}
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("made in")))
}
