package deps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rule is one row of the import table. Patterns name packages relative to the
// module's root, others by import path; "x/..." is x and all below it.
type rule struct {
	name   string   // what the rule is for
	who    []string // packages that it binds
	except []string // packages that who matches but the rule leaves alone
	only   []string // if not nil, the only packages of ours that may be reached
	never  []string // packages that may not be reached
	direct bool     // the rule is about a package's own imports alone
	std    bool     // nothing outside the standard library and who itself
	breach []string // a graph that breaks the rule, for the test of the rule
	clean  []string // one that comes close and does not
}

const (
	gobgp  = "github.com/osrg/gobgp/v3"
	sqlite = "github.com/mattn/go-sqlite3"
)

var rules = []rule{
	{
		name: "the breaker stands alone, so that nothing else can break it",
		who:  []string{"breaker"}, only: []string{}, std: true,
		breach: []string{"~/breaker -> golang.org/x/time/rate"},
		clean:  []string{"~/breaker -> net/netip", "~/breaker -> os"},
	},
	{
		name:   "the breaker cannot withdraw (invariant 6): it reaches no speaker, no network and no other program",
		who:    []string{"breaker"},
		never:  []string{"bgp/...", "snapshots/rollout", "net", "net/http", "os/exec"},
		breach: []string{"~/breaker -> log/syslog -> net"},
		clean:  []string{"~/breaker -> net/netip"},
	},
	{
		name: "addressing is the domain: it imports nothing of ours",
		who:  []string{"addressing"}, only: []string{},
		breach: []string{"~/addressing -> ~/policy"},
		clean:  []string{"~/addressing/sqlite -> ~/addressing -> net/netip"},
	},
	{
		name: "policy may import addressing",
		who:  []string{"policy"}, only: []string{"addressing"},
		breach: []string{"~/policy -> ~/snapshots"},
		clean:  []string{"~/policy -> ~/addressing"},
	},
	{
		name: "policy's parts know policy, addressing and the wire format",
		who:  []string{"policy/..."}, only: []string{"addressing", "policy/...", "bgp/wire/..."},
		breach: []string{"~/policy/device/gobgp -> ~/bgp/wire -> ~/bgp"},
		clean:  []string{"~/policy/report -> ~/bgp/wire", "~/policy/rules -> ~/policy"},
	},
	{
		name: "snapshots imports addressing and policy",
		who:  []string{"snapshots"}, only: []string{"addressing", "policy/..."},
		breach: []string{"~/snapshots -> ~/bgp"},
		clean:  []string{"~/snapshots -> ~/policy -> ~/addressing"},
	},
	{
		name: "plan and rollout declare the interfaces they call and import no implementation",
		who:  []string{"snapshots/..."}, only: []string{"addressing", "policy/...", "snapshots/...", "bgp/wire"},
		breach: []string{"~/snapshots/plan -> ~/breaker"},
		clean:  []string{"~/snapshots/rollout -> ~/snapshots/plan -> ~/snapshots"},
	},
	{
		name:   "the wire reads snapshots, never the database (invariant 4), and knows no breaker",
		who:    []string{"bgp/..."},
		never:  []string{"breaker/...", "addressing/sqlite", "addressing/api/...", "addressing/client", "database/sql", sqlite},
		breach: []string{"~/bgp/guard -> ~/snapshots -> database/sql"},
		clean:  []string{"~/bgp/gobgp -> " + gobgp + "/pkg/server -> database/sql/driver"},
	},
	{
		name: "bgp imports snapshots and policy",
		who:  []string{"bgp/..."}, only: []string{"addressing", "bgp/...", "policy/...", "snapshots/..."},
		breach: []string{"~/bgp -> ~/addressing/storetest"},
		clean:  []string{"~/bgp -> ~/snapshots -> ~/addressing"},
	},
	{
		name: "the message walker is its own second look: nothing of GoBGP in it, nothing of ours but policy",
		who:  []string{"bgp/wire/..."}, only: []string{"addressing", "policy", "bgp/wire/..."}, never: []string{gobgp + "/..."},
		breach: []string{"~/bgp/wire -> " + gobgp + "/pkg/packet/bgp"},
		clean:  []string{"~/bgp/wire -> ~/policy"},
	},
	{
		name:   "the BMP station only watches: it reaches no speaker, no guard and no rollout",
		who:    []string{"bgp/bmp", "bgp/station"},
		never:  []string{"bgp", "bgp/guard", "bgp/gobgp", "snapshots/rollout", gobgp + "/pkg/server"},
		breach: []string{"~/bgp/station -> ~/bgp/guard"},
		clean:  []string{"~/bgp/station -> ~/bgp/bmp -> " + gobgp + "/pkg/packet/bmp"},
	},
	{
		name:   "adapters never import one another: sqlite",
		who:    []string{"addressing/sqlite"},
		never:  []string{"addressing/api/...", "bgp/gobgp/..."},
		breach: []string{"~/addressing/sqlite -> ~/addressing/api"},
		clean:  []string{"~/addressing/sqlite -> ~/addressing"},
	},
	{
		name:   "adapters never import one another: api",
		who:    []string{"addressing/api/..."},
		never:  []string{"addressing/sqlite/...", "bgp/gobgp/...", gobgp + "/pkg/server", sqlite},
		breach: []string{"~/addressing/api -> ~/addressing/sqlite"},
		clean:  []string{"~/addressing/api -> ~/addressing/api/client"},
	},
	{
		name:   "adapters never import one another: gobgp",
		who:    []string{"bgp/gobgp"},
		never:  []string{"addressing/api/...", "addressing/client", "addressing/sqlite/..."},
		breach: []string{"~/bgp/gobgp -> ~/addressing/api/client"},
		clean:  []string{"~/bgp/gobgp -> ~/bgp"},
	},
	{
		name: "only bgp/gobgp imports the GoBGP server",
		who:  []string{"./..."}, except: []string{"bgp/gobgp", "."}, // "." only pins dependencies
		never: []string{gobgp + "/pkg/server"}, direct: true,
		breach: []string{"~/bgp/guard -> " + gobgp + "/pkg/server"},
		clean:  []string{"~/cmd/holdfastd -> ~/bgp/gobgp -> " + gobgp + "/pkg/server"},
	},
	{
		name:   "the operator's programs stay small and pure: no SQLite, no GoBGP server",
		who:    []string{"cmd/holdfast", "cmd/leaklint"},
		never:  []string{"addressing/sqlite", sqlite, gobgp + "/pkg/server", "bgp/gobgp"},
		breach: []string{"~/cmd/holdfast -> ~/addressing/api -> " + sqlite},
		clean:  []string{"~/cmd/leaklint -> " + gobgp + "/pkg/packet/mrt", "~/cmd/holdfastd -> " + sqlite},
	},
}

// pending names packages of the import table that are not written yet. The
// test fails as soon as one exists, so that no rule stays empty unnoticed.
var pending = []string{}

// violations gives each breach of the rule in the graph, as text, sorted.
func (r rule) violations(g graph) []string {
	var found []string
	for path, n := range g {
		name, mine := relative(path)
		if !mine || !r.binds(name) {
			continue
		}
		for reached, chain := range g.reach(n.ImportPath, r.direct) {
			if why := r.judge(name, g[reached], reached); why != "" {
				found = append(found, fmt.Sprintf("%s: %s (%s)", r.name, explain(chain), why))
			}
		}
	}
	slices.Sort(found)
	return found
}

func (r rule) binds(name string) bool {
	return (matches(name, r.who) || matches("./"+name, r.who)) && !matches(name, r.except)
}

// judge says what is wrong with a package of that name reaching n, or "".
func (r rule) judge(name string, n node, reached string) string {
	inside, mine := relative(reached)
	switch {
	case matches(short(reached), r.never):
		return "forbidden"
	case mine && r.only != nil && !matches(inside, r.only):
		return "of ours only " + strings.Join(append([]string{"itself"}, r.only...), ", ")
	case !mine && r.std && !n.Standard:
		return "standard library only"
	}
	return ""
}

// subjects are the packages that rules name one by one.
func subjects() []string {
	var list []string
	for _, r := range rules {
		for _, who := range r.who {
			if who != "./..." {
				list = append(list, strings.TrimSuffix(who, "/..."))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestImports(t *testing.T) {
	g := load(t, "1", "./...")
	for _, r := range rules {
		for _, v := range r.violations(g) {
			t.Error(v)
		}
	}
}

// A rule that cannot fail is no rule.
func TestRulesCanFail(t *testing.T) {
	for _, r := range rules {
		if len(r.breach) == 0 || len(r.clean) == 0 {
			t.Errorf("%s: needs a breach and a clean example", r.name)
		}
		if got := r.violations(edges(r.breach...)); len(got) == 0 {
			t.Errorf("%s: not broken by %q", r.name, r.breach)
		}
		if got := r.violations(edges(r.clean...)); len(got) != 0 {
			t.Errorf("%s: broken by %q: %q", r.name, r.clean, got)
		}
	}
}

// A rule about a package that does not exist holds of nothing.
func TestSubjectsExist(t *testing.T) {
	have := load(t, "1", "./...").ours()
	for _, name := range subjects() {
		exists := slices.Contains(have, name)
		switch waits := slices.Contains(pending, name); {
		case !exists && !waits:
			t.Errorf("the import table names %s, which does not exist: rename it here or add it to pending", name)
		case exists && waits:
			t.Errorf("%s exists now: delete it from pending", name)
		}
	}
	for _, name := range pending {
		if !slices.Contains(subjects(), name) {
			t.Errorf("pending names %s, which no rule names", name)
		}
	}
}

// The operator's programs are built with CGO_ENABLED=0. That they then hold no
// cgo says little, since the go command leaves such files out in silence; that
// they lose no file by it is the point.
func TestOperatorProgramsNeedNoCgo(t *testing.T) {
	for _, program := range []string{"cmd/holdfast", "cmd/leaklint"} {
		if slices.Contains(pending, program) {
			continue // TestSubjectsExist fails once it exists
		}
		if _, found := load(t, "0", "./"+program)["runtime/cgo"]; found {
			t.Errorf("%s reaches runtime/cgo with CGO_ENABLED=0", program)
		}
		for _, path := range needsCgo(load(t, "1", "./"+program)) {
			t.Errorf("%s needs cgo for %s", program, path)
		}
	}
}

// needsCgo lists packages with cgo files. The standard library's are left out:
// each of them has a pure form as well.
func needsCgo(g graph) []string {
	var list []string
	for path, n := range g {
		if len(n.CgoFiles) > 0 && !n.Standard {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list
}

func TestNeedsCgo(t *testing.T) {
	g := graph{
		"net":  {ImportPath: "net", Standard: true, CgoFiles: []string{"cgo_linux.go"}},
		sqlite: {ImportPath: sqlite, CgoFiles: []string{"sqlite3.go"}},
	}
	if got := needsCgo(g); !slices.Equal(got, []string{sqlite}) {
		t.Errorf("cgo needed for %q, want %s alone", got, sqlite)
	}
}
