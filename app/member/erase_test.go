package member_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// found lists the columns of the whole database, table.column, that hold any of the secrets.
func found(w *apptest.World, secrets ...string) (places []string) {
	w.T.Helper()
	var cache sync.Map
	for _, row := range model.All() {
		s, err := schema.Parse(row, &cache, schema.NamingStrategy{})
		require.NoError(w.T, err)
		rows, err := w.DB.Reader(w.T.Context()).Table(s.Table).Rows()
		require.NoError(w.T, err)
		names, err := rows.Columns()
		require.NoError(w.T, err)
		values, into := make([][]byte, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			require.NoError(w.T, rows.Scan(into...))
			for i, v := range values {
				for _, secret := range secrets {
					if bytes.Contains(v, []byte(secret)) {
						places = append(places, fmt.Sprintf("%s.%s: %s", s.Table, names[i], v))
					}
				}
			}
		}
		require.NoError(w.T, rows.Err())
		require.NoError(w.T, rows.Close())
	}
	return places
}

// somebody does everything that a person can do, with secrets of his own; it returns his member id and the secrets.
func somebody(w *apptest.World, name string) (p *phone.Person, id int64, secrets []string) {
	w.T.Helper()
	p = w.Person(name)
	w.Act(p, "follow", map[string]any{"account": "oa", "scene": "poster"})
	w.Settle()
	_, err := p.Login(w.T.Context())
	require.NoError(w.T, err)
	number := "13612345678"
	var code struct{ Code string }
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": number}, &code))
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/register", map[string]any{
		"nickname": name, "birthday": "1987-06-05", "address": "和平路七号", "phone_code": code.Code, "privacy_version": "1",
	}, nil))
	require.NoError(w.T, p.API(w.T.Context(), "PUT", "/preferences", map[string]any{"location": true}, nil))
	w.Act(p, "text", map[string]any{"account": "oa", "content": "签到"})
	w.Act(p, "text", map[string]any{"account": "oa", "content": "我住在和平路七号"})
	w.Act(p, "location", map[string]any{"account": "oa", "lat": 31.2345, "lng": 121.4567})
	m := w.MemberOf(p, "oa")
	require.NoError(w.T, w.Behave(m.ID, "visit", "visit-of-"+number, w.Now()))
	require.NoError(w.T, w.Tags.SetManual(w.T.Context(), m.ID, w.Tag(tag.Preference, "dry"), 1, true, "told us: "+name))
	account, err := w.Book.Account(w.T.Context(), model.AccountPoints)
	require.NoError(w.T, err)
	account.ManualLimit = 1
	_, err = w.Book.SaveAccount(w.T.Context(), *account)
	require.NoError(w.T, err)
	grant := func(amount int64) *ledger.Granted {
		g, err := w.Book.Grant(w.T.Context(), ledger.Manual{MemberID: m.ID, Account: model.AccountPoints, Amount: amount, Memo: "call " + name, Actor: "operator:1"})
		require.NoError(w.T, err)
		return g
	}
	grant(1)
	grant(7) // nobody decides it
	_, err = w.Book.Decide(w.T.Context(), grant(2).Request.ID, true, "operator:2")
	require.NoError(w.T, err)
	require.NoError(w.T, w.DB.Tx(w.T.Context(), func(_ context.Context, tx *gorm.DB) error {
		return w.Operators.AuditTx(tx, "operator:1", "member.adjust", fmt.Sprint("member:", m.ID), nil, map[string]any{"memo": "call " + name})
	}))
	w.Settle()
	who, ok := w.Sandbox.Person(p.ID)
	require.True(w.T, ok)
	secrets = []string{name, number, "1987-06-05", "和平路", who.UnionID, who.OpenIDs["oa"], who.OpenIDs["mp"], "31.2345"}
	for _, s := range secrets {
		require.NotEmpty(w.T, s)
	}
	return p, m.ID, secrets
}

func TestErase(t *testing.T) {
	t.Parallel()

	t.Run("LeavesNothingOfThePersonAnywhere", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
		w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		_, id, secrets := somebody(w, "欧阳正华")
		require.Greater(t, len(found(w, secrets...)), 10)
		require.EqualValues(t, 58, w.Points(id))
		other := w.Joined("other")

		require.EqualValues(t, 1, w.Count(&model.Member{}, "phone_sealed <> '' AND address_sealed <> ''"))
		require.NoError(t, w.Members.Erase(t.Context(), id))
		require.Empty(t, found(w, secrets...))
		require.Zero(t, w.Count(&model.Member{}, "phone_sealed <> '' OR address_sealed <> ''"))
		require.Zero(t, w.Points(id))
		require.EqualValues(t, 50, w.Points(other))
		require.Empty(t, w.Held(id))
		var lines []model.Entry
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ?", id).Order("id").Find(&lines).Error)
		require.Len(t, lines, 5, "what he earned stays, and a line ends it")
		require.EqualValues(t, -58, lines[4].Delta)
		require.EqualValues(t, 1, w.Count(&model.Checkin{}, "member_id = ?", id))
		w.Verified()
	})

	t.Run("OfASurvivorLeavesNothingOfTheOtherEither", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.answer(w.second, "A")
		w.merge(w.first, w.second)
		require.NoError(t, w.Members.Erase(t.Context(), w.second))
		require.Empty(t, found(w.World, "first", "second"))
		w.Verified()
	})

	t.Run("HeIsNotThereAnyMore", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		require.NoError(t, w.Members.Erase(t.Context(), w.first))
		gone := func(err error) {
			t.Helper()
			require.Equal(t, errs.NotFound, errs.CodeOf(err))
		}
		gone(w.Members.Erase(t.Context(), w.first))
		_, err := w.Checkins.CheckIn(t.Context(), w.first, "api", w.Now())
		gone(err)
		gone(w.Tags.SetManual(t.Context(), w.first, w.Tag(tag.Preference, "a"), 1, true, ""))
		_, err = w.Members.Merge(t.Context(), w.first, w.second, "test")
		gone(err)
		_, err = w.Members.Update(t.Context(), w.first, member.Profile{Nickname: ptr("again")})
		gone(err)
		_, err = w.Members.Holder(t.Context(), w.first, 0)
		require.Equal(t, errs.TokenExpired, errs.CodeOf(err))
		found, _, err := w.Audience.People(t.Context(), audience.Wanted{Limit: 10})
		require.NoError(t, err)
		require.Len(t, found, 1)
	})

	t.Run("AtOnceWithHisDeedsIsBeforeOrAfterThem", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := w.Members.Erase(t.Context(), w.first); err != nil && errs.CodeOf(err) != errs.NotFound {
					t.Errorf("Erase: %v", err)
				}
			})
			wg.Go(func() {
				_, err := w.Checkins.CheckIn(t.Context(), w.first, "api", w.Now())
				if code := errs.CodeOf(err); err != nil && code != errs.NotFound && code != errs.AlreadyCheckedIn {
					t.Errorf("CheckIn: %v", err)
				}
			})
		}
		wg.Wait()
		require.Zero(t, w.Points(w.first))
		w.Verified()
	})

	t.Run("WhoComesBackIsANewPersonButNoNewcomer", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
		p, id, _ := somebody(w, "back")
		w.Act(p, "unfollow", map[string]any{"account": "oa"})
		require.NoError(t, w.Members.Erase(t.Context(), id))

		w.Advance(time.Hour)
		w.Act(p, "follow", map[string]any{"account": "oa"})
		m := w.MemberOf(p, "oa")
		require.NotEqual(t, id, m.ID)
		require.True(t, m.Former)
		var visit model.Event
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ? AND kind = ?", m.ID, model.EventFollowed).Take(&visit).Error)
		require.Contains(t, string(visit.Data), `"new":false`)
		_, err := p.Login(t.Context())
		require.NoError(t, err)
		var out struct{ Grants []any }
		require.NoError(t, p.API(t.Context(), "POST", "/register", map[string]any{}, &out))
		require.Empty(t, out.Grants)
		require.Zero(t, w.Points(w.MemberOf(p, "mp").ID))
		w.Verified()
	})

	t.Run("WhoComesBackByAnotherAccountIsKnownByHisUnionID", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
		p := w.Person("union")
		w.Act(p, "follow", map[string]any{"account": "oa"})
		w.Settle()
		require.NoError(t, w.Members.Erase(t.Context(), w.MemberOf(p, "oa").ID))
		_, err := p.Login(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.API(t.Context(), "POST", "/register", map[string]any{}, nil))
		require.Zero(t, w.Points(w.MemberOf(p, "mp").ID), "the mini-program's openid is new, the unionid is not")
	})
}

// says are the text columns of rows that stay which hold a word of the system or of an operator about a thing, never one of a person or
// about him. Every other one is blanked: a new column is blanked too, or stands here.
var says = map[string]string{
	"balances.account": "code", "conversions.from_account": "code", "conversions.to_account": "code", "entries.account": "code", "grant_requests.account": "code",
	"holds.account": "code", "lots.account": "code", "redemptions.account": "code", "rule_uses.account": "code",
	"channel_visits.kind": "enum", "conversions.mode": "enum", "deliveries.channel": "enum", "deliveries.reason": "enum", "deliveries.state": "enum", "entries.bucket": "enum",
	"entries.kind": "enum", "entries.note": "enum", "entries.reason": "enum", "events.kind": "enum", "events.source": "enum", "grant_requests.state": "enum", "holds.state": "enum",
	"interactions.proof": "enum", "member_coupons.source": "enum", "member_tiers.cause": "enum", "order_claims.platform": "enum", "order_claims.reason": "enum", "orders.ended": "enum",
	"orders.platform": "enum", "redemptions.state": "enum", "risks.kind": "enum", "redemptions.period": "day or month", "rule_uses.period": "day or month", "task_claims.period": "day or month",
	"entries.actor": "operator", "grant_requests.decided_by": "operator", "grant_requests.requested_by": "operator", "tier_holds.actor": "operator", "tier_holds.ended_by": "operator",
	"entries.hash": "hash", "events.hash": "hash", "entries.key": "of siyu's ids, and of a hold's key", "risks.subject": "of siyu's ids", "deliveries.msg_id": "WeChat's id", "member_coupons.code": "random",
	"sop_enrolments.reason": "enum", "sop_enrolments.step": "key of a step", "sop_passes.account": "code", "sop_passes.note": "enum",
	"sop_passes.outcome": "enum", "sop_passes.step": "key of a step",
	"member_coupons.store": "a till", "orders.source": "a live session, a quiz or a channel",
	"orders.no": "orders stay (PLAYBOOKS H21)", "holds.ref": "the order that held points", "holds.key": "chosen by the brand's shop; the seals of the ledger hang on it", "holds.end_key": "of the hold",
}

// What is planted in every text column of every table with rows of a person, of his own and of one who was merged into him, is nowhere after
// his erasure, but in columns that cannot hold a person's word; of another person it all stays.
func TestEraseBlanksEveryWord(t *testing.T) {
	t.Parallel()
	w := newLives(t)
	other := w.Joined("other")
	w.merge(w.first, w.second)
	const word, foreign = "1361234", "1379876"
	identities := map[int64]int64{}
	for _, who := range []int64{w.first, other} {
		var one model.Identity
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ?", who).Order("id").Take(&one).Error)
		identities[who] = one.ID
	}
	var cache sync.Map
	planted := map[string]bool{}
	n := 0
	for _, p := range w.Members.Parts() {
		for _, table := range p.Tables {
			s, err := schema.Parse(table.Row, &cache, schema.NamingStrategy{})
			require.NoError(t, err)
			mine, identity := s.LookUpField("member_id"), s.LookUpField("identity_id")
			if mine == nil && identity == nil {
				continue
			}
			for _, who := range []int64{w.first, w.second, other} {
				if mine == nil && who == w.second {
					continue // his identities are the survivor's
				}
				row := reflect.New(s.ModelType)
				for _, f := range s.Fields {
					n++
					secret := fmt.Sprint(map[bool]string{true: foreign, false: word}[who == other], n)
					switch v := f.ReflectValueOf(t.Context(), row.Elem()); {
					case f.DBName == "member_id":
						v.SetInt(who)
					case f.DBName == "identity_id":
						v.SetInt(identities[who])
					case f.DBName == "" || f.AutoIncrement:
					case f.FieldType == reflect.TypeFor[time.Time]():
						v.Set(reflect.ValueOf(w.Now()))
					case f.FieldType == reflect.TypeFor[model.JSON]():
						v.Set(reflect.ValueOf(model.JSON(`{"word":"` + secret + `"}`)))
						planted[s.Table+"."+f.DBName] = true
					case v.Kind() == reflect.String && (f.Size == 0 || f.Size > 10):
						v.SetString(secret)
						planted[s.Table+"."+f.DBName] = true
					case v.CanInt():
						v.SetInt(1_000_000 + int64(n))
					}
				}
				require.NoError(t, w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.Create(row.Interface()).Error }), s.Table)
			}
		}
	}
	require.NoError(t, w.Members.Erase(t.Context(), w.first))
	left := map[string]bool{}
	for _, place := range found(w.World, word) {
		left[strings.SplitN(place, ":", 2)[0]] = true
	}
	for column := range left {
		require.Contains(t, says, column, "an erasure leaves what stands in %s", column)
	}
	for column := range says {
		require.True(t, left[column], "%s is blanked: it need not be named", column)
	}
	require.NotEmpty(t, planted)
	require.NotEmpty(t, found(w.World, foreign))
}

// Of every table whose rows go with a person none is left, whichever capability wrote it.
func TestEraseLeavesNoRow(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	id, other := w.Joined("alice"), w.Joined("bob")
	var cache sync.Map
	identities := map[int64]int64{}
	for _, who := range []int64{id, other} {
		var one model.Identity
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ?", who).Take(&one).Error)
		identities[who] = one.ID
	}
	tables := map[string]string{} // what says whose a row is
	for _, p := range w.Members.Parts() {
		for _, table := range p.Tables {
			s, err := schema.Parse(table.Row, &cache, schema.NamingStrategy{})
			require.NoError(t, err)
			by := "member_id"
			if s.LookUpField(by) == nil {
				by = "identity_id"
			}
			if !reflect.DeepEqual(table.Erase, member.Delete) || s.LookUpField(by) == nil {
				continue
			}
			tables[s.Table] = by
			for _, who := range []int64{id, other} {
				row := reflect.New(s.ModelType)
				for _, f := range s.Fields {
					switch v := f.ReflectValueOf(t.Context(), row.Elem()); {
					case f.DBName == "member_id":
						v.SetInt(who)
					case f.DBName == "identity_id":
						v.SetInt(identities[who])
					case f.DBName == "" || f.AutoIncrement:
					case f.FieldType == reflect.TypeFor[time.Time]():
						v.Set(reflect.ValueOf(w.Now()))
					case f.FieldType == reflect.TypeFor[model.JSON]():
						v.Set(reflect.ValueOf(model.JSON("{}")))
					case v.Kind() == reflect.String:
						v.SetString(fmt.Sprint("x", who))
					case v.CanInt():
						v.SetInt(1000 + who)
					}
				}
				w.Tx(func(_ context.Context, tx *gorm.DB) error { return tx.Create(row.Interface()).Error })
			}
		}
	}
	require.Greater(t, len(tables), 12)
	require.NoError(t, w.Members.Erase(t.Context(), id))
	for table, by := range tables {
		for who, gone := range map[int64]bool{id: true, other: false} {
			var n int64
			owner := map[string]int64{"member_id": who, "identity_id": identities[who]}[by]
			require.NoError(t, w.DB.Reader(t.Context()).Table(table).Where(by+" = ?", owner).Count(&n).Error)
			require.Equal(t, gone, n == 0, "%s of %d: %d rows", table, who, n)
		}
	}
}

func TestWhoLeft(t *testing.T) {
	t.Parallel()

	follow := map[string]any{"account": "oa"}

	t.Run("IsErasedAfterADayUnlessHeRegistered", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := w.Person("fan")
		w.Act(p, "follow", follow)
		w.Act(p, "text", map[string]any{"account": "oa", "content": "hello there"})
		joined, joinedID, _ := somebody(w, "joined")
		id := w.MemberOf(p, "oa").ID
		w.Act(p, "unfollow", follow)
		w.Act(joined, "unfollow", follow)
		require.Empty(t, found(w, "和平路", "31.2345"), "a member stays, what he wrote and where he was does not")
		require.Empty(t, found(w, "hello there"))

		w.Advance(24*time.Hour - time.Second)
		require.Zero(t, w.Count(&model.Member{}, "erased_at IS NOT NULL"))
		w.Advance(time.Second)
		require.EqualValues(t, 1, w.Count(&model.Member{}, "erased_at IS NOT NULL AND id = ?", id))
		who, _ := w.Sandbox.Person(p.ID)
		require.Empty(t, found(w, who.OpenIDs["oa"]))
		w.Advance(48 * time.Hour)
		require.Zero(t, w.Count(&model.Member{}, "erased_at IS NOT NULL AND id = ?", joinedID))
		w.Verified()
	})

	t.Run("StaysIfHeComesBackOrRegistersInTime", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		back, registers := w.Person("back"), w.Person("registers")
		for _, p := range []*phone.Person{back, registers} {
			w.Act(p, "follow", follow)
			w.Settle()
			w.Act(p, "unfollow", follow)
		}
		w.Advance(23 * time.Hour)
		w.Act(back, "follow", follow)
		_, err := registers.Login(t.Context())
		require.NoError(t, err)
		require.NoError(t, registers.API(t.Context(), "POST", "/register", map[string]any{}, nil))
		w.Advance(100 * time.Hour)
		require.Zero(t, w.Count(&model.Member{}, "erased_at IS NOT NULL"))
	})

	t.Run("ComesBackAfterwardsAndIsNoNewcomer", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t, func(c *config.Config) { c.Retention.LeftHours = 0 })
		p := w.Person("fan")
		w.Act(p, "follow", follow)
		id := w.MemberOf(p, "oa").ID
		w.Act(p, "unfollow", follow)
		w.Settle()
		require.EqualValues(t, 1, w.Count(&model.Member{}, "erased_at IS NOT NULL"), "0 hours: at once")
		w.Advance(time.Minute)
		w.Act(p, "follow", follow)
		m := w.MemberOf(p, "oa")
		require.NotEqual(t, id, m.ID)
		require.True(t, m.Former)
	})

	t.Run("GoesInBatches", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for i := range 45 {
			p := fmt.Sprint("o", i)
			id := w.Touched("oa", p)
			left := w.Now().Add(-25 * time.Hour)
			require.NoError(t, w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				return tx.Model(&model.Member{}).Where("id = ?", id).Update("left_at", left).Error
			}))
		}
		w.Settle()
		require.EqualValues(t, 45, w.Count(&model.Member{}, "erased_at IS NOT NULL"))
	})
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	push := func(w *apptest.World, p *phone.Person, deed, info string) {
		w.T.Helper()
		w.Act(p, deed, map[string]any{"account": "mp", "info": info})
	}

	t.Run("WhatCameByAPermissionGoesWithIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, id, _ := somebody(w, "revoker")
		push(w, p, "revoke", "8")
		m, err := w.Members.Get(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, m.PhoneIndex)
		require.NotEmpty(t, m.AddressSealed)
		push(w, p, "revoke", "2")
		require.EqualValues(t, 1, w.Count(&model.Member{}, "id = ? AND address_sealed = ''", id))
		require.Equal(t, "revoker", m.Nickname)
		require.True(t, m.LocationOK)
		push(w, p, "revoke", "13")
		require.Zero(t, w.Count(&model.Position{}))
		push(w, p, "revoke", "6")
		push(w, p, "revoke", "9999")
		m, err = w.Members.Get(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, m.Nickname)
		require.True(t, m.Joined())
	})

	t.Run("ACancelledAccountIsErased", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, _, secrets := somebody(w, "canceller")
		push(w, p, "cancel", "")
		require.Empty(t, found(w, secrets...))
		w.Verified()
		people := w.Count(&model.Member{})
		push(w, p, "cancel", "")
		require.Equal(t, people, w.Count(&model.Member{}), "of one who is not known nothing is made")
	})
}
