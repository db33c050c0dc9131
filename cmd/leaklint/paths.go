package main

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
	"github.com/holdfast-bgp/holdfast/policy/observed"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
	"github.com/klauspost/compress/zstd"
	"github.com/urfave/cli/v2"
)

// maxProblems is how many unreadable records or lines are named; the rest is
// counted.
const maxProblems = 10

func pathsCommand() *cli.Command {
	return &cli.Command{
		Name: "paths", Usage: "judge routes that collectors have seen", ArgsUsage: "FILE...",
		UsageText: "leaklint paths [flags] FILE...",
		Description: "FILE is an MRT dump, or lines of monocle or of bgpdump -m; plain, gzip, bzip2 or zstd; - is standard input.\n" +
			"Without --relationships only the rules that need none are judged.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "text or json"},
			&cli.StringFlag{Name: "config", Usage: "declaration `FILE` (default .leaklint.yaml): own ASNs, prefixes, roles by ASN"},
			&cli.StringSliceFlag{Name: "relationships", Usage: "`FILE` of AS relationships (a|b|-1 or a|b|0); may be repeated"},
			&cli.StringFlag{Name: "rpki", Usage: "`FILE` of VRPs and ASPAs (rpki-client or Routinator JSON)"},
			&cli.StringFlag{Name: "slurm", Usage: "`FILE` of local exceptions to --rpki (SLURM)"},
			&cli.StringFlag{Name: "aspa-direction", Value: "downstream", Usage: "verify ASPAs as received from a provider (downstream), or from anybody else (upstream)"},
			&cli.StringSliceFlag{Name: "own-as", Usage: "an `ASN` of ours, besides the declaration's; may be repeated"},
			&cli.StringSliceFlag{Name: "tier1", Usage: "`ASN` of a network without a provider; may be repeated"},
			&cli.StringFlag{Name: "adjacencies", Usage: "`FILE` of known neighbors of our ASNs, made with --write-adjacencies"},
			&cli.StringFlag{Name: "write-adjacencies", Usage: "write the neighbors of our ASNs that are seen to `FILE`"},
			&cli.StringSliceFlag{Name: "threshold", Usage: "report an AS from `[ASN=]N` routes on; may be repeated"},
			&cli.Float64Flag{Name: "min-share", Usage: "report an AS when at least this `PERCENT` of the routes it passed on have a finding"},
			&cli.IntFlag{Name: "examples", Value: 20, Usage: "routes shown per AS as text, 0 for all"},
			&cli.StringFlag{Name: "fail-on", Value: "error", Usage: "lowest `SEVERITY` that fails: error, warning or info"},
		},
		Action: runPaths,
	}
}

func runPaths(c *cli.Context) error {
	output := c.String("output")
	if output != "text" && output != "json" {
		return strictcli.Usage("--output %q: want text or json", output)
	}
	failOn, ok := lint.ParseSeverity(c.String("fail-on"))
	if !ok {
		return strictcli.Usage("--fail-on %q: want error, warning or info", c.String("fail-on"))
	}
	if c.Int("examples") < 0 {
		return strictcli.Usage("--examples %d: want 0 or more", c.Int("examples"))
	}
	know, used, err := knowledge(c)
	if err != nil {
		return err
	}
	level, err := threshold(c)
	if err != nil {
		return err
	}
	p := paths{
		judge: observed.NewJudge(know), own: know.Own,
		report: observed.Report{Program: version.String(), Tally: new(observed.Tally), Used: used, Level: level, Shown: c.Int("examples")},
	}
	for _, file := range c.Args().Slice() {
		if err := p.file(file); err != nil {
			return unreadable(err)
		}
	}
	if name := c.String("write-adjacencies"); name != "" {
		if err := p.writeAdjacencies(name); err != nil {
			return err
		}
	}
	write := p.report.Text
	if output == "json" {
		write = p.report.JSON
	}
	if err := write(c.App.Writer); err != nil {
		return err
	}
	return p.verdict(failOn)
}

// paths is one run.
type paths struct {
	judge  *observed.Judge
	own    []uint32
	seen   observed.Adjacencies
	report observed.Report
}

// file judges the routes of one file.
func (p *paths) file(name string) error {
	p.report.Files = append(p.report.Files, name)
	src, done, err := openPlain(name)
	if err != nil {
		return err
	}
	defer done()
	routes, err := sightings(src)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for s, err := range routes {
		if err != nil {
			p.problem(name, err)
			continue
		}
		p.report.Tally.Add(p.judge, s)
		if s.Kind == mrt.Advertised || s.Kind == mrt.TableEntry {
			p.note()
		}
	}
	return nil
}

// note remembers who stands next to our ASNs on the route judged last.
func (p *paths) note() {
	hops := p.judge.Hops()
	for i, asn := range hops {
		for _, own := range p.own {
			if asn != own {
				continue
			}
			for _, at := range [2]int{i - 1, i + 1} {
				if at >= 0 && at < len(hops) && hops[at] != 0 {
					p.seen.Add(own, hops[at])
				}
			}
		}
	}
}

func (p *paths) problem(name string, err error) {
	if p.report.Bad++; len(p.report.Broken) < maxProblems {
		p.report.Broken = append(p.report.Broken, fmt.Sprintf("%s: %v", name, err))
	}
}

func (p *paths) writeAdjacencies(name string) error {
	if len(p.own) == 0 {
		return strictcli.Usage("--write-adjacencies: whose? give --own-as, or asns in the declaration")
	}
	var b bytes.Buffer
	if err := p.seen.Write(&b); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// verdict turns the report into an exit code. What could not be read outranks
// what was found: nobody may take the rest for clean.
func (p *paths) verdict(failOn device.Severity) error {
	if p.report.Bad > 0 {
		return unreadable(fmt.Errorf("%d records or lines could not be read", p.report.Bad))
	}
	n := p.report.Failing(func(id string) bool {
		rule, ok := lint.Lookup(id)
		return !ok || rule.Severity <= failOn
	})
	if n > 0 {
		return &strictcli.Error{Code: exitFindings, Err: fmt.Errorf("%d routes with findings", n)}
	}
	return nil
}

// sightings tells MRT from lines.
func sightings(src *bufio.Reader) (iter.Seq2[*observed.Sighting, error], error) {
	head, err := src.Peek(12)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(head) == 0:
		return nil, errors.New("is empty")
	case len(head) == 12 && head[4] == 0 && head[5] < 64:
		return observed.MRT(src), nil
	}
	return observed.Lines(src), nil
}

// openPlain opens a file and decompresses it.
func openPlain(name string) (src *bufio.Reader, done func(), err error) {
	f := os.Stdin
	if name != "-" {
		if f, err = os.Open(name); err != nil {
			return nil, nil, err
		}
	}
	done = func() { _ = f.Close() }
	raw := bufio.NewReaderSize(f, 1<<18)
	head, err := raw.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		done()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	plain, err := decompress(raw, head)
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return bufio.NewReaderSize(plain, 1<<18), done, nil
}

// decompress knows a format by its magic number.
func decompress(raw *bufio.Reader, head []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(raw)
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(raw), nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstd.NewReader(raw, zstd.WithDecoderConcurrency(1))
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z'}):
		return nil, errors.New("is compressed with xz, which is not read; decompress it first (xz -dc FILE | leaklint paths -)")
	}
	return raw, nil
}

// knowledge reads what routes are judged with.
func knowledge(c *cli.Context) (k observed.Knowledge, used []string, err error) {
	declared, err := declaration(disk{}, c.String("config"))
	if err != nil {
		return k, nil, err
	}
	k.Own, k.OwnSpace = declared.ASNs, declared.Space()
	if k.Own, err = readASNs(c, "own-as", k.Own); err != nil {
		return k, nil, err
	}
	if k.Tier1, err = readASNs(c, "tier1", nil); err != nil {
		return k, nil, err
	}
	for _, n := range declared.Neighbors() {
		for _, own := range k.Own {
			k.Relations.Declare(own, n.AS, relations[n.Role])
		}
	}
	for _, name := range c.StringSlice("relationships") {
		if err := readPlain(name, k.Relations.Read); err != nil {
			return k, nil, err
		}
	}
	if n := k.Relations.Len(); n > 0 {
		used = append(used, fmt.Sprintf("%d relationships", n))
	}
	if n := k.Relations.Disputed(); n > 0 {
		used = append(used, fmt.Sprintf("%d disputed relationships left out", n))
	}
	for _, own := range k.Own {
		used = append(used, fmt.Sprintf("own AS%d", own))
	}
	if err := readRPKI(c, &k, &used); err != nil {
		return k, nil, err
	}
	if name := c.String("adjacencies"); name != "" {
		k.Adjacent = new(observed.Adjacencies)
		if err := readPlain(name, k.Adjacent.Read); err != nil {
			return k, nil, err
		}
	}
	return k, used, nil
}

// relations are the roles of a declaration as relationships.
var relations = map[device.Role]observed.Relation{
	device.Provider: observed.Provider, device.Peer: observed.Peer, device.Customer: observed.Customer,
}

func readRPKI(c *cli.Context, k *observed.Knowledge, used *[]string) error {
	switch d := c.String("aspa-direction"); d {
	case "downstream":
		k.Direction = rpki.Downstream
	case "upstream":
		k.Direction = rpki.Upstream
	default:
		return strictcli.Usage("--aspa-direction %q: want downstream or upstream", d)
	}
	if c.String("rpki") == "" {
		if c.String("slurm") != "" {
			return strictcli.Usage("--slurm: there is nothing to except from without --rpki")
		}
		return nil
	}
	payload, slurm, err := rpkiFiles(c.String("rpki"), c.String("slurm"))
	if err != nil {
		return err
	}
	if k.VRPs, err = rpki.NewSet(slurm.Apply(payload.VRPs)); err != nil {
		return unreadable(fmt.Errorf("%s: %w", c.String("rpki"), err))
	}
	if k.ASPAs, err = rpki.NewASPAs(slurm.ApplyASPAs(payload.ASPAs)); err != nil {
		return unreadable(fmt.Errorf("%s: %w", c.String("rpki"), err))
	}
	*used = append(*used, fmt.Sprintf("%d VRPs", k.VRPs.Len()), fmt.Sprintf("%d ASPAs", k.ASPAs.Len()))
	return nil
}

// rpkiFiles reads the payload and its exceptions; no slurm is none.
func rpkiFiles(payload, slurm string) (p rpki.Payload, s rpki.SLURM, err error) {
	err = readPlain(payload, func(r io.Reader) (err error) { p, err = rpki.Read(r); return err })
	if err == nil && slurm != "" {
		err = readPlain(slurm, func(r io.Reader) (err error) { s, err = rpki.ReadSLURM(r); return err })
	}
	return p, s, err
}

func readPlain(name string, read func(io.Reader) error) error {
	src, done, err := openPlain(name)
	if err != nil {
		return unreadable(err)
	}
	defer done()
	if err := read(src); err != nil {
		return unreadable(fmt.Errorf("%s: %w", name, err))
	}
	return nil
}

func readASNs(c *cli.Context, flag string, have []uint32) ([]uint32, error) {
	for _, text := range c.StringSlice(flag) {
		n, err := parseASN(text)
		if err != nil {
			return nil, strictcli.Usage("--%s %q: want an AS number such as 64500", flag, text)
		}
		have = append(have, n)
	}
	return have, nil
}

func parseASN(text string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "AS"), 10, 32)
	if err == nil && n == 0 {
		err = errors.New("AS 0")
	}
	return uint32(n), err
}

func threshold(c *cli.Context) (observed.Threshold, error) {
	h := observed.Threshold{Routes: 1, Share: c.Float64("min-share") / 100}
	if h.Share < 0 || h.Share > 1 {
		return h, strictcli.Usage("--min-share %v: want a percentage from 0 to 100", c.Float64("min-share"))
	}
	for _, text := range c.StringSlice("threshold") {
		who, count, of := strings.Cut(text, "=")
		if !of {
			who, count = "", text
		}
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return h, strictcli.Usage("--threshold %q: want a number of routes, or ASN=NUMBER", text)
		}
		if !of {
			h.Routes = n
			continue
		}
		asn, err := parseASN(who)
		if err != nil {
			return h, strictcli.Usage("--threshold %q: %q is no AS number", text, who)
		}
		if h.Of == nil {
			h.Of = map[uint32]int{}
		}
		h.Of[asn] = n
	}
	return h, nil
}
