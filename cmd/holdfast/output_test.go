package main

import (
	"bytes"
	"testing"
)

func TestShowJSONEndsInOneNewline(t *testing.T) {
	for _, body := range []string{`{"id":"a"}`, "{\"id\":\"a\"}\n", "\n {\"id\":\"a\"} \n\n"} {
		var out bytes.Buffer
		if err := showJSON(&out, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if want := "{\n  \"id\": \"a\"\n}\n"; out.String() != want {
			t.Errorf("%q is shown as %q, want %q", body, out.String(), want)
		}
	}
	if err := showJSON(&bytes.Buffer{}, []byte("<html>")); err == nil {
		t.Error("an answer that is no JSON was shown")
	}
}
