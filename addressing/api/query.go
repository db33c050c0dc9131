package api

import (
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// checkQuery compares a raw query string with what the operation declares.
//
// It does not use url.Values: r.URL.Query() drops the pairs it cannot decode,
// and a dropped filter is a list of everything, which is how 1,100 prefixes
// were lost on 20 February 2026.
func checkQuery(declared map[string]parameter, raw string, bareMark bool) error {
	seen := make(map[string]bool)
	if bareMark && raw == "" {
		return &inputError{"", "the query is empty after '?'"}
	}
	if raw != "" {
		for pair := range strings.SplitSeq(raw, "&") {
			name, err := checkPair(declared, pair)
			if err != nil {
				return err
			}
			if seen[name] {
				return &inputError{name, "is given more than once"}
			}
			seen[name] = true
		}
	}
	return checkRequired(declared, seen)
}

func checkRequired(declared map[string]parameter, seen map[string]bool) error {
	names := make([]string, 0, len(declared))
	for name, p := range declared {
		if p.required && !seen[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return &inputError{names[0], "is required"}
}

// checkPair checks one name=value and returns the decoded name.
func checkPair(declared map[string]parameter, pair string) (string, error) {
	rawName, rawValue, hasValue := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(rawName)
	if err != nil {
		return "", &inputError{"", "a parameter name cannot be decoded"}
	}
	p, known := declared[name]
	switch {
	case strings.Contains(pair, ";"):
		return "", &inputError{name, "';' does not separate parameters, use '&'"}
	case pair == "":
		return "", &inputError{"", "an empty parameter between '&'"}
	case !known:
		return "", &inputError{name, "unknown parameter"}
	case !hasValue:
		return "", &inputError{name, "has no value; a bare name selects nothing"}
	case rawValue == "":
		return "", &inputError{name, "is empty; an empty value selects nothing"}
	}
	value, err := url.QueryUnescape(rawValue)
	if err != nil {
		return "", &inputError{name, "cannot be decoded"}
	}
	return name, checkText(p.schema, value, name)
}

// checkText checks the text of a query parameter against its schema.
func checkText(s *openapi3.Schema, text, at string) error {
	switch {
	case s.Type.Is(openapi3.TypeBoolean):
		if text != "true" && text != "false" {
			return wrongType(at, "true or false")
		}
		return nil
	case s.Type.Is(openapi3.TypeInteger):
		return checkInteger(s, text, at)
	default:
		return checkString(s, text, at)
	}
}
