package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// IBGPTrust says what an iBGP-learned route is taken for.
type IBGPTrust string

// Trust in iBGP. Untrusted is the default: such a route may be anybody's.
const (
	Untrusted IBGPTrust = "untrusted"
	Tagged    IBGPTrust = "tagged"   // peer and provider routes carry their tag, which is checked at every ingress
	OwnOnly   IBGPTrust = "own-only" // iBGP carries own and customer routes alone
)

// Declaration is what .leaklint.yaml says. The zero value declares nothing.
type Declaration struct {
	Version          int               `yaml:"version"`
	ASNs             []uint32          `yaml:"asns"`
	Prefixes         []string          `yaml:"prefixes"`
	CustomerPrefixes []string          `yaml:"customer_prefixes"`
	PrefixFiles      []string          `yaml:"prefix_files"` // more of both, one a line
	Roles            []RoleRule        `yaml:"roles"`
	UnknownRole      string            `yaml:"unknown_role"`
	Tags             Tags              `yaml:"tags"`
	IBGP             IBGPTrust         `yaml:"ibgp"`
	Severity         map[string]string `yaml:"severity"`
	Unknown          string            `yaml:"unknown"`
	Dialects         []Pin             `yaml:"dialects"`
	Include          []string          `yaml:"include"`
	Exclude          []string          `yaml:"exclude"`

	aspas *rpki.ASPAs // ours among them are compared with the sessions
	own   []netip.Prefix
	tags  tagSet
	judge device.Role // what an unknown neighbor is judged as
}

// RoleRule gives neighbors a role. All that is set has to hold.
type RoleRule struct {
	Role        string   `yaml:"role"`
	Group       string   `yaml:"group"`
	Description string   `yaml:"description"`
	Neighbors   []string `yaml:"neighbors"`
	ASNs        []uint32 `yaml:"asns"`

	role               device.Role
	group, description *regexp.Regexp
	nets               []netip.Prefix
}

// Tags are the communities this network puts on routes where it learns them.
type Tags struct {
	Peer     []string `yaml:"peer"`
	Provider []string `yaml:"provider"`
	Customer []string `yaml:"customer"`
	Own      []string `yaml:"own"`
}

type tagSet struct{ peer, provider, customer, own []device.Community }

func (t tagSet) upstream() []device.Community {
	return append(append([]device.Community(nil), t.peer...), t.provider...)
}

func (t tagSet) marker() []device.Community {
	return append(append([]device.Community(nil), t.customer...), t.own...)
}

// Pin fixes the dialect and version of files.
type Pin struct {
	Path    string `yaml:"path"`
	Dialect string `yaml:"dialect"`
	Version string `yaml:"version"`
}

// Declare reads a declaration. Unknown and repeated keys, a second document
// and values that cannot be meant are errors with their line.
func Declare(data []byte) (*Declaration, error) {
	d := &Declaration{}
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(d); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("declaration: %s", strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	if err := dec.Decode(&Declaration{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("declaration: a second document; write one")
	}
	return d, d.compile()
}

// ReadPrefixes reads the files that hold own and customers' prefixes. A file
// that names none is an error: nothing declared would mean that the lists of the
// policies are believed.
func (d *Declaration) ReadPrefixes(open func(name string) ([]byte, error)) error {
	for _, name := range d.PrefixFiles {
		data, err := open(name)
		if err != nil {
			return fmt.Errorf("declaration: prefix_files: %w", err)
		}
		found := 0
		for n, line := range strings.Split(string(data), "\n") {
			text, _, _ := strings.Cut(line, "#")
			for _, word := range strings.Fields(text) {
				p, err := ownPrefix(word)
				if err != nil {
					return fmt.Errorf("declaration: %s:%d: %w", name, n+1, err)
				}
				d.own = append(d.own, p)
				found++
			}
		}
		if found == 0 {
			return fmt.Errorf("declaration: %s names no prefix: an empty file declares nothing", name)
		}
	}
	return nil
}

func ownPrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p != p.Masked() {
		return p, fmt.Errorf("prefix %q: want a network such as 192.0.2.0/24, without host bits", s)
	}
	return p, nil
}

func (d *Declaration) compile() error {
	if d.Version != 0 && d.Version != 1 {
		return fmt.Errorf("declaration: version %d is not known; write version: 1", d.Version)
	}
	for _, list := range [][]string{d.Prefixes, d.CustomerPrefixes} {
		for _, s := range list {
			p, err := ownPrefix(s)
			if err != nil {
				return fmt.Errorf("declaration: %w", err)
			}
			d.own = append(d.own, p)
		}
	}
	for i := range d.Roles {
		if err := d.Roles[i].compile(); err != nil {
			return fmt.Errorf("declaration: roles[%d]: %w", i, err)
		}
	}
	if err := d.compileTags(); err != nil {
		return err
	}
	return d.compileChoices()
}

func (d *Declaration) compileChoices() error {
	switch d.IBGP {
	case "":
		d.IBGP = Untrusted
	case Untrusted, Tagged, OwnOnly:
	default:
		return fmt.Errorf("declaration: ibgp %q: want untrusted, tagged or own-only", d.IBGP)
	}
	if d.IBGP == Tagged && len(d.tags.upstream()) == 0 {
		return errors.New("declaration: ibgp: tagged needs tags.peer or tags.provider")
	}
	switch d.UnknownRole {
	case "", "peer":
		d.judge = device.Peer
	case "provider":
		d.judge = device.Provider
	case "customer":
		d.judge = device.Customer
	default:
		return fmt.Errorf("declaration: unknown_role %q: want peer, provider or customer", d.UnknownRole)
	}
	if d.Unknown != "" && d.Unknown != "report" && d.Unknown != "fail" {
		return fmt.Errorf("declaration: unknown %q: want report or fail", d.Unknown)
	}
	for id, s := range d.Severity {
		if _, ok := Lookup(id); !ok {
			return fmt.Errorf("declaration: severity: there is no rule %q", id)
		}
		if _, ok := severities[s]; !ok {
			return fmt.Errorf("declaration: severity of %s: %q: want error, warning, info or off", id, s)
		}
	}
	for _, g := range append([]string(nil), d.Exclude...) {
		if _, err := path.Match(g, "x"); err != nil {
			return fmt.Errorf("declaration: exclude %q: %w", g, err)
		}
	}
	for _, p := range d.Dialects {
		if _, err := path.Match(p.Path, "x"); err != nil || p.Path == "" || p.Dialect == "" && p.Version == "" {
			return fmt.Errorf("declaration: dialects: want a path pattern with a dialect or a version, got %+v", p)
		}
	}
	return nil
}

// off is a severity that hides a rule.
const off = device.Severity(255)

var severities = map[string]device.Severity{"error": device.Error, "warning": device.Warning, "info": device.Info, "off": off}

// ParseSeverity reads error, warning or info.
func ParseSeverity(s string) (device.Severity, bool) {
	v, ok := severities[s]
	return v, ok && v != off
}

func (r *RoleRule) compile() error {
	var err error
	if r.role, err = device.ParseRole(r.Role); err != nil {
		return err
	}
	if r.Group == "" && r.Description == "" && len(r.Neighbors) == 0 && len(r.ASNs) == 0 {
		return errors.New("it names no neighbor: an empty rule selects nothing; give group, description, neighbors or asns")
	}
	if r.group, err = compileRegex("group", r.Group); err != nil {
		return err
	}
	if r.description, err = compileRegex("description", r.Description); err != nil {
		return err
	}
	for _, n := range r.Neighbors {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			a, addrErr := netip.ParseAddr(n)
			if addrErr != nil {
				continue // the name of a neighbor
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		r.nets = append(r.nets, p)
	}
	return nil
}

func compileRegex(field, s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", field, s, err)
	}
	return re, nil
}

func (d *Declaration) compileTags() error {
	for _, t := range []struct {
		name string
		in   []string
		out  *[]device.Community
	}{
		{"peer", d.Tags.Peer, &d.tags.peer}, {"provider", d.Tags.Provider, &d.tags.provider},
		{"customer", d.Tags.Customer, &d.tags.customer}, {"own", d.Tags.Own, &d.tags.own},
	} {
		for _, s := range t.in {
			kind := device.Standard
			if strings.Count(s, ":") == 2 {
				kind = device.Large
			}
			c, err := device.ParseCommunity(kind, s)
			if err != nil {
				return fmt.Errorf("declaration: tags.%s: %w", t.name, err)
			}
			*t.out = append(*t.out, c)
		}
	}
	return nil
}

// Pinned returns the dialect and version a path is pinned to, empty when it is
// not.
func (d *Declaration) Pinned(file string) (dialect, version string) {
	for _, p := range d.Dialects {
		full, _ := path.Match(p.Path, file)
		base, _ := path.Match(p.Path, path.Base(file))
		if full || base {
			return p.Dialect, p.Version
		}
	}
	return "", ""
}

// Excluded reports whether a path is left out on purpose.
func (d *Declaration) Excluded(file string) bool {
	for _, g := range d.Exclude {
		full, _ := path.Match(g, file)
		base, _ := path.Match(g, path.Base(file))
		if full || base || strings.HasPrefix(file, strings.TrimSuffix(g, "/")+"/") {
			return true
		}
	}
	return false
}

// UnknownFails reports whether the declaration wants doubts to fail.
func (d *Declaration) UnknownFails() bool { return d.Unknown == "fail" }
