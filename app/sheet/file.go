// Package sheet takes files of things, one in each line: it reads CSV and XLSX, keeps every line, lands the lines in batches by a long job, and
// reports what became of each. What a line says and does is a Kind's, of the package that owns the things.
package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Bounds of a file.
const (
	maxLines   = 100_000
	maxUnzip   = 512 << 20 // an XLSX unpacked
	maxColumns = 64
)

// table reads a CSV in UTF-8 or GB18030, or the first sheet of an XLSX, row by row: fn gets the number of the line and its cells. Its refusal ends
// the reading.
func table(data []byte, fn func(line int64, cells []string) error) error {
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return xlsx(data, fn)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var text io.Reader = bytes.NewReader(data)
	if !utf8.Valid(data) {
		text = simplifiedchinese.GB18030.NewDecoder().Reader(text)
	}
	r := csv.NewReader(text)
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errs.Field("data", "sheet.file")
		}
		line, _ := r.FieldPos(0)
		if err := fn(int64(line), cells); err != nil {
			return err
		}
	}
}

func xlsx(data []byte, fn func(line int64, cells []string) error) error {
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: maxUnzip, RawCellValue: true})
	if err != nil {
		return errs.Field("data", "sheet.file")
	}
	defer func() { _ = f.Close() }()
	rows, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		return errs.Field("data", "sheet.file")
	}
	defer func() { _ = rows.Close() }()
	for line := int64(1); rows.Next(); line++ {
		cells, err := rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return errs.Field("data", "sheet.file")
		}
		if strings.Join(cells, "") == "" {
			continue
		}
		if err := fn(line, cells); err != nil {
			return err
		}
	}
	return nil
}
