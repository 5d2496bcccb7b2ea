package tag

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// maxChain is how many lasting rules may wait for one another's tags: a chain of events is at most 8 deep, and the first of them
// is what the member did.
const maxChain = 6

// reads are the tags that a condition asks about.
func reads(t condition.Tree) []int64 {
	var ids []int64
	for _, raw := range t.ArgsOf("tag") {
		if id, err := tagID(raw); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// changedTags are the tag that an event of model.EventTag is about, and the one that it replaced.
func changedTags(ev *model.Event) []int64 {
	var data struct {
		TagID string `json:"tag_id"`
		From  string `json:"from"`
	}
	_ = json.Unmarshal(ev.Data, &data) // written by changed
	id, _ := strconv.ParseInt(data.TagID, 10, 64)
	if from, err := strconv.ParseInt(data.From, 10, 64); err == nil {
		return []int64{id, from}
	}
	return []int64{id}
}

// checkChain refuses a lasting rule that would wait for its own tag, directly or through other rules, and a chain of rules that
// is too long: either would stop everything that the member does. Call it after storeRule, which keeps other savers out.
func (s *Service) checkChain(tx *gorm.DB, row *model.AutoTag, tree condition.Tree) error {
	if !row.Enabled || s.conditions.EventScoped(tree) {
		return nil
	}
	if countsTags(tree) {
		return errs.Field("condition", "tag.rule_counts_tags")
	}
	var rows []model.AutoTag
	if err := tx.Where("enabled = ?", true).Find(&rows).Error; err != nil {
		return fmt.Errorf("tag: rules: %w", err)
	}
	readers := map[int64][]int64{} // tag → the tags of the lasting rules that ask about it
	for _, other := range rows {
		t, err := s.conditions.Parse(other.Condition)
		if err != nil {
			return fmt.Errorf("tag: rule %d: %w", other.ID, err)
		}
		if s.conditions.EventScoped(t) {
			continue
		}
		for _, id := range reads(t) {
			readers[id] = append(readers[id], other.TagID)
		}
	}
	depths := map[int64]int{}
	for from := range readers {
		depth, err := depthFrom(readers, from, depths)
		if err != nil {
			return err
		}
		if depth > maxChain {
			return errs.Field("condition", "tag.rule_chain", "limit", maxChain)
		}
	}
	return nil
}

// walking marks a tag whose depth is being found: to meet it again is a circle.
const walking = -1

// depthFrom is the longest chain of rules that a change of the tag sets going.
func depthFrom(readers map[int64][]int64, from int64, depths map[int64]int) (int, error) {
	if d, known := depths[from]; known {
		if d == walking {
			return 0, errs.Field("condition", "tag.rule_circle")
		}
		return d, nil
	}
	depths[from] = walking
	longest := 0
	for _, next := range readers[from] {
		d, err := depthFrom(readers, next, depths)
		if err != nil {
			return 0, err
		}
		longest = max(longest, d+1)
	}
	depths[from] = longest
	return longest, nil
}

// countsTags reports whether the condition counts changes of tags, among which its own would be.
func countsTags(t condition.Tree) bool {
	return slices.ContainsFunc(t.ArgsOf("did"), func(raw json.RawMessage) bool {
		var a struct {
			Event string `json:"event"`
		}
		return json.Unmarshal(raw, &a) == nil && a.Event == model.EventTag
	})
}
