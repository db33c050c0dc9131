package gobgp

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Parse reads one configuration file. It always returns a Config: what cannot
// be read is in its diagnostics, and Broken is set when the daemon would not
// start with the file.
func Parse(in device.Input) *device.Config {
	b := &builder{cfg: &device.Config{
		Dialect: device.GoBGP, Version: in.Version,
		Files: []device.File{{Path: in.Path, Lines: bytes.Count(in.Data, []byte{'\n'}) + 1}},
	}, setAt: map[setName]int{}, imported: map[string]*device.Policy{}, reported: map[place]bool{}}
	root, err := read(in)
	if err != nil {
		b.unreadable(in.Path, err)
		return b.cfg
	}
	b.root = root
	b.statements(root, nil)
	b.global()
	b.sets()
	b.policies()
	b.sessions()
	b.unused()
	b.broken()
	b.cfg.SortDiagnostics()
	return b.cfg
}

// Recognise reports whether the text looks like a gobgpd configuration.
func Recognise(path string, data []byte) bool {
	root, err := read(device.Input{Path: path, Data: data})
	if err != nil || root.shape != mapping {
		return false
	}
	return root.child("global", "config", "as") != nil ||
		root.child("neighbors") != nil && root.child("global") != nil ||
		root.child("policy-definitions") != nil || root.child("defined-sets") != nil || hasPeer(root)
}

// hasPeer recognises parts of configurations: neighbors or groups alone.
func hasPeer(root *node) bool {
	for _, n := range root.items("neighbors") {
		if n.str("config", "neighbor-address") != "" {
			return true
		}
	}
	for _, g := range root.items("peer-groups") {
		if g.str("config", "peer-group-name") != "" {
			return true
		}
	}
	return false
}

// read chooses the format as the daemon does: by the file name, otherwise
// TOML. A file without a telling name that is plainly not TOML is tried as
// JSON and YAML, which the daemon reads with -t.
func read(in device.Input) (*node, error) {
	switch filepath.Ext(in.Path) {
	case ".toml":
		return readTOML(in.Path, in.Data)
	case ".yaml", ".yml":
		return readYAML(in.Path, in.Data)
	case ".json":
		return readJSON(in.Path, in.Data)
	}
	if strings.HasPrefix(strings.TrimSpace(string(in.Data)), "{") {
		return readJSON(in.Path, in.Data)
	}
	root, err := readTOML(in.Path, in.Data)
	if err == nil {
		return root, nil
	}
	if y, yErr := readYAML(in.Path, in.Data); yErr == nil && y.child("global") != nil {
		return y, nil
	}
	return nil, err
}

type builder struct {
	cfg  *device.Config
	root *node

	as         uint32
	memberOf   map[uint32]bool // confederation members
	confedID   uint32
	loadErrors []device.Diagnostic // what makes SetPolicies fail
	policySet  map[string]*device.Policy
	neighbors  map[string]*neighborSet
	setAt      map[setName]int // index in cfg.Sets
	imported   map[string]*device.Policy
	reported   map[place]bool
}

type setName struct {
	kind device.SetKind
	name string
}

type place struct {
	rule string
	pos  device.Pos
}

// set returns a defined set, nil when there is none.
func (b *builder) set(kind device.SetKind, name string) *device.Set {
	if i, ok := b.setAt[setName{kind, name}]; ok {
		return b.cfg.Sets[i]
	}
	return nil
}

func (b *builder) report(d device.Diagnostic) { b.cfg.Diagnostics = append(b.cfg.Diagnostics, d) }

func (b *builder) unreadable(path string, err error) {
	pos := device.Pos{File: path, Line: 1, Col: 1}
	msg := err.Error()
	if s, ok := err.(*syntaxError); ok {
		pos, msg = s.pos, s.msg
	}
	b.cfg.Broken = true
	b.report(device.Diagnostic{
		At: device.At{Pos: pos}, Rule: "RL902", Message: "gobgpd cannot read this file: " + msg,
		Fix: "run gobgpd --dry-run -f on the file",
	})
}

func (b *builder) unknownKey(k *node, path []string, policy bool) {
	sev := device.Warning
	if policy || path[0] == "policy-definitions" || path[0] == "defined-sets" {
		sev = device.Error
		b.cfg.Broken = true
	}
	b.report(device.Diagnostic{
		At: device.At{Pos: k.pos}, Rule: "RL902", Severity: sev,
		Message: fmt.Sprintf("unknown key %q: gobgpd refuses to load a file with keys it does not know", strings.Join(path, ".")),
		Fix:     "correct the spelling, or pin the GoBGP version that has this key",
	})
}

// loadError records something that makes the daemon drop every policy.
func (b *builder) loadError(d device.Diagnostic) {
	if d.Rule == "" {
		d.Rule = "RL406"
	}
	d.Message += "; GoBGP then loads no policy at all, and default-export-policy falls back to accept where a policy is named"
	b.loadErrors = append(b.loadErrors, d)
	b.report(d)
}

func (b *builder) global() {
	b.as = b.number(b.root.child("global"), "config", "as")
	b.cfg.ASN = b.as
	b.memberOf = map[uint32]bool{}
	if confed := b.root.child("global", "confederation", "config"); confed.str("enabled") == "true" {
		b.confedID = b.number(confed, "identifier")
		for _, m := range confed.items("member-as-list") {
			if v, err := strconv.ParseUint(m.text, 10, 32); err == nil {
				b.memberOf[uint32(v)] = true
			}
		}
	}
}

// number reads an unsigned number, 0 when absent or unreadable.
func (b *builder) number(n *node, path ...string) uint32 {
	text := n.str(path...)
	if text == "" {
		return 0
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		b.cfg.Broken = true
		b.report(device.Diagnostic{
			At: device.At{Pos: n.at(path...)}, Rule: "RL902",
			Message: fmt.Sprintf("%s: %q is not a number from 0 to 4294967295; gobgpd refuses to load it", strings.Join(path, "."), text),
		})
	}
	return uint32(v)
}

// broken leaves every session undecided when the daemon would not start, also
// those read before that was known.
func (b *builder) broken() {
	if !b.cfg.Broken {
		return
	}
	for _, s := range b.cfg.Sessions {
		s.Export, s.Import = undecided(s, "gobgpd does not load this file"), undecided(s, "gobgpd does not load this file")
	}
}

// unused reports sets nobody refers to (RL305).
func (b *builder) unused() {
	for _, s := range b.cfg.Sets {
		if s.Used == 0 {
			b.report(device.Diagnostic{
				At: s.At, Rule: "RL305", Severity: device.Warning, Set: s.Name,
				Message: fmt.Sprintf("%s %q is defined and never used", s.Kind, s.Name),
			})
		}
	}
}
