package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// What is listed as lapsed is what the daemon says is barred, and why; nothing
// that is fine, and nothing of it missing in JSON.
func TestListLapsed(t *testing.T) {
	body := []byte(`{"scope":"all-accounts","environment":"demo","count":2,"total":2,"items":[
		{"id":"a1","cidr":"193.0.0.0/24","account_id":"acc","asn":64500,"advertised":true,"ownership":"valid","irr":"valid","rpki":"expired","barred":"rpki","accepted_risks":["unverified"]},
		{"id":"b2","cidr":"193.0.1.0/24","account_id":"acc","asn":64500,"advertised":true,"ownership":"valid","irr":"missing","rpki":"valid","barred":""}]}`)
	for output, want := range map[string]string{
		"table": "yes         ownership valid, IRR valid, RPKI expired; accepted risk: unverified",
		"json":  `"barred": "rpki"`,
	} {
		var out bytes.Buffer
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.String("output", output, "")
		c := cli.NewContext(&cli.App{Writer: &out}, set, nil)
		if err := showLapsed(c, answer{body: body}); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); !strings.Contains(text, want) || strings.Contains(text, "193.0.1.0/24") {
			t.Errorf("%s: got\n%s\nwant %q and nothing of the other prefix", output, text, want)
		}
	}
}
