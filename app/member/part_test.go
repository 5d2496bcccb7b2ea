package member_test

import (
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm/schema"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// TestEveryTableOfAMemberIsClaimed holds the registry of Parts against the rows: each table with a member's id, or with that of an
// identity, is claimed once and says what becomes of it at a merge's undoing, in an export and at an erasure.
func TestEveryTableOfAMemberIsClaimed(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	var cache sync.Map
	parse := func(row any) *schema.Schema {
		s, err := schema.Parse(row, &cache, schema.NamingStrategy{})
		require.NoError(t, err)
		return s
	}
	expression := regexp.MustCompile(` AS [a-z_]+$`)
	claimed := map[string]string{}
	for _, p := range w.Members.Parts() {
		for _, table := range p.Tables {
			s := parse(table.Row)
			require.Empty(t, claimed[s.Table], "%s is claimed twice", s.Table)
			claimed[s.Table] = p.Name
			require.NotEqual(t, table.Hidden == "", len(table.Export) == 0, "%s: give Export, or say in Hidden why not", s.Table)
			require.False(t, reflect.DeepEqual(table.Erase, member.Erasure{}), "%s: say in Erase what erasure does", s.Table)
			for _, c := range table.Export {
				require.True(t, expression.MatchString(c) || s.LookUpField(c) != nil, "%s has no column %s to export", s.Table, c)
			}
			if table.Undo == member.Return {
				require.NotNil(t, s.LookUpField("id"), "%s: rows without an id cannot be given back", s.Table)
			}
		}
	}
	for _, row := range model.All() {
		s := parse(row)
		if s.LookUpField("member_id") != nil || s.LookUpField("identity_id") != nil {
			require.NotEmpty(t, claimed[s.Table], "no Part claims %s", s.Table)
		}
		for _, f := range s.Fields {
			require.False(t, strings.HasSuffix(f.DBName, "member_id") && f.DBName != "member_id", "%s.%s: say who merges it", reflect.TypeOf(row), f.DBName)
		}
	}
}
