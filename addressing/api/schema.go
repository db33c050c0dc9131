package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// inputError is a piece of input that breaks the document. Pointer says where:
// a JSON pointer into the body, or the name of a query parameter.
type inputError struct {
	pointer string
	why     string
}

func (e *inputError) Error() string {
	if e.pointer == "" {
		return e.why
	}
	return e.pointer + ": " + e.why
}

// checkSchema reports keywords in a request schema that checkValue does not
// enforce: promising them would be a silent hole.
func checkSchema(s *openapi3.Schema) error {
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0 || s.Not != nil || s.MultipleOf != nil || s.UniqueItems || s.MinProps > 0 || s.MaxProps != nil {
		return fmt.Errorf("schema uses a keyword that the gate does not enforce")
	}
	if s.AdditionalProperties.Schema != nil || s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has {
		return fmt.Errorf("schema lets undeclared fields in")
	}
	switch {
	case s.Type.Is(openapi3.TypeObject):
		for name, p := range s.Properties {
			if err := checkSchema(p.Value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	case s.Type.Is(openapi3.TypeArray):
		if s.Items == nil {
			return fmt.Errorf("array without items")
		}
		return checkSchema(s.Items.Value)
	default:
		return checkScalar(s)
	}
}

// checkScalar reports whether the gate can enforce the schema of a scalar.
func checkScalar(s *openapi3.Schema) error {
	if !s.Type.Is(openapi3.TypeString) && !s.Type.Is(openapi3.TypeInteger) && !s.Type.Is(openapi3.TypeBoolean) {
		return fmt.Errorf("type %v is not one the gate enforces", s.Type)
	}
	switch s.Format {
	case "", "date-time", "int64", "int32", "binary":
	default:
		return fmt.Errorf("format %q is not one the gate enforces", s.Format)
	}
	if s.Pattern != "" {
		if _, err := compiled(s.Pattern); err != nil {
			return err
		}
	}
	return nil
}

var patterns sync.Map // pattern text to *regexp.Regexp

func compiled(pattern string) (*regexp.Regexp, error) {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	patterns.Store(pattern, re)
	return re, nil
}

// checkValue compares a decoded JSON value with its schema. Objects are closed
// and null is refused unless the schema says nullable.
func checkValue(s *openapi3.Schema, v any, at string) error {
	if v == nil {
		if s.Nullable {
			return nil
		}
		return &inputError{at, "must not be null"}
	}
	switch {
	case s.Type.Is(openapi3.TypeObject):
		object, ok := v.(map[string]any)
		if !ok {
			return wrongType(at, "an object")
		}
		return checkObject(s, object, at)
	case s.Type.Is(openapi3.TypeArray):
		list, ok := v.([]any)
		if !ok {
			return wrongType(at, "an array")
		}
		return checkArray(s, list, at)
	case s.Type.Is(openapi3.TypeBoolean):
		if _, ok := v.(bool); !ok {
			return wrongType(at, "true or false")
		}
		return nil
	case s.Type.Is(openapi3.TypeInteger):
		n, ok := v.(json.Number)
		if !ok {
			return wrongType(at, "an integer")
		}
		return checkInteger(s, n.String(), at)
	default:
		text, ok := v.(string)
		if !ok {
			return wrongType(at, "a string")
		}
		return checkString(s, text, at)
	}
}

func wrongType(at, want string) error { return &inputError{at, "must be " + want} }

func checkObject(s *openapi3.Schema, object map[string]any, at string) error {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names) // the same input names the same field every time
	for _, name := range names {
		p, known := s.Properties[name]
		here := at + "/" + escapePointer(name)
		if !known {
			return &inputError{here, "unknown field"}
		}
		if err := checkValue(p.Value, object[name], here); err != nil {
			return err
		}
	}
	for _, name := range s.Required {
		if _, there := object[name]; !there {
			return &inputError{at + "/" + escapePointer(name), "is required"}
		}
	}
	return nil
}

func checkArray(s *openapi3.Schema, list []any, at string) error {
	if uint64(len(list)) < s.MinItems {
		return &inputError{at, fmt.Sprintf("has %d items, at least %d are needed", len(list), s.MinItems)}
	}
	if s.MaxItems != nil && uint64(len(list)) > *s.MaxItems {
		return &inputError{at, fmt.Sprintf("has %d items, at most %d are allowed", len(list), *s.MaxItems)}
	}
	for i, item := range list {
		if err := checkValue(s.Items.Value, item, at+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

// checkInteger takes canonical decimal digits only: 1.0, 1e3 and 007 are the
// same number to some readers and not to others.
func checkInteger(s *openapi3.Schema, text, at string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return wrongType(at, "an integer in plain decimal digits")
	}
	if s.Min != nil && float64(n) < *s.Min {
		return &inputError{at, fmt.Sprintf("must be at least %.0f", *s.Min)}
	}
	if s.Max != nil && float64(n) > *s.Max {
		return &inputError{at, fmt.Sprintf("must be at most %.0f", *s.Max)}
	}
	return nil
}

func checkString(s *openapi3.Schema, text, at string) error {
	length := uint64(utf8.RuneCountInString(text))
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return &inputError{at, "is not valid UTF-8"}
	case strings.ContainsFunc(text, isControl):
		return &inputError{at, "contains a control character"}
	case length < s.MinLength:
		if length == 0 {
			return &inputError{at, "must not be empty"}
		}
		return &inputError{at, fmt.Sprintf("must have at least %d characters", s.MinLength)}
	case s.MaxLength != nil && length > *s.MaxLength:
		return &inputError{at, fmt.Sprintf("must have at most %d characters", *s.MaxLength)}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(text)):
		return &inputError{at, fmt.Sprintf("must be one of %s", joinAny(s.Enum))}
	}
	if s.Format == "date-time" {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return &inputError{at, "must be an RFC 3339 time, e.g. 2026-02-20T17:56:00Z"}
		}
	}
	if s.Pattern != "" {
		if re, err := compiled(s.Pattern); err != nil || !re.MatchString(text) {
			return &inputError{at, "must match " + s.Pattern}
		}
	}
	return nil
}

// isControl leaves tab and newline to descriptions and refuses the rest.
func isControl(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r >= 0x7f && r < 0xa0
}

func joinAny(list []any) string {
	text := make([]string, len(list))
	for i, v := range list {
		text[i] = fmt.Sprint(v)
	}
	return strings.Join(text, ", ")
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer writes a name as a reference token (RFC 6901 section 3).
func escapePointer(name string) string { return pointerEscapes.Replace(name) }
