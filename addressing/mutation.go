package addressing

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// mutation is one use case at work inside the write transaction. Every write
// goes through it, so that no use case can forget the audit images or the
// effects on routes.
type mutation struct {
	tx      Tx
	req     Request
	entropy io.Reader
	lab     bool // special-purpose ranges may be held
	drain   func() time.Duration

	account string // whose object it is, for the audit log
	inverse string
	objects []string
	images  [2]Images // before, after
	before  map[string]PrefixDetail
	bulk    bool     // before was loaded whole
	tokens  bool     // the mirror of tokens must follow
	more    []Effect // that do not follow from a prefix itself
	drains  *Drained
}

// errUnchanged rolls a transaction back that has nothing to store.
var errUnchanged = errors.New("nothing to change")

// mutate runs one use case. verb is the audit log's word for it, "noun.verb".
func (r *Registry) mutate(ctx context.Context, req Request, op, verb string, fn func(*mutation) error) (ChangeSet, error) {
	if err := req.check(); err != nil {
		return ChangeSet{}, inOp(op, err)
	}
	if req.Reason == "" {
		req.Reason = verb
	}
	req.At = req.At.UTC().Round(0) // without the monotonic clock's part
	var change ChangeSet
	var release func()
	err := r.store.Update(ctx, func(tx Tx) error {
		m := &mutation{tx: tx, req: req, entropy: r.opt.Entropy, lab: r.opt.AllowSpecial, drain: r.opt.Drain, before: map[string]PrefixDetail{}}
		if err := fn(m); err != nil {
			return err
		}
		var err error
		if change, release, err = r.finish(ctx, m, verb); err != nil && release != nil {
			release()
			release = nil
		}
		return err
	})
	switch {
	case errors.Is(err, errUnchanged):
		return ChangeSet{}, nil
	case err != nil:
		if release != nil {
			release()
		}
		return ChangeSet{}, inOp(op, err)
	}
	if r.opt.Notify != nil {
		r.opt.Notify(change)
	}
	return change, nil
}

// finish is what every mutation ends with: effects, gate, mirror, audit.
func (r *Registry) finish(ctx context.Context, m *mutation, verb string) (ChangeSet, func(), error) {
	if len(m.objects) == 0 {
		return ChangeSet{}, nil, errUnchanged
	}
	effects, err := m.effects()
	if err != nil {
		return ChangeSet{}, nil, err
	}
	if err := protect(m.req.Actor, effects); err != nil {
		return ChangeSet{}, nil, err
	}
	head, err := m.tx.AuditHead()
	if err != nil {
		return ChangeSet{}, nil, err
	}
	id, err := ulid.New(ulid.Timestamp(m.req.At), m.entropy)
	if err != nil {
		return ChangeSet{}, nil, fmt.Errorf("change id: %w", err)
	}
	change := ChangeSet{ID: id.String(), RequestID: m.req.RequestID, Actor: m.req.Actor, Reason: m.req.Reason,
		At: m.req.At.UTC(), Verb: verb, Version: head.Seq + 1, Objects: m.objects, Effects: effects, Incident: m.req.Incident, Drains: m.drains, ReplacedBy: m.req.ReplacedBy, Approval: m.req.Approval, Confirm: m.req.Confirm}
	if err := m.append(change, head); err != nil {
		return ChangeSet{}, nil, err
	}
	release, err := r.admit(ctx, change)
	if err != nil {
		return ChangeSet{}, nil, err
	}
	if m.tokens && r.opt.OnTokens != nil {
		// Before the commit: a token that could not be struck from the mirror
		// must not look revoked.
		if err := mirror(m.tx, r.opt.OnTokens); err != nil {
			return change, release, err
		}
	}
	return change, release, nil
}

func mirror(tx Tx, write func([]TokenRecord) error) error {
	all, err := tx.Tokens(EveryAccount())
	if err != nil {
		return err
	}
	if err := write(all); err != nil {
		return &Error{Code: CodeUnavailable, Detail: "the mirror of token hashes cannot be written", Next: "look at the data directory's space and permissions", Err: err}
	}
	return nil
}

// admit asks the gate. What is not an *Error is a gate that could not decide:
// fail closed on change (invariant 3).
func (r *Registry) admit(ctx context.Context, c ChangeSet) (func(), error) {
	release, err := r.gate.Admit(ctx, c)
	if err == nil {
		return release, nil
	}
	if release != nil {
		release()
	}
	var e *Error
	if errors.As(err, &e) {
		return nil, err
	}
	return nil, &Error{Code: CodeHeld, Detail: "the breaker could not decide", Next: "nothing was changed; see `holdfast breaker status`, then repeat", Err: err}
}

// protect keeps system tasks from taking first-party prefixes down: no
// automation is trusted with those (requirement ADR-09).
func protect(a Actor, effects []Effect) error {
	if a.Kind != System {
		return nil
	}
	for _, e := range effects {
		if e.Account == FirstParty && e.Kind != Gained {
			return &Error{Code: CodeForbidden, Detail: fmt.Sprintf("%s is first-party, a system task may not touch it", e.CIDR),
				Next: "let an operator do it"}
		}
	}
	return nil
}

// maxImages bounds an audit record: past it only the ids are kept, and going
// back is a matter of snapshots.
const maxImages = 1000

func (m *mutation) append(c ChangeSet, head AuditRecord) error {
	record := AuditRecord{ChangeID: c.ID, At: c.At, Actor: c.Actor, AccountID: m.account, RequestID: c.RequestID, Reason: c.Reason,
		Verb: c.Verb, Objects: c.Objects, Effects: c.Effects, Inverse: m.inverse}
	images := m.images
	if n := len(m.objects); n > maxImages {
		images, record.Inverse = [2]Images{{Omitted: n}, {Omitted: n}}, ""
	}
	var err error
	if record.Before, err = json.Marshal(images[0]); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if record.After, err = json.Marshal(images[1]); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if record, err = record.Seal(head); err != nil {
		return err
	}
	return m.tx.AppendAudit(record)
}

// check refuses a request that does not say who, when or over what.
func (q Request) check() error {
	switch {
	case q.Actor.ID == "" || q.Actor.Kind != Owner && q.Actor.Kind != Operator && q.Actor.Kind != System:
		return &Error{Code: CodeForbidden, Field: "actor", Detail: "a change needs a known actor"}
	case q.At.IsZero():
		return &Error{Code: CodeInternal, Field: "at", Detail: "a change needs a time"}
	case q.Actor.Kind == Owner && q.Actor.AccountID == "":
		return &Error{Code: CodeForbidden, Field: "actor", Detail: "an owner is bound to an account"}
	case q.Actor.AccountID != "" && (q.Scope.Every() || q.Scope.Account() != "" && q.Scope.Account() != q.Actor.AccountID):
		return &Error{Code: CodeForbidden, Field: "scope", Detail: "the actor is bound to another account"}
	}
	return q.checkDrain()
}

// onlyOperator refuses everyone else.
func (q Request) onlyOperator(what string) error {
	if q.Actor.Kind != Operator {
		return &Error{Code: CodeForbidden, Detail: what + " is for operators", Next: "use an operator's token or the local socket"}
	}
	return nil
}

// match compares If-Match with the version that is there.
func (q Request) match(version int64) error {
	if q.IfMatch != 0 && q.IfMatch != version {
		return &Error{Code: CodePrecondition, Field: "If-Match", Detail: fmt.Sprintf("version %d was asked for, version %d is there", q.IfMatch, version),
			Next: "read the object again and decide anew"}
	}
	return nil
}

// inOp names the use case in an error that does not yet.
func inOp(op string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Code: CodeInternal, Op: op, Err: err}
	}
	if e.Op != "" {
		return err
	}
	named := *e
	named.Op = op
	return &named
}

// id is 32 lower-case hex digits.
func (m *mutation) id() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(m.entropy, b[:]); err != nil {
		return "", fmt.Errorf("new id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// touch remembers how a prefix was, before the first write to it.
func (m *mutation) touch(prefixID string) error {
	if _, seen := m.before[prefixID]; seen || m.bulk {
		return nil
	}
	d, err := detail(m.tx, prefixID)
	if CodeOf(err) == CodeNotFound {
		d, err = PrefixDetail{}, nil
	}
	m.before[prefixID] = d
	return err
}

// touchAll remembers how everything was, for changes too broad to look at
// prefix by prefix.
func (m *mutation) touchAll() error {
	all, err := details(m.tx, EveryAccount(), nil)
	if err != nil {
		return err
	}
	for _, d := range all {
		m.before[d.ID] = d
	}
	m.bulk = true
	return nil
}

// effects compares every touched prefix with what it is now.
func (m *mutation) effects() ([]Effect, error) {
	services, err := m.tx.Services()
	if err != nil {
		return nil, err
	}
	least := make(map[string]int, len(services))
	for _, s := range services {
		least[s.ID] = s.MinSites
	}
	minSites := func(id string) int { return max(1, least[id]) }
	after, err := m.after()
	if err != nil {
		return nil, err
	}
	out := []Effect{}
	for _, d := range after {
		if err := consistent(d); err != nil {
			return nil, err
		}
	}
	for id, d := range m.before {
		out = append(out, Effects(d, after[id], m.req.At, minSites)...)
		delete(after, id)
	}
	for _, d := range after {
		out = append(out, Effects(PrefixDetail{}, d, m.req.At, minSites)...)
	}
	out = append(out, m.more...)
	slices.SortStableFunc(out, func(a, b Effect) int {
		return cmp.Or(ComparePrefix(a.CIDR, b.CIDR), cmp.Compare(a.Kind, b.Kind))
	})
	return out, nil
}

// consistent is invariant 1, once more and for every use case at its end:
// advertised implies approved and bound.
func consistent(d PrefixDetail) error {
	bound := d.coverage()
	for _, b := range d.BGP {
		if b.Advertised && (d.State != Approved || !bound.has(b.CIDR)) {
			return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s would be advertised without an approved prefix and an active binding", b.CIDR), Number: 1003,
				Next: "bind, then advertise; withdraw, then unbind"}
		}
	}
	return nil
}

func (m *mutation) after() (map[string]PrefixDetail, error) {
	after := make(map[string]PrefixDetail, len(m.before))
	if m.bulk {
		all, err := details(m.tx, EveryAccount(), nil)
		for _, d := range all {
			after[d.ID] = d
		}
		return after, err
	}
	for id := range m.before {
		d, err := detail(m.tx, id)
		if err != nil && CodeOf(err) != CodeNotFound {
			return nil, err
		}
		after[id] = d
	}
	return after, nil
}

// object notes that something was written.
func (m *mutation) object(ids ...string) { m.objects = append(m.objects, ids...) }
