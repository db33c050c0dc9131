package gate

import (
	"context"
	"fmt"

	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// preview judges dry runs on a copy of the breaker.
type preview struct{ g *Gate }

// Preview is the gate for dry runs: it says what Judge would, and charges and
// opens nothing.
func (g *Gate) Preview() plan.Gate { return preview{g} }

// Judge implements plan.Gate.
func (v preview) Judge(ctx context.Context, p plan.Plan) (policy.Verdict, []policy.Finding, error) {
	b, real := v.g.breaker.(*breaker.Breaker)
	if !real {
		return policy.Hold, nil, fmt.Errorf("a dry run: the breaker cannot be copied")
	}
	fork, err := b.Fork(ctx, p.At)
	if err != nil {
		return policy.Hold, nil, fmt.Errorf("a dry run: %w", err)
	}
	dry := *v.g
	dry.breaker, dry.queue = fork, nil
	return dry.Judge(ctx, p)
}
