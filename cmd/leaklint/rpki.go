package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/urfave/cli/v2"
)

func rpkiCommand() *cli.Command {
	return &cli.Command{
		Name: "rpki", Usage: "print the ASPA and the ROAs that a snapshot of holdfastd asks for, and compare",
		UsageText: "leaklint rpki --snapshots DIR --environment NAME [flags]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "snapshots", Required: true, Usage: "`DIR` of snapshots: data_dir/snapshots of holdfastd, or a copy of it"},
			&cli.StringFlag{Name: "environment", Aliases: []string{"e"}, Required: true, Usage: "environment `NAME` they have to be of"},
			&cli.StringSliceFlag{Name: "provider", Usage: "`ASN` of a provider that no neighbor in the snapshot is, for networks behind their own edges; may be repeated"},
			&cli.StringFlag{Name: "rpki", Usage: "`FILE` of what is published (rpki-client or Routinator JSON)"},
			&cli.StringFlag{Name: "slurm", Usage: "`FILE` of local exceptions to --rpki"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "text or json"},
			&cli.StringFlag{Name: "fail-on", Value: "error", Usage: "lowest `SEVERITY` that fails: error, warning or info"},
		},
		Action: runRPKI,
	}
}

func runRPKI(c *cli.Context) error {
	failOn, ok := lint.ParseSeverity(c.String("fail-on"))
	switch output := c.String("output"); {
	case !ok:
		return strictcli.Usage("--fail-on %q: want error, warning or info", c.String("fail-on"))
	case output != "text" && output != "json":
		return strictcli.Usage("--output %q: want text or json", output)
	case c.String("slurm") != "" && c.String("rpki") == "":
		return strictcli.Usage("--slurm: there is nothing to except from without --rpki")
	}
	n, generation, err := network(c.String("snapshots"), c.String("environment"))
	if err != nil {
		return unreadable(err)
	}
	if n.Providers, err = readASNs(c, "provider", n.Providers); err != nil {
		return err
	}
	r := ownObjects{Format: 1, Generation: generation, Discrepancies: []discrepancy{}}
	r.objects(n.Publish())
	if name := c.String("rpki"); name != "" {
		published, slurm, err := rpkiFiles(name, c.String("slurm"))
		if err != nil {
			return err
		}
		found, err := n.Compare(rpki.Payload{VRPs: slurm.Apply(published.VRPs), ASPAs: slurm.ApplyASPAs(published.ASPAs)})
		if err != nil {
			return unreadable(fmt.Errorf("%s: %w", name, err))
		}
		r.compared(name, found)
	}
	if err := r.write(c.App.Writer, c.String("output"), len(n.Providers) == 0); err != nil {
		return err
	}
	return r.verdict(failOn)
}

// network reads what the last-known-good of a store advertises, without
// writing to it.
func network(dir, environment string) (n rpki.Network, generation uint64, err error) {
	store, err := snapshots.Open(dir, snapshots.Options{Environment: environment, ReadOnly: true})
	if err != nil {
		return n, 0, err
	}
	defer store.Close()
	good, err := store.Good()
	if err != nil {
		return n, 0, err
	}
	net := good.Snapshot.Network
	n.ASNs = append(n.ASNs, net.ASN)
	for _, neighbor := range net.Neighbors {
		// RFC 9234 section 4.1: our role customer is towards a provider.
		if neighbor.Role == policy.RoleCustomer {
			n.Providers = append(n.Providers, neighbor.ASN)
			if own := neighbor.LocalASN; own != 0 && !slices.Contains(n.ASNs, own) {
				n.ASNs = append(n.ASNs, own)
			}
		}
	}
	for i := range good.Snapshot.Accounts {
		n.Routes = append(n.Routes, announced(&good.Snapshot.Accounts[i], net.ASN)...)
	}
	return n, good.Head.Generation, nil
}

// announced is what an account may advertise at any time: what is advertised
// now, and what it may switch on.
func announced(account *snapshots.AccountPart, own uint32) (out []rpki.VRP) {
	add := func(origin uint32, records ...snapshots.BGPRecord) {
		if origin == 0 {
			origin = own
		}
		for _, r := range records {
			out = append(out, rpki.VRP{Prefix: r.CIDR, MaxLen: uint8(r.CIDR.Bits()), ASN: origin})
		}
	}
	for _, p := range account.Prefixes {
		if p.State == addressing.Approved {
			add(p.ASN, p.BGP...)
		}
	}
	for _, r := range account.Routes {
		add(r.Origin, snapshots.BGPRecord{CIDR: r.CIDR})
	}
	return out
}

// ownObjects is the output; as JSON it is version 1 of its format.
type ownObjects struct {
	Format        int           `json:"format"`
	Generation    uint64        `json:"generation"`
	ASPAs         []aspaJSON    `json:"aspas"`
	ROAs          []roaJSON     `json:"roas"`
	ComparedWith  string        `json:"compared_with,omitempty"`
	Discrepancies []discrepancy `json:"discrepancies"`
}

type aspaJSON struct {
	Customer  uint32   `json:"customer"`
	Providers []uint32 `json:"providers"`
}

type roaJSON struct {
	Prefix    string `json:"prefix"`
	MaxLength uint8  `json:"maxLength"`
	ASN       uint32 `json:"asn"`
}

type discrepancy struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Prefix   string `json:"prefix,omitempty"`
	ASN      uint32 `json:"asn"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`

	severity device.Severity
}

func (r *ownObjects) objects(o rpki.Objects) {
	r.ASPAs, r.ROAs = []aspaJSON{}, []roaJSON{}
	for _, a := range o.ASPAs {
		r.ASPAs = append(r.ASPAs, aspaJSON(a))
	}
	for _, v := range o.ROAs {
		r.ROAs = append(r.ROAs, roaJSON{v.Prefix.String(), v.MaxLen, v.ASN})
	}
}

func (r *ownObjects) compared(with string, found []rpki.Discrepancy) {
	r.ComparedWith = with
	for _, f := range found {
		rule, _ := lint.Lookup(f.Rule)
		d := discrepancy{Rule: f.Rule, Severity: rule.Severity.String(), severity: rule.Severity, ASN: f.ASN, Message: f.Statement, Fix: f.Fix}
		if f.Prefix.IsValid() {
			d.Prefix = f.Prefix.String()
		}
		r.Discrepancies = append(r.Discrepancies, d)
	}
}

func (r *ownObjects) write(w io.Writer, output string, noProvider bool) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	p := printer{w: w}
	p.f("to publish, as of generation %d:\n", r.Generation)
	for _, a := range r.ASPAs {
		p.f("  ASPA  AS%d  providers %v\n", a.Customer, a.Providers)
	}
	if noProvider {
		p.f("  no ASPA: no neighbor of the snapshot is a provider; name yours with --provider\n")
	}
	for _, v := range r.ROAs {
		p.f("  ROA   %s  max length %d  AS%d\n", v.Prefix, v.MaxLength, v.ASN)
	}
	if r.ComparedWith != "" {
		p.f("compared with %s: %d discrepancies\n", r.ComparedWith, len(r.Discrepancies))
	}
	for _, d := range r.Discrepancies {
		p.f("%s %s: %s\n  fix: %s\n", d.Severity, d.Rule, d.Message, d.Fix)
	}
	return p.err
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (r *ownObjects) verdict(failOn device.Severity) error {
	n := 0
	for _, d := range r.Discrepancies {
		if d.severity <= failOn {
			n++
		}
	}
	if n > 0 {
		return &strictcli.Error{Code: exitFindings, Err: fmt.Errorf("%d discrepancies", n)}
	}
	return nil
}
