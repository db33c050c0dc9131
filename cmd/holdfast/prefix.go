package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func prefixCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "add", Usage: "add a prefix for an account", ArgsUsage: "CIDR",
			Flags: mutating(
				&cli.StringFlag{Name: "account", Usage: "`ACCOUNT`, by id or name", Required: true},
				&cli.Int64Flag{Name: "asn", Usage: "origin AS `NUMBER`", Required: true},
				&cli.StringFlag{Name: "description", Usage: "`TEXT` for people"},
			),
			Action: action(addPrefix),
		},
		{
			Name: "list", Usage: "list prefixes with their status",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "account", Usage: "only of `ACCOUNT`, an id or a name"},
				&cli.BoolFlag{Name: "lapsed", Usage: "only those with an authorisation that is invalid or expired, and why"},
				&cli.BoolFlag{Name: "pending-delete", Usage: "those in their grace time instead, which have left the list"},
			},
			Action: action(listPrefixes),
		},
		{Name: "show", Usage: "desired, bound, advertised, seen, held, and why", ArgsUsage: "PREFIX", Action: action(showPrefix)},
		{
			Name: "approve", Usage: "approve a prefix", ArgsUsage: "PREFIX",
			Flags:  mutating(&cli.StringSliceFlag{Name: "accept-risk", Usage: "named `RISK` you accept, e.g. unverified; may be repeated"}),
			Action: action(approvePrefix),
		},
		{
			Name: "advertise", Usage: "advertise all BGP prefixes of a prefix", ArgsUsage: "PREFIX", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				p, err := conn.prefix(c, c.Args().First())
				if err != nil {
					return err
				}
				reason, err := prepare(c, mutation{verb: "prefix advertise", plan: fmt.Sprintf("advertise %s (%s)", p.Cidr, plural(len(p.Routes), "BGP prefix"))})
				if err != nil {
					return err
				}
				return showStatus(c, conn.get(conn.AdvertisePrefix(c.Context, p.ID, nil, client.ReasonOnly{Reason: &reason})))
			}),
		},
		{
			Name: "withdraw", Usage: "withdraw all BGP prefixes of a prefix", ArgsUsage: "PREFIX",
			Flags: mutating(
				&cli.StringFlag{Name: "confirm", Usage: "`TOKEN` of a refused withdrawal beyond the free budget"},
				&cli.StringFlag{Name: "approval", Usage: "`ID` of the approval that covers it"},
				&cli.DurationFlag{Name: "wait", Usage: "how long it is de-preferred before it leaves; 0s is at once (default: bgp.drain.prefixes)"},
			),
			Action: action(withdrawPrefix),
		},
		{
			Name: "replace", Usage: "announce NEW, wait until the neighbors hold it, then withdraw OLD, which it covers", ArgsUsage: "OLD NEW",
			Flags:  mutating(&cli.DurationFlag{Name: "within", Value: 30 * time.Second, Usage: "how long to wait for the neighbors; OLD stays if it takes longer"}),
			Action: action(replacePrefix),
		},
		{
			Name: "block", Usage: "take a prefix down on purpose; no restore brings it back", ArgsUsage: "PREFIX",
			Flags:  mutating(&cli.TimestampFlag{Name: "expires", Usage: "`TIME` the block ends by itself, e.g. 2027-01-31T00:00:00Z", Layout: "2006-01-02T15:04:05Z07:00"}),
			Action: action(blockPrefix),
		},
		{
			Name: "unblock", Usage: "lift a block by name", ArgsUsage: "PREFIX",
			Flags:  mutating(&cli.StringFlag{Name: "intent", Usage: "negative intent `ID`; needed when there are several blocks"}),
			Action: action(unblockPrefix),
		},
		editPrefixCommand(),
		{Name: "delete", Usage: "delete a withdrawn, unbound prefix (with grace)", ArgsUsage: "PREFIX", Flags: mutating(), Action: action(deletePrefix)},
		{
			Name: "undelete", Usage: "bring a prefix back within its grace time", ArgsUsage: "PREFIX_ID", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				reason, err := prepare(c, mutation{verb: "prefix undelete", plan: "undelete " + c.Args().First()})
				if err != nil {
					return err
				}
				return showStatus(c, conn.get(conn.UndeletePrefix(c.Context, c.Args().First(), nil, client.ReasonOnly{Reason: &reason})))
			}),
		},
		{
			Name: "history", Usage: "who changed the prefix, newest first", ArgsUsage: "PREFIX",
			Action: action(func(c *cli.Context, conn *connection) error {
				p, err := conn.prefix(c, c.Args().First())
				if err != nil {
					return err
				}
				return showAudit(c, conn.get(conn.GetPrefixHistory(c.Context, p.ID)))
			}),
		},
	}
}

// prefix finds a prefix by id or CIDR. A CIDR that names none or several is an
// error: it never widens.
func (conn *connection) prefix(c *cli.Context, idOrCIDR string) (client.PrefixStatus, error) {
	var p client.PrefixStatus
	if !strings.Contains(idOrCIDR, "/") {
		err := conn.get(conn.GetPrefix(c.Context, idOrCIDR)).into(&p)
		return p, err
	}
	cidr, err := exactPrefix(idOrCIDR)
	if err != nil {
		return p, err
	}
	text := cidr.String()
	var l client.PrefixStatusList
	if err := conn.get(conn.ListPrefixes(c.Context, &client.ListPrefixesParams{Cidr: &text})).into(&l); err != nil {
		return p, err
	}
	if len(l.Items) != 1 || l.Items[0].Cidr != text {
		return p, fmt.Errorf("prefix %s: %d prefixes have that CIDR; name it by id", text, len(l.Items))
	}
	return l.Items[0], nil
}

// exactPrefix reads a CIDR without host bits. A typo is asked about, never
// rounded.
func exactPrefix(text string) (netip.Prefix, error) {
	cidr, err := netip.ParsePrefix(text)
	if err != nil {
		return cidr, strictcli.Usage("%q is no CIDR", text)
	}
	if cidr != cidr.Masked() {
		return cidr, strictcli.Usage("%s: host bits are set, did you mean %s?", text, cidr.Masked())
	}
	return cidr, nil
}

func addPrefix(c *cli.Context, conn *connection) error {
	account, err := conn.account(c, c.String("account"))
	if err != nil {
		return err
	}
	reason, err := prepare(c, mutation{verb: "prefix add", plan: fmt.Sprintf("add %s to account %s with origin AS%d", c.Args().First(), c.String("account"), c.Int64("asn"))})
	if err != nil {
		return err
	}
	body := client.OperatorPrefixCreate{AccountID: account, Cidr: c.Args().First(), Asn: c.Int64("asn"), Reason: &reason}
	if d := c.String("description"); d != "" {
		body.Description = &d
	}
	return showStatus(c, conn.get(conn.CreatePrefix(c.Context, nil, body)))
}

func listPrefixes(c *cli.Context, conn *connection) error {
	var params client.ListPrefixesParams
	if c.IsSet("account") {
		a, err := conn.account(c, c.String("account"))
		if err != nil {
			return err
		}
		params.AccountID = &a
	}
	if c.Bool("lapsed") && c.Bool("pending-delete") {
		return strictcli.Usage("prefix list: --lapsed and --pending-delete exclude one another")
	}
	if c.Bool("pending-delete") {
		return listPendingDeletions(c, conn, params.AccountID)
	}
	var l client.PrefixStatusList
	a := conn.get(conn.ListPrefixes(c.Context, &params))
	if c.Bool("lapsed") {
		return showLapsed(c, a)
	}
	return show(c, a, &l, func(w *tabwriter.Writer) error {
		row(w, "ID", "CIDR", "ASN", "ACCOUNT", "STATE", "DESIRED", "BOUND", "ADVERTISED", "HELD")
		for _, p := range l.Items {
			row(w, p.ID, p.Cidr, p.Asn, p.AccountID, p.State, p.Desired, yesNo(p.Bound), yesNo(p.Advertised), yesNo(p.Held))
		}
		return nil
	})
}

func showPrefix(c *cli.Context, conn *connection) error {
	p, err := conn.prefix(c, c.Args().First())
	if err != nil {
		return err
	}
	return showStatus(c, conn.get(conn.GetPrefix(c.Context, p.ID)))
}

func showStatus(c *cli.Context, a answer) error {
	var p client.PrefixStatus
	return show(c, a, &p, func(w *tabwriter.Writer) error {
		row(w, "id", p.ID)
		row(w, "cidr", p.Cidr)
		row(w, "account", p.AccountID)
		row(w, "origin", fmt.Sprintf("AS%d", p.Asn))
		row(w, "state", p.State)
		row(w, "control", control(p))
		row(w, "validated", validated(p))
		if p.Barred != "" {
			row(w, "lapsed", p.Barred+": nothing new of it is advertised; what is advertised stays")
		}
		row(w, "summary", p.Summary)
		for _, r := range p.Routes {
			row(w, r.Cidr, r.Summary)
			row(w, "  sent to", strings.Join(r.SeenBy, ", "))
			beyondRows(w, r.Beyond)
			row(w, "  rests", where(r))
			if p := r.Provenance; p.Since != nil && p.By != nil {
				row(w, "  since", fmt.Sprintf("%s by %s: %s", utc(*p.Since), *p.By, optional(p.Reason)))
			}
		}
		if p.ChangeID != nil {
			row(w, "change", *p.ChangeID)
		}
		for _, n := range p.NegativeIntents {
			row(w, "down on purpose", fmt.Sprintf("%s (%s) by %s: %s", n.ID, n.Kind, n.Author, n.Reason))
		}
		return nil
	})
}

// validated says how each authorisation stands, and what was accepted instead.
func validated(p client.PrefixStatus) string {
	text := fmt.Sprintf("ownership %s, IRR %s, RPKI %s", p.Ownership, p.Irr, p.Rpki)
	if len(p.AcceptedRisks) > 0 {
		text += "; accepted risk: " + strings.Join(p.AcceptedRisks, ", ")
	}
	return text
}

// where says in which state a route rests, and at which sites it is.
func where(r client.RouteStatus) string {
	if len(r.Sites) == 0 || slices.Contains(r.Sites, "*") {
		return fmt.Sprintf("%s, at every site", r.Resting)
	}
	return fmt.Sprintf("%s, at %s", r.Resting, strings.Join(r.Sites, ", "))
}

// control says who signals a prefix, and whether its owner may.
func control(p client.PrefixStatus) string {
	text := "by " + map[client.PrefixStatusControl]string{client.PrefixStatusControlAPI: "the API", client.PrefixStatusControlBgp: "BGP"}[p.Control]
	if p.OnDemandLocked {
		text += ", locked: its owner may not toggle it"
	}
	return text
}

func approvePrefix(c *cli.Context, conn *connection) error {
	p, err := conn.prefix(c, c.Args().First())
	if err != nil {
		return err
	}
	risks := c.StringSlice("accept-risk")
	plan := fmt.Sprintf("approve %s of account %s", p.Cidr, p.AccountID)
	if len(risks) > 0 {
		plan += ", accepting the risk " + strings.Join(risks, ", ")
	}
	reason, err := prepare(c, mutation{verb: "prefix approve", plan: plan})
	if err != nil {
		return err
	}
	body := client.PrefixApprove{Reason: &reason}
	if len(risks) > 0 {
		body.AcceptRisk = &risks
	}
	return showStatus(c, conn.get(conn.ApprovePrefix(c.Context, p.ID, nil, body)))
}

// taken says how many routes a verb takes off the wire, of how many.
func (conn *connection) taken(c *cli.Context, verb string, p client.PrefixStatus) (string, error) {
	var s client.Status
	if err := conn.get(conn.GetStatus(c.Context)).into(&s); err != nil {
		return "", err
	}
	total, gone := 0, 0
	for _, n := range s.Advertised {
		total += n
	}
	for _, r := range p.Routes {
		if r.Advertised {
			gone++
		}
	}
	return fmt.Sprintf("%s %s of account %s: takes %s advertised routes off the wire", verb, p.Cidr, p.AccountID, percent(gone, total)), nil
}

// takeDown prepares a verb that takes a prefix off the wire.
func (conn *connection) takeDown(c *cli.Context, verb string) (client.PrefixStatus, string, error) {
	p, err := conn.prefix(c, c.Args().First())
	if err != nil {
		return p, "", err
	}
	plan, err := conn.taken(c, verb, p)
	if err != nil {
		return p, "", err
	}
	reason, err := prepare(c, mutation{verb: "prefix " + verb, plan: plan, destructive: true})
	return p, reason, err
}

// replacePrefix makes before it breaks. What is covered by a route that the
// neighbors hold is no loss when it goes; the daemon sees to both.
func replacePrefix(c *cli.Context, conn *connection) error {
	before, err := conn.prefix(c, c.Args().Get(0))
	if err != nil {
		return err
	}
	after, err := conn.prefix(c, c.Args().Get(1))
	if err != nil {
		return err
	}
	was, errWas := netip.ParsePrefix(before.Cidr)
	will, errWill := netip.ParsePrefix(after.Cidr)
	if errWas != nil || errWill != nil || will.Bits() >= was.Bits() || !will.Contains(was.Addr()) {
		return strictcli.Usage("prefix replace: %s does not cover %s: advertise the one, then withdraw the other", after.Cidr, before.Cidr)
	}
	plan := fmt.Sprintf("advertise %s, wait until every neighbor holds it, then withdraw %s (%s)", after.Cidr, before.Cidr, plural(len(before.Routes), "BGP prefix"))
	reason, err := prepare(c, mutation{verb: "prefix replace", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	var done client.PrefixStatus
	if err := conn.get(conn.AdvertisePrefix(c.Context, after.ID, nil, client.ReasonOnly{Reason: &reason})).into(&done); err != nil {
		return err
	}
	at := 0
	body := client.PrefixWithdraw{Reason: reason, ReplacedBy: &after.Cidr, WaitSeconds: &at}
	for end := time.Now().Add(c.Duration("within")); ; {
		a := conn.get(conn.WithdrawPrefix(c.Context, before.ID, nil, body))
		err := a.into(&done)
		if err == nil {
			return showStatus(c, a)
		}
		if !strings.Contains(err.Error(), "is not announced for the same account") && !strings.Contains(err.Error(), "does not hold") || time.Now().After(end) {
			return err
		}
		select {
		case <-c.Context.Done():
			return c.Context.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func withdrawPrefix(c *cli.Context, conn *connection) error {
	p, reason, err := conn.takeDown(c, "withdraw")
	if err != nil {
		return err
	}
	var params client.WithdrawPrefixParams
	if t := c.String("confirm"); t != "" {
		params.HoldfastConfirm = &t
	}
	if id := c.String("approval"); id != "" {
		params.HoldfastApproval = &id
	}
	body := client.PrefixWithdraw{Reason: reason}
	if c.IsSet("wait") {
		seconds := int((c.Duration("wait") + time.Second - 1) / time.Second)
		body.WaitSeconds = &seconds
	}
	return showStatus(c, conn.get(conn.WithdrawPrefix(c.Context, p.ID, &params, body)))
}

func blockPrefix(c *cli.Context, conn *connection) error {
	p, reason, err := conn.takeDown(c, "block")
	if err != nil {
		return err
	}
	return showStatus(c, conn.get(conn.BlockPrefix(c.Context, p.ID, nil, client.PrefixBlock{Reason: reason, ExpiresAt: c.Timestamp("expires")})))
}

func unblockPrefix(c *cli.Context, conn *connection) error {
	p, err := conn.prefix(c, c.Args().First())
	if err != nil {
		return err
	}
	reason, err := prepare(c, mutation{verb: "prefix unblock", plan: "lift the block of " + p.Cidr})
	if err != nil {
		return err
	}
	body := client.PrefixUnblock{Reason: reason}
	if id := c.String("intent"); id != "" {
		body.IntentID = &id
	}
	return showStatus(c, conn.get(conn.UnblockPrefix(c.Context, p.ID, nil, body)))
}

func deletePrefix(c *cli.Context, conn *connection) error {
	p, reason, err := conn.takeDown(c, "delete")
	if err != nil {
		return err
	}
	return done(c, conn.get(conn.DeletePrefix(c.Context, p.ID, &client.DeletePrefixParams{HoldfastReason: &reason})))
}

// listPendingDeletions has a list of its own: what was deleted has left the others.
func listPendingDeletions(c *cli.Context, conn *connection, account *string) error {
	var l client.PendingDeletionList
	return show(c, conn.get(conn.ListPendingDeletions(c.Context, &client.ListPendingDeletionsParams{AccountID: account})), &l, func(w *tabwriter.Writer) error {
		row(w, "ID", "CIDR", "ASN", "ACCOUNT", "GONE AFTER")
		for _, p := range l.Items {
			row(w, p.ID, p.Cidr, p.Asn, p.AccountID, optional(p.DeleteAfter))
		}
		return nil
	})
}

// showLapsed keeps of a list what nothing new may be advertised of.
func showLapsed(c *cli.Context, a answer) error {
	var l client.PrefixStatusList
	if err := a.into(&l); err != nil {
		return err
	}
	l.Items = slices.DeleteFunc(l.Items, func(p client.PrefixStatus) bool { return p.Barred == "" })
	l.Count, l.Filter = len(l.Items), &map[string]string{"lapsed": "true"}
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return show(c, answer{body: body}, &l, func(w *tabwriter.Writer) error {
		row(w, "ID", "CIDR", "ASN", "ACCOUNT", "ADVERTISED", "WHY")
		for _, p := range l.Items {
			row(w, p.ID, p.Cidr, p.Asn, p.AccountID, yesNo(p.Advertised), validated(p))
		}
		return nil
	})
}
