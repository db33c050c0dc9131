package frontend

import (
	"os"
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

func TestByName(t *testing.T) {
	for name, want := range map[string]bool{"gobgp": true, "cobol": false, "": false} {
		if _, ok := ByName(name); ok != want {
			t.Errorf("%q: %v", name, ok)
		}
	}
	if d, _ := ByName("junos-set"); d != device.Junos {
		t.Errorf("junos-set is %s", d)
	}
}

func TestEveryFrontEndIsTried(t *testing.T) {
	for d := range frontEnds {
		if !slices.Contains(order, d) {
			t.Errorf("%s is never recognised", d)
		}
	}
}

func TestRecognise(t *testing.T) {
	data, err := os.ReadFile("../../../testdata/oracle/configs/gobgp/GOBGP-02-default-reject.toml")
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := Recognise("router.conf", data); !ok || d != device.GoBGP {
		t.Errorf("%s %v", d, ok)
	}
	if d, ok := Recognise("notes.txt", []byte("dear diary\n")); ok {
		t.Errorf("a diary is %s", d)
	}
	if _, ok := Parse("cobol", device.Input{}); ok {
		t.Error("a dialect without a front end was parsed")
	}
}
