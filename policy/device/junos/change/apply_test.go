package change

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

func file(t *testing.T, path ...string) device.Input {
	t.Helper()
	name := filepath.Join(append([]string{"../../../../testdata"}, path...)...)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return device.Input{Path: filepath.Base(name), Data: data}
}

// peerRoute is what leaked on 22 January 2026: a route of a peer, learned over
// iBGP.
var peerRoute = device.Route{
	Prefix: netip.MustParsePrefix("2a03:2880:f077::/48"), ASPath: []uint32{32934},
	Source: device.Source{Protocol: device.IBGP, Neighbor: netip.MustParseAddr("2001:db8::1"), Role: device.Internal},
}

func verdicts(cfg *device.Config) map[string]device.Verdict {
	out := map[string]device.Verdict{}
	for _, s := range cfg.Sessions {
		out[s.Group] = concrete.Session(s, concrete.Export, peerRoute).Verdict
	}
	return out
}

// The six fixtures of the incident: the change leaks in every form it can be
// written in; on Junos an emptied list does not.
func TestIncident(t *testing.T) {
	base := file(t, "oracle", "incident", "before.conf")
	if v := verdicts(junos.Parse(base))["6-TELIA"]; v != device.Reject {
		t.Errorf("before: %s", v)
	}
	if v := verdicts(junos.Parse(file(t, "oracle", "incident", "after.conf")))["6-TELIA"]; v != device.Accept {
		t.Errorf("after: %s", v)
	}
	tests := map[string]struct {
		want  device.Verdict
		kind  tree.Kind
		place string
	}{
		"change.set":            {device.Accept, tree.Removed, "6-TELIA-ACCEPT-EXPORT/ADV-SITELOCAL-GRE-RECEIVER/from"},
		"change.compare":        {device.Accept, tree.Removed, "6-TELIA-ACCEPT-EXPORT/ADV-SITELOCAL-GRE-RECEIVER/from"},
		"change-deactivate.set": {device.Accept, tree.Deactivated, "6-TELIA-ACCEPT-EXPORT/ADV-SITELOCAL-GRE-RECEIVER/from"},
		"change-empty-list.set": {device.Reject, tree.Removed, "//"},
	}
	for name, tt := range tests {
		r, err := Apply(base, file(t, "oracle", "incident", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v := verdicts(r.Config)["6-TELIA"]; v != tt.want {
			t.Errorf("%s: %s, want %s", name, v, tt.want)
		}
		if len(r.Changes) != 1 {
			t.Errorf("%s: changes %+v", name, r.Changes)
			continue
		}
		c := r.Changes[0]
		if c.Kind != tt.kind || c.Policy+"/"+c.Term+"/"+c.Part != tt.place || c.Was.File != "before.conf" || c.Was.Line == 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// All nine policies of the change of 22 January leak, each by the line that
// was taken out.
func TestIncidentNinePolicies(t *testing.T) {
	base := file(t, "incidents", "2026-01-22", "before.conf")
	before := verdicts(junos.Parse(base))
	r, err := Apply(base, file(t, "incidents", "2026-01-22", "change.compare"))
	if err != nil {
		t.Fatal(err)
	}
	after := verdicts(r.Config)
	if len(before) != 9 || len(after) != 9 {
		t.Fatalf("%d and %d sessions, want 9", len(before), len(after))
	}
	for group, v := range after {
		if before[group] != device.Reject || v != device.Accept {
			t.Errorf("%s: %s before, %s after", group, before[group], v)
		}
	}
	policies := map[string]bool{}
	for _, c := range r.Changes {
		policies[c.Policy] = true
		if c.Kind != tree.Removed || c.Part != "from" || c.Term == "" || !strings.HasSuffix(c.Text, "prefix-list 6-BOG04-SITE-LOCAL") || c.Was.Line == 0 {
			t.Errorf("%+v", c)
		}
	}
	if len(policies) != 9 || len(r.Changes) != 9 {
		t.Errorf("%d changes of %d policies, want 9 of 9", len(r.Changes), len(policies))
	}
}

const base = `policy-options {
    prefix-list OWN {
        192.0.2.0/24;
    }
    policy-statement OUT {
        term a {
            from {
                prefix-list OWN;
                inactive: protocol static;
            }
            then accept;
        }
        term z {
            then reject;
        }
    }
}
protocols {
    bgp {
        group T {
            peer-as 64500;
            export [ OUT LAST ];
            neighbor 198.51.100.1;
        }
    }
}
`

func apply1(t *testing.T, change string) (string, []string, error) {
	t.Helper()
	tr, changes, err := apply(device.Input{Path: "b.conf", Data: []byte(base)}, device.Input{Path: "c", Data: []byte(change)})
	if err != nil {
		return "", nil, err
	}
	var text strings.Builder
	if err := tr.WriteSet(&text); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range changes {
		list = append(list, c.Kind.String()+" "+c.Text)
	}
	return text.String(), list, nil
}

// One change written in four ways gives one result.
func TestWaysToWriteAChange(t *testing.T) {
	ways := map[string]string{
		"commands": `delete policy-options policy-statement OUT term a from prefix-list OWN
set policy-options policy-statement OUT term m from community TAG
set policy-options policy-statement OUT term m then reject
insert policy-options policy-statement OUT term m before term z
activate policy-options policy-statement OUT term a from protocol static
delete protocols bgp group T export LAST
`,
		"edit and up": `[edit]
edit policy-options policy-statement OUT term a
user@router# delete from prefix-list OWN
activate from protocol static
up
up
set term m from community TAG
set term m then reject
insert term m after term a
top
delete protocols bgp group T export [ LAST ]
commit
`,
		"show | compare": `[edit policy-options policy-statement OUT]
     term a { ... }
+    term m {
+        from community TAG;
+        then reject;
+    }
     term z { ... }
[edit policy-options policy-statement OUT term a from]
-    prefix-list OWN;
!    active: protocol static;
[edit protocols bgp group T]
-    export [ OUT LAST ];
+    export OUT;
`,
		"unified diff": `--- a/routers/b.conf
+++ b/routers/b.conf
@@ -6,10 +6,12 @@
         term a {
             from {
-                prefix-list OWN;
-                inactive: protocol static;
+                protocol static;
             }
             then accept;
         }
+        term m {
+            from community TAG; then reject;
+        }
         term z {
             then reject;
         }
@@ -18,7 +21,7 @@
     bgp {
         group T {
             peer-as 64500;
-            export [ OUT LAST ];
+            export OUT;
             neighbor 198.51.100.1;
         }
     }
`,
	}
	want := `set policy-options prefix-list OWN 192.0.2.0/24
set policy-options policy-statement OUT term a from protocol static
set policy-options policy-statement OUT term a then accept
set policy-options policy-statement OUT term m from community TAG
set policy-options policy-statement OUT term m then reject
set policy-options policy-statement OUT term z then reject
set protocols bgp group T peer-as 64500
set protocols bgp group T export OUT
set protocols bgp group T neighbor 198.51.100.1
`
	changes := []string{
		"removed policy-options policy-statement OUT term a from prefix-list OWN",
		"activated policy-options policy-statement OUT term a from protocol static",
		"added policy-options policy-statement OUT term m from community TAG",
		"added policy-options policy-statement OUT term m then reject",
		"removed protocols bgp group T export LAST",
	}
	for name, text := range ways {
		got, list, err := apply1(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// "delete" leaves the words on the way to what it removed.
		got = strings.Replace(got, "set policy-options policy-statement OUT term a from prefix-list\n", "", 1)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(changes, list); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A change that does not fit is an error that names the line, never a partial
// result.
func TestChangesThatDoNotFit(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                 " \n",
		"delete":                "delete policy-options prefix-list NONE",
		"deactivate":            "deactivate policy-options policy-statement OUT term q",
		"activate":              "activate protocols ospf",
		"insert":                "insert policy-options policy-statement OUT term z before term q",
		"insert nothing":        "insert policy-options policy-statement OUT term z",
		"rename over another":   "rename policy-options policy-statement OUT term a to term z",
		"delete nothing":        "delete",
		"brace":                 "policy-options { prefix-list OWN { 198.51.100.0/24; }",
		"compare place":         "[edit policy-options policy-statement NONE]\n-    then reject;\n",
		"compare minus":         "[edit policy-options prefix-list OWN]\n-    203.0.113.0/24;\n",
		"compare plus":          "[edit policy-options prefix-list OWN]\n+    192.0.2.0/24;\n",
		"compare switched":      "[edit policy-options prefix-list OWN]\n!    inactive: 203.0.113.0/24;\n",
		"hunk text":             "--- b.conf\n+++ b.conf\n@@ -1,2 +1,1 @@\n policy-options {\n-    prefix-list OTHER {\n",
		"hunk cut off":          "--- b.conf\n+++ b.conf\n@@ -1,3 +1,3 @@\n policy-options {\n",
		"diff of other files":   "--- x.conf\n+++ x.conf\n@@ -1 +1 @@\n-a\n+b\n--- y.conf\n+++ y.conf\n@@ -1 +1 @@\n-a\n+b\n",
		"one line of many fits": "set protocols bgp group T peer-as 64501\ndelete protocols bgp group NONE\n",
	} {
		got, _, err := apply1(t, text)
		if err == nil {
			t.Errorf("%s: no error, result\n%s", name, got)
		}
	}
	if _, _, err := apply1(t, "delete protocols bgp group NONE"); !errors.Is(err, tree.ErrMissing) {
		t.Errorf("%v, want ErrMissing", err)
	}
}

// replace: and delete: tags of a merged text.
func TestMerge(t *testing.T) {
	got, _, err := apply1(t, `policy-options {
    replace: prefix-list OWN {
        203.0.113.0/24;
    }
    policy-statement OUT {
        delete: term a;
    }
}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := `set policy-options prefix-list OWN 203.0.113.0/24
set policy-options policy-statement OUT term z then reject
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzApply(f *testing.F) {
	f.Add("set a b\ndelete protocols bgp\n")
	f.Add("[edit protocols bgp]\n-    group T {\n-    }\n+ group U;\n!    inactive: group U;\n")
	f.Add("@@ -1,2 +1,1 @@\n policy-options {\n-    prefix-list OWN {\n")
	f.Add("@@ -0,0 +1 @@\n+version 1;\n")
	f.Fuzz(func(t *testing.T, change string) {
		r, err := Apply(device.Input{Path: "b", Data: []byte(base)}, device.Input{Path: "c", Data: []byte(change)})
		if (r == nil) == (err == nil) {
			t.Errorf("%v and %v", r, err)
		}
	})
}
