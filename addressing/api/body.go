package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// maxDepth of a JSON body. The deepest declared one has three levels.
const maxDepth = 16

// checkBody decodes one JSON document strictly and compares it with a schema.
func checkBody(s *openapi3.Schema, raw []byte) error {
	v, err := decodeStrict(raw)
	if err != nil {
		return err
	}
	return checkValue(s, v, "")
}

// decodeStrict reads exactly one JSON value (RFC 8259). encoding/json alone
// takes a repeated name silently (the last one wins, another parser's first),
// replaces what is not UTF-8 and ignores what follows: all three let two
// readers understand one body differently.
func decodeStrict(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, &inputError{"", "the body is not valid UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := decodeValue(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &inputError{"", "the body has something after its JSON value"}
	}
	return v, nil
}

func decodeValue(d *json.Decoder, at string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, &inputError{at, "is nested too deeply"}
	}
	token, err := d.Token()
	if err != nil {
		return nil, notJSON(at, err)
	}
	delim, ok := token.(json.Delim)
	switch {
	case !ok:
		return token, nil
	case delim == '{':
		return decodeObject(d, at, depth)
	case delim == '[':
		return decodeArray(d, at, depth)
	}
	return nil, notJSON(at, fmt.Errorf("unexpected %s", delim))
}

func decodeObject(d *json.Decoder, at string, depth int) (any, error) {
	object := make(map[string]any)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, notJSON(at, err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, notJSON(at, fmt.Errorf("a field name must be a string"))
		}
		here := at + "/" + escapePointer(name)
		if _, twice := object[name]; twice {
			return nil, &inputError{here, "is given more than once"}
		}
		if object[name], err = decodeValue(d, here, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(at, err)
	}
	return object, nil
}

func decodeArray(d *json.Decoder, at string, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := decodeValue(d, fmt.Sprintf("%s/%d", at, len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(at, err)
	}
	return list, nil
}

func notJSON(at string, err error) error {
	why := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		why = "it ends too early"
	}
	return &inputError{at, "the body is not JSON: " + strings.TrimPrefix(why, "json: ")}
}
