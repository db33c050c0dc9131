package addressing_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func (x *rig) token(in addressing.NewToken) (addressing.TokenRecord, string) {
	x.t.Helper()
	k, secret, _, err := x.r.CreateToken(x.t.Context(), x.operator(), in)
	if err != nil {
		x.t.Fatal(err)
	}
	return k, secret
}

func TestTokens(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	anywhere := netip.Addr{}
	k, secret := x.token(addressing.NewToken{Name: "ci", AccountID: x.a.ID, Role: addressing.RoleAdmin})
	if !addressing.LooksLikeToken(secret) || !strings.HasSuffix(secret, k.Suffix) || k.Hash != addressing.HashToken(secret) {
		t.Errorf("token %+v, secret of %d characters", k, len(secret))
	}
	if a := k.Actor(); a.Kind != addressing.Owner || a.AccountID != x.a.ID || k.Scope() != addressing.OneAccount(x.a.ID) {
		t.Errorf("actor %+v, scope %s", a, k.Scope())
	}
	op, opSecret := x.token(addressing.NewToken{Role: addressing.RoleOperator})
	if a := op.Actor(); a.Kind != addressing.Operator || op.Scope() != addressing.EveryAccount() {
		t.Errorf("operator's token: actor %+v, scope %s", a, op.Scope())
	}
	x.token(addressing.NewToken{Role: addressing.RoleReadOnly})
	if len(x.mirrored) != 3 {
		t.Errorf("%d tokens mirrored", len(x.mirrored))
	}
	for _, s := range []string{secret, opSecret} {
		if _, err := x.r.Authenticate(ctx, addressing.HashToken(s), anywhere, x.now); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		in   addressing.NewToken
		code addressing.Code
	}{
		"admin without account":     {addressing.NewToken{Role: addressing.RoleAdmin}, addressing.CodeInvalid},
		"on-demand without account": {addressing.NewToken{Role: addressing.RoleOnDemand}, addressing.CodeInvalid},
		"no role":                   {addressing.NewToken{}, addressing.CodeInvalid},
		"unknown role":              {addressing.NewToken{Role: "root"}, addressing.CodeInvalid},
		"unknown account":           {addressing.NewToken{Role: addressing.RoleAdmin, AccountID: k.ID}, addressing.CodeNotFound},
		"expired":                   {addressing.NewToken{Role: addressing.RoleOperator, ExpiresAt: &epoch}, addressing.CodeInvalid},
		"host bits":                 {addressing.NewToken{Role: addressing.RoleOperator, CIDRs: []netip.Prefix{pfx("10.0.0.1/8")}}, addressing.CodeInvalid},
		"bad name":                  {addressing.NewToken{Role: addressing.RoleOperator, Name: "a\nb"}, addressing.CodeInvalid},
	} {
		_, _, _, err := x.r.CreateToken(ctx, x.operator(), c.in)
		if got := addressing.CodeOf(err); got != c.code {
			t.Errorf("%s: code %q, want %q", name, got, c.code)
		}
	}
	if _, err := x.r.Authenticate(ctx, addressing.HashToken("hf_other"), anywhere, x.now); addressing.CodeOf(err) != addressing.CodeUnauthenticated {
		t.Errorf("unknown token: %v", err)
	}
	foreign := x.owner(x.b.ID)
	_, err := x.r.RevokeToken(ctx, foreign, k.ID)
	wantCode(t, err, addressing.CodeNotFound)
	_, err = x.r.RevokeToken(ctx, foreign, op.ID)
	wantCode(t, err, addressing.CodeNotFound)
	done(x.r.RevokeToken(ctx, x.operator(), k.ID))(t)
	_, err = x.r.Authenticate(ctx, addressing.HashToken(secret), anywhere, x.now)
	wantCode(t, err, addressing.CodeUnauthenticated)
	if c := done(x.r.RevokeToken(ctx, x.operator(), k.ID))(t); c.ID != "" {
		t.Error("revoking twice is a change")
	}
	if x.mirrored[0].RevokedAt == nil && x.mirrored[1].RevokedAt == nil && x.mirrored[2].RevokedAt == nil {
		t.Error("the mirror was not told of the revocation")
	}
	noPlaintext(t, x, secret, opSecret)
}

// noPlaintext: no secret, and no hash outside the tokens table, is anywhere in
// the database or the mirror.
func noPlaintext(t *testing.T, x *rig, secrets ...string) {
	t.Helper()
	records, err := x.r.Audit(t.Context(), addressing.EveryAccount(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	log, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"audit": string(log)}
	for _, file := range []string{x.path, x.path + "-wal"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(raw)
	}
	for where, text := range texts {
		for _, s := range secrets {
			if strings.Contains(text, s) || strings.Contains(text, strings.TrimPrefix(s, addressing.TokenPrefix)) {
				t.Errorf("%s holds a secret", where)
			}
			if where == "audit" && strings.Contains(text, addressing.HashToken(s)) {
				t.Error("the audit log holds a hash")
			}
		}
	}
}

func TestTokenUsable(t *testing.T) {
	later, past := epoch.Add(time.Hour), epoch.Add(-time.Hour)
	bound := []netip.Prefix{pfx("10.0.0.0/8"), pfx("2001:db8::/32")}
	for name, c := range map[string]struct {
		k    addressing.TokenRecord
		from string
		ok   bool
	}{
		"plain":               {addressing.TokenRecord{}, "192.0.2.1", true},
		"local":               {addressing.TokenRecord{}, "", true},
		"not yet expired":     {addressing.TokenRecord{ExpiresAt: &later}, "", true},
		"expired":             {addressing.TokenRecord{ExpiresAt: &past}, "", false},
		"expires now":         {addressing.TokenRecord{ExpiresAt: &epoch}, "", false},
		"revoked":             {addressing.TokenRecord{RevokedAt: &past}, "", false},
		"revoked now":         {addressing.TokenRecord{RevokedAt: &epoch}, "", false},
		"in range":            {addressing.TokenRecord{CIDRs: bound}, "10.1.2.3", true},
		"in range, mapped":    {addressing.TokenRecord{CIDRs: bound}, "::ffff:10.1.2.3", true},
		"in IPv6 range":       {addressing.TokenRecord{CIDRs: bound}, "2001:db8::1", true},
		"out of range":        {addressing.TokenRecord{CIDRs: bound}, "11.1.2.3", false},
		"no address, ranges":  {addressing.TokenRecord{CIDRs: bound}, "", false},
		"range with zone":     {addressing.TokenRecord{CIDRs: []netip.Prefix{pfx("fe80::/10")}}, "fe80::1%eth0", true},
		"out of range mapped": {addressing.TokenRecord{CIDRs: bound}, "::ffff:11.0.0.1", false},
	} {
		var from netip.Addr
		if c.from != "" {
			from = netip.MustParseAddr(c.from)
		}
		err := c.k.Usable(from, epoch)
		if (err == nil) != c.ok || err != nil && addressing.CodeOf(err) != addressing.CodeUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}
