package member

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Part is what a capability does with its rows of a member: at a merge, at its undoing, in his export and at his erasure. A test holds
// that every table with a member's id is claimed by one Part.
type Part struct {
	Name   string
	Tables []Table
	// Merge gives the loser's rows to the winner. Both are locked. nil: the rows stay where they are.
	Merge func(ctx context.Context, tx *gorm.DB, m MergeOf) error
	// Undo does what remains once the rows are as they were before the merge: what was derived from them. Both are locked.
	// The Parts undo in the opposite order.
	Undo func(ctx context.Context, tx *gorm.DB, m MergeOf) error
	// Erase does what Tables cannot say. The member is locked; it runs before the rows of the Part's tables go. The Parts erase in the
	// opposite order, so that his identities are the last to go.
	Erase func(ctx context.Context, tx *gorm.DB, m *model.Member) error
}

// Table is one table with rows of members, and what becomes of them.
type Table struct {
	Row  any    // of the model: &model.Checkin{}
	By   string // the condition on the rows of a member and of those merged into him; "" is member_id IN @ids
	Undo Undo   // what the undoing of a merge does
	// Counters are columns that a merge adds up: its undoing takes what it added, not what was counted since.
	Counters []string
	Export   []string // what the member's export shows: columns, or "expression AS name"
	Hidden   string   // why his export leaves the table out; exactly one of the two is given
	Erase    Erasure  // what his erasure does: Delete, Keep or Blank
}

// Undo is what the undoing of a merge does with a table.
type Undo int

// Ways to undo.
const (
	Restore Undo = iota // what the merge changed in the rows of both is changed back: for tables of few rows per member
	Return              // a merge only moves the loser's rows, which have an id: they go back; for tables that grow
	Own                 // nothing: a merge leaves the table alone, or the Part's own Undo does it
)

// Erasure is what the erasure of a member does with his rows.
type Erasure struct {
	delete, keep bool
	blank        map[string]any
	rewrite      func(tx, rows *gorm.DB) error
}

// Ways to erase: Delete where the rows are about the person, Keep where they say nothing of who he was but his number.
var (
	Delete = Erasure{delete: true}
	Keep   = Erasure{keep: true}
)

// Blank keeps the rows and writes values over columns that could say who he was.
func Blank(columns map[string]any) Erasure { return Erasure{blank: columns} }

// Rewrite does to the rows what Blank cannot: where other columns depend on what goes.
func Rewrite(f func(tx, rows *gorm.DB) error) Erasure { return Erasure{rewrite: f} }

// MergeOf says which member becomes which.
type MergeOf struct {
	Loser, Winner int64
	At            time.Time
}

// AddPart registers a Part; parts merge in the order in which they were added.
func (s *Service) AddPart(p Part) {
	if s.sealed {
		panic("member: part " + p.Name + " registered after Seal")
	}
	s.parts = append(s.parts, p)
}

// Seal ends registration: what serves does not change.
func (s *Service) Seal() { s.sealed = true }

// Parts lists what was registered, for the test that every table is claimed.
func (s *Service) Parts() []Part { return s.parts }

// Move gives all rows of a table to the winner: for tables without a key that could collide.
func Move(tx *gorm.DB, table string, m MergeOf) error {
	return tx.Table(table).Where("member_id = ?", m.Loser).Update("member_id", m.Winner).Error
}

// ByIdentity is Table.By of a table whose rows belong to identities.
const ByIdentity = "identity_id IN (SELECT id FROM identities WHERE member_id IN @ids)"

// ownParts are the tables that this package claims itself, and those of app/event, which stands below it.
func ownParts() []Part {
	return []Part{
		{
			Name: "member", Merge: mergeIdentities,
			Tables: []Table{
				{
					Row: &model.Member{}, By: "id IN @ids", Erase: Keep, // see forget
					Export: []string{
						"no", "joined_at", "nickname", "gender", "birthday", "lang", "opted_out_at", "location_ok", "privacy_read", "created_at", "active_at",
						"(SELECT name FROM channel_codes WHERE id = first_channel) AS first_channel", "(SELECT name FROM channel_codes WHERE id = last_channel) AS last_channel",
					},
				},
				{
					Row: &model.Identity{}, Erase: Delete,
					Export: []string{"account", "kind", "open_id", "union_id", "subscribed", "subscribed_at", "unsubscribed_at", "subscribe_scene", "created_at"},
				},
				{Row: &model.Union{}, Hidden: "the unionid stands in identities", Erase: Delete},
				{Row: &model.Merge{}, By: "winner_id IN @ids OR loser_id IN @ids", Undo: Own, Hidden: "which rows of siyu turned out to be one person", Erase: Blank(map[string]any{"reason": ""})},
				{
					Row: &model.MergeChange{}, By: "merge_id IN (SELECT id FROM merges WHERE winner_id IN @ids OR loser_id IN @ids)", Undo: Own,
					Hidden: "how a merge is undone", Erase: Delete,
				},
				{Row: &model.BirthdayUse{}, Export: []string{"year", "day"}, Erase: Delete},
				{Row: &model.Position{}, Export: []string{"lat", "lng", "at"}, Erase: Delete},
			},
		},
		{
			Name: "event", Merge: mergeEvents,
			Tables: []Table{
				// Other systems choose keys: a key may name the person too.
				{Row: &model.Event{}, Undo: Return, Export: []string{"kind", "source", "occurred_at", "data"}, Erase: Blank(map[string]any{"data": "{}", "key": gorm.Expr("CONCAT('erased:', id)")})},
				{Row: &model.Outbox{}, Undo: Return, Hidden: "work that followed the events", Erase: Delete},
			},
		},
	}
}
