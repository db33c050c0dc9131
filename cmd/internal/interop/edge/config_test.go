//go:build interop && linux

package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
)

// without is the sites less one router.
func without(sites, router string) string {
	begin := strings.Index(sites, "{name: "+router+",")
	end := begin + strings.Index(sites[begin:], "}, ") + len("}, ")
	return sites[:begin] + sites[end:]
}

// planned is what the daemon says of its configuration file.
type planned struct {
	Digest  string
	Applied bool
	Changes []struct{ Kind, What, Name string }
	Plan    struct{ Verdict string }
}

// A router is added with config apply and removed with SIGHUP: nobody else's
// session notices, and nobody else is sent anything.
func TestConfigApply(t *testing.T) {
	const late = "fra2"
	var sites string
	n := startWith(t, func(r *rig.Rig) string { sites = r.Sites(); return without(sites, late) }, func(n *network) {
		n.Eventually(coming, func() error {
			err := n.daemon.Ended()
			for _, e := range n.Edges[:3] {
				err = errors.Join(err, e.Established("speaker1", n.Speakers[0]))
			}
			return err
		})
	})
	n.advertise()
	n.Eventually(coming, func() error {
		var err error
		for _, e := range n.Edges[:3] {
			err = errors.Join(err, n.holds(e, len(n.rows), false))
		}
		return err
	})
	seen := n.quiet()

	n.rewrite(sites)
	var p planned
	n.get("/v1/config/plan", &p)
	if len(p.Changes) != 2 || p.Changes[0].Kind != "add" || p.Plan.Verdict != "allow" || p.Applied {
		t.Fatalf("planned: %+v", p)
	}
	n.post("/v1/config/apply", fmt.Sprintf(`{"reason":"a new router","digest":%q}`, strings.Repeat("0", 64)), 412, nil)
	n.post("/v1/config/apply", fmt.Sprintf(`{"reason":"a new router","digest":%q}`, p.Digest), 200, &p)
	if !p.Applied {
		t.Fatalf("not applied: %+v", p)
	}
	n.Eventually(coming, func() error { return n.holds(n.Edges[3], len(n.rows), false) })
	if now := n.updates(); now != seen {
		t.Errorf("the others were sent something when a neighbor came: %s, before %s", now, seen)
	}

	// It is drained first: taking 40 routes away by configuration is not allowed.
	n.rewrite(without(sites, late))
	for _, family := range []string{"-v4", "-v6"} {
		n.post("/v1/neighbors/"+late+family+"/drain", `{"reason":"to be removed","wait_seconds":0}`, 200, nil)
	}
	n.Eventually(coming, func() error { return drained(n.Edges[3:], n) })
	if err := n.daemon.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.Eventually(coming, func() error {
		if n.Edges[3].Established("speaker1", n.Speakers[0]) == nil {
			return errors.New("the removed neighbor still has its session")
		}
		return drained(n.Edges[3:], n)
	})
	if now := n.updates(); now != seen {
		t.Errorf("the others were sent something when a neighbor went: %s, before %s", now, seen)
	}
	for _, e := range n.Edges[:3] {
		if err := errors.Join(e.Established("speaker1", n.Speakers[0]), n.holds(e, len(n.rows), false)); err != nil {
			t.Error(err)
		}
		if e.FRR == nil {
			continue
		}
		st, err := e.FRR.Neighbor(n.Speakers[0].Addr4)
		if err != nil || st.Dropped != 0 {
			t.Errorf("%s: the session dropped %d times (%v)", e.Name, st.Dropped, err)
		}
	}
	// A file that names nobody is no configuration.
	n.rewrite("  groups: []\n")
	if err := n.daemon.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.refused("/v1/config/plan", 409)
	if now := n.updates(); now != seen {
		t.Errorf("an empty file changed something: %s, before %s", now, seen)
	}
	if b := n.breaker(); b != "" {
		t.Errorf("the breaker opened: %s", b)
	}
}

// quiet waits until the edges have asked for nothing more, and gives what they
// were sent: some seconds after FRR has read its route-maps it asks every
// neighbor for its routes again (RFC 2918).
func (n *network) quiet() string {
	for seen := n.updates(); ; {
		time.Sleep(6 * time.Second)
		now := n.updates()
		if now == seen {
			return seen
		}
		seen = now
	}
}

// updates counts what the first three edges were sent by us.
func (n *network) updates() string {
	n.t.Helper()
	var out []string
	for _, e := range n.Edges[:3] {
		all, err := e.Updates()
		if err != nil {
			n.t.Fatal(err)
		}
		count := 0
		for _, u := range all {
			if u.Neighbor == n.Speakers[0].Addr4 || u.Neighbor == n.Speakers[0].Addr6 {
				count++
			}
		}
		out = append(out, fmt.Sprintf("%s %d", e.Name, count))
	}
	return strings.Join(out, ", ")
}

// rewrite replaces the bgp section's end in the configuration file.
func (n *network) rewrite(bgp string) {
	n.t.Helper()
	if err := os.WriteFile(n.file, []byte(n.Configuration(n.Speakers[0], bgp)), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) get(path string, into any) {
	n.t.Helper()
	r, err := n.http().Get("http://holdfast.sock" + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil || r.StatusCode != 200 {
		n.t.Fatalf("%s: %d (%v)", path, r.StatusCode, err)
	}
}

// refused wants a GET to be refused.
func (n *network) refused(path string, want int) {
	n.t.Helper()
	r, err := n.http().Get("http://holdfast.sock" + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != want {
		n.t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
	}
}
