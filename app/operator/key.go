package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// newToken is 130 random bits with a prefix by which leaked tokens can be searched for.
func newToken() string { return "siyu_" + rand.Text() }

// NewKey is an API key as made: the token is shown once.
type NewKey struct {
	ID     int64
	Name   string
	Scopes []string
	Token  string
}

// made is what an idempotent repeat gets back: the secret, which is shown once, is sealed where it is stored.
type made struct {
	ID     int64
	Sealed string
}

// CreateKey makes an API key. A taken name is errs.Conflict; a scope that the caller does not hold himself is errs.Forbidden.
func (s *Service) CreateKey(ctx context.Context, by Caller, name string, scopes []string) (*NewKey, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 64 {
		return nil, errs.Field("name", "web.invalid")
	}
	scopes, err := scopesOf(by, scopes)
	if err != nil {
		return nil, err
	}
	m, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (m made, err error) {
		token := newToken()
		row := &model.APIKey{Name: name, TokenHash: hashToken(token), Scopes: strings.Join(scopes, " "), CreatedAt: s.clock.Now()}
		dup, err := db.Insert(tx, row)
		if err != nil {
			return m, fmt.Errorf("operator: make key: %w", err)
		}
		if dup {
			return m, errs.New(errs.Conflict, "operator.name_taken", "field", "name", "name", name)
		}
		m = made{ID: row.ID, Sealed: s.box.Seal("api-key", []byte(token))}
		return m, s.AuditTx(tx, by.Name, "key.create", fmt.Sprintf("key:%d", row.ID), nil, keyFacts(row))
	})
	if err != nil {
		return nil, err
	}
	token, err := s.box.Open("api-key", m.Sealed)
	if err != nil {
		return nil, err
	}
	return &NewKey{ID: m.ID, Name: name, Scopes: scopes, Token: string(token)}, nil
}

// scopesOf puts scopes into the order of the table, each once, and refuses those that are none or more than the caller's.
func scopesOf(by Caller, list []string) (sorted []string, err error) {
	for _, scope := range list {
		if !slices.Contains(Scopes(), scope) {
			return nil, errs.Field("scopes", "operator.scope", "scope", scope)
		}
	}
	for _, scope := range Scopes() {
		if slices.Contains(list, scope) {
			sorted = append(sorted, scope)
		}
	}
	if len(sorted) == 0 {
		return nil, errs.Field("scopes", "operator.scope", "scope", "")
	}
	return sorted, by.covers(scopeRights(sorted))
}

func keyFacts(k *model.APIKey) map[string]any {
	return map[string]any{"name": k.Name, "scopes": strings.Fields(k.Scopes)}
}

// DeleteKey ends an API key at once; errs.NotFound if there is none.
func (s *Service) DeleteKey(ctx context.Context, actor string, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (struct{}, error) {
		row, err := first[model.APIKey](tx.Where("id = ?", id), errs.NotFound, "operator.key_missing")
		if err != nil {
			return struct{}{}, err
		}
		if err := tx.Delete(row).Error; err != nil {
			return struct{}{}, fmt.Errorf("operator: delete key: %w", err)
		}
		return struct{}{}, s.AuditTx(tx, actor, "key.delete", fmt.Sprintf("key:%d", id), keyFacts(row), nil)
	})
	return err
}

// Keys lists the API keys by id. Their tokens are not known.
func (s *Service) Keys(ctx context.Context) (rows []model.APIKey, err error) {
	if err := s.db.Reader(ctx).Order("id").Limit(1000).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("operator: list keys: %w", err)
	}
	return rows, nil
}

// Key is who holds a token; errs.Unauthorized for an unknown one.
func (s *Service) Key(ctx context.Context, token string) (c Caller, err error) {
	row, err := first[model.APIKey](s.db.Reader(ctx).Where("token_hash = ?", hashToken(token)), errs.Unauthorized, "web.unauthorized")
	if err != nil {
		return c, err
	}
	return Caller{Name: fmt.Sprintf("key:%d", row.ID), Rights: scopeRights(strings.Fields(row.Scopes))}, nil
}

// EnsureAdminToken sees to it that the token in the file opens the admin API. A missing file is made, with a new token that takes the
// place of this machine's former one; a database that does not know the token learns it. It reports whether it made the file.
func (s *Service) EnsureAdminToken(ctx context.Context, path string) (made bool, err error) {
	b, err := config.ReadSecret(path)
	if errors.Is(err, os.ErrNotExist) {
		made = true
		b = []byte(newToken() + "\n")
		err = config.WriteSecret(path, b, false)
	}
	if err != nil {
		return false, err
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 20 {
		return false, fmt.Errorf("operator: %s holds no token: remove it, and the next start makes a new one", path)
	}
	return made, s.registerAdmin(ctx, hashToken(token))
}

func (s *Service) registerAdmin(ctx context.Context, hash string) error {
	host, _ := os.Hostname() // "" serves as well
	name := "admin.token@" + host
	name = name[:min(len(name), 64)]
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var n int64
		err := tx.Model(&model.APIKey{}).Where("token_hash = ? AND scopes = ?", hash, ScopeAdmin).Count(&n).Error
		if err != nil || n > 0 {
			return err
		}
		if err := tx.Where("name = ?", name).Delete(&model.APIKey{}).Error; err != nil {
			return err
		}
		return tx.Create(&model.APIKey{Name: name, TokenHash: hash, Scopes: ScopeAdmin, CreatedAt: s.clock.Now()}).Error
	})
}
