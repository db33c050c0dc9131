package main

import (
	"compress/bzip2"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/adoption"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"
)

// importWorkers is how many prefixes are under way at a time.
const importWorkers = 8

// Stages to which import takes each prefix.
const (
	stagePending    = "pending"
	stageBound      = "bound"
	stageAdvertised = "advertised"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "adopt what is on the wire as accounts, prefixes and bindings", ArgsUsage: "FILE",
		Flags: mutating(
			&cli.StringFlag{Name: "from", Usage: "mrt, frr-json or csv; .gz and .bz2 are decompressed", Required: true},
			&cli.Int64SliceFlag{Name: "origin", Usage: "AS `NUMBER` whose prefixes are adopted, our own first; may be repeated", Required: true},
			&cli.StringFlag{Name: "account", Usage: "`NAME` of the first-party account of our own prefixes; others get one each, AS64501", Value: "own"},
			&cli.StringFlag{Name: "service", Usage: "`NAME` of the service that they are bound to", Value: "default"},
			&cli.StringFlag{Name: "stage", Usage: "take each prefix to `STAGE`: pending (for review), bound or advertised", Value: stagePending},
			&cli.StringSliceFlag{Name: "accept-risk", Usage: "named `RISK` you accept when they are approved, e.g. unverified; may be repeated"},
			&cli.BoolFlag{Name: "allow-special-purpose", Usage: "adopt bogons too, in a lab whose daemon allows them"},
		),
		Action: action(importFile),
	}
}

// adopted is what import did with one prefix.
type adopted struct {
	adoption.Candidate
	Outcome string `json:"outcome"`
	Failed  bool   `json:"failed"`
}

// importDocument is the answer in JSON and YAML.
type importDocument struct {
	Environment string          `json:"environment"`
	Routes      int             `json:"routes"`
	Stage       string          `json:"stage"`
	Items       []adopted       `json:"items"`
	Left        []adoption.Left `json:"left"`
}

func importFile(c *cli.Context, conn *connection) error {
	stage := c.String("stage")
	if stage != stagePending && stage != stageBound && stage != stageAdvertised {
		return strictcli.Usage("--stage %q: use pending, bound or advertised", stage)
	}
	a, err := readAdoption(c)
	if err != nil {
		return err
	}
	adopt, left := a.Result()
	doc := importDocument{Environment: conn.environment, Routes: a.Routes(), Stage: stage, Items: make([]adopted, len(adopt)), Left: left}
	for i, candidate := range adopt {
		doc.Items[i] = adopted{Candidate: candidate, Outcome: "to be adopted"}
	}
	plan := fmt.Sprintf("of %d route(s) seen adopt %d prefix(es) of %d account(s), up to %s; left out: %d route(s)", a.Routes(), len(adopt), accounts(adopt), stage, leftOut(left))
	if !c.Bool("dry-run") && !c.Bool("yes") && len(adopt) > 0 {
		if err := showImport(c, doc); err != nil {
			return err
		}
	}
	reason, err := prepare(c, mutation{verb: "import", plan: plan, destructive: true})
	switch {
	case errors.Is(err, errDryRun):
		if err := showImport(c, doc); err != nil {
			return err
		}
		return errDryRun
	case err != nil:
		return err
	}
	im := &importer{c: c, conn: conn, stage: stage, reason: reason, accounts: map[string]string{}, services: map[string]string{}}
	if err := im.run(doc.Items); err != nil {
		return err
	}
	if err := showImport(c, doc); err != nil {
		return err
	}
	failed := 0
	for _, item := range doc.Items {
		if item.Failed {
			failed++
		}
	}
	if failed > 0 {
		return &strictcli.Error{Code: strictcli.ExitRefused, Err: fmt.Errorf("%d of %d prefix(es) were not taken to %s; what was done stays, repeat the import after mending", failed, len(doc.Items), stage)}
	}
	return nil
}

func readAdoption(c *cli.Context) (*adoption.Adoption, error) {
	rules := adoption.Rules{Account: c.String("account"), Service: c.String("service"), AllowSpecial: c.Bool("allow-special-purpose")}
	for _, asn := range c.Int64Slice("origin") {
		if asn < 1 || asn > 4294967295 {
			return nil, strictcli.Usage("--origin %d: want 1 to 4294967295", asn)
		}
		rules.Origins = append(rules.Origins, uint32(asn))
	}
	a, err := adoption.New(rules)
	if err != nil {
		return nil, strictcli.Usage("%s", err)
	}
	read, known := map[string]func(io.Reader) error{"mrt": a.ReadMRT, "frr-json": a.ReadFRR, "csv": a.ReadCSV}[c.String("from")]
	if !known {
		return nil, strictcli.Usage("--from %q: use mrt, frr-json or csv", c.String("from"))
	}
	f, err := os.Open(c.Args().First())
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer f.Close()
	var src io.Reader = f
	switch name := f.Name(); {
	case strings.HasSuffix(name, ".gz"):
		if src, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("import %s: %w", name, err)
		}
	case strings.HasSuffix(name, ".bz2"):
		src = bzip2.NewReader(f)
	}
	if err := read(src); err != nil {
		return nil, fmt.Errorf("import %s: nothing was adopted: %w", f.Name(), err)
	}
	return a, nil
}

func accounts(all []adoption.Candidate) int {
	names := map[string]bool{}
	for _, c := range all {
		names[c.Account] = true
	}
	return len(names)
}

func leftOut(left []adoption.Left) int {
	n := 0
	for _, l := range left {
		n += l.Count
	}
	return n
}

// maxLeftShown bounds the list of what was left out in the table; JSON has it all.
const maxLeftShown = 50

func showImport(c *cli.Context, doc importDocument) error {
	body, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return show(c, answer{body: body}, &doc, func(w *tabwriter.Writer) error {
		row(w, "PREFIX", "ORIGIN", "ACCOUNT", "SERVICE", "SEEN", "OUTCOME")
		for _, i := range doc.Items {
			account := i.Account
			if i.Own {
				account += " (first-party)"
			}
			row(w, i.Prefix, fmt.Sprintf("AS%d", i.Origin), account, i.Service, i.Seen, i.Outcome)
		}
		if len(doc.Left) == 0 {
			return nil
		}
		fmt.Fprintln(w)
		row(w, "LEFT OUT", "ORIGIN", "ROUTES", "WHY")
		for i, l := range doc.Left {
			if i == maxLeftShown {
				row(w, fmt.Sprintf("and %d more: -o json lists them", len(doc.Left)-maxLeftShown))
				break
			}
			row(w, l.Prefix, fmt.Sprintf("AS%d", l.Origin), l.Count, l.Why)
		}
		return nil
	})
}

// importer creates what is missing. What is there already is left as it is, so
// that an import can be repeated.
type importer struct {
	c             *cli.Context
	conn          *connection
	stage, reason string
	accounts      map[string]string // ids by name
	services      map[string]string
	there         map[string]client.PrefixStatus // by CIDR
}

func (im *importer) run(items []adopted) error {
	if err := im.know(items); err != nil {
		return err
	}
	group := errgroup.Group{}
	group.SetLimit(importWorkers)
	for i := range items {
		group.Go(func() error {
			outcome, err := im.adopt(items[i].Candidate)
			if items[i].Outcome = outcome; err != nil {
				items[i].Outcome, items[i].Failed = strings.ReplaceAll(err.Error(), "\n", "; "), true
			}
			return nil
		})
	}
	return group.Wait()
}

// know reads what is there, and makes the accounts and services that are needed
// and not.
func (im *importer) know(items []adopted) error {
	var accounts client.AccountList
	if err := im.conn.get(im.conn.ListAccounts(im.c.Context)).into(&accounts); err != nil {
		return err
	}
	for _, a := range accounts.Items {
		im.accounts[a.Name] = a.ID
	}
	var services client.ServiceList
	if err := im.conn.get(im.conn.ListServices(im.c.Context)).into(&services); err != nil {
		return err
	}
	for _, s := range services.Items {
		im.services[s.Name] = s.ID
	}
	var prefixes client.PrefixStatusList
	if err := im.conn.get(im.conn.ListPrefixes(im.c.Context, &client.ListPrefixesParams{})).into(&prefixes); err != nil {
		return err
	}
	im.there = make(map[string]client.PrefixStatus, len(prefixes.Items))
	for _, p := range prefixes.Items {
		im.there[p.Cidr] = p
	}
	for _, item := range items {
		if err := im.make(item.Candidate); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) make(c adoption.Candidate) error {
	if _, there := im.there[c.Prefix.String()]; im.accounts[c.Account] == "" && !there {
		kind := client.AccountCreateKind("customer")
		if c.Own {
			kind = "first-party"
		}
		var a client.Account
		if err := im.conn.get(im.conn.CreateAccount(im.c.Context, nil, client.AccountCreate{Name: c.Account, Kind: &kind, Reason: &im.reason})).into(&a); err != nil {
			return fmt.Errorf("account %s: %w", c.Account, err)
		}
		im.accounts[c.Account] = a.ID
	}
	if im.services[c.Service] == "" && im.stage != stagePending {
		var s client.Service
		if err := im.conn.get(im.conn.CreateService(im.c.Context, nil, client.ServiceCreate{Name: c.Service, Reason: &im.reason})).into(&s); err != nil {
			return fmt.Errorf("service %s: %w", c.Service, err)
		}
		im.services[c.Service] = s.ID
	}
	return nil
}

// adopt takes one prefix to the stage and says what it did.
func (im *importer) adopt(c adoption.Candidate) (string, error) {
	did := []string{}
	p, there := im.there[c.Prefix.String()]
	switch {
	case !there:
		var err error
		if p, err = im.status(im.conn.CreatePrefix(im.c.Context, nil, client.OperatorPrefixCreate{AccountID: im.accounts[c.Account], Cidr: c.Prefix.String(), Asn: int64(c.Origin), Reason: &im.reason})); err != nil {
			return "", fmt.Errorf("not created: %w", err)
		}
		did = append(did, "created")
	case p.AccountID != im.accounts[c.Account]:
		return "", fmt.Errorf("is there already, in another account (%s): left as it is", p.AccountID)
	case p.Asn != int64(c.Origin):
		return "", fmt.Errorf("is there already, with origin AS%d: left as it is", p.Asn)
	}
	if im.stage != stagePending {
		var err error
		if did, err = im.bind(c, p, did); err != nil {
			return "", fmt.Errorf("%s, then: %w", strings.Join(append(did, "as far as that"), ", "), err)
		}
	}
	if len(did) == 0 {
		return "there already", nil
	}
	return strings.Join(did, ", "), nil
}

// bind approves, binds and, for that stage, advertises: bound comes first
// (invariant 1).
func (im *importer) bind(c adoption.Candidate, p client.PrefixStatus, did []string) ([]string, error) {
	ctx, reason := im.c.Context, im.reason
	if p.State == "pending" {
		body := client.PrefixApprove{Reason: &reason}
		if risks := im.c.StringSlice("accept-risk"); len(risks) > 0 {
			body.AcceptRisk = &risks
		}
		if _, err := im.status(im.conn.ApprovePrefix(ctx, p.ID, nil, body)); err != nil {
			return did, fmt.Errorf("not approved: %w", err)
		}
		did = append(did, "approved")
	}
	if !p.Bound {
		if a := im.conn.get(im.conn.CreateBinding(ctx, p.ID, nil, client.PrefixBind{Cidr: p.Cidr, ServiceID: im.services[c.Service], Reason: &reason})); a.err != nil {
			return did, fmt.Errorf("not bound: %w", a.err)
		}
		did = append(did, "bound")
	}
	if im.stage == stageAdvertised && p.Desired != "advertised" {
		if _, err := im.status(im.conn.AdvertisePrefix(ctx, p.ID, nil, client.ReasonOnly{Reason: &reason})); err != nil {
			return did, fmt.Errorf("not advertised: %w", err)
		}
		did = append(did, "advertised")
	}
	return did, nil
}

func (im *importer) status(r *http.Response, err error) (p client.PrefixStatus, failed error) {
	failed = im.conn.get(r, err).into(&p)
	return p, failed
}
