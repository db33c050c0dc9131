package api

import (
	"context"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// listing is the scope of a list, echoed in its answer so that a client can
// tell that it got what it asked for (ADR-02).
type listing struct {
	scope  addressing.Scope
	filter map[string]string
}

// list narrows the caller's scope to the account it asks for. An account out of
// scope is an empty scope, never a wider one.
func (c *call) list(account *string) listing {
	l := listing{scope: c.scope, filter: map[string]string{}}
	if account == nil {
		return l
	}
	l.filter["account_id"] = *account
	if !c.scope.Includes(*account) {
		l.scope = addressing.Scope{}
		return l
	}
	l.scope = addressing.OneAccount(*account)
	return l
}

// outOfScope is the error of a list that asks for an account the caller may
// not see.
func (l listing) check() error {
	if !l.scope.Every() && l.scope.Account() == "" {
		return &addressing.Error{Code: addressing.CodeNotFound, Op: "list", Field: "", Detail: "no such account in the scope of this token",
			Next: "leave account_id out or name the account of the token"}
	}
	return nil
}

func (l listing) echo() *map[string]string {
	if len(l.filter) == 0 {
		return nil
	}
	return &l.filter
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func actorOut(a addressing.Actor) Actor {
	return Actor{Kind: ActorKind(a.Kind), ID: a.ID, Name: textOrNil(a.Name), AccountID: textOrNil(a.AccountID)}
}

func findingsOut(all []policy.Finding) []Finding {
	out := make([]Finding, 0, len(all))
	for _, f := range all {
		out = append(out, Finding{Rule: f.Rule, Verdict: FindingVerdict(f.Verdict.String()), Why: f.Why, Next: textOrNil(f.Next),
			Account: textOrNil(f.Account), Prefix: textOrNil(f.Prefix), Scope: textOrNil(f.Scope)})
	}
	return out
}

func intentOut(n addressing.NegativeIntent) NegativeIntent {
	out := NegativeIntent{ID: n.ID, AccountID: textOrNil(n.AccountID), Site: textOrNil(n.Site), Kind: NegativeIntentKind(n.Kind),
		Author: n.Author, Reason: n.Reason, CreatedAt: micro(n.CreatedAt), ExpiresAt: microPtr(n.ExpiresAt)}
	if n.CIDR.IsValid() {
		out.Cidr = ptr(n.CIDR.String())
	}
	return out
}

// siteNames writes a set of sites; "*" is all of them.
func siteNames(s addressing.Sites) []string {
	if s.All {
		return []string{"*"}
	}
	return append([]string{}, s.Names...)
}

func familyCounts(counts map[addressing.Family]int) map[string]int {
	out := make(map[string]int, 2)
	for _, f := range addressing.Families() {
		out[f.String()] = counts[f]
	}
	return out
}

func texts[T interface{ String() string }](list []T) *[]string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return &out
}

// environment is echoed in every list, so that a client asserts it.
func (h *handlers) environment() string { return h.cfg.Environment }

// ListNegativeIntents lists what is down on purpose.
func (h *handlers) ListNegativeIntents(ctx context.Context, r ListNegativeIntentsRequestObject) (ListNegativeIntentsResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	l := callIn(ctx).list(r.Params.AccountID)
	if err := l.check(); err != nil {
		return nil, err
	}
	all, err := reg.NegativeIntents(ctx, l.scope)
	if err != nil {
		return nil, err
	}
	out := make([]NegativeIntent, 0, len(all))
	for _, n := range all {
		out = append(out, intentOut(n))
	}
	return ListNegativeIntents200JSONResponse{Items: out, Scope: l.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out), Filter: l.echo()}, nil
}

func joinComma(list []string) string { return strings.Join(list, ", ") }
