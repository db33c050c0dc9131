package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// authenticate finds out who calls: the token, or on the admin socket the
// local user. A token given on the socket counts; it may be worth less.
func (s *Server) authenticate(r *http.Request, c *call) (caller, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		if p, onSocket := r.Context().Value(peerKey{}).(peer); onSocket {
			return localCaller(p, s.uid)
		}
		if legacyKey(r.Header) {
			return caller{}, fail(failure{status: http.StatusForbidden, code: codeMethodScheme, number: 10405,
				why: "Method not allowed for this authentication scheme", next: "use Authorization: Bearer TOKEN", noRetry: true})
		}
		return caller{}, unauthenticated("no token")
	}
	secret, ok := bearer(values)
	if !ok {
		return caller{}, unauthenticated("Authorization must be given once, as Bearer TOKEN")
	}
	t, err := s.token(r, c, addressing.HashToken(secret))
	if err != nil {
		return caller{}, err
	}
	return callerOf(t), nil
}

// legacyKey reports Cloudflare's older schemes, which Holdfast does not have.
func legacyKey(h http.Header) bool {
	return h.Get("X-Auth-Key") != "" || h.Get("X-Auth-Email") != "" || h.Get("X-Auth-User-Service-Key") != ""
}

// bearer reads the token (RFC 6750 section 2.1); the scheme's case is free.
func bearer(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, ok := strings.Cut(values[0], " ")
	return secret, ok && strings.EqualFold(scheme, "Bearer") && secret != "" && !strings.ContainsAny(secret, " \t,")
}

func unauthenticated(why string) error {
	return fail(failure{status: http.StatusUnauthorized, code: addressing.CodeUnauthenticated, number: 10000,
		message: "Authentication error", why: why, next: "send Authorization: Bearer TOKEN", noRetry: true})
}

// token finds a token in the mirror, and in the store if the mirror does not
// have it. A recovery route asks the mirror alone.
func (s *Server) token(r *http.Request, c *call, hash string) (addressing.TokenRecord, error) {
	from := remote(r)
	if s.cfg.Mirror != nil {
		if t, err := s.cfg.Mirror.Authenticate(hash, from, c.at); err == nil {
			if !c.op.recovery && s.uses.due(t.ID, c.at) {
				s.touch(r.Context(), t.ID, c.at)
			}
			return t, nil
		}
		if c.op.recovery {
			return addressing.TokenRecord{}, unauthenticated("unknown, expired, revoked or misplaced token")
		}
	}
	t, err := s.ask(r.Context(), hash, r, c)
	if addressing.CodeOf(err) == addressing.CodeUnauthenticated {
		return t, unauthenticated("unknown, expired, revoked or misplaced token")
	}
	return t, err
}

func (s *Server) ask(ctx context.Context, hash string, r *http.Request, c *call) (addressing.TokenRecord, error) {
	reg, err := s.intent()
	if err != nil {
		return addressing.TokenRecord{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	return reg.Authenticate(ctx, hash, remote(r), c.at)
}

// touch notes the use of a token. The mirror has already answered: a store that
// cannot note it is no reason to turn anybody away.
func (s *Server) touch(ctx context.Context, id string, at time.Time) {
	reg, err := s.intent()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	if err := reg.TouchToken(ctx, id, at); err != nil {
		s.cfg.Log.WarnContext(ctx, "use of a token not noted", "token_id", id, "error", err.Error())
	}
}

// uses says when the last use of a token is to be noted again: once a minute.
type uses struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newUses() *uses { return &uses{last: make(map[string]time.Time)} }

func (u *uses) due(id string, at time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.Sub(u.last[id]) < time.Minute {
		return false
	}
	u.last[id] = at
	return true
}
