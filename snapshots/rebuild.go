package snapshots

import (
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// State turns a snapshot back into desired state, so that intent can be
// restored or rebuilt from it. Only the accounts named are in it; none named
// is none (invariant 2). What snapshots do not carry (tokens, audit, progress
// of validation) is not there.
func (s *Snapshot) State(accounts ...string) addressing.State {
	var st addressing.State
	for _, v := range s.Network.Services {
		st.Services = append(st.Services, addressing.Service{ID: v.ID, Name: v.Name, MinSites: v.MinSites})
	}
	for _, a := range accounts {
		if p, found := s.Account(a); found {
			p.addTo(&st)
		}
	}
	return st
}

// Whole is State of every account, with the intents that belong to sites: what
// intent is rebuilt from when the database is lost.
func (s *Snapshot) Whole() addressing.State {
	st := s.State(s.AccountIDs()...)
	for _, n := range s.Network.Negative {
		st.Negative = append(st.Negative, n.intent(""))
	}
	return st
}

// AccountIDs lists every account of the snapshot, sorted.
func (s *Snapshot) AccountIDs() []string {
	out := make([]string, 0, len(s.Accounts))
	for i := range s.Accounts {
		out = append(out, s.Accounts[i].Account)
	}
	return out
}

func (p *AccountPart) addTo(st *addressing.State) {
	st.Accounts = append(st.Accounts, addressing.Account{ID: p.Account, Name: p.Name, Kind: p.Kind})
	for i := range p.Prefixes {
		rec := &p.Prefixes[i]
		st.Prefixes = append(st.Prefixes, addressing.Prefix{
			ID: rec.ID, AccountID: p.Account, CIDR: rec.CIDR, ASN: rec.ASN, Description: rec.Description, State: rec.State,
			Control: rec.Control, OnDemandEnabled: rec.OnDemand, OnDemandLocked: rec.Locked,
		})
		for _, b := range rec.BGP {
			st.BGPPrefixes = append(st.BGPPrefixes, addressing.BGPPrefix{
				ID: b.ID, PrefixID: rec.ID, CIDR: b.CIDR, Prepend: b.Prepend, Advertised: b.Advertised, Resting: b.Resting, Sites: b.Sites,
				DownAt: moment(b.DownAt),
			})
		}
		for _, b := range rec.Bindings {
			st.Bindings = append(st.Bindings, addressing.Binding{ID: b.ID, PrefixID: rec.ID, CIDR: b.CIDR, ServiceID: b.Service, Active: b.Active})
		}
	}
	for _, n := range p.Negative {
		st.Negative = append(st.Negative, n.intent(p.Account))
	}
}

func (n NegativeIntent) intent(account string) addressing.NegativeIntent {
	out := addressing.NegativeIntent{
		ID: n.ID, AccountID: account, Site: n.Site, Neighbor: n.Neighbor, Kind: n.Kind, Author: n.Author, Reason: n.Reason, CreatedAt: time.Unix(n.CreatedAt, 0).UTC(),
		Shutdown: n.Shutdown,
	}
	if n.CIDR != "" {
		out.CIDR, _ = addressing.ParsePrefix(n.CIDR) // validated before
	}
	out.ExpiresAt, out.DownAt = moment(n.ExpiresAt), moment(n.DownAt)
	return out
}

// moment is Unix seconds as a time; 0 is none.
func moment(unix int64) *time.Time {
	if unix == 0 {
		return nil
	}
	t := time.Unix(unix, 0).UTC()
	return &t
}

// NextExpiry is when the next negative intent of the snapshot expires, or takes
// down what it drains, or the next route leaves that was withdrawn; the zero
// time if none does.
func (s *Snapshot) NextExpiry() time.Time {
	first := nextIntent(s.Network.Negative)
	for i := range s.Accounts {
		first = sooner(first, s.Tally(i).Next)
	}
	if first == 0 {
		return time.Time{}
	}
	return time.Unix(first, 0).UTC()
}
