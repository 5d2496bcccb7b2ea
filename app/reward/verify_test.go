package reward_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

func TestVerifyFindsCountersOfCapsThatAreWrong(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Rule("talk", "behavior.talk", `{"grants":[{"kind":"fixed","account":"points","amount":4}],"caps":[{"period":"week","times":3},{"period":"month","account":"points","amount":18}]}`)
	w.Rule("once", "behavior.talk", `{"grants":[{"kind":"fixed","account":"points","amount":9}],"caps":[{"period":"lifetime","times":1}]}`)
	w.Rule("badge", "behavior.talk", fmt.Sprintf(`{"grants":[{"kind":"tag","tag_id":"%d"}],"caps":[{"period":"day","times":2}]}`, w.Tag(tag.Value, "talks")))
	alice, twin, bob := w.Joined("alice"), w.Joined("twin"), w.Joined("bob")
	for i, id := range []int64{alice, twin, bob, alice, alice, alice} {
		require.NoError(t, w.Behave(id, "talk", fmt.Sprint(i), w.Now().Add(time.Duration(i)*time.Second)))
	}
	w.Advance(8 * 24 * time.Hour)
	require.NoError(t, w.Behave(bob, "talk", "later", w.Now()))
	w.Verified()
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, min(alice, twin), max(alice, twin)); err != nil {
			return err
		}
		_, err := w.Members.MergeTx(ctx, tx, alice, twin, "test")
		return err
	})
	require.NoError(t, w.Behave(alice, "talk", "after", w.Now()))
	w.Verified()

	found := func() (tables []string) {
		_, err := w.Verify(t.Context(), func(m ledger.Mismatch) { tables = append(tables, m.Table) })
		require.NoError(t, err)
		return tables
	}
	for _, c := range []struct{ harm, heal string }{
		{"UPDATE rule_uses SET used = used - 1 WHERE account = 'points'", "UPDATE rule_uses SET used = used + 1 WHERE account = 'points'"},
		{"UPDATE rule_uses SET used = used + 1 WHERE period = 'lifetime'", "UPDATE rule_uses SET used = used - 1 WHERE period = 'lifetime'"},
		{"UPDATE rule_uses SET member_id = member_id + 900", "UPDATE rule_uses SET member_id = member_id - 900"},
	} {
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return tx.Exec(c.harm).Error })
		require.Contains(t, found(), "rule_uses", c.harm)
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return tx.Exec(c.heal).Error })
		w.Verified()
	}
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return tx.Where("member_id = ?", bob).Delete(&model.RuleUse{}).Error
	})
	require.Contains(t, found(), "rule_uses", "a row that is gone")
}
