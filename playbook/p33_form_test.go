package playbook_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// ballot is the practice of P33: candidates are ranked by a tag audience, and the ranking is split by tier.
type ballot struct {
	candidates    string // a letter each
	votes         []vote
	ranked        []string // place, candidate and score
	tiers         map[string][]string
	survey, prize int64 // by the rule, and beside it as long as there is one
	stock         int
	opens, closes string
}

// vote is what one of the audience ranks, best first, and the tier that he is in.
type vote struct{ order, tier string }

func TestP33(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]ballot{
		"FindingBenefits": {
			candidates: "ABC", votes: []vote{{"ABC", "一星"}, {"ACB", "二星"}, {"BAC", "一星"}}, ranked: []string{"1 A 5", "2 B 3", "3 C 1"},
			tiers:  map[string][]string{"一星": {"1 A 3", "1 B 3", "3 C 0"}, "二星": {"1 A 2", "2 C 1", "3 B 0"}, "其他": {"1 A 0", "1 B 0", "1 C 0"}},
			survey: 30, prize: 10, stock: 2, opens: "2026-11-24 12:00:00", closes: "2026-11-26 20:00:00",
		},
		"SomeRankOnlySome": {
			candidates: "甲乙丙丁", votes: []vote{{"丁丙乙甲", "二星"}, {"丙丁", "一星"}, {"丁", "一星"}, {"甲丙丁乙", "二星"}}, ranked: []string{"1 丁 9", "2 丙 7", "3 甲 3", "4 乙 1"},
			tiers:  map[string][]string{"一星": {"1 丁 5", "2 丙 3", "3 甲 0", "3 乙 0"}, "二星": {"1 丙 4", "1 丁 4", "3 甲 3", "4 乙 1"}, "其他": {"1 甲 0", "1 乙 0", "1 丙 0", "1 丁 0"}},
			survey: 7, prize: 3, stock: 1, opens: "2027-02-28 09:30:00", closes: "2027-03-01 00:00:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

// poll is a form as its member sees it.
type poll struct {
	ID          string
	SecondsLeft int64 `json:"seconds_left"`
	Answered    bool
	Questions   []struct {
		ID      string
		Options []struct{ ID, Text string }
	}
	Answer *struct {
		Prize, Says string
		Answers     []struct{ Options []string }
	}
}

// tally is what the answers to a ranking come to.
type tally struct {
	Answers   int
	Questions []struct {
		Answers int
		Counts  []struct {
			Text     string
			Place, N int
			Score    int64
		}
	}
}

func (t tally) ranked() (lines []string) {
	for _, c := range t.Questions[0].Counts {
		lines = append(lines, fmt.Sprintf("%d %s %d", c.Place, c.Text, c.Score))
	}
	return lines
}

// answers sends an answer to the first question, with the options in this order.
func (f *poll) answers(s *siyu, m *phone.Person, order string) (earned int64, err error) {
	var ids []string
	for _, c := range order {
		i := slices.IndexFunc(f.Questions[0].Options, func(o struct{ ID, Text string }) bool { return o.Text == string(c) })
		ids = append(ids, f.Questions[0].Options[i].ID)
	}
	var out struct{ Grants []grant }
	err = m.API(s.ctx(), "POST", "/forms/"+f.ID+"/answers", obj{"answers": []obj{{"question_id": f.Questions[0].ID, "options": ids}}}, &out)
	return points(out.Grants), err
}

// last is the last letter.
func last(s string) string {
	letters := []rune(s)
	return string(letters[len(letters)-1:])
}

func (p ballot) play(t *testing.T) {
	s := open(t, strings.Split(p.opens, " ")[0]+" 08:00:00")
	s.tiers(nil, obj{"name": "一星", "threshold": 0}, obj{"name": "二星", "threshold": 100})
	invited := s.tag("偏好", "受邀")
	whom := obj{"leaf": "tag", "tag_id": invited}
	var voters []*phone.Person
	for _, v := range p.votes {
		m := s.come()
		s.do("PUT", "/members/"+s.facts(m).ID+"/tags/"+invited, obj{})
		if v.tier == "二星" {
			s.do("POST", "/members/"+s.facts(m).ID+"/adjustments", obj{"account": "growth", "amount": 100, "memo": "老客"})
		}
		voters = append(voters, m)
	}
	outsider := s.come()
	var options []obj
	first := map[string]string{} // tag of who puts it first
	for _, c := range p.candidates {
		first[string(c)] = s.tag("偏好", "最想要"+string(c))
		options = append(options, obj{"text": string(c), "tag_id": first[string(c)]})
	}
	id := s.create("/forms", obj{
		"title": "您想要的福利", "opens_at": at(p.opens).Format(time.RFC3339), "closes_at": at(p.closes).Format(time.RFC3339), "condition": whom,
		"editable": true, "show_results": true, "prize": "points", "points": p.prize, "stock": p.stock,
		"questions": []obj{{"kind": "ranking", "text": "最想要哪项?", "required": true, "options": options}, {"kind": "text", "text": "还想要什么?"}},
	})

	s.rule("survey", "form.submitted", obj{
		"condition": obj{"leaf": "event.field", "field": "form_id", "op": "eq", "value": id}, "grants": []obj{gives("points", p.survey)},
	})
	s.create("/forms", obj{ // which that rule does not reward
		"title": "别的", "opens_at": at(p.opens).Format(time.RFC3339), "closes_at": at(p.closes).Format(time.RFC3339), "questions": []obj{{"kind": "rating", "text": "满意吗?"}},
	})

	// It is sent to the tag audience.
	run := s.send(s.broadcast(obj{"name": "征集", "condition": whom, "message": obj{"text": "您想要哪项福利? pages/form?id=" + id, "channels": []string{"customer"}}}))
	require.Equal(t, counts{Audience: len(voters), Accepted: len(voters)}, run.Counts)
	require.Empty(t, s.inbox(outsider, "custom"))

	// Before it opens, and for who is not asked, it is not there.
	read := func(m *phone.Person) (f poll, err error) { return f, m.API(s.ctx(), "GET", "/forms/"+id, nil, &f) }
	refused := func(err error, status int, code string) map[string]any {
		t.Helper()
		r := refusal(t, err)
		require.Equal(t, status, r.Status)
		require.Equal(t, code, r.Code)
		return r.Details
	}
	_, err := read(voters[0])
	require.Equal(t, at(p.opens).Format(time.RFC3339), refused(err, http.StatusConflict, "WINDOW_CLOSED")["opens_at"])
	s.set(p.opens)
	_, err = read(outsider)
	refused(err, http.StatusForbidden, "FORBIDDEN")
	require.Equal(t, "waiting", s.tasks(outsider)["survey"].State)

	for i, m := range voters {
		require.Equal(t, "open", s.tasks(m)["survey"].State)
		f, err := read(m)
		require.NoError(t, err)
		require.Equal(t, at(p.closes).Sub(at(p.opens)), time.Duration(f.SecondsLeft)*time.Second)
		bad := refused(m.API(s.ctx(), "POST", "/forms/"+id+"/answers", obj{"answers": []obj{}}, nil), http.StatusBadRequest, "INVALID")
		require.Equal(t, f.Questions[0].ID, bad["question_id"])
		err = m.API(s.ctx(), "GET", "/forms/"+id+"/results", nil, nil)
		refused(err, http.StatusForbidden, "FORBIDDEN")

		want := p.survey
		if i < p.stock {
			want += p.prize
		}
		order := p.votes[i].order
		if i == 0 { // he thinks again
			earned, err := f.answers(s, m, last(p.candidates))
			require.NoError(t, err)
			require.Equal(t, want, earned)
			earned, err = f.answers(s, m, order)
			require.NoError(t, err)
			require.Zero(t, earned, "a change earns nothing")
		} else {
			earned, err := f.answers(s, m, order)
			require.NoError(t, err)
			require.Equal(t, want, earned)
		}
		require.Equal(t, want, s.balance(m))
		f, err = read(m)
		require.NoError(t, err)
		require.True(t, f.Answered)
		require.Equal(t, map[bool]string{true: "given", false: "gone"}[i < p.stock], f.Answer.Prize)
		require.Len(t, f.Answer.Answers[0].Options, len([]rune(order)))
		require.ElementsMatch(t, []string{"偏好:受邀", "偏好:最想要" + string([]rune(order)[:1])}, s.facts(m).tags())
		require.Equal(t, "done", s.tasks(m)["survey"].State)
	}

	// The result page, all in all and by tier.
	var out struct {
		Total    tally
		Segments []struct {
			Name string
			tally
		}
	}
	s.read("/forms/"+id+"/results?by=tier", &out)
	require.Equal(t, len(p.votes), out.Total.Answers)
	require.Equal(t, p.ranked, out.Total.ranked())
	require.Len(t, out.Segments, len(p.tiers))
	for _, seg := range out.Segments {
		require.Equal(t, p.tiers[seg.Name], seg.ranked(), seg.Name)
	}
	s.read("/forms/"+id+"/results?by=tag&id="+invited, &out)
	require.Equal(t, p.ranked, out.Segments[0].ranked())
	require.Zero(t, out.Segments[1].Answers)
	var shown tally
	require.NoError(t, voters[0].API(s.ctx(), "GET", "/forms/"+id+"/results", nil, &shown))
	require.Equal(t, p.ranked, shown.ranked())

	// Answers select people.
	saved := s.do("GET", "/forms/"+id, nil)
	require.EqualValues(t, p.stock, saved["taken"])
	for _, o := range saved["questions"].([]any)[0].(obj)["options"].([]any) {
		n := 0
		for _, v := range p.votes {
			if strings.HasPrefix(v.order, o.(obj)["text"].(string)) {
				n++
			}
		}
		chose := obj{"leaf": "form", "form_id": id, "option_id": o.(obj)["id"]}
		require.EqualValues(t, n, s.do("POST", "/audience/count", obj{"condition": chose})["count"])
		require.Equal(t, n, s.holders(first[o.(obj)["text"].(string)]))
	}

	s.set(p.closes)
	f, err := read(voters[0])
	require.NoError(t, err, "his own answer he still sees")
	_, err = f.answers(s, voters[0], p.votes[1].order)
	require.Equal(t, at(p.closes).Format(time.RFC3339), refused(err, http.StatusConflict, "WINDOW_CLOSED")["closed_at"])
}
