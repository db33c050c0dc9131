package junos_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"../../../testdata/corpus/junos/*", "../../../testdata/oracle/configs/device/junos_*", "../../../testdata/incidents/*/before.conf"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(name)] = data
		}
	}
	return files
}

// At least 95 of 100 lines that bear on policy are understood; each file is
// recognised as Junos and its statements all have a state.
func TestCorpusCoverage(t *testing.T) {
	understood, relevant := 0, 0
	for name, data := range corpus(t) {
		if d, _ := frontend.Recognise(name, data); d != device.Junos {
			t.Errorf("%s: recognised as %q", name, d)
		}
		cfg := junos.Parse(device.Input{Path: name, Data: data})
		u, r := cfg.Understood()
		understood, relevant = understood+u, relevant+r
		if len(cfg.Statements) == 0 {
			t.Errorf("%s: no statements", name)
		}
		for _, s := range cfg.Statements {
			if s.Pos.Line < 1 || s.Text == "" {
				t.Errorf("%s: statement without place or text: %+v", name, s)
			}
		}
	}
	t.Logf("understood %d of %d lines (%.1f %%)", understood, relevant, 100*float64(understood)/float64(relevant))
	if relevant < 1500 || understood*100 < relevant*95 {
		t.Errorf("understood %d of %d lines that bear on policy, want 95 %%", understood, relevant)
	}
}

// The form of a configuration does not matter: written out as set commands it
// gives the same policies, sets and sessions.
func TestFormsAgree(t *testing.T) {
	compared := 0
	for name, data := range corpus(t) {
		first := tree.Parse(name, data)
		if len(first.Problems) > 0 {
			continue
		}
		var set bytes.Buffer
		if err := first.WriteSet(&set); err != nil {
			t.Fatal(err)
		}
		a := junos.Parse(device.Input{Path: name, Data: data})
		b := junos.Parse(device.Input{Path: name, Data: set.Bytes()})
		if diff := cmp.Diff(identities(a), identities(b)); diff != "" {
			t.Errorf("%s (-as written +as set commands):\n%s", name, diff)
		}
		compared++
	}
	if compared < 80 {
		t.Errorf("%d files compared", compared)
	}
}

// identities is the model without positions.
func identities(cfg *device.Config) []string {
	var out []string
	for _, p := range cfg.Policies {
		out = append(out, "policy "+p.Name)
		for _, t := range p.Terms {
			line := fmt.Sprintf("  term %s bare=%v inactive=%v flow=%d default=%s match=", t.Name, t.Bare, t.Inactive, t.Then.Flow, t.Then.Default)
			device.Walk(t.Match, func(x device.Expr) bool {
				line += shape(x) + " "
				return true
			})
			for _, a := range t.Actions {
				line += fmt.Sprintf("%T ", a)
			}
			out = append(out, line)
		}
	}
	for _, s := range cfg.Sets {
		out = append(out, fmt.Sprintf("set %s %s %d", s.Kind, s.Name, s.Len))
	}
	for _, s := range cfg.Sessions {
		out = append(out, fmt.Sprintf("session %s %s %s %d %d %s %v %v %v", s.Name, s.Group, s.Instance, s.LocalAS, s.PeerAS, s.Kind, s.Families, s.Export.Named(), s.Import.Named()))
	}
	return out
}

func shape(x device.Expr) string {
	switch t := x.(type) {
	case *device.Ref:
		return "ref:" + t.Name
	case *device.ProtocolMatch:
		return fmt.Sprint("protocol:", t.Protocols)
	case *device.PrefixMatch:
		var rs []string
		for _, e := range t.Set.Entries {
			rs = append(rs, e.Range.String())
		}
		return "prefix:" + strings.Join(rs, ",")
	case *device.ASPathMatch:
		return "as-path:" + t.Pattern.String()
	case *device.Compare:
		return fmt.Sprint(t.Field, t.Op, t.Value)
	case *device.Unknown:
		return "unknown:" + t.Text
	}
	return fmt.Sprintf("%T", x)
}
