package condition

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// fieldLeaf is the name of the leaf that asks about a field of the event.
const fieldLeaf = "event.field"

// TextField is the field of a model.EventMessage's Data that holds the text the person wrote.
const TextField = "content"

// AccountField is the field that names the account to which the person wrote.
const AccountField = "account"

const (
	maxWords   = 50
	maxWordLen = 64 // characters
)

type textArgs struct {
	ContainsAny []string `json:"contains_any"`
	EqualsAny   []string `json:"equals_any"`
	Excludes    []string `json:"excludes"`
	Account     string   `json:"account"` // written to this account; "" = to any

	contains, equals, excludes []string // in lower case
}

// sawNoWord is what most rules see in most messages.
var sawNoWord = map[string]string{"found": "", "excluded_by": ""}

func readText(raw json.RawMessage) (a textArgs, err error) {
	err = DecodeArgs(raw, &a)
	lower := func(words []string) []string {
		out := make([]string, len(words))
		for i, w := range words {
			out[i] = strings.ToLower(w)
		}
		return out
	}
	a.contains, a.excludes, a.equals = lower(a.ContainsAny), lower(a.Excludes), lower(a.EqualsAny)
	return a, err
}

// eventText holds if the text message contains one of contains_any, or is one of equals_any, and contains none of excludes, in any letter
// case (PLAYBOOKS P01-B).
// Its trace shows the words of the rule that were found, never the text.
func eventText() Leaf {
	args := Remember(readText)
	return Leaf{
		Name:        "event.text",
		EventScoped: true,
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			var a textArgs
			if err := DecodeArgs(raw, &a); err != nil {
				return err
			}
			if len(a.ContainsAny)+len(a.EqualsAny) == 0 {
				return errs.Field("contains_any", "condition.arg_required")
			}
			if err := checkWords("contains_any", a.ContainsAny); err != nil {
				return err
			}
			if err := checkWords("equals_any", a.EqualsAny); err != nil {
				return err
			}
			if len(a.Account) > maxWordLen {
				return errs.Field("account", "condition.arg_word", "limit", maxWordLen)
			}
			return checkWords("excludes", a.Excludes)
		},
		Eval: func(_ context.Context, _ *gorm.DB, s *Subject, raw json.RawMessage) (Verdict, error) {
			a, err := args(raw)
			if err != nil {
				return Verdict{}, err
			}
			if s.Event.Kind != model.EventMessage {
				return Verdict{}, nil
			}
			if account, _ := s.Data()[AccountField].(string); a.Account != "" && account != a.Account {
				return Verdict{}, nil
			}
			text := s.text()
			found, excluded := firstWord(text, a.contains, a.ContainsAny), firstWord(text, a.excludes, a.Excludes)
			if i := slices.IndexFunc(a.equals, func(w string) bool { return strings.TrimSpace(text) == strings.TrimSpace(w) }); found == "" && i >= 0 {
				found = a.EqualsAny[i]
			}
			if found == "" && excluded == "" {
				return Verdict{Saw: sawNoWord}, nil
			}
			return Verdict{Holds: found != "" && excluded == "", Saw: map[string]string{"found": found, "excluded_by": excluded}}, nil
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			var a textArgs
			if err := DecodeArgs(raw, &a); err != nil {
				return "", err
			}
			var says []string
			for key, words := range map[string][]string{"condition.text": a.ContainsAny, "condition.text_equals": a.EqualsAny} {
				if len(words) > 0 {
					says = append(says, templates.T(lang, key, map[string]any{"words": quoteAll(lang, words)}))
				}
			}
			slices.Sort(says)
			sentence := strings.Join(says, " "+templates.T(lang, "condition.or", nil)+" ")
			if len(a.Excludes) > 0 {
				sentence += templates.T(lang, "condition.text_excluding", map[string]any{"excludes": quoteAll(lang, a.Excludes)})
			}
			if a.Account != "" {
				sentence += templates.T(lang, "condition.text_account", map[string]any{"account": a.Account})
			}
			return sentence, nil
		},
		Triggers: func(json.RawMessage) []string { return []string{model.EventMessage} },
	}
}

func checkWords(field string, words []string) error {
	if len(words) > maxWords {
		return errs.Field(field, "condition.arg_too_many", "limit", maxWords)
	}
	for _, w := range words {
		if strings.TrimSpace(w) == "" || utf8.RuneCountInString(w) > maxWordLen {
			return errs.Field(field, "condition.arg_word", "limit", maxWordLen)
		}
	}
	return nil
}

// firstWord is the first of words, which lower has in lower case, that the text contains; "" if none.
func firstWord(text string, lower, words []string) string {
	if i := slices.IndexFunc(lower, func(w string) bool { return strings.Contains(text, w) }); i >= 0 {
		return words[i]
	}
	return ""
}

// quoteAll is 「a」 或 「b」.
func quoteAll(lang string, words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = templates.T(lang, "condition.quoted", map[string]any{"word": w})
	}
	return strings.Join(quoted, " "+templates.T(lang, "condition.or", nil)+" ")
}

type fieldArgs struct {
	Field string          `json:"field"`
	Op    Op              `json:"op"`
	Value json.RawMessage `json:"value"`

	values []any // of Value
}

func readField(raw json.RawMessage) (a fieldArgs, err error) {
	if err = DecodeArgs(raw, &a); err == nil {
		a.values, _, _ = Scalars(a.Value)
	}
	return a, err
}

// eventField compares a top-level field of the event's Data, as Matches says.
func eventField() Leaf {
	args := Remember(readField)
	return Leaf{
		Name:        fieldLeaf,
		EventScoped: true,
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			var a fieldArgs
			if err := DecodeArgs(raw, &a); err != nil {
				return err
			}
			return a.check()
		},
		Eval: func(_ context.Context, _ *gorm.DB, s *Subject, raw json.RawMessage) (Verdict, error) {
			a, err := args(raw)
			if err != nil {
				return Verdict{}, err
			}
			saw := s.Data()[a.Field]
			return Verdict{Holds: Matches(saw, a.Op, a.values), Saw: saw}, nil
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := args(raw)
			if err != nil {
				return "", err
			}
			words := make([]string, len(a.values))
			for i, v := range a.values {
				words[i], _ = textOf(v)
			}
			return templates.T(lang, "condition.field_"+string(a.Op), map[string]any{"field": a.Field, "value": quoteAll(lang, words)}), nil
		},
		Triggers: func(json.RawMessage) []string { return []string{AnyEvent} },
	}
}

func (a fieldArgs) check() error {
	if a.Field == "" {
		return errs.Field("field", "condition.arg_required")
	}
	if !slices.Contains([]Op{Eq, Ne, In, Gte, Lte}, a.Op) {
		return errs.Field("op", "condition.arg_op", "want", "eq, ne, in, gte, lte")
	}
	if len(a.Value) == 0 {
		return errs.Field("value", "condition.arg_required")
	}
	values, list, ok := Scalars(a.Value)
	if !ok || list != (a.Op == In) || len(values) == 0 {
		return errs.Field("value", "condition.arg_value", "op", string(a.Op))
	}
	if len(values) > maxWords {
		return errs.Field("value", "condition.arg_too_many", "limit", maxWords)
	}
	if _, number := values[0].(json.Number); !number && (a.Op == Gte || a.Op == Lte) {
		return errs.Field("value", "condition.arg_value", "op", string(a.Op))
	}
	return nil
}
