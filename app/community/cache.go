package community

import (
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// revision names the groups and plans that processes cache.
const revision = "community"

// groups are the enabled groups with the words that were set, as of a revision.
type groups struct {
	list []model.CommunityGroup
	set  map[model.Day]map[int64]string

	mu    sync.Mutex                                     // guards words
	words map[model.Day]map[string]*model.CommunityGroup // of the days that were asked for
}

// kept is how far back words are kept: a push may come late.
const kept = 8 // days

// groupOf is the enabled group whose word of the day it is; nil if there is none. word is normal.
func (s *Service) groupOf(tx *gorm.DB, day model.Day, word string) (*model.CommunityGroup, error) {
	if !wordLike(word) {
		return nil, nil
	}
	c, err := s.groups.Get(tx, revision, s.load)
	if err != nil {
		return nil, err
	}
	return c.of(day, s.generated)[word], nil
}

func (s *Service) load(tx *gorm.DB) (*groups, error) {
	c := &groups{set: map[model.Day]map[int64]string{}, words: map[model.Day]map[string]*model.CommunityGroup{}}
	if err := tx.Where("enabled = ?", true).Order("id").Find(&c.list).Error; err != nil {
		return nil, fmt.Errorf("community: groups: %w", err)
	}
	var days []model.GroupDay
	if err := tx.Where("day >= ? AND word IS NOT NULL", s.today().Add(-kept)).Find(&days).Error; err != nil {
		return nil, fmt.Errorf("community: words: %w", err)
	}
	for _, d := range days {
		if c.set[d.Day] == nil {
			c.set[d.Day] = map[int64]string{}
		}
		c.set[d.Day][d.GroupID] = *d.Word
	}
	return c, nil
}

// of are the words of a day with the groups that they stand for.
func (c *groups) of(day model.Day, generated func(int64, model.Day) string) map[string]*model.CommunityGroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.words[day]; w != nil {
		return w
	}
	if len(c.words) > 2*kept {
		clear(c.words)
	}
	w := make(map[string]*model.CommunityGroup, len(c.list))
	for i := range c.list {
		g := &c.list[i]
		word, ok := c.set[day][g.ID]
		if !ok {
			word = generated(g.ID, day)
		}
		w[word] = g
	}
	c.words[day] = w
	return w
}
