// Package media is the library of pictures that replies and cards send. WeChat forgets an upload after three days: siyu keeps the
// bytes, uploads them anew before that, and knows at any moment which of WeChat's ids still works.
package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// WeChat's limits (FACTS 3.5).
const (
	MaxBytes    = 10 << 20 // of a picture that is sent
	MaxURLBytes = 1 << 20  // of a picture of an article
	Life        = 3 * 24 * time.Hour
)

// WeChat uploads pictures.
type WeChat interface {
	UploadImage(ctx context.Context, account, filename string, data []byte) (mediaID string, err error)
	UploadPicture(ctx context.Context, account, filename string, data []byte) (url string, err error)
}

// Service is the use cases of the library.
type Service struct {
	db       *db.DB
	clock    clock.Clock
	wechat   WeChat
	accounts []string // the official accounts
}

// New returns the service.
func New(d *db.DB, c clock.Clock, w WeChat, accounts []string) *Service {
	return &Service{db: d, clock: c, wechat: w, accounts: accounts}
}

// kinds are the types of pictures that WeChat takes, by their first bytes.
var kinds = []struct{ kind, magic string }{{"jpg", "\xff\xd8\xff"}, {"png", "\x89PNG\r\n\x1a\n"}, {"gif", "GIF8"}, {"bmp", "BM"}}

func kindOf(data []byte) string {
	for _, k := range kinds {
		if bytes.HasPrefix(data, []byte(k.magic)) {
			return k.kind
		}
	}
	return ""
}

// Save keeps a picture. One that the library has already is returned as it stands.
func (s *Service) Save(ctx context.Context, name string, data []byte) (*model.Media, error) {
	name = strings.TrimSpace(name)
	kind := kindOf(data)
	switch {
	case name == "" || utf8.RuneCountInString(name) > 64 || !utf8.ValidString(name):
		return nil, errs.Field("name", "media.name", "limit", 64)
	case len(data) > MaxBytes:
		return nil, errs.Field("data", "media.size", "limit", MaxBytes)
	case kind == "":
		return nil, errs.Field("data", "media.type", "allowed", "jpg, png, gif, bmp")
	}
	sum := sha256.Sum256(data)
	row := model.Media{Name: name, Type: kind, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Data: data, CreatedAt: s.clock.Now()}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Media, error) {
		r := row
		dup, err := db.Insert(tx, &r)
		if dup {
			err = tx.Omit("data").Where("sha256 = ?", row.SHA256).Take(&r).Error
		}
		r.Data = nil
		return r, err
	})
	return &out, err
}

// View is a picture with what uses it and what WeChat holds of it.
type View struct {
	model.Media
	Uses   []string          `json:"uses"`
	Copies []model.MediaCopy `json:"copies"`
}

// List lists the library, newest first, without the bytes.
func (s *Service) List(ctx context.Context) ([]View, error) {
	tx := s.db.Reader(ctx)
	var rows []model.Media
	if err := tx.Omit("data").Order("id DESC").Find(&rows).Error; err != nil {
		return nil, err
	}
	var uses []model.MediaUse
	if err := tx.Order("owner, form").Find(&uses).Error; err != nil {
		return nil, err
	}
	var copies []model.MediaCopy
	if err := tx.Order("account, form").Find(&copies).Error; err != nil {
		return nil, err
	}
	views := make([]View, len(rows))
	byID := map[int64]*View{}
	for i, r := range rows {
		views[i] = View{Media: r}
		byID[r.ID] = &views[i]
	}
	for _, u := range uses {
		if v := byID[u.MediaID]; v != nil && !slices.Contains(v.Uses, u.Owner) { // in both forms
			v.Uses = append(v.Uses, u.Owner)
		}
	}
	for _, c := range copies {
		if v := byID[c.MediaID]; v != nil {
			v.Copies = append(v.Copies, c)
		}
	}
	return views, nil
}

// Get reads one picture with its bytes.
func (s *Service) Get(ctx context.Context, id int64) (*model.Media, error) {
	return get(s.db.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*model.Media, error) {
	return db.ByID[model.Media](tx, id, "media.not_found")
}

// Delete takes a picture out of the library; one that something sends is errs.Conflict.
func (s *Service) Delete(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (int64, error) {
		var used []model.MediaUse
		if err := tx.Where("media_id = ?", id).Order("owner").Limit(1).Find(&used).Error; err != nil {
			return id, err
		}
		if len(used) > 0 {
			return id, errs.New(errs.Conflict, "media.used", "owner", used[0].Owner)
		}
		if err := tx.Where("media_id = ?", id).Delete(&model.MediaCopy{}).Error; err != nil {
			return id, err
		}
		res := tx.Delete(&model.Media{}, id)
		if res.Error == nil && res.RowsAffected == 0 {
			return id, errs.New(errs.NotFound, "media.not_found")
		}
		return id, res.Error
	})
	return err
}

// Ref is a picture in one of its forms.
type Ref struct {
	Field string // of the input that names it, for a refusal
	ID    int64
	Form  string
}

// UseTx says which pictures the owner ("reply:3") sends, instead of those that it named before. A picture that the library does not
// have, or that is too big for its form, is refused.
func (s *Service) UseTx(tx *gorm.DB, owner string, refs []Ref) error {
	if err := tx.Where("owner = ?", owner).Delete(&model.MediaUse{}).Error; err != nil {
		return fmt.Errorf("media: uses: %w", err)
	}
	seen := map[Ref]bool{}
	for _, r := range refs {
		m, err := get(tx.Omit("data"), r.ID)
		if err != nil {
			return errs.AtField(err, r.Field)
		}
		if r.Form == model.MediaURL && (m.Size > MaxURLBytes || m.Type != "jpg" && m.Type != "png") {
			return errs.Field(r.Field, "media.article", "limit", MaxURLBytes)
		}
		if r.Field = ""; seen[r] {
			continue
		}
		seen[r] = true
		if err := tx.Create(&model.MediaUse{Owner: owner, MediaID: r.ID, Form: r.Form}).Error; err != nil {
			return fmt.Errorf("media: use: %w", err)
		}
		for _, account := range s.accounts {
			if err := s.wantTx(tx, account, r.ID, r.Form); err != nil {
				return err
			}
		}
	}
	return nil
}

// wantTx makes the row of a copy, due at once, unless there is one.
func (s *Service) wantTx(tx *gorm.DB, account string, id int64, form string) error {
	_, err := db.Insert(tx, &model.MediaCopy{Account: account, MediaID: id, Form: form, DueAt: s.clock.Now(), LeaseTill: clock.Real()})
	if err != nil {
		return fmt.Errorf("media: copy: %w", err)
	}
	return nil
}
