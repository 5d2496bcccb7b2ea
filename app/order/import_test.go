package order_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// brought imports a file and runs its job.
func brought(w *apptest.World, data []byte) *sheet.Imported {
	w.T.Helper()
	in, err := w.Sheets.Import(w.T.Context(), order.Import, "f", data, nil, "test")
	require.NoError(w.T, err)
	w.Settle()
	out, err := w.Sheets.Get(w.T.Context(), order.Import, in.ID)
	require.NoError(w.T, err)
	require.Equal(w.T, model.WorkDone, out.State)
	require.Equal(w.T, out.Lines, out.Done)
	return out
}

func memberNo(w *apptest.World, id int64) string {
	w.T.Helper()
	m, err := w.Members.Get(w.T.Context(), id)
	require.NoError(w.T, err)
	return m.No
}

func TestImport(t *testing.T) {
	t.Parallel()

	t.Run("LandsWhatIsGoodAndReportsWhatIsNot", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		var b strings.Builder
		b.WriteString("平台,订单号,状态,会员号,付款时间,实付金额,商品,退款单号,退款金额,退款时间\n")
		for i := range 250 {
			fmt.Fprintf(&b, "抖音,D%d,已付款,%s,2026-11-23 09:00:00,10.50,唇膜,,,\n", i, memberNo(w, m))
		}
		bad := []string{
			"ebay,X1,paid,,2026-11-23 09:00:00,1,,,,",
			"taobao,X2,paid,,2026-11-23 09:00:00,1.005,,,,",
			"taobao,X3,paid,,2026-11-23 09:00:00,NaN,,,,",
			"taobao,X4,paid,,2027-11-23 09:00:00,1,,,,",
			"taobao,X5,paid,nobody,2026-11-23 09:00:00,1,,,,",
			"douyin,D0,,,,,,R1,99,2026-11-23 09:00:00",
			"taobao,2.026E+17,paid,,2026-11-23 09:00:00,1,,,,",
		}
		b.WriteString(strings.Join(bad, "\n") + "\n")
		b.WriteString("douyin,D1,,,,,,R1,0.51,2026-11-23 09:00:00\n")
		file := []byte(b.String())
		out := brought(w, file)
		require.Equal(t, sheet.Outcome{New: 250, Changed: 1, Failed: int64(len(bad))}, out.Result)
		require.EqualValues(t, 250*10-1, w.Points(m))
		var report bytes.Buffer
		require.NoError(t, w.Sheets.Report(t.Context(), out, templates.English, &report))
		require.Contains(t, report.String(), "\n257,douyin,D0,failed,refunds[0].amount_fen,More is refunded than was paid: 1050 fen remain\n")
		require.Contains(t, report.String(), "\n253,taobao,X2,failed,amount,")
		require.Contains(t, report.String(), "\n256,taobao,X5,failed,member_no,")

		again := brought(w, file)
		require.Equal(t, sheet.Outcome{Same: 251, Failed: int64(len(bad))}, again.Result)
		require.EqualValues(t, 250*10-1, w.Points(m))
		require.Zero(t, w.Count(&model.ImportLine{}, "body_json <> '{}' AND state <> ?", model.LineFailed), "nothing is kept of what landed")
		w.Verified()
	})

	t.Run("ReadsWhatSpreadsheetsWrite", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		text := "平台,订单号,会员号,付款时间,实付金额,商品\n淘宝, ｔ１ ," + memberNo(w, m) + ",2026/11/23 9:00,\"¥1,234.5\",\"草莓,味\"\n"
		gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		require.NoError(t, err)
		f := excelize.NewFile()
		for i, cell := range []any{"平台", "订单号", "会员号", "付款时间", "实付金额", "商品"} {
			require.NoError(t, f.SetCellValue("Sheet1", fmt.Sprintf("%c1", 'A'+i), cell))
		}
		wall := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)) // as Excel counts
		for i, cell := range []any{"淘宝", "t1", memberNo(w, m), wall.Hours() / 24, 1234.5, "草莓,味"} {
			require.NoError(t, f.SetCellValue("Sheet1", fmt.Sprintf("%c2", 'A'+i), cell))
		}
		xlsx, err := f.WriteToBuffer()
		require.NoError(t, err)
		for i, file := range [][]byte{[]byte(text), []byte("\ufeff" + text), []byte(gb), xlsx.Bytes()} {
			out := brought(w, file)
			require.Equal(t, sheet.Outcome{New: int64(1 - min(i, 1)), Same: int64(min(i, 1))}, out.Result, "file %d", i)
		}
		require.EqualValues(t, 1234, w.Points(m))
		require.EqualValues(t, 1, w.Count(&model.OrderItem{}, "product = ?", "草莓,味"))
	})

	t.Run("RefusesWhatIsNoFileOfOrders", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for _, file := range []string{"", "a,b\n1,2\n", "platform,order_no\n", "PK\x03\x04nothing"} {
			_, err := w.Sheets.Import(t.Context(), order.Import, "f", []byte(file), nil, "test")
			refused(t, errs.Invalid, err)
		}
		_, err := w.Sheets.Import(t.Context(), order.Import, "f", []byte("platform,order_no\n"+strings.Repeat("jd,1\n", 100_001)), nil, "test")
		refused(t, errs.TooLarge, err)
		require.Zero(t, w.Count(&model.Import{}))
	})

	t.Run("EndsWhereItIsCancelled", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		in, err := w.Sheets.Import(t.Context(), order.Import, "f", []byte("platform,order_no,paid_at,amount\njd,1,2026-11-23 09:00:00,1\n"), nil, "test")
		require.NoError(t, err)
		_, err = w.Works.Cancel(t.Context(), in.WorkID)
		require.NoError(t, err)
		w.Settle()
		require.Zero(t, w.Count(&model.Order{}))
	})
}
