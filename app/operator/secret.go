package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

const (
	checkName  = "key-check"
	checkValue = "siyu"
)

// CheckKey holds the secret key against the one that this database was made with. The first start leaves the mark that later ones compare.
func CheckKey(ctx context.Context, d *db.DB, box *config.Box) error {
	err := d.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		_, err := db.Insert(tx, &model.Secret{Name: checkName, Sealed: box.Seal(checkName, []byte(checkValue)), ExpiresAt: clock.Real()})
		return err
	})
	if err != nil {
		return fmt.Errorf("operator: mark the secret key: %w", err)
	}
	var row model.Secret
	if err := d.Reader(ctx).Where("name = ?", checkName).Take(&row).Error; err != nil {
		return fmt.Errorf("operator: check the secret key: %w", err)
	}
	if _, err := box.Open(checkName, row.Sealed); err != nil {
		return fmt.Errorf("the secret key is not the one that this database was made with: put the right one into SIYU_SECRET_KEY or data_dir/secret.key, or start with another database: %w", err)
	}
	return nil
}

// Tokens keeps WeChat's access tokens where all processes find them, sealed. It is app/wechat's TokenStore.
type Tokens struct {
	db  *db.DB
	box *config.Box
}

// NewTokens makes the store.
func NewTokens(d *db.DB, box *config.Box) *Tokens { return &Tokens{db: d, box: box} }

func tokenName(appid string) string { return "wechat-token:" + appid }

// Get returns the token of an account and when it expires, in real time; "" if none is kept or the kept one cannot be opened.
func (t *Tokens) Get(ctx context.Context, appid string) (token string, expires time.Time, err error) {
	var row model.Secret
	switch err := t.db.Reader(ctx).Where("name = ?", tokenName(appid)).Take(&row).Error; {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return "", time.Time{}, nil
	case err != nil:
		return "", time.Time{}, fmt.Errorf("operator: read token: %w", err)
	}
	plain, err := t.box.Open(row.Name, row.Sealed)
	if err != nil {
		return "", time.Time{}, nil //nolint:nilerr // sealed with a former key: as good as none, a new one is fetched
	}
	return string(plain), row.ExpiresAt, nil
}

// Put keeps the token of an account, in place of a former one.
func (t *Tokens) Put(ctx context.Context, appid, token string, expires time.Time) error {
	name := tokenName(appid)
	row := model.Secret{Name: name, Sealed: t.box.Seal(name, []byte(token)), ExpiresAt: expires}
	return t.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		dup, err := db.Insert(tx, &row)
		if err == nil && dup {
			err = tx.Model(&model.Secret{}).Where("name = ?", name).Updates(map[string]any{"sealed": row.Sealed, "expires_at": row.ExpiresAt}).Error
		}
		if err != nil {
			return fmt.Errorf("operator: keep token: %w", err)
		}
		return nil
	})
}
