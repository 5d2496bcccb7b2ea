// Package menu owns the menus below the chat of the official accounts: one for everyone, and one per tag. Operators edit, look, and
// publish; what the brand had in WeChat's own console before is imported. WeChat knows only its own tags, so the tags that menus ask
// for are mirrored to it.
package menu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// WeChat is what the service asks of WeChat.
type WeChat interface {
	CreateMenu(ctx context.Context, account string, menuJSON []byte) error
	GetMenu(ctx context.Context, account string) (json.RawMessage, error)
	AddConditionalMenu(ctx context.Context, account string, buttonsJSON []byte, tagID int) (string, error)
	DeleteConditionalMenu(ctx context.Context, account, menuID string) error
	MenuOf(ctx context.Context, account, openid string) (json.RawMessage, error)
	CurrentMenu(ctx context.Context, account string) (json.RawMessage, error)
	CurrentReplies(ctx context.Context, account string) (json.RawMessage, error)
	EnsureTag(ctx context.Context, account, name string) (int, error)
	DeleteTag(ctx context.Context, account string, id int) error
	TagFollowers(ctx context.Context, account string, tagID int, openids []string, on bool) error
}

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Clock    clock.Clock
	WeChat   WeChat
	Replies  *reply.Service
	Accounts []string // the official accounts
	MPAppID  string   // of the mini-program that buttons open where they name none
}

// Service is the use cases of menus.
type Service struct {
	Deps
	mirrored db.Cached[[]model.TagMirror]
}

// New returns the service. Its follower is registered by the app.
func New(d Deps) *Service { return &Service{Deps: d} }

// maxMenus is how many menus for tags an account has: each takes one of WeChat's 100 tags.
const maxMenus = 20

// Menu is one menu.
type Menu struct {
	TagID    int64    `json:"tag_id,string"` // 0: for everyone
	Tag      string   `json:"tag"`           // "group:name"
	Position int      `json:"position"`
	Buttons  []Button `json:"buttons"`
}

// View is the menus of an account, the one for everyone first, then in the order in which they are asked.
type View struct {
	Account string
	Menus   []Menu
	State   model.MenuState
	Changed bool // what stands here is not what was published
	Mirrors []model.TagMirror
}

// Get reads the menus of an account.
func (s *Service) Get(ctx context.Context, account string) (*View, error) {
	if err := s.known(account); err != nil {
		return nil, err
	}
	return view(s.DB.Reader(ctx), account)
}

func (s *Service) known(account string) error {
	if !slices.Contains(s.Accounts, account) {
		return errs.New(errs.NotFound, "wechat.account_unknown", "account", account)
	}
	return nil
}

func view(tx *gorm.DB, account string) (*View, error) {
	v := &View{Account: account}
	var rows []model.Menu
	if err := tx.Where("account = ?", account).Order("CASE WHEN tag_id = 0 THEN 0 ELSE 1 END, position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("menu: %w", err)
	}
	for _, r := range rows {
		m := Menu{TagID: r.TagID, Position: r.Position}
		if err := r.Buttons.Into(&m.Buttons); err != nil {
			return nil, fmt.Errorf("menu: %d: %w", r.ID, err)
		}
		if r.TagID != 0 {
			var err error
			if m.Tag, err = tag.Name(tx, r.TagID); err != nil {
				return nil, err
			}
		}
		v.Menus = append(v.Menus, m)
	}
	var states []model.MenuState
	if err := tx.Where("account = ?", account).Limit(1).Find(&states).Error; err != nil {
		return nil, err
	}
	v.State = model.MenuState{Account: account, Published: model.JSON("null")}
	if len(states) > 0 {
		v.State = states[0]
	}
	v.Changed = len(v.Menus) > 0 && !bytes.Equal(v.snapshot(), v.State.Published)
	return v, tx.Where("account = ?", account).Order("tag_id").Find(&v.Mirrors).Error
}

// snapshot is what a publication would publish.
func (v *View) snapshot() model.JSON {
	type part struct {
		TagID   int64    `json:"tag_id"`
		Buttons []Button `json:"buttons"`
	}
	list := make([]part, len(v.Menus))
	for i, m := range v.Menus {
		list[i] = part{m.TagID, m.Buttons}
	}
	return model.ToJSON(list)
}

// Save makes or changes the menu of an account for a tag (0: for everyone). Followers see it when it is published.
func (s *Service) Save(ctx context.Context, account string, in Menu) (*View, error) {
	if err := s.known(account); err != nil {
		return nil, err
	}
	in.Buttons = clone(in.Buttons)
	for i := range in.Buttons {
		s.fill(&in.Buttons[i])
	}
	if err := check(in.Buttons); err != nil {
		return nil, err
	}
	v, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (View, error) { return s.saveTx(tx, account, in) })
	return &v, err
}

func clone(list []Button) []Button {
	out := slices.Clone(list)
	for i := range out {
		out[i].Sub = slices.Clone(out[i].Sub)
	}
	return out
}

// fill names the brand's mini-program where a button names none.
func (s *Service) fill(b *Button) {
	if b.Type == TypeMiniProgram && b.AppID == "" {
		b.AppID = s.MPAppID
	}
	for i := range b.Sub {
		s.fill(&b.Sub[i])
	}
}

func (s *Service) saveTx(tx *gorm.DB, account string, in Menu) (View, error) {
	if in.TagID != 0 {
		if _, err := tag.Get(tx, in.TagID); err != nil {
			return View{}, errs.AtField(err, "tag_id")
		}
		var n int64
		err := tx.Model(&model.Menu{}).Where("account = ? AND tag_id <> 0 AND tag_id <> ?", account, in.TagID).Count(&n).Error
		if err != nil {
			return View{}, err
		}
		if n >= maxMenus {
			return View{}, errs.New(errs.Conflict, "menu.too_many", "limit", maxMenus)
		}
	}
	row := model.Menu{Account: account, TagID: in.TagID, Position: in.Position, Buttons: model.ToJSON(in.Buttons), UpdatedAt: s.Clock.Now()}
	dup, err := db.Insert(tx, &row)
	if dup {
		err = tx.Model(&model.Menu{}).Where("account = ? AND tag_id = ?", account, in.TagID).
			Updates(map[string]any{"position": in.Position, "buttons": row.Buttons, "updated_at": row.UpdatedAt}).Error
	}
	if err != nil {
		return View{}, fmt.Errorf("menu: save: %w", err)
	}
	v, err := view(tx, account)
	if err != nil {
		return View{}, err
	}
	return *v, nil
}

// Delete takes the menu for a tag away; the one for everyone stays. Followers see it until the next publication.
func (s *Service) Delete(ctx context.Context, account string, tagID int64) error {
	if err := s.known(account); err != nil {
		return err
	}
	if tagID == 0 {
		return errs.New(errs.Conflict, "menu.keep")
	}
	_, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (int64, error) {
		res := tx.Where("account = ? AND tag_id = ?", account, tagID).Delete(&model.Menu{})
		if res.Error == nil && res.RowsAffected == 0 {
			return tagID, errs.New(errs.NotFound, "menu.not_found")
		}
		return tagID, res.Error
	})
	return err
}

// Preview is what a member will see once what stands here is published, and what WeChat shows him now; nil for who does not follow.
func (s *Service) Preview(ctx context.Context, account string, memberID int64) (next []Button, now json.RawMessage, err error) {
	v, err := s.Get(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	tx := s.DB.Reader(ctx)
	var held []int64
	if err := tx.Model(&model.TagHold{}).Where("member_id = ?", memberID).Distinct().Pluck("tag_id", &held).Error; err != nil {
		return nil, nil, err
	}
	for _, m := range v.Menus { // the one for everyone is the first
		if m.TagID == 0 {
			next = m.Buttons
		} else if slices.Contains(held, m.TagID) {
			next = m.Buttons
			break
		}
	}
	var id model.Identity
	err = tx.Where("member_id = ? AND account = ? AND subscribed = ?", memberID, account, true).Take(&id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return next, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	now, err = s.WeChat.MenuOf(ctx, account, id.OpenID)
	return next, now, err
}
