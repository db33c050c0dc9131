package station

import (
	"encoding/binary"
	"slices"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// marks are communities that can take reachability away.
type marks uint8

const (
	noExport marks = 1 << iota
	noAdvertise
	noExportSubconfed
	blackhole
)

var markNames = [...]string{"NO_EXPORT", "NO_ADVERTISE", "NO_EXPORT_SUBCONFED", "BLACKHOLE"}

// names of the marks, in one order.
func (m marks) names() []string {
	var out []string
	for i, name := range markNames {
		if m&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

func markOf(c policy.Community) marks {
	const subconfed policy.Community = 0xFFFFFF03
	switch c {
	case policy.NoExport:
		return noExport
	case policy.NoAdvertise:
		return noAdvertise
	case subconfed:
		return noExportSubconfed
	case policy.Blackhole:
		return blackhole
	}
	return 0
}

// marked reads the value of COMMUNITIES.
func marked(value []byte) (m marks) {
	for ; len(value) >= 4; value = value[4:] {
		m |= markOf(policy.Community(binary.BigEndian.Uint32(value)))
	}
	return m
}

// course is what an AS path says of a route and of us.
type course struct {
	keep bool // it matters to us
	leak policy.LeakType
	from uint32 // whom we had a leaked route from
}

// compass knows our AS numbers and what other networks are to us.
type compass struct {
	own   []uint32
	roles map[uint32]policy.Role
}

func (c compass) ours(asn uint32) bool { return slices.Contains(c.own, asn) }

// sequence is the path up to the first set, which has no order.
func sequence(path wire.ASPath) []uint32 {
	var out []uint32
	for _, s := range path {
		if s.Type != wire.ASSequence {
			break
		}
		out = append(out, s.ASNs...)
	}
	return out
}

// sent judges what an edge sends on a session where our role is to.
func (c compass) sent(path wire.ASPath, to policy.Role) course {
	asns := sequence(path)
	i := slices.IndexFunc(asns, func(asn uint32) bool { return !c.ours(asn) })
	if i < 0 {
		return course{keep: true} // originated by us
	}
	role, known := c.roles[asns[i]]
	if !known || role == policy.RoleProvider {
		return course{keep: true} // a customer's, as far as anybody said
	}
	// The whole table for a customer of ours is no concern here.
	leak := policy.Allowed(policy.SourceOf(role), to).Leak
	return course{keep: leak != policy.NoLeakType, leak: leak, from: asns[i]}
}

// seen judges what an outside router of an AS heard: only what came through us
// matters.
func (c compass) seen(path wire.ASPath, observer uint32) course {
	asns := sequence(path)
	i := slices.IndexFunc(asns, c.ours)
	if i < 0 {
		return course{}
	}
	to := observer
	if i > 0 {
		to = asns[i-1]
	}
	behind := slices.IndexFunc(asns[i:], func(asn uint32) bool { return !c.ours(asn) })
	if behind < 0 {
		return course{keep: true}
	}
	from := asns[i+behind]
	source, known := c.roles[from]
	role, toKnown := c.roles[to]
	if !known || !toKnown {
		return course{keep: true}
	}
	return course{keep: true, leak: policy.Allowed(policy.SourceOf(source), role).Leak, from: from}
}
