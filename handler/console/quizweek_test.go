package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/model"
)

// A sheet is saved whole or not at all, and what is wrong about a day is said beside it.
func TestQuizWeek(t *testing.T) {
	t.Parallel()
	w, b := as(t, operator.RoleOperator)
	day := func(at, question string, options ...string) []string {
		out := []string{at + "question", question, at + "correct", "1"}
		for _, o := range options {
			out = append(out, at+"option", o)
		}
		return out
	}
	sheet := func(opens, closes string, days ...[]string) []string {
		out := []string{"from", "2026-11-23", "opens", opens, "closes", closes, "attempts", "2", "link", "pages/live"}
		for _, d := range days {
			out = append(out, d...)
		}
		return out
	}
	first, third := day("d0.", "它是什么味?", "草莓", "葡萄"), day("d2.", "它多重?", "", "50 克", "80 克")
	for beside, days := range map[string][][]string{
		"d0.question-wrong": nil,
		"d2.question-wrong": {first, day("d2.", "", "50 克", "80 克")},
		"d2.option-wrong":   {first, day("d2.", "它多重?", "50 克", "50 克")},
	} {
		require.Contains(t, b.refused("/console/quizzes/week", sheet("12:00", "20:00", days...)...), `id="`+beside+`"`, beside)
	}
	require.Contains(t, b.refused("/console/quizzes/week", sheet("12:00", "x", first)...), `id="closes-wrong"`)
	require.Zero(t, w.Count(&model.Quiz{}), "nothing of a sheet that was refused")

	b.done("/console/quizzes/week", sheet("12:00", "20:00", first, third)...)
	list, err := w.Quizzes.List(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, w.At("2026-11-25 12:00:00"), list[0].OpensAt)
	require.Equal(t, w.At("2026-11-25 20:00:00"), list[0].ClosesAt)
	require.Equal(t, []string{"50 克", "80 克"}, []string{list[0].Options[0].Text, list[0].Options[1].Text})
	require.Equal(t, 2, list[1].Attempts)
	require.True(t, list[1].Options[1].Correct)

	// It goes on after the last one; a quiz over midnight closes on the next day.
	require.Contains(t, b.page("/console/quizzes/week"), `value="2026-11-26"`)
	require.Contains(t, b.page("/console/quizzes/week?from=2026-11-23"), "它多重?")
	b.done("/console/quizzes/week", sheet("20:00", "02:00", day("d6.", "几点?", "一点", "两点"))...)
	list, err = w.Quizzes.List(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, w.At("2026-11-30 02:00:00"), list[0].ClosesAt)
}
