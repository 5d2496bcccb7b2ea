package report

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/model"
)

// Line is what a list of members shows of each beside the member himself.
type Line struct {
	Follower bool
	Tags     []string // their names, each once
}

// Lines reads the lines of a page of members, by id.
func (s *Service) Lines(ctx context.Context, ids []int64) (map[int64]*Line, error) {
	lines := make(map[int64]*Line, len(ids))
	for _, id := range ids {
		lines[id] = &Line{}
	}
	if len(ids) == 0 {
		return lines, nil
	}
	r := s.db.Reader(ctx)
	var followers []int64
	err := r.Model(&model.Identity{}).Where("member_id IN ? AND kind = ? AND subscribed = ?", ids, model.KindOA, true).Distinct().Pluck("member_id", &followers).Error
	if err != nil {
		return nil, fmt.Errorf("report: followers: %w", err)
	}
	for _, id := range followers {
		lines[id].Follower = true
	}
	var tags []struct {
		MemberID int64
		TagID    int64
		Name     string
	}
	err = r.Table("tag_holds").Select("DISTINCT tag_holds.member_id, tags.id AS tag_id, tags.name").Joins("JOIN tags ON tags.id = tag_holds.tag_id").
		Where("tag_holds.member_id IN ?", ids).Order("tags.id").Scan(&tags).Error
	if err != nil {
		return nil, fmt.Errorf("report: tags: %w", err)
	}
	for _, t := range tags {
		lines[t.MemberID].Tags = append(lines[t.MemberID].Tags, t.Name)
	}
	return lines, nil
}

// Person is what people read for a member.
type Person struct {
	ID       int64
	No       string
	Nickname string
}

// People reads persons by id; those who do not exist are absent.
func (s *Service) People(ctx context.Context, ids []int64) (map[int64]Person, error) {
	people := make(map[int64]Person, len(ids))
	if len(ids) == 0 {
		return people, nil
	}
	var rows []Person
	if err := s.db.Reader(ctx).Model(&model.Member{}).Select("id, no, nickname").Where("id IN ?", ids).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("report: people: %w", err)
	}
	for _, p := range rows {
		people[p.ID] = p
	}
	return people, nil
}

// Why names the causes of tags: what stands behind a cause and its id.
type Why map[string]map[int64]string

// Name is the name of a cause; "" if it is not known any more.
func (w Why) Name(cause string, id int64) string { return w[cause][id] }

// Causes reads the names of everything that can give a tag. All these tables are small: operators write them.
func (s *Service) Causes(ctx context.Context) (Why, error) {
	why := Why{}
	for cause, from := range map[string]struct{ table, column string }{
		model.CauseManual:  {"operators", "login"},
		model.CauseRule:    {"auto_tags", "name"},
		model.CauseChannel: {"channel_codes", "name"},
		model.CauseQuiz:    {"quizzes", "question"},
		model.CauseForm:    {"forms", "title"},
		model.CauseReward:  {"point_rules", "name"},
	} {
		var rows []struct {
			ID   int64
			Name string
		}
		if err := s.db.Reader(ctx).Table(from.table).Select("id, " + from.column + " AS name").Order("id DESC").Limit(5000).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("report: causes %s: %w", cause, err)
		}
		why[cause] = make(map[int64]string, len(rows))
		for _, row := range rows {
			why[cause][row.ID] = row.Name
		}
	}
	return why, nil
}

// Score is how a quiz was answered.
type Score struct {
	Answers int64 // every try
	Members int64
	Right   int64 // members who found it
}

// Scores reads how the quizzes were answered, by id.
func (s *Service) Scores(ctx context.Context, quizzes []int64) (map[int64]Score, error) {
	scores := make(map[int64]Score, len(quizzes))
	if len(quizzes) == 0 {
		return scores, nil
	}
	var rows []struct {
		QuizID                    int64
		Answers, Members, Correct int64
	}
	err := s.db.Reader(ctx).Model(&model.QuizAnswer{}).
		Select("quiz_id, COUNT(*) AS answers, COUNT(DISTINCT member_id) AS members, SUM(CASE WHEN correct THEN 1 ELSE 0 END) AS correct").
		Where("quiz_id IN ?", quizzes).Group("quiz_id").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("report: scores: %w", err)
	}
	for _, r := range rows {
		scores[r.QuizID] = Score{r.Answers, r.Members, r.Correct}
	}
	return scores, nil
}

// BroadcastNames are the names of broadcasts, by id.
func (s *Service) BroadcastNames(ctx context.Context, ids []int64) (map[int64]string, error) {
	names := make(map[int64]string, len(ids))
	if len(ids) == 0 {
		return names, nil
	}
	var rows []model.Broadcast
	if err := s.db.Reader(ctx).Select("id", "name").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("report: broadcasts: %w", err)
	}
	for _, b := range rows {
		names[b.ID] = b.Name
	}
	return names, nil
}

// EventKinds are the kinds of events, by id.
func (s *Service) EventKinds(ctx context.Context, ids []int64) (map[int64]string, error) {
	kinds := make(map[int64]string, len(ids))
	if len(ids) == 0 {
		return kinds, nil
	}
	var rows []model.Event
	if err := s.db.Reader(ctx).Select("id", "kind").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("report: kinds of events: %w", err)
	}
	for _, e := range rows {
		kinds[e.ID] = e.Kind
	}
	return kinds, nil
}

// Actors are the names behind "operator:2" and "key:5". These tables are small.
func (s *Service) Actors(ctx context.Context) (map[string]string, error) {
	names := map[string]string{}
	var operators []model.Operator
	var keys []model.APIKey
	r := s.db.Reader(ctx)
	if err := r.Select("id", "login").Limit(5000).Find(&operators).Error; err != nil {
		return nil, fmt.Errorf("report: operators: %w", err)
	}
	if err := r.Select("id", "name").Limit(5000).Find(&keys).Error; err != nil {
		return nil, fmt.Errorf("report: keys: %w", err)
	}
	for _, o := range operators {
		names[fmt.Sprintf("operator:%d", o.ID)] = o.Login
	}
	for _, k := range keys {
		names[fmt.Sprintf("key:%d", k.ID)] = k.Name
	}
	return names, nil
}
