package wechat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat"
)

func BenchmarkOpen(b *testing.B) {
	v := vectors[vector](b, "msg_crypto.json")[0]
	acc, query, body, now := v.account(), v.query(), v.body(), at(v.Timestamp)
	b.ReportAllocs()
	for b.Loop() {
		_, err := wechat.Open(acc, query, body, now)
		require.NoError(b, err)
	}
}
