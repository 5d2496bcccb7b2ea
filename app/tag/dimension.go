package tag

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// Codes of the six dimensions that a first start makes.
const (
	Attribute        = "attribute"
	ProductLifecycle = "product_lifecycle"
	UserLifecycle    = "user_lifecycle"
	Preference       = "preference"
	Value            = "value"
	Channel          = "channel"
)

// EnsureGroups makes the six tag dimensions of a first start; those that are there stay as the operator left them.
func (s *Service) EnsureGroups(ctx context.Context) error {
	names := []struct{ code, name string }{
		{Attribute, "属性"}, {ProductLifecycle, "产品周期"}, {UserLifecycle, "用户周期"}, {Preference, "偏好"}, {Value, "价值"}, {Channel, "渠道"},
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for i, n := range names {
			if _, err := db.Insert(tx, &model.TagGroup{Code: n.code, Name: n.name, Position: i + 1}); err != nil {
				return err
			}
		}
		return nil
	})
}

// EnsureExclusiveTx finds the tags of an exclusive group, or makes them, and the group by its code.
func (s *Service) EnsureExclusiveTx(tx *gorm.DB, code, name string, tags ...string) (ids []int64, err error) {
	g := model.TagGroup{Code: code, Name: name, Exclusive: true, Position: 50}
	dup, err := db.Insert(tx, &g)
	if err == nil && dup {
		g = model.TagGroup{}
		err = tx.Where("code = ?", code).Take(&g).Error
	}
	if err != nil {
		return nil, fmt.Errorf("tag: group %s: %w", code, err)
	}
	for _, name := range tags {
		t := model.Tag{GroupID: g.ID, Name: name, CreatedAt: s.clock.Now()}
		dup, err := db.Insert(tx, &t)
		if err == nil && dup {
			t = model.Tag{}
			err = tx.Where("group_id = ? AND name = ?", g.ID, name).Take(&t).Error
		}
		if err != nil {
			return nil, fmt.Errorf("tag: %s:%s: %w", code, name, err)
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}

// Ensure finds the tag of a name in a group, or makes it. The group is found by its code or made.
func (s *Service) Ensure(ctx context.Context, group, name string) (*model.Tag, error) {
	var t model.Tag
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var g model.TagGroup
		if err := tx.Where("code = ?", group).Take(&g).Error; err != nil {
			return err
		}
		t = model.Tag{GroupID: g.ID, Name: name, CreatedAt: s.clock.Now()}
		dup, err := db.Insert(tx, &t)
		if err != nil || !dup {
			return err
		}
		t = model.Tag{}
		return tx.Where("group_id = ? AND name = ?", g.ID, name).Take(&t).Error
	})
	return &t, err
}
