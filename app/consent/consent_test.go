package consent_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

func put(w *apptest.World, c model.Consent) {
	w.T.Helper()
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, c.MemberID); err != nil {
			return err
		}
		return w.Consents.PutTx(tx, c)
	})
}

func given(w *apptest.World, id int64, kind string) (model.Consent, bool) {
	w.T.Helper()
	_, now, err := w.Consents.Of(w.T.Context(), id)
	require.NoError(w.T, err)
	c, ok := now[kind]
	return c, ok
}

func TestLedger(t *testing.T) {
	t.Parallel()

	t.Run("SilenceIsNoConsent", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, ok := given(w, w.Joined("a"), consent.SMS)
		require.False(t, ok)
	})

	t.Run("WhatHeTookBackOnlyHeGivesAgain", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Joined("a")
		at := w.Now()
		line := func(source string, yes bool, after time.Duration) model.Consent {
			return model.Consent{MemberID: id, Kind: consent.SMS, Given: yes, Source: source, At: at.Add(after)}
		}
		put(w, line(consent.Import, true, 0))
		put(w, line(consent.Reply, false, time.Minute))
		put(w, line(consent.Import, true, time.Hour))
		put(w, line(consent.Admin, true, time.Hour))
		c, _ := given(w, id, consent.SMS)
		require.False(t, c.Given)
		require.Equal(t, consent.Reply, c.Source)
		w.Advance(2 * time.Hour)
		_, err := w.Consents.Put(t.Context(), id, consent.SMS, true, "he said so")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, ok := given(w, id, consent.Call)
		require.False(t, ok, "each kind for itself")

		put(w, line(consent.Member, true, 2*time.Hour))
		put(w, line(consent.Reply, false, time.Minute)) // the report again
		c, _ = given(w, id, consent.SMS)
		require.True(t, c.Given)
		require.EqualValues(t, 5, w.Count(&model.Consent{}))
	})

	t.Run("AnOperatorNotesWhatHeWasTold", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Joined("a")
		_, err := w.Consents.Put(t.Context(), id, consent.Call, true, "")
		require.Equal(t, errs.Invalid, errs.CodeOf(err), "a consent without evidence")
		_, err = w.Consents.Put(t.Context(), id, "fax", true, "x")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		c, err := w.Consents.Put(t.Context(), id, consent.Call, true, "form 17")
		require.NoError(t, err)
		require.Equal(t, []any{true, consent.Admin, "form 17", w.Now()}, []any{c.Given, c.Source, c.Evidence, c.At.UTC()})
		c, err = w.Consents.Put(t.Context(), id, consent.Call, false, "")
		require.NoError(t, err)
		require.False(t, c.Given)
	})

	t.Run("AMergeJoinsTheWordsOfBoth", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, b := w.Joined("a"), w.Joined("b")
		put(w, model.Consent{MemberID: b, Kind: consent.SMS, Source: consent.Reply, At: w.Now()})
		put(w, model.Consent{MemberID: a, Kind: consent.SMS, Given: true, Source: consent.Import, At: w.Now().Add(time.Hour)})
		m, err := w.Members.Merge(t.Context(), a, b, "test")
		require.NoError(t, err)
		c, _ := given(w, m.ID, consent.SMS)
		require.False(t, c.Given, "he took it back himself, as the other")
	})
}

// TestMemberSays goes over the member API.
func TestMemberSays(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	p, id := w.Member("a")
	var me struct {
		Consents struct{ SMS, Calls bool }
	}
	require.NoError(t, p.API(t.Context(), "PUT", "/preferences", map[string]any{"sms": true, "marketing": true}, &me))
	require.True(t, me.Consents.SMS)
	require.False(t, me.Consents.Calls)
	c, _ := given(w, id, consent.SMS)
	require.Equal(t, []any{true, consent.Member}, []any{c.Given, c.Source})
	require.NoError(t, p.API(t.Context(), "PUT", "/preferences", map[string]any{"sms": false, "calls": true}, &me))
	require.False(t, me.Consents.SMS)
	require.True(t, me.Consents.Calls)
}

// TestKnownByNumber is about customers who are people before they appear.
func TestKnownByNumber(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	const number = "13912345678"
	bring := func(file string) {
		_, err := w.Customers.Import(t.Context(), "old.csv", []byte(file), customer.Options{}, "operator:1")
		require.NoError(t, err)
		w.Settle()
	}
	bring("phone,consent,tags\n" + number + ",yes,老客\n13900000002,,\n")
	people := map[string]int64{}
	person := func() {
		rows, err := w.Customers.List(t.Context(), customer.Query{Limit: 10})
		require.NoError(t, err)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			for i := range rows {
				m, err := w.Customers.PersonTx(tx, &rows[i])
				if err != nil {
					return err
				}
				people[rows[i].Consent] = m.ID
			}
			return nil
		})
	}
	person()
	first := people["yes"]
	person()
	require.Equal(t, first, people["yes"], "asked twice he is the same")
	c, _ := given(w, first, consent.SMS)
	require.Equal(t, []any{true, consent.Import, "import 1, line 2"}, []any{c.Given, c.Source, c.Evidence})
	_, ok := given(w, people[""], consent.SMS)
	require.False(t, ok, "a blank is no consent")
	require.Empty(t, w.Held(first), "what is known of him waits for him")

	w.Advance(time.Hour)
	bring("phone,consent\n" + number + ",no\n")
	c, _ = given(w, first, consent.SMS)
	require.False(t, c.Given, "a later file speaks of him too")

	p, id := w.Member("a")
	var code struct{ Code string }
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": number}, &code))
	require.NoError(t, p.API(t.Context(), "POST", "/phone", map[string]any{"code": code.Code}, nil))
	was, err := w.Members.Get(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, id, was.ID, "who tells the number is he")
	require.Equal(t, []string{"老客"}, w.Held(id))
	require.NotNil(t, was.OptedOutAt)
	c, _ = given(w, id, consent.Call)
	require.False(t, c.Given)
	require.EqualValues(t, 1, w.Count(&model.Customer{}, "member_id = ? AND matched_at IS NOT NULL", id))
}
