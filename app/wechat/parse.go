package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"unicode/utf8"

	"github.com/siyu-scrm/siyu/app/errs"
)

const (
	maxBody  = 256 << 10
	maxDepth = 16
	maxNodes = 8192
)

// Formats of a push.
const (
	FormatXML  = "xml"
	FormatJSON = "json"
)

// node is one element of a push, of either format: an array's items stand as siblings of one name, as they do in XML.
type node struct {
	name string
	text []byte
	kids []*node
}

// get is the text of the first child of one of these names; "" without one.
func (n *node) get(names ...string) string {
	for _, name := range names {
		if kid := n.child(name); kid != nil {
			return string(kid.text)
		}
	}
	return ""
}

func (n *node) child(name string) *node {
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

func malformed(reason string) error {
	return errs.New(errs.Malformed, "callback.malformed", "reason", reason)
}

// parse reads a push. Its first byte decides the format, never its Content-Type (FACTS 2.5).
func parse(body []byte) (*node, string, error) {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(body) == 0 {
		return nil, "", malformed("empty")
	}
	body = readable(body)
	switch body[0] {
	case '<':
		root, err := parseXML(body)
		return root, FormatXML, err
	case '{':
		root, err := parseJSON(body)
		return root, FormatJSON, err
	}
	return nil, "", malformed("neither XML nor JSON")
}

// readable replaces what neither parser may see: a member can type it, and a refused push tells him that the service is down.
func readable(body []byte) []byte {
	if utf8.Valid(body) && bytes.IndexFunc(body, unreadable) < 0 {
		return body
	}
	return bytes.Map(func(r rune) rune {
		if unreadable(r) {
			return ' '
		}
		return r // of invalid UTF-8: U+FFFD
	}, body)
}

func unreadable(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// parseXML refuses DTDs and undeclared entities; encoding/xml knows no external ones.
func parseXML(body []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	top := &node{}
	open, count := []*node{top}, 0
	for {
		token, err := d.RawToken()
		if err == io.EOF { //nolint:errorlint // the decoder returns it bare
			break
		}
		if err != nil {
			return nil, malformed("XML syntax")
		}
		at := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count++; len(open) > maxDepth || count > maxNodes {
				return nil, malformed("too deep or too many elements")
			}
			kid := &node{name: t.Name.Local}
			at.kids, open = append(at.kids, kid), append(open, kid)
		case xml.EndElement:
			if len(open) == 1 || at.name != t.Name.Local {
				return nil, malformed("XML syntax")
			}
			open = open[:len(open)-1]
		case xml.CharData:
			at.text = append(at.text, t...)
		case xml.Directive:
			return nil, malformed("DTD")
		case xml.ProcInst:
			if t.Target != "xml" || len(top.kids) > 0 {
				return nil, malformed("processing instruction")
			}
		}
	}
	if len(open) != 1 || len(top.kids) != 1 || len(bytes.TrimSpace(top.text)) != 0 {
		return nil, malformed("XML syntax")
	}
	return top.kids[0], nil
}

func parseJSON(body []byte) (*node, error) {
	if excessive(body) {
		return nil, malformed("too deep or too many values")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // ids have 64 bits
	var tree map[string]any
	if d.Decode(&tree) != nil {
		return nil, malformed("JSON syntax")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed("JSON syntax")
	}
	root := &node{}
	for name, value := range tree {
		root.add(name, value)
	}
	return root, nil
}

func (n *node) add(name string, value any) {
	kid := &node{name: name}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			n.add(name, item)
		}
		return
	case map[string]any:
		for key, item := range v {
			kid.add(key, item)
		}
	case string:
		kid.text = []byte(v)
	case json.Number:
		kid.text = []byte(v)
	}
	n.kids = append(n.kids, kid)
}

// excessive reports whether JSON nests or lists beyond the bounds, before anything is built from it: a stranger may have sent it.
func excessive(body []byte) bool {
	depth, commas, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ',':
			if commas++; commas > maxNodes {
				return true
			}
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
