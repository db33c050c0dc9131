package api

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// handlers implements the generated interface. Its methods turn typed requests
// into calls of the use cases and their answers into the document's objects;
// errors are returned and take their form in Server.refuse.
type handlers struct{ *Server }

var _ StrictServerInterface = (*handlers)(nil)

func itoa[T ~uint64 | ~int64 | ~int](n T) string { return strconv.FormatInt(int64(n), 10) }

func ptr[T any](v T) *T { return &v }

// micro is a time as Cloudflare writes it: UTC, microseconds.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func microPtr(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	m := micro(*t)
	return &m
}

// timeOrNil is nil for the zero time.
func timeOrNil(t time.Time) *time.Time { return microPtr(&t) }

// notes are the messages of an answer: where it comes from, if not from the
// store.
func notes(ctx context.Context) []Message {
	c := callIn(ctx)
	if c.source == nil {
		return noMessages()
	}
	return []Message{{Code: 1003, Message: "served from " + c.source.name() +
		": desired state is unavailable, changes are refused and the wire is unchanged"}}
}

// parsePrefix reads the cidr of a body.
func parsePrefix(text string) (netip.Prefix, error) {
	p, err := addressing.ParsePrefix(text)
	if err != nil {
		return p, &addressing.Error{Code: addressing.CodeInvalid, Op: "parse prefix", Field: "cidr", Detail: err.Error(),
			Number: 1001, Message: "invalid_network_cidr"}
	}
	return p, nil
}

// parseRange reads the cidr of a binding or a delegation: any size, because it
// is a range of addresses and not a route. Whether it lies inside its prefix is
// for the use cases to say.
func parseRange(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	why := ""
	switch {
	case err != nil:
		why = "is not in CIDR notation"
	case p.Addr().Is4In6():
		why = "is IPv4-mapped IPv6"
	case p != p.Masked():
		why = "has host bits set, did you mean " + p.Masked().String() + "?"
	default:
		return p, nil
	}
	return p, &addressing.Error{Code: addressing.CodeInvalid, Op: "parse range", Field: "cidr", Detail: strconv.Quote(text) + " " + why,
		Number: 1001, Message: "invalid_network_cidr"}
}

// approvedLetter is Cloudflare's word for approved.
func approvedLetter(l addressing.Lifecycle) PrefixApproved {
	if l == addressing.Pending {
		return PrefixApprovedP
	}
	return PrefixApprovedV
}

// prefixOut is a prefix as /client/v4 shows it: desired state. Its advertised
// tells the truth about all BGP prefixes of the prefix: true if any of them is
// to be advertised (api-contract 4.11).
func prefixOut(d addressing.PrefixDetail) Prefix {
	p := Prefix{ID: d.ID, AccountID: d.AccountID, Cidr: d.CIDR.String(), Asn: int64(d.ASN), Description: d.Description,
		Approved: approvedLetter(d.State), CreatedAt: micro(d.CreatedAt), ModifiedAt: micro(d.ModifiedAt),
		DelegateLoaCreation: d.DelegateLOACreation, LoaDocumentID: d.LOADocumentID,
		IrrValidationState: stateOut(d.IRR), RpkiValidationState: stateOut(d.RPKI),
		OwnershipValidationState: stateOut(d.Ownership), OwnershipValidationToken: d.OwnershipToken,
		AsnOwnershipValidationState: stateOut(d.Ownership),
		OnDemandEnabled:             d.OnDemandEnabled, OnDemandLocked: d.OnDemandLocked}
	p.Advertised, p.AdvertisedModifiedAt = advertisedOut(d)
	return p
}

func stateOut(s addressing.ValidationState) string {
	if s == "" {
		return string(addressing.ValidationPending)
	}
	return string(s)
}

// advertisedOut is null unless on demand is enabled.
func advertisedOut(d addressing.PrefixDetail) (*bool, *time.Time) {
	if !d.OnDemandEnabled {
		return nil, nil
	}
	any, last := false, time.Time{}
	for _, b := range d.BGP {
		any = any || b.Advertised
		if b.AdvertisedModifiedAt != nil && b.AdvertisedModifiedAt.After(last) {
			last = *b.AdvertisedModifiedAt
		}
	}
	return &any, timeOrNil(last)
}

func bgpPrefixOut(p addressing.Prefix, b addressing.BGPPrefix) BGPPrefix {
	out := BGPPrefix{ID: b.ID, Cidr: b.CIDR.String(), AsnPrependCount: b.Prepend, AutoAdvertiseWithdraw: b.AutoAdvertiseWithdraw,
		CreatedAt: micro(b.CreatedAt), ModifiedAt: micro(b.ModifiedAt)}
	if p.ASN != 0 {
		out.Asn = ptr(int64(p.ASN))
	}
	out.BgpSignalOpts.Enabled = p.Control == addressing.ControlBGP
	out.OnDemand.OnDemandEnabled = p.OnDemandEnabled
	out.OnDemand.OnDemandLocked = p.OnDemandLocked
	if p.OnDemandEnabled {
		out.OnDemand.Advertised = ptr(b.Advertised)
		out.OnDemand.AdvertisedModifiedAt = microPtr(b.AdvertisedModifiedAt)
	}
	return out
}

func bindingOut(b addressing.Binding, names map[string]string) AccountBinding {
	out := AccountBinding{ID: b.ID, Cidr: b.CIDR.String(), ServiceID: b.ServiceID, ServiceName: names[b.ServiceID]}
	out.Provisioning.State = AccountBindingProvisioningStateProvisioning
	if b.Active {
		out.Provisioning.State = AccountBindingProvisioningStateActive
	}
	return out
}

// serviceNames maps service ids to names.
func (h *handlers) serviceNames(ctx context.Context) (map[string]string, error) {
	all, err := h.reading(ctx).Services(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(all))
	for _, s := range all {
		names[s.ID] = s.Name
	}
	return names, nil
}
