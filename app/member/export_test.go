package member_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// document is an export, decoded.
type document struct {
	ExportedAt time.Time                   `json:"exported_at"`
	Phone      string                      `json:"phone"`
	Address    string                      `json:"address"`
	Tables     map[string][]map[string]any `json:"tables"`
}

func (w *lives) export(id int64) (d document) {
	w.T.Helper()
	var b bytes.Buffer
	require.NoError(w.T, w.Members.Export(w.T.Context(), id, &b))
	require.NoError(w.T, json.Unmarshal(b.Bytes(), &d), b.String())
	return d
}

func TestExport(t *testing.T) {
	t.Parallel()

	t.Run("HoldsEveryTableThatIsNotHidden", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		d := w.export(w.first)
		shown := 0
		for _, p := range w.Members.Parts() {
			for _, table := range p.Tables {
				if table.Hidden == "" {
					shown++
				}
			}
		}
		require.Len(t, d.Tables, shown)
	})

	t.Run("SaysWhatHeIsAndDidAndNothingOfOthers", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.checkIn(w.first, "2026-11-24")
		w.answer(w.first, "A")
		w.checkIn(w.second, "2026-11-24")
		require.NoError(t, w.Tags.SetManual(t.Context(), w.first, w.Tag(tag.Preference, "a"), 1, true, ""))
		d := w.export(w.first)
		require.Equal(t, "2026-11-24T12:00:00+08:00", d.ExportedAt.In(w.Zone.Location()).Format(time.RFC3339))
		require.Equal(t, "first", d.Tables["members"][0]["nickname"])
		require.Equal(t, "first", d.Tables["identities"][0]["open_id"])
		require.Equal(t, []map[string]any{{"day": "2026-11-24", "streak": 1., "via": "api", "at": "2026-11-24T12:00:00+08:00"}}, d.Tables["checkins"])
		require.Equal(t, "right", d.Tables["quiz_answers"][0]["answer"])
		require.Equal(t, true, d.Tables["quiz_answers"][0]["correct"])
		require.Equal(t, "a", d.Tables["tag_holds"][0]["tag"])
		require.Len(t, d.Tables["entries"], 5, "50 + 7, 5, 10 and 2 growth")
	})

	t.Run("OfASurvivorHoldsTheLinesOfTheOtherToo", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		_, err := w.Members.Update(t.Context(), w.second, member.Profile{Gender: ptr("female"), Address: ptr("和平路七号")})
		require.NoError(t, err)
		before := len(w.export(w.first).Tables["entries"]) + len(w.export(w.second).Tables["entries"])
		w.merge(w.first, w.second)
		d := w.export(w.second)
		require.Equal(t, "female", d.Tables["members"][0]["gender"])
		require.Equal(t, "和平路七号", d.Address)
		require.EqualValues(t, 1, w.Count(&model.Member{}, "address_sealed <> ''"), "the other's row says nothing any more")
		require.Len(t, d.Tables["identities"], 2)
		require.Greater(t, len(d.Tables["entries"]), before)
	})
}
