package junos

import (
	"bytes"
	"regexp"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// Parse reads one configuration. It always returns a Config: what cannot be
// read is in its diagnostics.
func Parse(in device.Input) *device.Config {
	return Lower(tree.Parse(in.Path, in.Data), in)
}

// Lower gives a tree its meaning. Groups are expanded in place, so the tree
// cannot be edited any more.
func Lower(t *tree.Tree, in device.Input) *device.Config {
	b := &builder{t: t, cfg: &device.Config{
		Dialect: device.Junos, Version: in.Version,
		Files:    []device.File{{Path: in.Path, Lines: t.Lines}},
		Defaults: device.Defaults{Import: device.Accept, ExportBGP: device.Accept, ExportOther: device.Reject},
	}}
	b.problems()
	for _, m := range t.Inherit(isScalar) {
		b.cfg.Incomplete = true
		b.report(device.Diagnostic{At: device.At{Pos: m.Pos}, Rule: "RL310", Message: "group " + m.Message + " is applied and not defined: what it would add is missing", Fix: "define the group or remove it from apply-groups"})
	}
	b.router(t.Root, "")
	for _, ls := range t.Root.Get("logical-systems").Active() {
		b.router(ls, ls.Word)
	}
	b.unusedGuards()
	b.statements()
	b.cfg.SortDiagnostics()
	return b.cfg
}

// problems turns what could not be read into diagnostics (RL902).
func (b *builder) problems() {
	b.cfg.Incomplete = b.t.Unclosed
	b.cfg.Broken = b.t.Templated
	for _, p := range b.t.Problems {
		b.report(device.Diagnostic{At: device.At{Pos: p.Pos}, Rule: "RL902", Message: p.Message, Fix: "correct the statement; Junos would not load it"})
	}
}

var (
	setLine = regexp.MustCompile(`(?m)^(?:set|delete|deactivate)\s+(?:groups \S+ |logical-systems \S+ |routing-instances \S+ )?(?:` +
		`policy-options|routing-options|routing-instances|version \S*\d+\.\d+[A-Z]|apply-groups|chassis|forwarding-options|` +
		`protocols (?:bgp (?:group|export|import)|ospf area|mpls|isis interface|lldp interface)|` +
		`interfaces \S+ (?:unit|gigether-options|vlan-tagging)|firewall (?:family|filter)|security (?:zones|policies|nat)|` +
		`system (?:host-name|root-authentication|services|login))\b`)
	braceLine = regexp.MustCompile(`(?m)^\s*(?:inactive: |replace: |protect: )?(?:policy-options|routing-options|routing-instances|logical-systems|policy-statement\s+\S+)[^;\n]*\{`)
	bgpBlock  = regexp.MustCompile(`(?m)^\s*protocols\s*\{\s*\n(?:.*\n)*?\s*bgp\s*\{`)
	topBlock  = regexp.MustCompile(`(?m)^(?:version \S+;|(?:system|interfaces|protocols|firewall|chassis|groups|security|vlans|snmp)\s*\{)`)
	semicolon = regexp.MustCompile(`(?m)^\s+[\w-]+[^;{}#]*;\s*(?:##.*)?$`)
	vyos      = regexp.MustCompile(`(?m)^\s*(?:bgp \d+ \{|vyos-config-version|config-management \{)|vyatta-config-version|^set (?:protocols bgp \d+|interfaces (?:ethernet|loopback|dummy|bonding) |policy (?:route-map|prefix-list))`)
)

// Recognise reports whether the text looks like a Junos configuration.
func Recognise(_ string, data []byte) bool {
	head := data[:min(len(data), 1<<20)]
	if vyos.Match(head) {
		return false
	}
	// SR-OS has blocks of the same names and no semicolons.
	blocks := braceLine.Match(head) || bgpBlock.Match(head) || topBlock.Match(head)
	return setLine.Match(head) || blocks && semicolon.Match(head) || bytes.Contains(head, []byte("RANCID-CONTENT-TYPE: juniper"))
}

type builder struct {
	cfg *device.Config
	t   *tree.Tree
}

func (b *builder) report(d device.Diagnostic) { b.cfg.Diagnostics = append(b.cfg.Diagnostics, d) }

// router reads one routing system: the router itself or a logical system.
func (b *builder) router(root *tree.Node, name string) {
	s := &scope{b: b, root: root, name: name}
	if name == "" {
		b.cfg.Hostname = root.Value("system", "host-name").Text()
		if v := root.Value("version"); v != nil && b.cfg.Version == "" {
			b.cfg.Version = v.Word
		}
	}
	s.definitions()
	s.policies()
	s.instance(root, "")
	for _, ri := range root.Get("routing-instances").Active() {
		s.instance(ri, ri.Word)
	}
	s.sweep()
}

// guardName is how operators call what keeps routes in.
var guardName = regexp.MustCompile(`(?i)no-?export|bogon|martian|leak|reject|deny|learned|(?:peer|transit|provider)[-_]?(?:tag|route)`)

// unusedGuards reports lists that are called like a guard and guard nothing
// (RL305). Prefix lists are left out: firewall filters use them too.
func (b *builder) unusedGuards() {
	for _, s := range b.cfg.Sets {
		if s.Used > 0 || s.Kind == device.PrefixSetKind || s.Kind == device.ConditionKind || !guardName.MatchString(s.Name) {
			continue
		}
		b.report(device.Diagnostic{
			At: s.At, Rule: "RL305", Severity: device.Warning, Set: s.Name,
			Message: string(s.Kind) + " " + s.Name + " is named like a guard and no policy uses it", Fix: "use it in the export policies or remove it",
		})
	}
}
