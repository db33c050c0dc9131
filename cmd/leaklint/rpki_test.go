package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// store makes a store of snapshots with three routes and one transit provider.
func store(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "snapshots")
	if err := snapshots.Init(dir, snapshots.Options{Environment: synthetic.Environment}); err != nil {
		t.Fatal(err)
	}
	d, err := snapshots.Open(dir, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	network := synthetic.Network(1)
	network.Neighbors[0].Role, network.Neighbors[0].ASN = policy.RoleCustomer, 3356
	s, err := snapshots.Build(synthetic.State(1, 3), network, synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	h := snapshots.Head{Environment: synthetic.Environment, ID: s.ID(), Epoch: 1, Generation: 1, CreatedAt: synthetic.At.UnixNano(), Actor: "test", Reason: "test"}
	if err := d.Put(h, s); err != nil {
		t.Fatal(err)
	}
	if err := d.MarkGood(h); err != nil {
		t.Fatal(err)
	}
	return dir
}

// leaklintIn runs the program in process.
func leaklintIn(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	var out bytes.Buffer
	a := app()
	a.Writer, a.ErrWriter = &out, &out
	err = a.Run(append([]string{"leaklint"}, args...))
	return out.String(), err
}

func TestOwnObjects(t *testing.T) {
	dir := store(t)
	published := filepath.Join(t.TempDir(), "rpki.json")
	write := func(text string) {
		if err := os.WriteFile(published, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plain := []string{"rpki", "--snapshots", dir, "-e", synthetic.Environment}
	out, err := leaklintIn(t, plain...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ASPA  AS64500  providers [3356]", "ROA   " + synthetic.CIDR(0).String() + "  max length"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	write(`{"roas":[{"prefix":"203.0.113.0/24","maxLength":24,"asn":1,"ta":"x"}],"aspas":[{"customer_asid":64500,"providers":[174]}]}`)
	out, err = leaklintIn(t, append(plain, "--rpki", published)...)
	if err != nil { // nothing that is missing makes a route invalid
		t.Fatal(err)
	}
	for _, want := range []string{"RL607", "lacks its provider AS3356", "RL608", "names AS174", "RL609", "5 discrepancies"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	write(`{"roas":[{"prefix":"` + synthetic.CIDR(0).String() + `","maxLength":24,"asn":1,"ta":"x"}],"aspas":[]}`)
	if out, err = leaklintIn(t, append(plain, "--rpki", published)...); err == nil || !strings.Contains(out, "RL610") {
		t.Errorf("error %v with\n%s", err, out)
	}
	if _, err := leaklintIn(t, "rpki", "--snapshots", dir, "-e", "another"); err == nil {
		t.Error("snapshots of another environment were read")
	}
}
