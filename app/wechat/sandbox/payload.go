package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
)

// field is one element of a push, in order. Value is a string, an int64, a number (written bare), fields (nested) or a list.
type field struct {
	name  string
	value any
}

// number is a decimal that stands bare in XML and JSON.
type number string

// list is repeated <List> elements inside a wrapper in XML, and "List" in JSON: an object when single, else an array (FACTS §2.5).
type list struct {
	wrapper string
	items   [][]field
}

func toXML(fields []field) string {
	var b strings.Builder
	b.WriteString("<xml>")
	writeXML(&b, fields)
	b.WriteString("</xml>")
	return b.String()
}

func writeXML(b *strings.Builder, fields []field) {
	for _, f := range fields {
		if l, ok := f.value.(list); ok {
			b.WriteString("<" + l.wrapper + ">")
			for _, item := range l.items {
				b.WriteString("<List>")
				writeXML(b, item)
				b.WriteString("</List>")
			}
			b.WriteString("</" + l.wrapper + ">")
			continue
		}
		b.WriteString("<" + f.name + ">")
		switch v := f.value.(type) {
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case number:
			b.WriteString(string(v))
		case []field:
			writeXML(b, v)
		case string:
			b.WriteString("<![CDATA[" + strings.ReplaceAll(xmlText(v), "]]>", "]]]]><![CDATA[>") + "]]>")
		}
		b.WriteString("</" + f.name + ">")
	}
}

// xmlText drops what XML 1.0 cannot hold.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return -1
		}
		return r
	}, s)
}

func toJSON(fields []field, stringNumbers bool) string {
	var b strings.Builder
	writeJSONFields(&b, fields, stringNumbers)
	return b.String()
}

func writeJSONFields(b *strings.Builder, fields []field, text bool) {
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		if l, ok := f.value.(list); ok {
			b.WriteString(`"List":`)
			if len(l.items) != 1 {
				b.WriteByte('[')
			}
			for k, item := range l.items {
				if k > 0 {
					b.WriteByte(',')
				}
				writeJSONFields(b, item, text)
			}
			if len(l.items) != 1 {
				b.WriteByte(']')
			}
			continue
		}
		b.WriteString(quote(f.name) + ":")
		switch v := f.value.(type) {
		case int64:
			writeNumber(b, strconv.FormatInt(v, 10), text)
		case number:
			writeNumber(b, string(v), text)
		case []field:
			writeJSONFields(b, v, text)
		case string:
			b.WriteString(quote(v))
		}
	}
	b.WriteByte('}')
}

func writeNumber(b *strings.Builder, v string, text bool) {
	if text {
		v = `"` + v + `"`
	}
	b.WriteString(v)
}

// quote is s as JSON, without the HTML escapes that WeChat does not make.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
