package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func tokenOut(t addressing.TokenRecord) Token {
	out := Token{ID: t.ID, AccountID: textOrNil(t.AccountID), Role: TokenRole(t.Role), Name: t.Name, Suffix: t.Suffix,
		CreatedAt: micro(t.CreatedAt), ExpiresAt: microPtr(t.ExpiresAt), LastUsedAt: microPtr(t.LastUsedAt),
		RevokedAt: microPtr(t.RevokedAt), Replaces: textOrNil(t.Replaces), CreatedBy: textOrNil(t.CreatedBy), Networks: texts(t.CIDRs)}
	return out
}

func secretOut(t addressing.TokenRecord, secret string, change *string) TokenSecret {
	o := tokenOut(t)
	return TokenSecret{ID: o.ID, AccountID: o.AccountID, Role: TokenSecretRole(o.Role), Name: o.Name, Suffix: o.Suffix,
		CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt, LastUsedAt: o.LastUsedAt, RevokedAt: o.RevokedAt,
		Replaces: o.Replaces, CreatedBy: o.CreatedBy, Networks: o.Networks, ChangeID: change, Token: secret}
}

// ListTokens lists the tokens; their secrets are not kept anywhere.
func (h *handlers) ListTokens(ctx context.Context, _ ListTokensRequestObject) (ListTokensResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	l := callIn(ctx).list(nil)
	all, err := reg.Tokens(ctx, l.scope)
	if err != nil {
		return nil, err
	}
	out := make([]Token, 0, len(all))
	for _, t := range all {
		out = append(out, tokenOut(t))
	}
	return ListTokens200JSONResponse{Items: out, Scope: l.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// CreateToken creates a token.
func (h *handlers) CreateToken(ctx context.Context, r CreateTokenRequestObject) (CreateTokenResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	in := addressing.NewToken{Role: addressing.Role(r.Body.Role), ExpiresAt: r.Body.ExpiresAt}
	if r.Body.Name != nil {
		in.Name = *r.Body.Name
	}
	if r.Body.AccountID != nil {
		in.AccountID = *r.Body.AccountID
	}
	if err := c.give(in.Role); err != nil {
		return nil, err
	}
	if in.CIDRs, err = networks(r.Body.Networks); err != nil {
		return nil, err
	}
	t, secret, cs, err := reg.CreateToken(ctx, c.request(r.Body.Reason), in)
	if err != nil {
		return nil, err
	}
	return CreateToken201JSONResponse{Body: secretOut(t, secret, c.changed(cs))}, nil
}

// give refuses a role that the caller may not hand on.
func (c *call) give(role addressing.Role) error {
	if c.caller.mayGive(role) {
		return nil
	}
	return fail(failure{status: http.StatusForbidden, code: addressing.CodeForbidden, number: 10000, field: "body./role", noRetry: true,
		why: "a token with the role " + string(role) + " is made on the admin socket, or with a token of that role", next: "holdfast --socket PATH token create --role " + string(role)})
}

// giveAgain is give for the successor of a token. What is not there is said by
// the use case.
func (h *handlers) giveAgain(ctx context.Context, reg *addressing.Registry, id string) error {
	c := callIn(ctx)
	all, err := reg.Tokens(ctx, c.scope)
	for _, t := range all {
		if t.ID == id {
			return c.give(t.Role)
		}
	}
	return err
}

// networks reads where a token may be used from. An empty list is refused: it
// could mean nowhere or anywhere.
func networks(list *[]string) ([]netip.Prefix, error) {
	if list == nil {
		return nil, nil
	}
	bad := func(detail string) error {
		return &addressing.Error{Code: addressing.CodeInvalid, Op: "create token", Field: "networks", Detail: detail}
	}
	if len(*list) == 0 {
		return nil, bad("is empty; leave it out to allow any address")
	}
	out := make([]netip.Prefix, 0, len(*list))
	for _, text := range *list {
		p, err := parseRange(text)
		if err != nil {
			return nil, bad(err.Error())
		}
		out = append(out, p)
	}
	return out, nil
}

// changedToken is a token as it stands after a change of it.
func changedToken(ctx context.Context, reg *addressing.Registry, id string, cs addressing.ChangeSet, op string) (Token, error) {
	c := callIn(ctx)
	all, err := reg.Tokens(ctx, c.scope)
	if err != nil {
		return Token{}, err
	}
	for _, t := range all {
		if t.ID == id {
			out := tokenOut(t)
			out.ChangeID = c.changed(cs)
			return out, nil
		}
	}
	return Token{}, &addressing.Error{Code: addressing.CodeNotFound, Op: op, Detail: "no such token"}
}

// RevokeToken ends a token at once.
func (h *handlers) RevokeToken(ctx context.Context, r RevokeTokenRequestObject) (RevokeTokenResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cs, err := reg.RevokeToken(ctx, c.request(nil), r.TokenID)
	if err != nil {
		return nil, err
	}
	out, err := changedToken(ctx, reg, r.TokenID, cs, "revoke token")
	if err != nil {
		return nil, err
	}
	return RevokeToken200JSONResponse{Body: out}, nil
}

// RotateToken creates the successor of a token. The old one stays until the
// new one was used (SEC-02).
func (h *handlers) RotateToken(ctx context.Context, r RotateTokenRequestObject) (RotateTokenResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	var reason *string
	if r.Body != nil {
		reason = r.Body.Reason
	}
	if err := h.giveAgain(ctx, reg, r.TokenID); err != nil {
		return nil, err
	}
	t, secret, cs, err := reg.RotateToken(ctx, c.request(reason), r.TokenID)
	if err != nil {
		return nil, err
	}
	return RotateToken201JSONResponse{Body: secretOut(t, secret, c.changed(cs))}, nil
}

// retireSoak is how long a rotated token must have rested before it can go.
const retireSoak = time.Hour

// RetireToken ends a token that was rotated, once its successor has proved
// itself and nobody uses the old one any more (SEC-02).
func (h *handlers) RetireToken(ctx context.Context, r RetireTokenRequestObject) (RetireTokenResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	var reason *string
	if r.Body != nil {
		reason = r.Body.Reason
	}
	cs, err := reg.RetireToken(ctx, c.request(reason), r.TokenID, retireSoak)
	if err != nil {
		return nil, err
	}
	out, err := changedToken(ctx, reg, r.TokenID, cs, "retire token")
	if err != nil {
		return nil, err
	}
	return RetireToken200JSONResponse{Body: out}, nil
}
