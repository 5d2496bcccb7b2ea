package quiz

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/model"
)

func TestOption(t *testing.T) {
	t.Parallel()
	v := &View{Options: []model.QuizOption{{Letter: "A", Text: "莓果复合物"}, {Letter: "B", Text: "天然果油。"}, {Letter: "C", Text: "Vitamin C"}}}
	for answer, want := range map[string]string{
		"A": "A", "a": "A", "Ａ": "A", "ａ": "A", " A.": "A", "A。": "A", "A．": "A", "　A　": "A", "A、": "A", "莓果复合物": "A", "莓果复合物。": "A",
		"A.莓果复合物": "A", "a、莓果复合物": "A", "A 莓果复合物": "A", "天然果油": "B", "vitamin c": "C", "ｖｉｔａｍｉｎ　ｃ": "C",
		"": "", ".": "", "。": "", "D": "", "AB": "", "A 我是敏感肌": "", "我选A": "", "B.莓果复合物": "", "A!": "", "A莓果复合物": "", "莓果": "",
	} {
		o := v.option(answer)
		if want == "" {
			require.Nil(t, o, answer)
			continue
		}
		require.NotNil(t, o, answer)
		require.Equal(t, want, o.Letter, answer)
	}
}
