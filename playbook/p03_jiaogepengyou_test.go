package playbook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// liveShop is the practice of P03, in what a member does every day.
type liveShop struct {
	monday   string // the week begins
	welcome  int64  // for registering
	checkin  int64
	days     int // of the streak
	streak   int64
	quiz     int64
	right    int    // quizzes of the week answered right
	opens    string // every day
	closes   string
	options  []string // the first is right
	word     string   // of the chat tag
	article  int64    // the first reading of each
	reading  int      // seconds that it takes
	live     int64    // for a session
	minutes  int      // of it
	lives    int      // of the week
	group    int64    // once a day
	together int64    // what the week earns
}

// liveShopHand is how the operator of P03 works: over the API or by clicking.
type liveShopHand interface {
	rules(p liveShop)
	tag(group, name string)
	chatTag(p liveShop)
	quizzes(p liveShop, days []int, tag string) // whoever answers gets the tag
}

var liveShops = map[string]liveShop{
	"JiaoGePengYou": {
		monday: "2026-11-23", welcome: 100, checkin: 5, days: 7, streak: 20, quiz: 10, right: 5, opens: "12:00:00", closes: "20:00:00",
		options: []string{"莓果复合物", "天然果油"}, word: "敏感肌",
		article: 2, reading: 15, live: 10, minutes: 10, lives: 2, group: 3, together: 55 + 14 + 50 + 20 + 21,
	},
	"AnotherShop": {
		monday: "2027-02-22", welcome: 8, checkin: 3, days: 4, streak: 11, quiz: 6, right: 2, opens: "09:30:00", closes: "23:00:00",
		options: []string{"Vitamin C", "玻尿酸", "烟酰胺"}, word: "熬夜",
		article: 4, reading: 45, live: 7, minutes: 3, lives: 4, group: 9, together: 3*7 + 11 + 7*4 + 2*6 + 4*7 + 7*9,
	},
}

func TestP03(t *testing.T) {
	t.Parallel()
	for name, p := range liveShops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t, func(s *siyu) liveShopHand { return liveShopCalls{s} })
		})
	}
}

func (p liveShop) play(t *testing.T, hand func(*siyu) liveShopHand) {
	t.Run("AWeek", func(t *testing.T) {
		t.Parallel()
		p.week(t, hand)
	})
	t.Run("TheQuizOfTheDay", func(t *testing.T) {
		t.Parallel()
		p.answers(t, hand)
	})
}

// day is the n-th day of the week at a time.
func (p liveShop) day(n int, clockTime string) string {
	return at(p.monday+" "+clockTime).AddDate(0, 0, n).Format(time.DateTime)
}

// quizOn is the quiz of the n-th day.
func (p liveShop) quizOn(s *siyu, n int) string {
	s.t.Helper()
	var out struct {
		Items []struct {
			ID      string
			OpensAt time.Time `json:"opens_at"`
		}
	}
	s.read("/quizzes", &out)
	for _, q := range out.Items {
		if q.OpensAt.Equal(at(p.day(n, p.opens))) {
			return q.ID
		}
	}
	require.Fail(s.t, "there is no quiz", "on day %d", n)
	return ""
}

// liveShopCalls is the operator who works over the API.
type liveShopCalls struct{ s *siyu }

func (o liveShopCalls) tag(group, name string) { o.s.tag(group, name) }

func (o liveShopCalls) chatTag(p liveShop) {
	o.s.autoTag(o.s.tag("肤质", p.word), p.word, says([]string{p.word}))
}

func (o liveShopCalls) quizzes(p liveShop, days []int, tag string) {
	for _, n := range days {
		var options []obj
		for i, text := range p.options {
			options = append(options, obj{"text": text, "correct": i == 0, "tag_id": o.s.tagID(tag)})
		}
		o.s.create("/quizzes", obj{
			"question": "猜猜它的主要有效成分是?", "opens_at": at(p.day(n, p.opens)).Format(time.RFC3339), "closes_at": at(p.day(n, p.closes)).Format(time.RFC3339),
			"attempts": 1, "explanation": "它在成分表的第一位。", "link": "https://example.com/live", "options": options,
		})
	}
}

func (o liveShopCalls) rules(p liveShop) {
	s := o.s
	s.registerRule(p.welcome)
	s.checkinRule(p.checkin, p.days, p.streak)
	s.rule("quiz", "quiz.answered", obj{
		"condition": obj{"leaf": "event.field", "field": "correct", "op": "eq", "value": true}, "grants": []obj{gives("points", p.quiz)},
	})
	s.rule("article", "article.read", obj{
		"condition": obj{"leaf": "event.field", "field": "first", "op": "eq", "value": true}, "grants": []obj{gives("points", p.article)},
	})
	s.rule("live", "live.watched", obj{"grants": []obj{gives("points", p.live)}})
	s.rule("group", "community.interacted", obj{"grants": []obj{gives("points", p.group)}, "caps": []obj{{"period": "day", "times": 1}}})
}

// come is somebody new who follows and registers.
func (s *siyu) come() *phone.Person {
	s.t.Helper()
	m := s.person("")
	s.act(m, "follow", nil)
	s.register(m, "")
	return m
}

// checkin is the answer to a check-in.
type checkin struct {
	Streak   int
	Grants   []grant
	Tomorrow []grant
	Next     *struct {
		Days   int
		Amount int64
	}
}

func (p liveShop) week(t *testing.T, hand func(*siyu) liveShopHand) {
	s := open(t, p.day(0, "00:00:00"))
	operator := hand(s)
	operator.rules(p)
	operator.tag("偏好", "看过答题")
	operator.quizzes(p, []int{0, 1, 2, 3, 4, 5, 6}, "看过答题")
	m := s.come()
	g := p.community(s)
	total := p.welcome
	require.Equal(t, total, s.balance(m))
	for n := range 7 {
		quiz := p.quizOn(s, n)
		s.set(p.day(n, p.opens))

		// One day by the mini-program, one by the menu, one by text: the same use case.
		earned := p.checkin
		if n+1 == p.days {
			earned += p.streak
		}
		switch n % 3 {
		case 0:
			var out checkin
			require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, &out))
			require.Equal(t, n+1, out.Streak)
			require.Equal(t, earned, points(out.Grants))
		case 1:
			require.NotEmpty(t, s.act(m, "click", obj{"key": "CHECKIN"}))
		case 2:
			require.NotEmpty(t, s.text(m, "签到"))
		}
		total += earned
		require.Equal(t, total, s.balance(m), "day %d", n+1)

		refused := refusal(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
		require.Equal(t, "ALREADY_CHECKED_IN", refused.Code)
		require.Equal(t, 409, refused.Status)
		require.NotEmpty(t, refused.Details["opens_at"])
		require.Equal(t, total, s.balance(m))

		answer := "A"
		if n >= p.right {
			answer = "B"
		}
		var out struct {
			Correct bool
			Grants  []grant
		}
		require.NoError(t, m.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": answer}, &out))
		require.Equal(t, n < p.right, out.Correct)
		if n < p.right {
			total += p.quiz
		}
		require.Equal(t, total, s.balance(m), "day %d", n+1)

		p.reads(s, m, n)
		total += p.article
		require.Equal(t, total, s.balance(m), "day %d", n+1)
		g.talk(m, n)
		total += p.group
		require.Equal(t, total, s.balance(m), "day %d", n+1)
		if n < p.lives {
			p.watches(g, m, n)
			total += p.live
			require.Equal(t, total, s.balance(m), "day %d", n+1)
		}
	}
	require.Equal(t, p.welcome+p.together, s.balance(m))

	var sum, bonus int64
	for _, e := range s.ledger(m) {
		sum += e.Delta
		require.Equal(t, sum, e.BalanceAfter)
		if e.Bonus {
			bonus += e.Delta
		}
	}
	require.Equal(t, p.welcome+p.together, sum)
	require.Equal(t, p.streak, bonus, "the streak is a line of its own")
	var month struct{ Days []string }
	require.NoError(t, m.API(t.Context(), "GET", "/checkins?month="+p.monday[:7], nil, &month))
	require.Len(t, month.Days, 7)

	// A missed day starts over.
	s.set(p.day(8, "10:00:00"))
	require.Equal(t, "TOKEN_EXPIRED", refusal(t, m.API(t.Context(), "POST", "/checkins", nil, nil)).Code)
	_, err := m.Login(t.Context())
	require.NoError(t, err)
	var out checkin
	require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, &out))
	require.Equal(t, 1, out.Streak)
	require.NotNil(t, out.Next)
	require.Equal(t, p.days-1, out.Next.Days)
	require.Equal(t, p.streak, out.Next.Amount)
}

func (p liveShop) answers(t *testing.T, hand func(*siyu) liveShopHand) {
	s := open(t, p.day(1, "08:00:00"))
	operator := hand(s)
	operator.rules(p)
	operator.tag("偏好", "喜欢草莓味")
	operator.chatTag(p)
	operator.quizzes(p, []int{1}, "喜欢草莓味")
	quiz := p.quizOn(s, 1)
	right := p.options[0]
	var byText []*phone.Person // each answers right in his own way
	for range 6 {
		byText = append(byText, s.come())
	}
	early, wrong, both, chatty, late, api := s.come(), s.come(), s.come(), s.come(), s.come(), s.come()

	s.set(at(p.day(1, p.opens)).Add(-time.Second).Format(time.DateTime))
	require.Empty(t, s.text(early, "A"), "not a quiz answer")
	require.Equal(t, p.welcome, s.balance(early))
	require.Equal(t, "QUIZ_CLOSED", refusal(t, early.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "A"}, nil)).Code)

	s.set(p.day(1, p.opens))
	for i, text := range []string{"A", "a", "Ａ", " A.", right, strings.ToLower(right) + "  "} {
		answer := s.text(byText[i], text)
		require.Contains(t, answer, "它在成分表的第一位。", "%q", text)
		require.Contains(t, answer, "https://example.com/live", "%q", text)
		require.Equal(t, p.welcome+p.quiz, s.balance(byText[i]), "%q", text)
		require.Equal(t, []string{"偏好:喜欢草莓味"}, s.facts(byText[i]).tags())
	}

	answer := s.text(wrong, "B")
	require.Contains(t, answer, "A."+right, "he is told what was right")
	require.Equal(t, p.welcome, s.balance(wrong))
	require.Equal(t, []string{"偏好:喜欢草莓味"}, s.facts(wrong).tags(), "the tag is on answering")
	require.NotEmpty(t, s.text(wrong, "A"))
	require.Equal(t, p.welcome, s.balance(wrong), "no second try")
	refused := refusal(t, wrong.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "A"}, nil))
	require.Equal(t, "ALREADY_ANSWERED", refused.Code)

	refused = refusal(t, byText[0].API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "A"}, nil))
	require.Equal(t, "ALREADY_ANSWERED", refused.Code)
	require.Equal(t, p.welcome+p.quiz, s.balance(byText[0]))

	require.NoError(t, both.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": right}, nil))
	require.NotEmpty(t, s.text(both, "A"))
	require.Equal(t, p.welcome+p.quiz, s.balance(both), "by mini-program and by text counts once")

	require.Empty(t, s.text(chatty, "A 我是"+p.word), "the whole message must match")
	require.Equal(t, p.welcome, s.balance(chatty))
	require.Equal(t, []string{"肤质:" + p.word}, s.facts(chatty).tags())

	s.set(at(p.day(1, p.closes)).Add(-time.Second).Format(time.DateTime))
	require.NoError(t, api.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "a"}, nil))
	require.Equal(t, p.welcome+p.quiz, s.balance(api))

	s.set(p.day(1, p.closes))
	refused = refusal(t, late.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "A"}, nil))
	require.Equal(t, "QUIZ_CLOSED", refused.Code)
	require.Equal(t, 409, refused.Status)
	require.NotEmpty(t, s.text(late, "A"), "he is told that it is over")
	require.Equal(t, p.welcome, s.balance(late))
}
