package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/breaker"
)

// patience is how long the breaker may take to decide. A hung or dead one
// stops deployment within it, and leaves the wire as it is (BRK-08).
const patience = 1500 * time.Millisecond

// within asks the breaker and refuses for it when it does not answer. What it
// allows too late is taken back by undo, which may be nil.
func (g *Gate) within(ctx context.Context, ask func(context.Context) breaker.Decision, undo func()) breaker.Decision {
	ctx, cancel := context.WithTimeout(ctx, patience)
	answer := make(chan breaker.Decision, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				answer <- failed(fmt.Sprintf("the breaker broke: %v", r))
			}
		}()
		answer <- ask(ctx)
	}()
	select {
	case d := <-answer:
		cancel()
		return d
	case <-ctx.Done():
	}
	go func() {
		defer cancel()
		if d := <-answer; d.Verdict == breaker.Allow && undo != nil {
			undo()
		}
	}()
	return failed("the breaker did not decide within " + patience.String())
}

// failed refuses in the breaker's place.
func failed(why string) breaker.Decision {
	return breaker.Decision{Findings: []breaker.Finding{{Rule: "breaker.failed", Scope: breaker.Global, Why: why,
		Next: "the wire stays as it is; look at the daemon's disk and log, then restart it"}}}
}
