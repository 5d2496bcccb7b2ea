package audience

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Export writes those who are in the audience now as CSV in UTF-8 with BOM: number, nickname, phone, when he joined. phone masks a number.
func (s *Service) Export(ctx context.Context, t condition.Tree, lang string, phone func(*model.Member) string, to io.Writer) (int64, error) {
	found, _, err := s.Now(ctx, t)
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(to, "\ufeff"); err != nil {
		return 0, err
	}
	w := csv.NewWriter(to)
	_ = w.Write(strings.Split(templates.T(lang, "audience.export_head", nil), ",")) // Error tells
	n := int64(0)
	for ids := range chunks(found) {
		var rows []model.Member
		if err := s.db.Reader(ctx).Where("id IN ? AND merged_into IS NULL AND erased_at IS NULL", ids).Order("id").Find(&rows).Error; err != nil {
			return n, fmt.Errorf("audience: export: %w", err)
		}
		for i := range rows {
			joined := ""
			if rows[i].JoinedAt != nil {
				joined = s.zone.In(*rows[i].JoinedAt).Format("2006-01-02 15:04:05")
			}
			_ = w.Write([]string{sheet.Plain(rows[i].No), sheet.Plain(rows[i].Nickname), phone(&rows[i]), joined})
			n++
		}
	}
	w.Flush()
	return n, w.Error()
}
