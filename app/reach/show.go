package reach

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/model"
)

// Reader is who a message is shown for.
type Reader struct {
	Nickname, No string
	Points       int64
}

// Shown is a message as a person sees it by each of the channels.
type Shown struct {
	Channels    []string
	Text        string
	Title       string // of an article, a card, a message in the mini-program
	Description string
	Picture     int64 // of the library
	Fields      []Field
	Choices     []string
	Tail        string
}

// Field is one of a template.
type Field struct{ Name, Value string }

// Show is a message as a person sees it, by its channels in their order: those by which it is the same together. Nothing of it is checked.
func (s *Service) Show(class string, m Message, to Reader) (list []Shown) {
	p := &person{nickname: to.Nickname, no: to.No, points: &to.Points, values: map[string]string{}}
	fill := func(text string) string {
		for _, name := range variables(text) {
			if strings.HasPrefix(name, radar.Variable) {
				p.values[name] = "https://…"
			}
		}
		return m.fill(text, p)
	}
	for _, channel := range m.Channels {
		one := Shown{Text: fill(m.body(channel))}
		if c := m.content(channel); c != nil {
			one.Text = ""
			for _, name := range slices.Sorted(maps.Keys(c.Data)) {
				one.Fields = append(one.Fields, Field{name, fieldRule(name).cut(fill(c.Data[name]))})
			}
		}
		switch {
		case channel == Customer && m.Customer != nil:
			c := m.Customer
			one.Text, one.Title, one.Description = fill(c.Head), fill(c.Title), fill(c.Description)
			one.Picture, one.Choices, one.Tail = c.ImageID, c.Choices, fill(c.Tail)
		case channel == SMS:
			one.Text = s.framed(one.Text, class == model.ClassMarketing)
		case channel == InApp && m.Inbox != nil:
			one.Title = fill(m.Inbox.Title)
		}
		if i := slices.IndexFunc(list, func(other Shown) bool { other.Channels = nil; return reflect.DeepEqual(other, one) }); i >= 0 {
			list[i].Channels = append(list[i].Channels, channel)
			continue
		}
		one.Channels = []string{channel}
		list = append(list, one)
	}
	return list
}
