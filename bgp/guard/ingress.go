package guard

import (
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// read takes what the neighbor sends until the session ends. An error that wraps
// a Notification is to be answered with it.
func (n *neighbor) read(c *connection, r *wire.Reader, t terms) error {
	in := ingress{neighbor: n, terms: t}
	defer in.forget()
	for {
		if err := c.SetReadDeadline(time.Now().Add(t.hold)); err != nil {
			return err
		}
		m, err := read(r, wire.PhaseEstablished)
		if err != nil {
			return expired(err)
		}
		switch m.Type {
		case wire.TypeUpdate:
			if err := in.update(m.Body); err != nil {
				return err
			}
		case wire.TypeRouteRefresh:
			rr, err := wire.ParseRouteRefresh(m.Body)
			if err != nil {
				return err
			}
			// RFC 7313 is not offered: its subtypes are ignored.
			if rr.Subtype == 0 {
				n.table.mu.Lock()
				n.table.refresh(rr.Family)
				n.table.mu.Unlock()
				n.wake()
			}
		}
	}
}

// ingress is what came in on one session.
type ingress struct {
	neighbor *neighbor
	terms    terms
	seen     map[netip.Prefix]bool // what the neighbor holds here; true was handed on
}

// update rules on one UPDATE (RFC 7606, RFC 4271 section 6.3). By default every
// route is dropped and counted.
func (in *ingress) update(body []byte) error {
	n := in.neighbor
	n.count.updatesRead.Add(1)
	u := in.terms.session.Classify(body)
	if u.Action < wire.Accept {
		n.count.malformed[u.Action].Add(1)
	}
	if u.Action == wire.SessionReset {
		return u.Notification()
	}
	if u.Action != wire.Accept {
		n.log.Debug("malformed UPDATE", "action", u.Action.String(), "attribute", u.Attribute.String(), "why", u.Why)
	}
	if n.Receive == policy.ReceiveControl {
		return in.control(&u)
	}
	for p := range u.Withdrawals() {
		n.count.revoked[family(p)].Add(1)
		delete(in.seen, p)
	}
	for p := range u.Advertisements() {
		n.count.dropped[family(p)].Add(1)
		if n.MaxPrefixes > 0 {
			in.note(p, false)
		}
	}
	return in.limit()
}

func (in *ingress) note(p netip.Prefix, handed bool) {
	if in.seen == nil {
		in.seen = map[netip.Prefix]bool{}
	}
	in.seen[p] = handed
}

// limit is max-prefix (RFC 4271 section 8.2.2 allows the Cease, RFC 4486 names
// it).
func (in *ingress) limit() error {
	if limit := in.neighbor.MaxPrefixes; limit > 0 && len(in.seen) > limit {
		return &wire.Notification{Code: wire.CodeCease, Subcode: wire.SubMaxPrefixes}
	}
	return nil
}

// control hands the routes of a neighbor that may send them to the engine: what
// is rebuilt from vetted parts, marked with where it came from.
func (in *ingress) control(u *wire.Update) error {
	n := in.neighbor
	var gone, came []netip.Prefix
	for p := range u.Withdrawals() {
		n.count.revoked[family(p)].Add(1)
		if in.seen[p] {
			gone = append(gone, p)
		}
		delete(in.seen, p)
	}
	var set wire.AttrSet
	accepted := false
	if f, some := familyOf(u); some {
		var err error
		if set, accepted, err = in.accept(u, f); err != nil {
			return nil // attributes that have no encoding: dropped
		}
	}
	in.signal(u, accepted)
	for p := range u.Advertisements() {
		handed := accepted && n.Accept != nil && n.Accept(p)
		switch {
		case handed:
			came = append(came, p)
		default:
			n.count.dropped[family(p)].Add(1)
			if in.seen[p] {
				gone = append(gone, p)
			}
		}
		in.note(p, handed)
	}
	if err := in.limit(); err != nil {
		return err
	}
	in.hand(gone, came, set)
	return nil
}

// accept applies the OTC ingress procedure (RFC 9234 section 5) and marks the
// route with its source; foreign copies of our marks are stripped.
func (in *ingress) accept(u *wire.Update, f wire.Family) (wire.AttrSet, bool, error) {
	n := in.neighbor
	attrs, err := u.Attributes(f)
	if err != nil || !n.external() {
		return wire.AttrSet{}, false, err
	}
	d := policy.OTCIngress(n.Role, n.ASN, attrs.OTC)
	if d.Verdict != policy.Allow {
		n.count.otc[otcLeakIn].Add(1)
		n.log.Warn("leak refused", "why", d.Why)
		return wire.AttrSet{}, false, nil
	}
	if attrs.OTC = d.OTC; d.Added {
		n.count.otc[otcAddedIn].Add(1)
	}
	attrs.LargeCommunities = policy.MarkRole(n.guard.cfg.ASN, policy.SourceOf(n.Role), attrs.LargeCommunities)
	set, err := attrs.Intern()
	return set, err == nil, err
}

// hand writes to the engine. A leg that is down loses nothing that matters: the
// engine then has no route of the neighbor at all.
func (in *ingress) hand(gone, came []netip.Prefix, set wire.AttrSet) {
	var enc wire.Encoding
	var raw []byte
	for _, f := range addressing.Families() {
		raw, _, _ = enc.AppendWithdraw(raw, only(gone, f))
	}
	if len(came) > 0 {
		raw, _, _ = enc.AppendAdvertise(raw, set, came)
	}
	_ = in.neighbor.leg.write(nil, raw)
}

func only(prefixes []netip.Prefix, f addressing.Family) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range prefixes {
		if addressing.FamilyOf(p) == f {
			out = append(out, p)
		}
	}
	return out
}

// forget takes back what the session handed to the engine.
func (in *ingress) forget() {
	in.neighbor.said.end()
	var gone []netip.Prefix
	for p, handed := range in.seen {
		if handed {
			gone = append(gone, p)
		}
	}
	in.hand(gone, nil, wire.AttrSet{})
}
