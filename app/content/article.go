package content

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// SaveArticle makes an article (ID 0) or changes one.
func (s *Service) SaveArticle(ctx context.Context, a model.Article) (*model.Article, error) {
	if err := check(&a.Title, &a.URL, a.MinSeconds); err != nil {
		return nil, err
	}
	if a.URL == "" {
		return nil, errs.Field("url", "content.url_required")
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Article, error) {
		row := a
		row.CreatedAt = s.clock.Now()
		if row.ID != 0 {
			old, err := article(tx, row.ID)
			if err != nil {
				return row, err
			}
			row.CreatedAt = old.CreatedAt
		}
		return row, tx.Save(&row).Error
	})
	return &out, err
}

func article(tx *gorm.DB, id int64) (*model.Article, error) {
	var a model.Article
	if err := tx.Take(&a, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "content.no_article")
	} else if err != nil {
		return nil, fmt.Errorf("content: article: %w", err)
	}
	return &a, nil
}

// ArticleView is an article with its figures.
type ArticleView struct {
	model.Article
	Readers int64 // whose reading counted
	Reads   int64
}

// Article reads one article.
func (s *Service) Article(ctx context.Context, id int64) (*ArticleView, error) {
	tx := s.db.Reader(ctx)
	a, err := article(tx, id)
	if err != nil {
		return nil, err
	}
	views, err := withReaders(tx, []model.Article{*a})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

// Articles lists the last articles, the newest first.
func (s *Service) Articles(ctx context.Context, limit int) ([]ArticleView, error) {
	tx := s.db.Reader(ctx)
	var rows []model.Article
	if err := tx.Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	return withReaders(tx, rows)
}

func withReaders(tx *gorm.DB, rows []model.Article) ([]ArticleView, error) {
	views, at := make([]ArticleView, len(rows)), map[int64]*ArticleView{}
	ids := make([]int64, len(rows))
	for i, a := range rows {
		views[i].Article, ids[i], at[a.ID] = a, a.ID, &views[i]
	}
	var sums []struct{ ArticleID, Readers, Reads int64 }
	err := tx.Model(&model.ArticleRead{}).Select("article_id, COUNT(*) AS readers, SUM(times) AS `reads`").
		Where("article_id IN ? AND times > 0", ids).Group("article_id").Scan(&sums).Error
	for _, n := range sums {
		at[n.ArticleID].Readers, at[n.ArticleID].Reads = n.Readers, n.Reads
	}
	return views, err
}

// ToRead is an article as a member sees it.
type ToRead struct {
	model.Article
	Times   int // that he read it
	Reading bool
}

// ToRead lists the last enabled articles for a member, the newest first.
func (s *Service) ToRead(ctx context.Context, memberID int64, limit int) ([]ToRead, error) {
	tx := s.db.Reader(ctx)
	var rows []model.Article
	if err := tx.Where("enabled = ?", true).Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	out, at := make([]ToRead, len(rows)), map[int64]*ToRead{}
	ids := make([]int64, len(rows))
	for i, a := range rows {
		out[i].Article, ids[i], at[a.ID] = a, a.ID, &out[i]
	}
	var reads []model.ArticleRead
	err := tx.Where("member_id = ? AND article_id IN ?", memberID, ids).Find(&reads).Error
	for _, r := range reads {
		at[r.ArticleID].Times, at[r.ArticleID].Reading = r.Times, r.StartedAt != nil
	}
	return out, err
}
