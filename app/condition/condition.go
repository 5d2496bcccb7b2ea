// Package condition says who and when, everywhere: point rules, auto-tags, audiences, SOP entry, exit and steps.
//
// A Tree is what an operator saved. Its leaves are facts, supplied by the owner of the table that they read (Leaf) and
// filled into a Registry that is sealed before serving. One tree has three readings, held equal by a differential test:
// Eval (one member at one instant, with a trace), Members (all members, as a bitmap) and Sentence (what the operator reads).
package condition

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Leaf is one kind of fact, registered by the package that owns the table it reads.
// Args are always a JSON object; DecodeArgs reads them strictly.
type Leaf struct {
	// Name is what stands in {"leaf": Name}.
	Name string
	// EventScoped leaves need the event at hand, such as its text. They cannot be used for audiences, do not hold where there is
	// no event, and have no Members. Eval of such a leaf is called only with an event.
	EventScoped bool
	// ByActing: doing something is what makes it hold. To somebody for whom it does not hold yet it is worth showing (Registry.Open).
	ByActing bool
	// Check refuses wrong args and references to what does not exist, as errs.Field with the name of the arg ("tag_id"):
	// the registry puts the path of the leaf before it.
	Check func(ctx context.Context, tx *gorm.DB, args json.RawMessage) error
	// Eval says whether the fact holds for one member at s.At.
	Eval func(ctx context.Context, tx *gorm.DB, s *Subject, args json.RawMessage) (Verdict, error)
	// Members are those for whom it holds at the instant. universe holds the ids asked about: an answer may be restricted to
	// them or not. Neither side changes the other's bitmap, so an owner may return a cached one.
	Members func(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, args json.RawMessage) (*roaring.Bitmap, error)
	// Moves are those whose verdict time alone may change after the instant; more will do. Nil: anybody's. Where it is nobody's: Still.
	Moves func(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, args json.RawMessage) (*roaring.Bitmap, error)
	// Warm may read into the caches of many subjects at once what Eval would read for each; nil: Eval reads.
	Warm func(ctx context.Context, tx *gorm.DB, subjects []*Subject, args json.RawMessage) error
	// Index lets an owner of sets in memory answer the leaf; nil: only Members can.
	Index *Index
	// Sentence says the fact to an operator, as a clause without a full stop.
	Sentence func(ctx context.Context, tx *gorm.DB, lang string, args json.RawMessage) (string, error)
	// Triggers are the kinds of events after which the verdict may change; "*" is any. Nil: no event changes it.
	Triggers func(args json.RawMessage) []string
}

// Subject is who is asked about, and when. Ids fit 32 bits.
type Subject struct {
	MemberID int64
	At       time.Time
	Event    *model.Event   // the event at hand; nil if there is none
	Cache    map[string]any // for leaves that read the same rows: lives as long as the subject, which is one instant
	Ahead    *Ahead         // of a rehearsal: what the tables will say by then; nil everywhere else

	data  map[string]any // see Data
	lower *string        // see text
}

// Ahead is what siyu itself will have changed by the instant that is asked about, of what leaves else read as it is now.
type Ahead struct {
	Tag    func(ctx context.Context, tx *gorm.DB, s *Subject, tagID int64) (bool, error) // whether the member will hold it
	Earned map[string]int64                                                              // by account, beside what he has
}

// Data are the DataFields of the event at hand, read once: nobody changes them.
func (s *Subject) Data() map[string]any {
	if s.data == nil {
		s.data = DataFields(s.Event.Data)
	}
	return s.data
}

// text is what the person wrote, in lower case.
func (s *Subject) text() string {
	if s.lower == nil {
		text, _ := s.Data()[TextField].(string)
		text = strings.ToLower(text)
		s.lower = &text
	}
	return *s.lower
}

// Verdict is whether a fact holds. Without new facts it stays as it is at every instant of [At, FlipsAt).
type Verdict struct {
	Holds   bool
	FlipsAt time.Time // zero: time alone never flips it
	Saw     any       // the value it saw, for traces; no chat text, no phone
}

// Registry holds the leaves. It is filled at start, then Seal makes it safe for concurrent use.
type Registry struct {
	leaves map[string]Leaf
	sealed bool
}

// New returns a registry that knows the leaves that read no table: event.text, event.field and random.
func New() *Registry {
	r := &Registry{leaves: map[string]Leaf{}}
	r.Register(eventText())
	r.Register(eventField())
	r.Register(random())
	return r
}

// Register adds a leaf. It panics on an incomplete leaf, a name taken and a sealed registry: all are mistakes of the program.
func (r *Registry) Register(l Leaf) {
	_, taken := r.leaves[l.Name]
	switch {
	case r.sealed:
		panic(fmt.Sprintf("condition: leaf %q registered after Seal", l.Name))
	case l.Name == "" || taken:
		panic(fmt.Sprintf("condition: leaf name %q is empty or taken", l.Name))
	case l.Check == nil || l.Eval == nil || l.Sentence == nil || (l.Members == nil) != l.EventScoped:
		panic(fmt.Sprintf("condition: leaf %q is incomplete", l.Name))
	}
	r.leaves[l.Name] = l
}

// Seal ends registration.
func (r *Registry) Seal() { r.sealed = true }

// Names are the leaves known, sorted.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.leaves))
	for name := range r.leaves {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// leaf finds a leaf of a stored tree; that it is missing is a bug or an older program, not a caller's mistake.
func (r *Registry) leaf(name string) (Leaf, error) {
	l, ok := r.leaves[name]
	if !ok {
		return Leaf{}, fmt.Errorf("condition: leaf %q is not registered", name)
	}
	return l, nil
}
