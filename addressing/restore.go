package addressing

import (
	"context"
	"net/netip"
	"slices"
)

// RestoreRequest is desired state as an older snapshot had it.
type RestoreRequest struct {
	Request
	// Want holds the records to go back to; what it does not name is left
	// alone. Nothing is ever deleted by a restore. Negative holds intents to
	// put back after the database was lost; a rollback leaves it empty, or it
	// would bring back what was lifted since.
	Want State
	// Tokens that are missing are put back too, from the mirror of a lost
	// database.
	Tokens []TokenRecord
	// Withdraw also withdraws what Want says is withdrawn. Without it a
	// restore only adds (invariant 16).
	Withdraw bool
}

// Restored is what a restore did.
type Restored struct {
	Created    int      // objects that were missing
	Changed    int      // objects set back, toggles among them
	Advertised int      // BGP prefixes set to advertised
	Withdrawn  int      // only with RestoreRequest.Withdraw
	Kept       []string // ids of negative intents that kept something down, sorted
	Skipped    []string // ids of objects that cannot come back: their place is taken, or it is not the owner's to do
}

// Restore writes an older snapshot's desired state back: missing objects are
// created with their ids, changed ones set back. It never lifts a negative
// intent (invariant 15) and never advertises what is not bound (invariant 1).
// System tasks only add (invariant 16), and so do owners, over their own
// account and only what they could do by hand: a route that is there keeps its
// prepends and sites, and what an operator locked or took away stays so.
func (r *Registry) Restore(ctx context.Context, req RestoreRequest) (Restored, ChangeSet, error) {
	var out Restored
	change, err := r.mutate(ctx, req.Request, "restore", VerbRestore, func(m *mutation) error {
		if err := req.mayRestore(); err != nil {
			return err
		}
		s := restore{m: m, req: req, own: req.Actor.Kind == Owner}
		if s.own {
			m.account = req.Actor.AccountID
		}
		err := s.run()
		slices.Sort(s.done.Kept)
		s.done.Kept = slices.Compact(s.done.Kept)
		out = s.done
		return err
	})
	if err != nil {
		return Restored{}, ChangeSet{}, err
	}
	return out, change, nil
}

// mayRestore refuses who may not restore, or not this.
func (q RestoreRequest) mayRestore() error {
	switch {
	case q.Actor.Kind == Operator:
		return nil
	case q.Withdraw:
		return &Error{Code: CodeForbidden, Field: "withdraw", Detail: "a restore by an owner or a system task only adds", Next: "ask an operator"}
	case q.Actor.Kind == Owner && !q.ownOnly():
		return &Error{Code: CodeForbidden, Field: "want", Detail: "an owner restores nothing but its own account", Next: "ask an operator"}
	}
	return nil
}

// ownOnly reports whether the scope is the owner's account and everything that
// is wanted belongs to it.
func (q RestoreRequest) ownOnly() bool {
	own := q.Actor.AccountID
	if own == "" || q.Scope.Account() != own || len(q.Tokens) > 0 || len(q.Want.Services) > 0 {
		return false
	}
	mine := make(map[string]bool, len(q.Want.Prefixes))
	for _, p := range q.Want.Prefixes {
		if mine[p.ID] = true; p.AccountID != own {
			return false
		}
	}
	return !slices.ContainsFunc(q.Want.Accounts, func(a Account) bool { return a.ID != own }) &&
		!slices.ContainsFunc(q.Want.BGPPrefixes, func(b BGPPrefix) bool { return !mine[b.PrefixID] }) &&
		!slices.ContainsFunc(q.Want.Bindings, func(b Binding) bool { return !mine[b.PrefixID] }) &&
		!slices.ContainsFunc(q.Want.Negative, func(n NegativeIntent) bool { return n.AccountID != own })
}

// ownerRegains reports whether an owner gets a prefix back by a restore: one
// that is there, or that it deleted within the grace time. One without a row
// was purged, and approving it anew is not for its owner.
func (s *restore) ownerRegains(d *PrefixDetail) bool {
	return d != nil && (d.DeleteAfter == nil || d.DeleteAfter.After(s.req.At))
}

// restore is one restore at work. Everything is looked up in maps that are
// filled once: its cost follows the size of Want and of the store, not their
// product.
type restore struct {
	m    *mutation
	req  RestoreRequest
	own  bool // by an owner
	done Restored

	accounts map[string]bool
	services map[string]bool
	prefixes map[string]*PrefixDetail
	byRoute  map[string]BGPPrefix    // BGP prefixes that are there, by id
	bindings map[string]bool         // ids of bindings that are there
	bound    map[string]coverage     // by prefix id; its bindings, active or not
	active   map[string]coverage     // by prefix id; active bindings, once all are there
	live     map[netip.Prefix]string // CIDR of a visible prefix -> its id
	routes   map[netip.Prefix]string // CIDR of a visible prefix's route -> prefix id
}

func (s *restore) run() error {
	for _, step := range []func() error{s.load, s.addAccounts, s.addServices, s.addTokens, s.addPrefixes, s.addIntents, s.addBindings, s.setRoutes} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *restore) load() error {
	if err := s.m.touchAll(); err != nil {
		return err
	}
	s.prefixes = make(map[string]*PrefixDetail, len(s.m.before))
	s.live, s.routes = map[netip.Prefix]string{}, map[netip.Prefix]string{}
	s.byRoute, s.bindings, s.bound, s.active = map[string]BGPPrefix{}, map[string]bool{}, map[string]coverage{}, map[string]coverage{}
	for id, d := range s.m.before {
		for _, b := range d.BGP {
			s.byRoute[b.ID] = b
		}
		s.bound[id] = coverage{}
		for _, b := range d.Bindings {
			s.bindings[b.ID] = true
			s.bound[id][b.CIDR] = struct{}{}
		}
		d.BGP, d.Bindings, d.Negative = slices.Clone(d.BGP), slices.Clone(d.Bindings), slices.Clone(d.Negative)
		s.keep(id, d)
	}
	return nil
}

func (s *restore) keep(id string, d PrefixDetail) {
	s.prefixes[id] = &d
	if d.State.Visible() {
		s.live[d.CIDR] = id
		for _, b := range d.BGP {
			s.routes[b.CIDR] = id
		}
	}
}

func (s *restore) addAccounts() error {
	there, err := s.m.tx.Accounts(EveryAccount())
	if err != nil {
		return err
	}
	s.accounts = make(map[string]bool, len(there))
	for _, a := range there {
		s.accounts[a.ID] = true
	}
	for _, a := range s.req.Want.Accounts {
		if s.accounts[a.ID] || !s.req.Scope.Includes(a.ID) || s.own {
			continue
		}
		if a.CreatedAt.IsZero() {
			a.CreatedAt = s.req.At.UTC()
		}
		if err := s.m.saveAccount(nil, a); err != nil {
			return err
		}
		s.accounts[a.ID] = true
		s.done.Created++
	}
	return nil
}

func (s *restore) addServices() error {
	there, err := s.m.tx.Services()
	if err != nil {
		return err
	}
	s.services = make(map[string]bool, len(there))
	for _, v := range there {
		s.services[v.ID] = true
	}
	for _, v := range s.req.Want.Services {
		if s.services[v.ID] {
			continue
		}
		s.services[v.ID] = true
		if v.CreatedAt.IsZero() {
			v.CreatedAt = s.req.At.UTC()
		}
		if err := s.m.saveService(nil, v); err != nil {
			return err
		}
		s.done.Created++
	}
	return nil
}

func (s *restore) addTokens() error {
	for _, t := range s.req.Tokens {
		_, err := s.m.tx.Token(t.ID)
		if err == nil || !s.req.Scope.Every() {
			continue
		}
		if CodeOf(err) != CodeNotFound {
			return err
		}
		if t.AccountID != "" && !s.accounts[t.AccountID] {
			s.done.Skipped = append(s.done.Skipped, t.ID)
			continue
		}
		if err := s.m.saveToken(nil, t); err != nil {
			return err
		}
		s.done.Created++
	}
	return nil
}

func (s *restore) addPrefixes() error {
	for _, p := range s.req.Want.Prefixes {
		if !s.req.Scope.Includes(p.AccountID) || !p.State.Visible() {
			continue
		}
		d, there := s.prefixes[p.ID]
		holder, taken := s.live[p.CIDR]
		switch {
		case taken && holder != p.ID, !s.accounts[p.AccountID], there && d.State == Tombstone, there && d.AccountID != p.AccountID, s.own && !s.ownerRegains(d):
			s.done.Skipped = append(s.done.Skipped, p.ID)
		case there && d.State == PendingDelete:
			if err := s.bringBack(d); err != nil {
				return err
			}
		case !there:
			if err := s.recreate(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *restore) bringBack(d *PrefixDetail) error {
	if slices.ContainsFunc(d.BGP, func(b BGPPrefix) bool { _, taken := s.routes[b.CIDR]; return taken }) {
		s.done.Skipped = append(s.done.Skipped, d.ID)
		return nil
	}
	if err := s.m.undelete(*d); err != nil {
		return err
	}
	d.State, d.DeleteAfter, d.Version = Approved, nil, d.Version+1
	s.keep(d.ID, *d)
	s.done.Changed++
	return nil
}

func (s *restore) recreate(p Prefix) error {
	if p.CreatedAt.IsZero() {
		p.CreatedAt = s.req.At.UTC()
	}
	if p.IRR == "" {
		p.IRR, p.RPKI, p.Ownership = ValidationPending, ValidationPending, ValidationPending
	}
	if p.OwnershipToken == "" {
		proof, err := s.m.id()
		if err != nil {
			return err
		}
		p.OwnershipToken = proof
	}
	p, err := s.m.savePrefix(nil, p)
	if err != nil {
		return err
	}
	s.keep(p.ID, PrefixDetail{Prefix: p})
	s.done.Created++
	return nil
}

// addIntents comes before anything is advertised.
func (s *restore) addIntents() error {
	down := map[string]*intentIndex{}
	for _, n := range s.req.Want.Negative {
		if _, err := s.m.tx.Intent(n.ID); CodeOf(err) != CodeNotFound {
			if err != nil {
				return err
			}
			continue
		}
		if n.AccountID != "" && !s.accounts[n.AccountID] || !n.InForce(s.req.At) {
			continue
		}
		if err := s.m.insertIntent(n); err != nil {
			return err
		}
		s.done.Created++
		if down[n.AccountID] == nil {
			down[n.AccountID] = &intentIndex{}
		}
		down[n.AccountID].add(n)
	}
	for _, x := range down {
		x.sort()
	}
	for _, d := range s.prefixes {
		if x := down[d.AccountID]; x != nil {
			d.Negative = append(d.Negative, x.over(d.CIDR)...)
		}
	}
	return nil
}

// of finds the prefix that a BGP prefix or binding of Want belongs to, if it
// is there, approved and in scope.
func (s *restore) of(prefixID string) *PrefixDetail {
	d := s.prefixes[prefixID]
	if d == nil || d.State != Approved || !s.req.Scope.Includes(d.AccountID) {
		return nil
	}
	return d
}

func (s *restore) addBindings() error {
	for _, b := range s.req.Want.Bindings {
		d := s.of(b.PrefixID)
		if d == nil || s.bindings[b.ID] {
			continue
		}
		if s.own && !s.services[b.ServiceID] {
			s.done.Skipped = append(s.done.Skipped, b.ID)
			continue
		}
		if s.bound[d.ID] == nil {
			s.bound[d.ID] = coverage{}
		}
		if _, taken := s.bound[d.ID][b.CIDR]; taken || !contains(d.CIDR, b.CIDR) {
			s.done.Skipped = append(s.done.Skipped, b.ID)
			continue
		}
		if b.CreatedAt.IsZero() {
			b.CreatedAt = s.req.At.UTC()
		}
		b.Active = true
		if err := s.m.insertBinding(b); err != nil {
			return err
		}
		d.Bindings = append(d.Bindings, b)
		s.bound[d.ID][b.CIDR] = struct{}{}
		s.done.Created++
	}
	return nil
}

func (s *restore) setRoutes() error {
	for _, want := range s.req.Want.BGPPrefixes {
		d := s.of(want.PrefixID)
		if d == nil {
			continue
		}
		if is, there := s.byRoute[want.ID]; there {
			if is.PrefixID != d.ID {
				s.done.Skipped = append(s.done.Skipped, want.ID)
			} else if err := s.setBack(d, is, want); err != nil {
				return err
			}
			continue
		}
		if _, taken := s.routes[want.CIDR]; taken || !contains(d.CIDR, want.CIDR) {
			s.done.Skipped = append(s.done.Skipped, want.ID)
			continue
		}
		if err := s.addRoute(d, want); err != nil {
			return err
		}
	}
	return nil
}

func (s *restore) addRoute(d *PrefixDetail, want BGPPrefix) error {
	if want.CreatedAt.IsZero() {
		want.CreatedAt = s.req.At.UTC()
	}
	want.Advertised = want.Advertised && s.mayAdvertise(d, want.CIDR)
	want.AdvertisedModifiedAt = nil
	if want.Advertised {
		at := s.req.At.UTC()
		want.AdvertisedModifiedAt = &at
		s.done.Advertised++
	}
	saved, err := s.m.saveBGPPrefix(nil, want)
	if err != nil {
		return err
	}
	d.BGP = append(d.BGP, saved)
	s.routes[want.CIDR] = d.ID
	s.done.Created++
	return nil
}

func (s *restore) setBack(d *PrefixDetail, is, want BGPPrefix) error {
	now, at := is, s.req.At.UTC()
	if !s.own {
		now.Prepend, now.Resting, now.Sites = want.Prepend, want.Resting, want.Sites
	}
	switch {
	case want.Advertised && !is.Advertised && s.mayAdvertise(d, is.CIDR):
		now.Advertised, now.AdvertisedModifiedAt, now.DownAt = true, &at, nil
		s.done.Advertised++
	case !want.Advertised && is.Advertised && s.req.Withdraw:
		now.Advertised, now.AdvertisedModifiedAt, now.DownAt = false, &at, nil
		s.done.Withdrawn++
	}
	if sameRoute(is, now) {
		return nil
	}
	s.done.Changed++
	_, err := s.m.saveBGPPrefix(&is, now)
	return err
}

// mayAdvertise: bound, and not down on purpose. A block and an emergency leave
// the desired state alone and keep the route down by themselves, so they do not
// stop a restore of it; an owner's own withdrawal is what is desired.
func (s *restore) mayAdvertise(d *PrefixDetail, cidr netip.Prefix) bool {
	bound, known := s.active[d.ID]
	if !known {
		bound = d.coverage()
		s.active[d.ID] = bound
	}
	if !bound.has(cidr) || d.Control == ControlBGP {
		return false
	}
	if s.own && (togglable(*d) != nil || d.BarsAdvertising() != "") {
		s.done.Skipped = append(s.done.Skipped, d.ID)
		return false
	}
	may := true
	for _, n := range d.BlockedBy(cidr, s.req.At) {
		s.done.Kept = append(s.done.Kept, n.ID)
		may = may && (n.Kind == IntentBlock || n.Kind == IntentEmergency)
	}
	return may
}
