package breaker

import (
	"context"
	"time"
)

// Policy is the part of the limits that needs no window and may change while
// the breaker is at work: who must agree, and when nothing moves.
type Policy struct {
	ApproveBelow   int // see Limits
	Approvals      int
	ResetApprovals int
	SingleDelay    time.Duration
	Recovering     int
	EnforceOps     bool
	Freezes        []Freeze
}

// Policy is that part of the limits.
func (l *Limits) Policy() Policy {
	return Policy{l.ApproveBelow, l.Approvals, l.ResetApprovals, l.SingleDelay, l.Recovering, l.EnforceOps, l.Freezes}
}

func (l *Limits) follow(p Policy) {
	l.ApproveBelow, l.Approvals, l.ResetApprovals, l.SingleDelay = p.ApproveBelow, p.Approvals, p.ResetApprovals, p.SingleDelay
	l.Recovering, l.EnforceOps, l.Freezes = p.Recovering, p.EnforceOps, p.Freezes
}

// Follow makes the breaker follow a policy from now on. Whoever calls it has
// made sure that this loosens nothing, or that a person approved it.
func (b *Breaker) Follow(p Policy) error {
	if err := b.enter(context.Background()); err != nil {
		return err
	}
	defer b.leave()
	l := b.m.limits
	l.follow(p)
	if err := l.Validate(); err != nil {
		return err
	}
	b.m.limits = l
	return nil
}

// Limits are those that the breaker goes by now.
func (b *Breaker) Limits() Limits {
	if err := b.enter(context.Background()); err != nil {
		return Limits{}
	}
	defer b.leave()
	return b.m.limits
}
