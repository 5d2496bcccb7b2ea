package condition

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"
)

// Bitmap reads a query of one column of member ids.
func Bitmap(q *gorm.DB) (*roaring.Bitmap, error) {
	rows, err := q.Rows()
	if err != nil {
		return nil, fmt.Errorf("condition: members: %w", err)
	}
	defer rows.Close()
	out := roaring.New()
	for rows.Next() {
		var id uint32
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("condition: members: %w", err)
		}
		out.Add(id)
	}
	return out, rows.Err()
}
