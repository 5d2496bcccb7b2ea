package playbook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestP38MemberPage is row 6 in what is built: one call shows who he is, what he holds in three accounts, his tags by dimension and where they
// came from, his check-ins, and to what he is open; the mini-program's home adds up to the same.
func TestP38MemberPage(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]struct {
		checkin, quiz [3]int64 // points, growth, experience
		days, right   int
	}{
		"Numbers":      {checkin: [3]int64{5, 1, 2}, quiz: [3]int64{10, 2, 5}, days: 5, right: 3},
		"OtherNumbers": {checkin: [3]int64{3, 4, 1}, quiz: [3]int64{7, 9, 2}, days: 2, right: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "2026-11-23 09:00:00")
			grants := func(n [3]int64) []obj {
				return []obj{gives("points", n[0]), gives("growth", n[1]), gives("experience", n[2])}
			}
			s.rule("checkin", "checkin.done", obj{"grants": grants(p.checkin)})
			s.rule("quiz", "quiz.answered", obj{"condition": obj{"leaf": "event.field", "field": "correct", "op": "eq", "value": true}, "grants": grants(p.quiz)})
			tag := s.tag("偏好", "看过答题")
			m := s.come()
			for n := range max(p.days, p.right) {
				s.set(at("2026-11-23 12:00:00").AddDate(0, 0, n).Format(time.DateTime))
				if n < p.days {
					require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
				}
				if n < p.right {
					from := at("2026-11-23 12:00:00").AddDate(0, 0, n)
					quiz := s.create("/quizzes", obj{
						"question": "?", "opens_at": from.Format(time.RFC3339), "closes_at": from.AddDate(0, 0, 1).Format(time.RFC3339),
						"options": []obj{{"text": "对的", "correct": true, "tag_id": tag}, {"text": "错的"}},
					})
					require.NoError(t, m.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "A"}, nil))
				}
			}
			want := map[string]int64{}
			for i, account := range []string{"points", "growth", "experience"} {
				want[account] = int64(p.days)*p.checkin[i] + int64(p.right)*p.quiz[i]
			}
			var home struct {
				Member   struct{ ID string }
				Accounts []struct {
					Account string
					Balance int64
				}
			}
			require.NoError(t, m.API(t.Context(), "GET", "/home", nil, &home))
			got := map[string]int64{}
			for _, a := range home.Accounts {
				got[a.Account] = a.Balance
			}
			require.Equal(t, want, got)

			page := s.do("GET", "/members/"+home.Member.ID, nil)
			require.Len(t, page["identities"], 2, "the official account and the mini-program, one person")
			require.Len(t, page["accounts"], 3)
			tags, _ := page["tags"].([]any)
			require.Len(t, tags, 1)
			held, _ := tags[0].(obj)
			require.Equal(t, "偏好", held["group"])
			require.NotEmpty(t, held["causes"], "why he holds it")
			checkin, _ := page["checkin"].(obj)
			require.Contains(t, checkin, "streak")
		})
	}
}
