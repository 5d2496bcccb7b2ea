package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"sync"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// CardOwner uses the picture of cards that have none of their own: WeChat sends no card without one.
const CardOwner = "card"

// cardPicture draws it: WeChat's 520 × 416, a light field with a door in the brand's green.
var cardPicture = sync.OnceValues(func() ([]byte, error) {
	field, door := color.RGBA{0xe9, 0xf5, 0xee, 0xff}, color.RGBA{0x1a, 0x9b, 0x5c, 0xff}
	img := image.NewPaletted(image.Rect(0, 0, 520, 416), color.Palette{field, door})
	for y := 118; y < 298; y++ {
		for x := 170; x < 350; x++ {
			if dx, dy := x-260, y-208; dx*dx+dy*dy < 90*90 && (x < 250 || x > 270 || y < 160) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
})

// card is the row of that picture, made when it is first needed.
func (s *Service) card(ctx context.Context) (*model.Media, error) {
	data, err := cardPicture()
	if err != nil {
		return nil, fmt.Errorf("media: card: %w", err)
	}
	sum := sha256.Sum256(data)
	key := hex.EncodeToString(sum[:])
	var rows []model.Media
	if err := s.db.Reader(ctx).Omit("data").Where("sha256 = ?", key).Limit(1).Find(&rows).Error; err != nil || len(rows) > 0 {
		return first(rows), err
	}
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		row := model.Media{Name: "小程序卡片", Type: "png", Size: int64(len(data)), SHA256: key, Data: data, CreatedAt: s.clock.Now()}
		if dup, err := db.Insert(tx, &row); err != nil {
			return err
		} else if dup {
			if err := tx.Omit("data").Where("sha256 = ?", key).Take(&row).Error; err != nil {
				return err
			}
		}
		rows = []model.Media{row}
		return s.UseTx(tx, CardOwner, []Ref{{ID: row.ID, Form: model.MediaTemporary}})
	})
	return first(rows), err
}

func first(rows []model.Media) *model.Media {
	if len(rows) == 0 {
		return nil
	}
	return &rows[0]
}
