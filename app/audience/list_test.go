package audience_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func upload(w *apptest.World, name, file string) *sheet.Imported {
	w.T.Helper()
	in, err := w.Audience.Upload(w.T.Context(), name, "list.csv", []byte(file), "operator:1")
	require.NoError(w.T, err)
	w.Settle()
	out, err := w.Sheets.Get(w.T.Context(), audience.List, in.ID)
	require.NoError(w.T, err)
	return out
}

func TestUpload(t *testing.T) {
	t.Parallel()

	t.Run("HoldsThePeopleOfTheListByWhateverTheyAreCalled", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ctx := t.Context()
		var ids []uint32
		for i := range 5 {
			_, id := w.Member(fmt.Sprint("p", i))
			ids = append(ids, uint32(id)) //nolint:gosec // small
		}
		identity := func(i int, kind string) (x model.Identity) {
			require.NoError(t, w.DB.Reader(ctx).Where("member_id = ? AND kind = ?", ids[i], kind).Take(&x).Error)
			return x
		}
		var byNo model.Member
		require.NoError(t, w.DB.Reader(ctx).Take(&byNo, ids[2]).Error)
		index, _, _, ok := w.Members.SealPhone("13800000003")
		require.True(t, ok)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.Member{}).Where("id = ?", ids[3]).Update("phone_index", index).Error
		})
		lines := []string{
			"UnionID", identity(0, model.KindMP).OpenID, " " + identity(1, model.KindMP).UnionID + " ", byNo.No, "+86 138-0000-0003",
			identity(0, model.KindMP).OpenID, "nobody", "13800000099", strings.Repeat("x", 65), ",", "138000000030",
		}
		in := upload(w, "门店", strings.Join(lines, "\n"))
		require.Equal(t, model.WorkDone, in.State)
		require.Equal(t, sheet.Outcome{New: 4, Same: 1, Failed: 5}, in.Result)
		rows, err := w.Audience.List(ctx, 0, 10)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.True(t, rows[0].Frozen())
		require.EqualValues(t, 4, rows[0].Count)
		found, _, err := w.Audience.Now(ctx, audience.Leaf(rows[0].ID))
		require.NoError(t, err)
		require.Equal(t, ids[:4], found.ToArray())
		for i, id := range ids {
			v, _, err := w.Audience.Why(ctx, audience.Leaf(rows[0].ID), int64(id), w.Now())
			require.NoError(t, err)
			require.Equal(t, i < 4, v.Holds)
		}
		who, err := w.Audience.Who(ctx, templates.English, &rows[0])
		require.NoError(t, err)
		require.Equal(t, "the people on an uploaded list", who)
		var report strings.Builder
		require.NoError(t, w.Sheets.Report(ctx, in, templates.English, &report))
		require.Contains(t, report.String(), `7,***,failed,openid,"Nobody is known by this`)
		require.NotContains(t, report.String(), "13800000003", "nothing of a person")
		_, err = w.Audience.Save(ctx, audience.Input{ID: rows[0].ID, Name: "门店", Condition: condition.Is("member", map[string]any{"field": "joined", "value": true}), Actor: "x"})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.Audience.Upload(ctx, " 门店", "l.csv", []byte("phone\n1\n"), "x")
		require.Equal(t, errs.Conflict, errs.CodeOf(err), "the name is taken")
	})

	t.Run("CannotBeUsedBeforeItIsRead", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ctx := t.Context()
		_, id := w.Member("a")
		var m model.Member
		require.NoError(t, w.DB.Reader(ctx).Take(&m, id).Error)
		file := "会员号\n" + m.No + "\n" + strings.Repeat("nobody\n", 4500) + m.No + "\n"
		in, err := w.Audience.Upload(ctx, "long", "l.csv", []byte(file), "operator:1")
		require.NoError(t, err)
		rows, err := w.Audience.List(ctx, 0, 1)
		require.NoError(t, err)
		a := rows[0]
		require.False(t, a.Frozen())
		_, err = w.Audience.Count(ctx, audience.Leaf(a.ID))
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.Audience.Freeze(ctx, a.ID, "copy", "x")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		renamed, err := w.Audience.Save(ctx, audience.Input{ID: a.ID, Name: "renamed", Actor: "x"})
		require.NoError(t, err)
		require.Equal(t, "renamed", renamed.Name)
		w.Settle()
		out, err := w.Sheets.Get(ctx, audience.List, in.ID)
		require.NoError(t, err)
		require.Equal(t, sheet.Outcome{New: 1, Same: 1, Failed: 4500}, out.Result)
		n, err := w.Audience.Count(ctx, audience.Leaf(a.ID))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})

	t.Run("RefusesWhatIsNoList", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for file, field := range map[string]string{"": "data", "phone\n": "data", "13800000001\n": "data", "PK\x03\x04": "data"} {
			_, err := w.Audience.Upload(t.Context(), "x", "l.csv", []byte(file), "x")
			var e *errs.Error
			require.ErrorAs(t, err, &e, "%q", file)
			require.Equal(t, []any{errs.Invalid, field}, []any{e.Code, e.Args["field"]}, "%q", file)
		}
		_, err := w.Audience.Upload(t.Context(), " ", "l.csv", []byte("phone\n1\n"), "x")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.Import{}))
	})
}
