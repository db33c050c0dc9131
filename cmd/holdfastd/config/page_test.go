package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keys collects the keys that a section takes, those of its parts too.
func keys(t reflect.Type, seen map[reflect.Type]bool, out map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		keys(t.Elem(), seen, out)
	case reflect.Map:
		keys(t.Elem(), seen, out)
	case reflect.Struct:
		if seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			f := t.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" && name != "-" {
				out[name] = true
			}
			keys(f.Type, seen, out)
		}
	}
}

// Every key of both documents is on the reference page, in code.
func TestPageNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../../docs/reference/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	inCode := strings.Join(regexp.MustCompile("(?s)```.*?```|`[^`\n]+`").FindAllString(string(page), -1), "\n")
	words := regexp.MustCompile(`[a-z0-9_]+`).FindAllString(inCode, -1)
	all := map[string]bool{}
	seen := map[reflect.Type]bool{}
	keys(reflect.TypeFor[document](), seen, all)
	keys(reflect.TypeFor[speakDocument](), seen, all)
	if len(all) < 80 || !all["max_prefix"] || !all["report_file"] || !all["canary_accounts"] {
		t.Fatalf("found only the keys %v", all)
	}
	for key := range all {
		if !slices.Contains(words, key) {
			t.Errorf("docs/reference/configuration.md lacks %s", key)
		}
	}
}
