//go:build browser

package handler_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/apptest/browser"
	"github.com/siyu-scrm/siyu/app/config"
)

var update = flag.Bool("update", false, "write the pictures of the README")

// TestBrowserReadme walks the main pages of a brand at work. With -update what it sees becomes the pictures of the README.
func TestBrowserReadme(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true })
	w.Run()
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)
	names := []string{"小雨", "阿杰", "芊芊", "大力", "思琪", "一鸣", "佳怡", "子涵", "若曦", "浩然", "梓萱", "晓东"}
	for i, name := range names {
		if i == len(names)/2 {
			w.Set("2026-11-25 09:00:00")
		}
		p, _ := w.Member(name)
		w.Act(p, "follow", map[string]any{"scene": []string{"poster", "tweet", ""}[i%3]})
		require.NoError(t, p.API(t.Context(), "POST", "/checkins", nil, nil))
		w.Act(p, "text", map[string]any{"content": []string{"有草莓味吗", "我是敏感肌能用吗", "签到"}[i%3]})
	}
	w.Set("2026-11-25 10:00:00")
	w.Settle()

	b := browser.Console(t, w.URL, password)
	keep := func(name, sees string) {
		t.Helper()
		b.Sees(sees)
		png := b.Desk(1280, 800)
		require.Less(t, len(png), 150_000, name)
		if *update {
			require.NoError(t, os.WriteFile(filepath.Join("..", ".github", "console-"+name+".png"), png, 0o600))
		}
	}
	keep("board", "概览")
	b.Menu("积分规则")
	b.Press("每日签到")
	keep("rule", "每日签到")
	b.Menu("人群")
	b.Press("新建人群")
	b.Write("人群名称", "喜欢草莓味的会员")
	b.In("条件 1").Choose("条件", "已注册会员")
	b.In("条件 1").Choose("值", "是")
	b.In("条件 2").Choose("条件", "有标签")
	b.In("条件 2").Choose("标签", "偏好:喜欢草莓味")
	keep("audience", "「偏好:喜欢草莓味」")
	b.Menu("SOP")
	b.Press("新会员")
	keep("sop", "步骤 2")
	b.Menu("群发")
	b.Press("每周三会员日")
	keep("broadcast", "发送记录")
	b.Menu("发送日历")
	keep("calendar", "发送日历")
}
