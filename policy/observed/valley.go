package observed

import "github.com/holdfast-bgp/holdfast/policy"

// valley is one place at which a path goes up or across after it went across
// or down.
type valley struct {
	leak     policy.LeakType
	leaker   int // index of the AS that went on with the route
	learned  int // index of the AS from which the route had come across or down
	sent     int // index of the AS it was sent to
	doubtful int // how many ASes before the leaker may have leaked instead
}

// valleys walks a path from its origin, at the end, to the collector. A path
// without a leak goes up any number of times, across at most once, and then
// only down (RFC 7908 section 3). A link of unknown relationship changes
// nothing: what was known before it still holds after it, but then one of
// several ASes leaked.
func valleys(dst []valley, hops []uint32, rel *Relations) []valley {
	came := Unknown // how the route last came: from a provider, from a peer, or unknown for up so far
	learned := 0    // the sender of that step
	for i := len(hops) - 1; i > 0; i-- {
		sender, receiver := hops[i], hops[i-1]
		if sender == 0 || receiver == 0 {
			continue
		}
		step := rel.Of(sender, receiver)
		if (step == Provider || step == Peer) && came != Unknown {
			dst = append(dst, valley{
				leak: leakType(came, step), leaker: i, learned: learned, sent: i - 1, doubtful: learned - i - 1,
			})
		}
		switch step {
		case Provider:
			came = Unknown
		case Peer:
			came, learned = Peer, i
		case Customer:
			came, learned = Provider, i
		}
	}
	return dst
}

// leakType is the type of RFC 7908 of a route that came from a provider or
// peer and was sent to one.
func leakType(from, to Relation) policy.LeakType {
	local := policy.RolePeer
	if to == Provider {
		local = policy.RoleCustomer
	}
	source := policy.FromPeer
	if from == Provider {
		source = policy.FromProvider
	}
	return policy.Allowed(source, local).Leak
}
