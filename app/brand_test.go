package app_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/model"
)

// TestFirstStart holds what a first start makes, and that a second start makes nothing, not even what an operator took away.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	for demo, want := range map[bool]map[string]int64{
		true:  {"TagGroup": 11, "ChannelCode": 4, "PointRule": 6, "AutoTag": 27, "Quiz": 1, "Broadcast": 1},
		false: {"TagGroup": 6, "ChannelCode": 4, "PointRule": 0, "AutoTag": 0, "Quiz": 0, "Broadcast": 0},
	} {
		t.Run(fmt.Sprintf("Demo=%t", demo), func(t *testing.T) {
			t.Parallel()
			place, dir := dbtest.Prepared(t), t.TempDir()
			start := func() map[string]int64 {
				cfg, err := config.Load(os.DevNull, nil, func(c *config.Config) {
					c.DataDir, c.Sandbox.Demo = dir, demo
					c.Database.Driver, c.Database.DSN = place.Driver, config.Secret(place.DSN+place.Path)
				})
				require.NoError(t, err)
				a, err := app.Open(t.Context(), cfg, func(o *sandbox.Options) { o.Dir, o.Start, o.Frozen = "", apptest.Start, true })
				require.NoError(t, err)
				defer func() { require.NoError(t, a.Close()) }()
				got := map[string]int64{}
				for name, row := range map[string]any{
					"TagGroup": &model.TagGroup{}, "ChannelCode": &model.ChannelCode{}, "PointRule": &model.PointRule{},
					"AutoTag": &model.AutoTag{}, "Quiz": &model.Quiz{}, "Broadcast": &model.Broadcast{},
				} {
					var n int64
					require.NoError(t, a.DB.Reader(t.Context()).Model(row).Count(&n).Error)
					got[name] = n
				}
				return got
			}
			require.Equal(t, want, start())
			require.Equal(t, want, start())
		})
	}
}

// TestFirstStartOfMany holds that processes which start together make one brand.
func TestFirstStartOfMany(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Config.Sandbox.Demo = true
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := app.EnsureSandbox(w.App, context.Background()); err != nil {
				t.Errorf("EnsureSandbox: %v", err)
			}
		})
	}
	wg.Wait()
	for n, rows := range map[int64][]any{1: {&model.Quiz{}, &model.Broadcast{}}, 27: {&model.AutoTag{}}, 6: {&model.PointRule{}}} {
		for _, row := range rows {
			require.Equal(t, n, w.Count(row), "%T", row)
		}
	}
}

func TestRegistries(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Seal()
	require.Panics(t, func() { w.Events.Follow(nil) })
	require.Panics(t, func() { w.Events.Later("member.followed", nil) })
	require.Panics(t, func() { w.Members.AddPart(member.Part{}) })
	require.Panics(t, func() { w.Conditions.Register(condition.Leaf{Name: "late"}) })
}
