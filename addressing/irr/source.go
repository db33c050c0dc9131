package irr

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Source finds the objects of exactly this prefix. An error means that it
// could not be asked.
type Source interface {
	Routes(ctx context.Context, p netip.Prefix) ([]Object, error)
}

// Sources asks several and joins what they have. One that cannot be asked
// spoils the answer: it might be the one that has the object.
type Sources []Source

// Routes implements Source.
func (s Sources) Routes(ctx context.Context, p netip.Prefix) ([]Object, error) {
	var out []Object
	var failed []error
	for _, one := range s {
		found, err := one.Routes(ctx, p)
		out, failed = append(out, found...), append(failed, err)
	}
	return out, errors.Join(failed...)
}

// Origin is the IRR step: is there an object with the prefix and the origin?
type Origin struct{ Source }

var _ addressing.Validator = Origin{}

// Validate implements addressing.Validator: valid, missing without an object,
// mismatch_asn where there are only those of other origins.
func (o Origin) Validate(ctx context.Context, c addressing.Claim) (addressing.ValidationState, error) {
	found, err := o.Routes(ctx, c.CIDR)
	found = exactly(c.CIDR, found)
	switch {
	case slices.ContainsFunc(found, func(o Object) bool { return o.Origin == c.ASN }):
		return addressing.ValidationValid, nil
	case err != nil:
		return "", err
	case len(found) > 0:
		return addressing.ValidationMismatchASN, nil
	}
	return addressing.ValidationMissing, nil
}

// Ownership is the token step: has whoever may write the prefix's objects put
// "cf-validation: TOKEN" into one of them?
type Ownership struct{ Source }

var _ addressing.Validator = Ownership{}

// Validate implements addressing.Validator: valid or missing. Another token is
// no word against this one.
func (o Ownership) Validate(ctx context.Context, c addressing.Claim) (addressing.ValidationState, error) {
	if c.Token == "" {
		return "", errors.New("irr: the prefix has no ownership token")
	}
	found, err := o.Routes(ctx, c.CIDR)
	for _, object := range exactly(c.CIDR, found) {
		for _, t := range object.Tokens {
			if subtle.ConstantTimeCompare([]byte(t), []byte(c.Token)) == 1 {
				return addressing.ValidationValid, nil
			}
		}
	}
	if err != nil {
		return "", err
	}
	return addressing.ValidationMissing, nil
}

// exactly keeps the objects of the prefix: a server may answer with a cover.
func exactly(p netip.Prefix, found []Object) []Object {
	return slices.DeleteFunc(slices.Clone(found), func(o Object) bool { return o.Prefix != p })
}
